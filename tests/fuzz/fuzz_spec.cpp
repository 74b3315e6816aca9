// Any string: parse_notation returns tokens whose echo reads the same, or throws UsageError.
#include <cstdlib>

#include "spiketrain/base/check.h"
#include "spiketrain/parts/networks/notation.h"

namespace {
std::string echo(const std::string& spec) {
  std::string result;
  for (const auto& token : spiketrain::parse_notation(spec)) {
    result += (result.empty() ? "" : "-") + spiketrain::to_string(token);
  }
  return result;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string once;
  try {
    once = echo(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const spiketrain::UsageError&) {
    return 0;
  }
  // Repetitions written out may exceed the length that is allowed.
  if (once.size() <= spiketrain::kMaxNotationLength && echo(once) != once) std::abort();
  return 0;
}
