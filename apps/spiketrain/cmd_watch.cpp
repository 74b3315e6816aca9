// spiketrain watch RUN: the curves of a run in the terminal while it trains, from its metrics.jsonl.
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/signals.h"
#include "spiketrain/base/file.h"
#include "spiketrain/report/terminal_plot.h"

namespace spiketrain::cli {
namespace {

struct WatchCommand {
  std::string run;
  bool once = false, ascii = false;
  double interval = 2;
};

volatile std::sig_atomic_t stopped_by = 0;

void stop_watching(int signal) { stopped_by = signal; }

/// Whether the user's locale says that the terminal shows UTF-8.
bool shows_utf8() {
  const locale_t locale = newlocale(LC_CTYPE_MASK, "", nullptr);
  if (locale == nullptr) return false;
  const std::string codes = nl_langinfo_l(CODESET, locale);
  freelocale(locale);
  return codes == "UTF-8";
}

TerminalStyle style_of(const WatchCommand& command) {
  TerminalStyle style;
  winsize size{};
  const bool terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
  style.fits = terminal;
  style.width = terminal ? std::max<int64_t>(1, size.ws_col - 1) : 79;
  style.height = terminal && !command.once ? std::max<int64_t>(4, size.ws_row - 1) : 40;
  style.utf8 = !command.ascii && shows_utf8();
  return style;
}

/// The frame, or what there is to wait for; `wait` if there will be another.
std::vector<std::string> frame(const WatchCommand& command, bool& wait) {
  const std::string& run = command.run;
  wait = true;
  if (!file_exists(run + "/config.toml"))
    return {run + ": nothing yet; the run has not begun to train (no config.toml)"};
  const RunData data = read_run_curves(run);
  wait = data.status == RunStatus::training;
  return watch_frame(data, style_of(command));
}

/// Draws over the frame before, on a terminal; else below it, if it is another.
class Screen {
 public:
  void show(const std::vector<std::string>& lines) {
    if (lines == before_) return;
    if (terminal_ && !before_.empty()) std::cout << "\033[" << before_.size() << "A\033[J";
    if (!terminal_ && !before_.empty()) std::cout << '\n';
    for (const std::string& line : lines) std::cout << line << '\n';
    std::cout << std::flush;
    before_ = lines;
  }

 private:
  bool terminal_ = isatty(STDOUT_FILENO) != 0;
  std::vector<std::string> before_;
};

/// Whether nobody reads the output any more: the other end of a pipe is closed.
bool output_is_closed() {
  pollfd output{STDOUT_FILENO, 0, 0};
  return poll(&output, 1, 0) > 0 && (output.revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
}

/// False if a signal has asked for the end, or nobody reads on.
bool pause_for(double seconds) {
  constexpr double kSlice = 0.1;
  for (double waited = 0; waited < seconds && stopped_by == 0 && !output_is_closed(); waited += kSlice)
    poll(nullptr, 0, static_cast<int>(1000 * std::min(kSlice, seconds - waited)) + 1);
  return stopped_by == 0 && !output_is_closed();
}

int run_watch(const WatchCommand& command) {
  std::error_code error;
  ST_CHECK(
      std::filesystem::is_directory(command.run, error), "watch: ", command.run,
      " is no run directory; expected the --out of `spiketrain train` (default: runs/NAME of the recipe)");
  load_plugins_of_run(command.run);
  Screen screen;
  bool wait = false;
  if (!command.once) {
    for (const int signal : kStopSignals) handle_stop(signal, stop_watching);
  }
  screen.show(frame(command, wait));
  while (!command.once && wait && std::cout) {
    if (!pause_for(command.interval)) return 128 + (stopped_by != 0 ? stopped_by : SIGPIPE);
    screen.show(frame(command, wait));
  }
  return kOk;
}

}  // namespace

void add_watch(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<WatchCommand>();
  CLI::App* sub = app.add_subcommand("watch", "show a run's curves in the terminal while it trains");
  sub->add_option("run", command->run, "run directory")->required();
  sub->add_flag("--once", command->once, "print one frame and end");
  sub->add_option("--interval", command->interval, "seconds between looks at the run")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  sub->add_flag("--ascii", command->ascii, "plain characters, as in a locale that is not UTF-8");
  sub->callback([command, &exit_code] { exit_code = run_watch(*command); });
}

}  // namespace spiketrain::cli
