// The commands of the spiketrain program: dispatches to one and turns errors into one line and an exit code.
//   0 ok, 1 failure, 2 usage, 3 data, 4 numeric, 5 another process of the group, 128 + n ended by signal n
// A shared library of its own, which main.cpp loads.
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <new>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/group_run.h"
#include "revision.h"
#include "spiketrain/base/registry.h"
#include "spiketrain/base/synonyms.h"
#include "spiketrain/version.h"

namespace {

using namespace spiketrain::cli;

/// LibTorch's allocators say so in many lines.
bool is_out_of_memory(const std::exception& error) {
  const std::string what = error.what();
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         what.find("can't allocate memory") != std::string::npos ||
         what.find("out of memory") != std::string::npos;
}

int fail(const std::string& kind, const std::string& what, int code) {
  std::cerr << message_prefix() << kind << what.substr(0, what.find('\n')) << std::endl;
  return code;
}

/// CLI11 would only say that a command is missing.
void check_command(const CLI::App& app, const std::string& word) {
  std::vector<std::string> commands, known = {"", "-h"};
  for (const CLI::App* command : app.get_subcommands({})) commands.push_back(command->get_name());
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  known.insert(known.end(), commands.begin(), commands.end());
  if (std::find(known.begin(), known.end(), word) != known.end()) return;
  throw spiketrain::UsageError("unknown command '" + word + "'" + spiketrain::spelled_like(word, known, ".") +
                               " Commands: " + spiketrain::join(commands));
}

/// The same for the actions of a command.
void check_action(const CLI::App& app, int argc, char** argv) {
  if (argc < 3) return;
  for (const CLI::App* command : app.get_subcommands({}))
    if (command->get_name() == argv[1] && !command->get_subcommands({}).empty())
      check_command(*command, argv[2]);
}

/// Option names of a command and of those below it.
void add_flags(const CLI::App& app, std::vector<std::string>& flags) {
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  for (const CLI::App* command : app.get_subcommands({})) add_flags(*command, flags);
}

/// What to say of a flag that no command has: recipe options are no flags, and others' words are not ours.
std::string unknown_flag(std::string word, const std::vector<std::string>& flags) {
  const std::string near = spiketrain::spelled_like("--" + word, flags);
  std::replace(word.begin(), word.end(), '-', '_');
  const std::vector<std::string> keys = recipe_keys(word);
  if (!keys.empty()) return "; options of a recipe are given with --set " + keys.front() + "=...";
  const std::string ours = spiketrain::our_word(word, keys);
  if (!ours.empty()) return "; " + ours + " (a recipe's option; here with --set)";
  return near;
}

/// CLI11 would only name what it did not expect.
void check_flags(const CLI::App& app, int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  std::vector<std::string> flags;
  for (const CLI::App* sub : app.get_subcommands({}))
    if (sub->get_name() == command) add_flags(*sub, flags);
  if (flags.empty()) return;
  for (int i = 2; i < argc && std::string(argv[i]) != "--"; ++i) {
    const std::string given = argv[i], word = given.substr(0, given.find('='));
    if (given == "=" && i + 1 < argc)
      throw spiketrain::UsageError(command + ": write " + argv[i - 1] + "=" + argv[i + 1] +
                                   " without blanks around '='");
    if (word.rfind("--", 0) != 0 || std::find(flags.begin(), flags.end(), word) != flags.end()) continue;
    throw spiketrain::UsageError(command + ": unknown option " + word + unknown_flag(word.substr(2), flags));
  }
}

/// `code`, unless the output was lost.
int written(int code) {
  std::cout.flush();
  return std::cout || code != kOk ? code : fail("", "standard output cannot be written", kFailure);
}

int run(int argc, char** argv) {
  CLI::App app("spiketrain: training of deep spiking neural networks");
  app.name("spiketrain");
  app.set_version_flag("--version", "spiketrain " ST_VERSION " " ST_REVISION);  // main.cpp answers it, too
  app.require_subcommand(1);
  int exit_code = kOk;
  add_new(app, exit_code);
  add_train(app, exit_code);
  add_launch(app, exit_code);
  add_eval(app, exit_code);
  add_export(app, exit_code);
  add_spikes(app, exit_code);
  add_sweep(app, exit_code);
  add_report(app, exit_code);
  add_watch(app, exit_code);
  add_list(app, exit_code);
  add_inspect(app, exit_code);
  add_data(app, exit_code);
  add_check(app, exit_code);
  add_gradcheck(app, exit_code);
  add_bench(app, exit_code);
  add_import(app, exit_code);
  add_convert(app, exit_code);
  add_help(app, exit_code);
  for (CLI::App* command : app.get_subcommands({})) add_plugins(*command);
  check_command(app, argc > 1 ? argv[1] : "");
  check_action(app, argc, argv);
  check_flags(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return written(app.exit(error));
    return fail("", std::string(error.what()) + "; see `spiketrain help`", kUsage);
  }
  return written(exit_code);
}

/// The errors of a command, each in one line.
int run_safely(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const spiketrain::UsageError& error) {
    return fail("", error.what(), kUsage);
  } catch (const spiketrain::DataError& error) {
    return fail("data: ", error.what(), kData);
  } catch (const spiketrain::NumericError& error) {
    return fail("numeric: ", error.what(), kNumeric);
  } catch (const spiketrain::GroupError& error) {
    return fail("", lost_text(error.what()), kGroup);
  } catch (const std::exception& error) {
    if (is_out_of_memory(error))
      return fail(
          "", "memory: none left; make the network, data.batch, train.eval_batch, steps or the data smaller",
          kFailure);
    return fail("", error.what(), kFailure);
  }
}

}  // namespace

/// What main.cpp looks for.
extern "C" [[gnu::visibility("default")]] int spiketrain_main(int argc, char** argv) {
  std::signal(SIGXFSZ, SIG_IGN);  // beyond `ulimit -f` a write fails, and says so
  const int code = run_safely(argc, argv);
  if (!was_in_group()) return code;
  std::cout.flush();
  _exit(code);
}
