// Part = base of everything that a registry makes: it knows its registered name and its options, so that what it
// is built into can be printed, saved, exported and built again.
#pragma once
#include <string>

#include "spiketrain/base/options.h"

namespace spiketrain {

struct Part {
  virtual ~Part() = default;
  /// {"name": ..., option: value, ...}: what Registry::make needs to make an equal part.  UsageError if a registry
  /// did not make it.
  virtual Config config() const {
    ST_CHECK(write_ != nullptr,
             "this part was not made by a registry, so it has no name or options to write");
    Config result = {{"name", name_}};
    result.update(write_(*this));
    return result;
  }
  /// Registered name, or what call() said; "" if a registry did not make it.
  const std::string& part_name() const { return name_; }
  /// For a part that no registry makes: what messages call it.
  void call(std::string name) { name_ = std::move(name); }
  /// Once, after the options are set and before the part is used: UsageError if they contradict each other.
  virtual void check() {}

 private:
  template <class Base, class T>
  friend bool register_type(const char* name);
  std::string name_;
  Config (*write_)(const Part&) = nullptr;
};

}  // namespace spiketrain
