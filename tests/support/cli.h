// The spiketrain program as a user meets it, for tests.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "spiketrain/base/file.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace spiketrain {

/// What a command came to.
struct CliResult {
  int code;
  std::string text;
  bool has(const std::string& part) const { return text.find(part) != std::string::npos; }
  int64_t lines() const { return std::count(text.begin(), text.end(), '\n'); }
};

class Cli : public ::testing::Test {
 protected:
  CliResult run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ST_CLI);
    const int code = wait_for(spawn(arguments, dir_ / "output"));
    const Bytes bytes = read_file(dir_ / "output");
    return {code, std::string(bytes.begin(), bytes.end())};
  }
  /// What the program writes on a terminal of unknown width, which counts as 80 columns; empty if this
  /// machine has no pseudo-terminals.
  std::string run_on_terminal(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ST_CLI);
    int terminal = -1;
    const pid_t child = spawn_on_terminal(arguments, &terminal);
    if (child < 0) return "";
    std::string shown;
    char buffer[4096];
    for (ssize_t n; (n = read(terminal, buffer, sizeof(buffer))) > 0;)
      shown.append(buffer, static_cast<size_t>(n));
    close(terminal);
    EXPECT_EQ(wait_for(child), 0) << shown;
    return shown;
  }
  /// Expects failure with one line that holds `part`.
  void expect_error(const std::vector<std::string>& arguments, int code, const std::string& part) {
    const CliResult result = run(arguments);
    EXPECT_EQ(result.code, code) << result.text;
    EXPECT_TRUE(result.has(part)) << result.text;
    EXPECT_EQ(result.lines(), 1) << result.text;
  }
  std::string recipe(const std::string& extra = "") {
    const std::string path = dir_ / "recipe.toml";
    write_file_atomic(
        path,
        "epochs = 1\ntitle = \"small\"\n[data]\nname = \"glyphs\"\nbatch = 20\ntrain_size = 60\n"
        "test_size = 40\n[network]\nname = \"spec\"\nspec = \"4C5-P2-10\"\n"
        "[neuron]\nname = \"psp_lif\"\n[rule]\nname = \"tssl_bp\"\n"
        "[objective]\nname = \"van_rossum\"\n" +
            extra);
    return path;
  }
  TempDir dir_;
};

}  // namespace spiketrain
