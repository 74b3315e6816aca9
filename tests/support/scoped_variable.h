// An environment variable for the length of a test: tests share a process.
#pragma once
#include <cstdlib>
#include <string>

namespace spiketrain {

class ScopedVariable {
 public:
  /// value null: unset.
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before, was_set_ = true;
    set(value);
  }
  ~ScopedVariable() { set(was_set_ ? before_.c_str() : nullptr); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  void set(const char* value) const {
    if (value != nullptr) {
      setenv(name_, value, /*overwrite=*/1);
    } else {
      unsetenv(name_);
    }
  }
  const char* name_;
  std::string before_;
  bool was_set_ = false;
};

}  // namespace spiketrain
