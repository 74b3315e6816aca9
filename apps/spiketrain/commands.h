// The commands, one file each.  Every add_* declares a command and its options; running it throws the
// library's errors, which cli.cpp turns into exit codes, and otherwise sets `exit_code`.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "spiketrain/base/registry.h"
#include "spiketrain/base/shell_word.h"
#include "spiketrain/recipe/overrides.h"
#include "spiketrain/recipe/part_kinds.h"

namespace spiketrain::cli {

// Exit codes; a run that a signal has ended returns 128 + its number (130 for Ctrl-C).
constexpr int kOk = 0, kFailure = 1, kUsage = 2, kData = 3, kNumeric = 4, kGroup = 5;

void add_train(CLI::App& app, int& exit_code);
void add_launch(CLI::App& app, int& exit_code);
void add_eval(CLI::App& app, int& exit_code);
void add_export(CLI::App& app, int& exit_code);
void add_spikes(CLI::App& app, int& exit_code);
void add_sweep(CLI::App& app, int& exit_code);
void add_report(CLI::App& app, int& exit_code);
void add_watch(CLI::App& app, int& exit_code);
void add_list(CLI::App& app, int& exit_code);
void add_inspect(CLI::App& app, int& exit_code);
void add_data(CLI::App& app, int& exit_code);
void add_check(CLI::App& app, int& exit_code);
void add_gradcheck(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app, int& exit_code);
void add_import(CLI::App& app, int& exit_code);
void add_convert(CLI::App& app, int& exit_code);
void add_new(CLI::App& app, int& exit_code);
void add_help(CLI::App& app, int& exit_code);

/// Adds --data-dir, whose default is the environment variable SPIKETRAIN_DATA.
void add_data_dir(CLI::App& command, std::string& dir);

/// Adds --out, or another option that names a file: it may be left out but not be empty.
CLI::Option* add_out(CLI::App& command, std::string& out, const std::string& what,
                     const std::string& option = "--out");

/// Adds --plugin to a command and its actions.
void add_plugins(CLI::App& command);
/// Loads the plugins that `environment` (train/runtime.h) names, except those that --plugin has given from another place.
/// `source` is the file that holds it.  UsageError as load_plugin(), or if one is not there.
void load_plugins_of(const Config& environment, const std::string& source);
/// The same for a run: its environment.json, if there is one.
void load_plugins_of_run(const std::string& run_dir);

/// Prints rows with columns of equal width, indented.
void print_table(const std::vector<std::vector<std::string>>& rows, int indent = 0);
/// The options that a command was given, except those in `without`, as a shell reads them: " --jobs 2 --dry-run".
std::string option_words(const CLI::App& command, const std::vector<std::string>& without);
/// `error` followed by the command line that would work: `command` as it was given, with other overrides; `given` and
/// `check` as in working_overrides().  `error` alone if there is none.
UsageError with_working_command(const UsageError& error, const Overrides& given,
                                const std::function<void(const Overrides&)>& check, const CLI::App& command);
/// A part's name, what it is, and its options.
void print_part(const PartDoc& part);
/// Where a recipe may have an option of this name: {"optimizer.lr"}; the top level first.
std::vector<std::string> recipe_keys(const std::string& option);
/// Help and allowed values of an option.
std::string explain(const OptionDoc& option);
/// 0.98123 -> "98.12 %", 0.00004 -> "0.004 %"
std::string percent(double fraction);
/// Value of a metric: shares in percent, other numbers with four digits, "-" for NaN.
std::string metric_text(const std::string& metric, double value);
/// A number with `digits` significant digits.
std::string number(double value, int digits = 4);
/// 3723 -> "1:02:03"
std::string duration(double seconds);
/// 123456 -> "123,456"
std::string thousands(int64_t value);

}  // namespace spiketrain::cli
