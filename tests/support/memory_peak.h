// How much memory something takes, for tests of what must not take much.
#pragma once
#include <malloc.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace spiketrain {

/// A line of /proc/self/status that is in kB, in bytes.
inline int64_t bytes_in_status(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kibibytes = 0;
    if (word == name + ":" && status >> kibibytes) return kibibytes * 1024;
  }
  return -1;
}

/// Most bytes that were resident at any moment while `f` ran, beyond those before; -1 if the system does not say, or what is
/// freed stays, as with an address sanitizer.
template <class F>
int64_t peak_growth(F&& f) {
#if defined(__SANITIZE_ADDRESS__)
  constexpr bool counts = false;
#else
  constexpr bool counts = true;
#endif
  malloc_trim(0);  // else what was freed before is used first and does not count
  std::ofstream reset("/proc/self/clear_refs");
  if (!(reset << 5 << std::flush)) return -1;  // the peak starts anew
  const int64_t before = bytes_in_status("VmRSS");
  f();
  const int64_t peak = bytes_in_status("VmHWM");
  return !counts || before < 0 || peak < 0 ? -1 : peak - before;
}

}  // namespace spiketrain
