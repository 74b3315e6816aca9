// What happens while a shared library is loaded and its parts register themselves.  Static objects are made then, and an
// exception would end the process, so what goes wrong is kept for the first lookup or for load_plugin().
#pragma once
#include <functional>
#include <string>
#include <vector>

namespace spiketrain {

/// Calls `add`; false if it threw.  `undo` takes back what `add` has done, should a plugin turn out not to fit.
bool register_static(const std::function<void()>& add, std::function<void()> undo) noexcept;

/// UsageError, one line, if a part could not be registered, or if this is not the only copy of Spiketrain in the process:
/// each copy has registries of its own, and parts would be missing in one of them.
void check_registrations();

/// End of the message that a part is unknown: which plugins are loaded, or how to load one.
std::string plugin_hint();

/// Registers what is loaded while it lives on trial.
class Trial {
 public:
  Trial();
  /// Takes back what was registered, unless kept.
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  /// What went wrong so far.
  const std::vector<std::string>& problems() const { return problems_; }
  void keep() { kept_ = true; }

 private:
  friend bool register_static(const std::function<void()>&, std::function<void()>) noexcept;
  friend void note_problem(std::string) noexcept;
  std::vector<std::string> problems_;
  std::vector<std::function<void()>> undo_;
  bool kept_ = false;
};

/// Files that hold a copy of Spiketrain, of those loaded in this process; "the program" for the executable.
std::vector<std::string> loaded_copies();

}  // namespace spiketrain
