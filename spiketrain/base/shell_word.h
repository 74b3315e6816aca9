// Command lines that a user can copy.
// Tests: unit/cli_test.cpp, unit/run_data_test.cpp.
#pragma once
#include <string>

namespace spiketrain {

/// A word of a command line as a shell reads it: quoted where it must be.
inline std::string shell_word(const std::string& text) {
  const char* plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:,=@%";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace spiketrain
