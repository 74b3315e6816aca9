// Any text: parse_toml returns an object that write_toml writes and that reads the same, or throws UsageError
// in one line.
#include <cstdlib>

#include "spiketrain/recipe/toml.h"

namespace {
/// Without the order of the keys: tables are written last.
nlohmann::json sorted(const spiketrain::Config& config) { return nlohmann::json::parse(config.dump()); }
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  spiketrain::Config config;
  try {
    config = spiketrain::parse_toml(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
  } catch (const spiketrain::UsageError& error) {
    if (std::string(error.what()).find_first_of("\n\r") != std::string::npos) std::abort();
    return 0;
  }
  if (sorted(spiketrain::parse_toml(spiketrain::write_toml(config), "written")) != sorted(config))
    std::abort();
  return 0;
}
