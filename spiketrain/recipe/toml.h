// TOML text <-> Config.
// Reading is toml++'s; dates become strings, and infinities and NaN are refused since JSON has neither.
// Writing is ours: top-level values first, then one [table] each, so that the result reads like a recipe.
// Tests: unit/config_test.cpp.
#pragma once
#include <string>

#include "spiketrain/base/registry.h"

namespace spiketrain {

/// UsageError "origin:line:column: what" for a syntax error or a value that is not finite.
Config parse_toml(const std::string& text, const std::string& origin);

/// The TOML text of an object; parse_toml gives the same object back, except that keys which hold tables come
/// last.  null is left out (TOML has none).  UsageError if `config` is no object or holds text that is not
/// UTF-8.
std::string write_toml(const Config& config);

/// The value of `text` as TOML would read it after "key = ", or, if that is no TOML value, `text` itself.
Config parse_toml_value(const std::string& text);

}  // namespace spiketrain
