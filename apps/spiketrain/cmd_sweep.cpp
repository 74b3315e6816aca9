// spiketrain sweep RECIPE --over KEY=V1,V2,...: one `train` process per run of a grid, then tables and a
// report. Children are in process groups of their own, so that Ctrl-C at a terminal reaches them once,
// forwarded by us: the first makes them write a checkpoint and stop, the second ends them at once.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <limits>
#include <map>
#include <thread>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/signals.h"
#include "apps/spiketrain/sweep_dir.h"
#include "spiketrain/base/file.h"
#include "spiketrain/base/plugin.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/report/report.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPoll(100);

struct SweepCommand {
  const CLI::App* line = nullptr;  ///< as it was given
  std::string recipe, data_dir, out, device = "cpu", seed_list;
  std::vector<std::string> overs, sets;
  int64_t seeds = 1;
  int jobs = 1, threads = 0;
  bool dry_run = false;
};

std::atomic<int> signals_seen{0};
volatile std::sig_atomic_t last_signal = 0;

void note_signal(int signal) {
  last_signal = signal;
  ++signals_seen;
}

/// Starts this program again with `arguments`; its output goes to the end of `log`.
pid_t start_child(const std::vector<std::string>& arguments, const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  sigset_t stops, before;
  sigemptyset(&stops);
  for (const int signal : kStopSignals) sigaddset(&stops, signal);
  sigprocmask(SIG_BLOCK, &stops, &before);  // a signal must not meet our handler in the child
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {  // async-signal-safe calls only
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);  // children of a killed sweep write a checkpoint and stop
    if (getppid() != parent) _exit(127);
    const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (input < 0 || output < 0) _exit(127);
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    for (const int signal : kStopSignals) handle_stop(signal, SIG_DFL);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (child < 0) throw std::runtime_error(str("cannot start a process: ", std::strerror(errno)));
  return child;
}

/// Last line of a log that is not empty.
std::string last_line(const std::string& path) {
  if (!file_exists(path)) return "no output";
  const Bytes bytes = read_file(path);
  const std::string text(bytes.begin(), bytes.end());
  const size_t end = text.find_last_not_of(" \r\n");
  if (end == std::string::npos) return "no output";
  const size_t before = text.rfind('\n', end);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  return text.substr(begin, end + 1 - begin);
}

class Sweep {
 public:
  Sweep(const SweepCommand& command, const SweepPlan& plan)
      : command_(command), plan_(plan), terminal_(isatty(STDOUT_FILENO) != 0) {}

  /// Runs what is not finished.  Returns when no child is left.
  void run() {
    for (size_t i = 0; i < plan_.runs.size(); ++i) {
      if (run_state(dir(i)) == RunState::done) {
        ++done_;
      } else {
        todo_.push_back(i);
      }
    }
    if (done_ > 0) line(str(done_, " of ", plan_.runs.size(), " runs are finished already"));
    int forwarded = 0;
    size_t next = 0;
    while (next < todo_.size() || !children_.empty()) {
      const int seen = signals_seen;
      if (seen > 0) next = todo_.size();  // start no more
      for (; forwarded < seen; ++forwarded)
        for (const auto& child : children_) kill(child.first, last_signal);
      if (seen > 0 && !told_) {
        line("stopping: waiting for checkpoints; another Ctrl-C ends the runs at once");
        told_ = true;
      }
      while (next < todo_.size() && children_.size() < static_cast<size_t>(command_.jobs))
        start(todo_[next++]);
      reap();
      show();
      if (!children_.empty()) std::this_thread::sleep_for(kPoll);
    }
    erase();
  }

  const std::map<std::string, std::string>& failures() const { return failures_; }
  size_t failed() const { return failed_; }
  void line(const std::string& text) {
    erase();
    std::cout << text << std::endl;
  }

 private:
  struct Child {
    size_t run;
    Clock::time_point begin;
  };

  std::string dir(size_t run) const { return command_.out + "/runs/" + plan_.runs[run].name; }
  std::string log(size_t run) const { return command_.out + "/logs/" + plan_.runs[run].name + ".txt"; }

  void start(size_t run) {
    std::vector<std::string> arguments = {"spiketrain", "train", command_.out + "/recipe.toml"};
    for (const std::string& set : plan_.runs[run].sets) arguments.insert(arguments.end(), {"--set", set});
    arguments.insert(arguments.end(), {"--out", dir(run), "--device", command_.device, "--threads",
                                       std::to_string(command_.threads)});
    for (const std::string& plugin : loaded_plugins())
      arguments.insert(arguments.end(), {"--plugin", plugin});
    if (!command_.data_dir.empty()) arguments.insert(arguments.end(), {"--data-dir", command_.data_dir});
    if (run_state(dir(run)) == RunState::started) arguments.emplace_back("--resume");
    children_[start_child(arguments, log(run))] = {run, Clock::now()};
  }

  void reap() {
    for (auto it = children_.begin(); it != children_.end();) {
      int status = 0;
      const pid_t ended = waitpid(it->first, &status, WNOHANG);
      if (ended == 0 || (ended < 0 && errno == EINTR)) {
        ++it;
        continue;
      }
      const Child child = it->second;
      it = children_.erase(it);
      finished(child, status);
    }
  }

  void finished(const Child& child, int status) {
    const std::string& name = plan_.runs[child.run].name;
    const double seconds = std::chrono::duration<double>(Clock::now() - child.begin).count();
    const bool ok = WIFEXITED(status) && WEXITSTATUS(status) == kOk;
    if (ok && run_state(dir(child.run)) == RunState::done) {
      ++done_;
      ++timed_;
      seconds_ += seconds;
      line(str("[", done_, "/", plan_.runs.size(), "] ", name, "  ", result(child.run), "  ",
               duration(seconds)));
      return;
    }
    if (signals_seen > 0 && !ok && (WIFSIGNALED(status) || WEXITSTATUS(status) >= 128)) {
      line(name + "  stopped");
      return;
    }
    const std::string how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status))
                                                : "exit code " + std::to_string(WEXITSTATUS(status));
    ++failed_;
    failures_[name] = "failed (" + how + "): " + last_line(log(child.run));
    line(name + "  " + failures_[name] + "; see " + log(child.run));
  }

  /// What came out, by the first metric.
  std::string result(size_t run) const {
    try {
      const std::string metric = plan_.metrics.front().label;
      const RunResult values = read_run(dir(run), plan_.runs[run].updates_per_batch, plan_.metrics);
      const auto text = [&](const char* which) {
        return metric_text(metric, values[which + metric].value_or(std::numeric_limits<double>::quiet_NaN()));
      };
      return "test " + (metric == "accuracy" ? "" : metric + " ") + text("last_test_") + " (best " +
             text("best_test_") + ")";
    } catch (const DataError& error) {  // the report says it again; the other runs go on
      return error.what();
    }
  }

  /// The live line of a terminal.
  void show() {
    if (!terminal_ || children_.empty()) return;
    std::string text = str("running ", children_.size(), ", done ", done_, "/", plan_.runs.size());
    if (failed_ > 0) text += str(", failed ", failed_);
    if (timed_ > 0) {
      const double mean = seconds_ / static_cast<double>(timed_);
      double left = mean * static_cast<double>(plan_.runs.size() - done_ - failed_);
      for (const auto& child : children_)
        left -= std::min(mean, std::chrono::duration<double>(Clock::now() - child.second.begin).count());
      text += ", left about " + duration(left / static_cast<double>(command_.jobs));
    }
    if (text == live_) return;
    std::cout << "\r\033[K" << text << std::flush;
    live_ = text;
  }

  void erase() {
    if (!live_.empty()) std::cout << "\r\033[K" << std::flush;
    live_.clear();
  }

  const SweepCommand& command_;
  const SweepPlan& plan_;
  bool terminal_, told_ = false;
  std::string live_;  ///< what the live line shows
  std::vector<size_t> todo_;
  std::map<pid_t, Child> children_;
  size_t done_ = 0, failed_ = 0, timed_ = 0;
  double seconds_ = 0;  ///< of the runs finished here
  std::map<std::string, std::string> failures_;
};

void show_plan(const SweepCommand& command, const SweepPlan& plan) {
  std::vector<std::vector<std::string>> rows = {{"state", "updates/batch", "run"}};
  for (const SweepRun& run : plan.runs) {
    const RunState state = run_state(command.out + "/runs/" + run.name);
    const char* text = state == RunState::done ? "finished" : state == RunState::started ? "resume" : "start";
    rows.push_back({text, std::to_string(run.updates_per_batch), run.name});
  }
  print_table(rows);
}

SweepGrid read_grid(const SweepCommand& command, const Overrides& overrides) {
  ST_CHECK(!command.recipe.empty(), "sweep: expected a recipe; see the folder recipes/");
  Config recipe = load_config(command.recipe);
  std::vector<SweepAxis> axes;
  for (const std::string& over : overrides.overs) axes.push_back(parse_axis(over));
  std::vector<int64_t> seeds;
  if (!command.seed_list.empty()) {
    seeds = parse_seeds(command.seed_list);
  } else {
    const Config first = recipe.value("seed", Config(Recipe().seed));
    ST_CHECK(first.is_number_integer(), "recipe.seed: expected an integer, got ", first.dump());
    for (int64_t s = 0; s < command.seeds; ++s) seeds.push_back(first.get<int64_t>() + s);
  }
  return make_grid(std::move(recipe), overrides.sets, std::move(axes), std::move(seeds));
}

/// The grid of the command and its runs; an error shows the command that works, if there is one near.
std::pair<SweepGrid, SweepPlan> plan_of(const SweepCommand& command) {
  const Overrides given = {command.sets, command.overs};
  try {
    const SweepGrid grid = read_grid(command, given);
    return {grid, plan_sweep(grid)};
  } catch (const UsageError& error) {
    const auto check = [&](const Overrides& o) { plan_sweep(read_grid(command, o)); };
    throw with_working_command(error, given, check, *command.line);
  }
}

/// Writes the tables and the report; returns the number of runs that are not in them.
size_t report(const SweepCommand& command, const SweepGrid& grid, const SweepPlan& plan, Sweep& sweep) {
  const std::string title = grid.base.value("title", std::filesystem::path(command.recipe).stem().string());
  const SweepResults results = collect(plan, title, command.out + "/runs", sweep.failures());
  write_file_atomic(command.out + "/table.csv", csv_table(results));
  write_file_atomic(command.out + "/table.md", markdown_table(results));
  write_file_atomic(command.out + "/report.html", html_report(results, write_toml(grid.base)));
  for (const std::string& warning : {results.steps_warning, results.chance_warning})
    if (!warning.empty()) sweep.line(warning);
  sweep.line("wrote " + command.out + "/table.csv, table.md and report.html");
  return results.incomplete.size();
}

int run_sweep(SweepCommand command) {
  parse_device(command.device);
  const auto [grid, plan] = plan_of(command);
  if (command.out.empty())
    command.out = "runs/sweep-" + std::filesystem::path(command.recipe).stem().string();
  if (command.threads == 0) command.threads = std::max(1, allowed_cores() / command.jobs);
  SweepDir::check(command.out, grid);
  Sweep sweep(command, plan);
  sweep.line(str(plan.runs.size(), " runs: ", plan.settings.size(), " settings, ", plan.seeds.size(),
                 " seeds; ", command.jobs, command.jobs == 1 ? " job, " : " jobs, ", command.threads,
                 command.threads == 1 ? " thread each" : " threads each", "; writes ", command.out));
  if (plan.unequal_updates) {
    sweep.line(
        "Warning: the settings differ in optimiser steps per batch; results will not be compared at equal "
        "numbers of steps.");
  }
  if (command.dry_run) {
    show_plan(command, plan);
    return kOk;
  }
  const SweepDir dir(command.out, grid);
  for (const int signal : kStopSignals) handle_stop(signal, note_signal);
  sweep.run();
  const size_t missing = report(command, grid, plan, sweep);
  if (sweep.failed() > 0)
    sweep.line(str(sweep.failed(), sweep.failed() == 1 ? " run failed" : " runs failed"));
  if (signals_seen > 0) {
    sweep.line("stopped; the same command continues");
    return 128 + last_signal;
  }
  return missing > 0 ? kFailure : kOk;
}

}  // namespace

void add_sweep(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<SweepCommand>();
  CLI::App* sub = app.add_subcommand("sweep", "train a recipe over a grid of options and seeds, and compare");
  command->line = sub;
  sub->add_option("recipe", command->recipe, "recipe (TOML)");
  sub->add_option("--over", command->overs, "an option and its values, e.g. --over schedule.window=1,2,5")
      ->allow_extra_args(false);
  auto* seeds = sub->add_option("--seeds", command->seeds, "runs per setting, from the recipe's seed on")
                    ->check(CLI::Range(1, 10000))
                    ->capture_default_str();
  sub->add_option("--seed-list", command->seed_list, "the seeds themselves, e.g. 1,2,7")->excludes(seeds);
  sub->add_option("--set", command->sets, "override an option in all runs")->allow_extra_args(false);
  sub->add_option("--jobs", command->jobs, "runs at the same time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  sub->add_option("--threads", command->threads, "per job; 0: the cores divided by --jobs")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_out(*sub, command->out, "folder of the sweep (default: runs/sweep-<recipe>)");
  add_data_dir(*sub, command->data_dir);
  sub->add_option("--device", command->device, "cpu or cuda")->capture_default_str();
  sub->add_flag("--dry-run", command->dry_run, "show the runs and their state; start and write nothing");
  sub->callback([command, &exit_code] { exit_code = run_sweep(*command); });
}

}  // namespace spiketrain::cli
