// The spiketrain program: dispatches to one command and turns errors into one line and an exit code.
//   0 ok, 1 failure, 2 usage, 3 data, 4 numeric, 128 + n ended by signal n
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "revision.h"
#include "spiketrain/base/registry.h"
#include "spiketrain/version.h"

namespace {

using namespace spiketrain::cli;

/// libgomp reads its environment when it is loaded, before main.  By its default, threads spin while they
/// wait, which takes the cores away from whoever shares the machine and made training slower in our
/// measurements; so set it and start again.  Commands that compute nothing are left alone.
void restart_with_passive_waiting(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  const bool computes = command == "train" || command == "eval" || command == "check";
  if (!computes || std::getenv("OMP_WAIT_POLICY")) return;
  setenv("OMP_WAIT_POLICY", "passive", 1);
  setenv("GOMP_SPINCOUNT", "0", 0);
  execv("/proc/self/exe", argv);  // returns only if it fails; then we are merely slower
}

/// A program started without standard streams would get their numbers for the files it opens, and write its
/// text into them.
void open_standard_streams() {
  int file = open("/dev/null", O_RDWR);
  while (file >= 0 && file <= STDERR_FILENO) file = open("/dev/null", O_RDWR);
  if (file >= 0) close(file);
}

int fail(const std::string& kind, const std::string& what, int code) {
  std::cerr << "spiketrain: " << kind << what.substr(0, what.find('\n')) << std::endl;
  return code;
}

/// CLI11 would only say that a command is missing.
void check_command(const CLI::App& app, const std::string& word) {
  if (word.empty() || word[0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::find(names.begin(), names.end(), word) != names.end()) return;
  throw spiketrain::UsageError("unknown command '" + word + "'" + spiketrain::did_you_mean(word, names, ".") +
                               " Commands: " + spiketrain::join(names));
}

/// `code`, unless the output was lost.
int written(int code) {
  std::cout.flush();
  return std::cout || code != kOk ? code : fail("", "standard output cannot be written", kFailure);
}

int run(int argc, char** argv) {
  CLI::App app("spiketrain: training of deep spiking neural networks");
  app.name("spiketrain");
  app.set_version_flag("--version", "spiketrain " ST_VERSION " " ST_REVISION);
  app.require_subcommand(1);
  int exit_code = kOk;
  add_train(app, exit_code);
  add_eval(app, exit_code);
  add_sweep(app, exit_code);
  add_list(app, exit_code);
  add_inspect(app, exit_code);
  add_data(app, exit_code);
  add_check(app, exit_code);
  add_help(app, exit_code);
  for (CLI::App* command : app.get_subcommands({})) add_plugins(*command);
  check_command(app, argc > 1 ? argv[1] : "");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) return written(app.exit(error));
    return fail("", std::string(error.what()) + "; see `spiketrain help`", kUsage);
  }
  return written(exit_code);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  restart_with_passive_waiting(argc, argv);
  try {
    return run(argc, argv);
  } catch (const spiketrain::UsageError& error) {
    return fail("", error.what(), kUsage);
  } catch (const spiketrain::DataError& error) {
    return fail("data: ", error.what(), kData);
  } catch (const spiketrain::NumericError& error) {
    return fail("numeric: ", error.what(), kNumeric);
  } catch (const std::exception& error) {
    return fail("", error.what(), kFailure);
  }
}
