// spiketrain bench [kernel|layer|neuron|step]: what this machine gains by spikes.  Every case is timed beside plain LibTorch in the
// same run, in turns, so that a busy machine slows both; see docs/performance.md.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <set>

#include "apps/spiketrain/bench_report.h"
#include "apps/spiketrain/commands.h"
#include "revision.h"
#include "spiketrain/base/file.h"
#include "spiketrain/kernels/isa.h"
#include "spiketrain/train/environment.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

/// Rounds, unless they are given: of all levels together and of a break-even density, and of one level.
constexpr int64_t kFewRounds = 3, kRounds = 7;

struct BenchCommand {
  std::string level, name, json;
  std::vector<double> densities;
  std::vector<int> threads = {0};
  int64_t rounds = 0;
  bool break_even = false;
  bench::StepOptions step;
};

void check_bench(const BenchCommand& command) {
  const std::vector<std::string> levels = {"kernel", "layer", "neuron", "step"};
  ST_CHECK(command.level.empty() || std::count(levels.begin(), levels.end(), command.level) > 0,
           "bench: unknown level '", command.level, "'", spelled_like(command.level, levels, "."),
           " Levels: ", join(levels), "; leave it out for all of them");
  for (const double d : command.densities)
    ST_CHECK(d > 0 && d <= 1, "bench: --density: expected a share of spikes above 0 and at most 1, got ", d,
             "; e.g. --density 0.1");
  ST_CHECK(command.rounds >= 0 && command.rounds <= 100000,
           "bench: --rounds: expected 1 to 100000, or 0 for the default, got ", command.rounds);
  for (const int64_t n : {command.step.steps, command.step.batch, command.step.samples})
    ST_CHECK(n >= 0 && n <= 100000,
             "bench: --steps, --batch and --samples: expected 1 to 100000, or 0 for the case's own, got ", n);
  for (const int threads : command.threads)
    ST_CHECK(threads >= 0 && threads <= 1024,
             "bench: --threads: expected numbers of threads of 0 (all cores) to 1024, got ", threads);
  ST_CHECK(
      !command.break_even || (command.level == "kernel" && command.densities.empty()),
      "bench: --breakeven looks for a density of each product; expected it with level kernel and without "
      "--density");
  if (command.json.empty()) return;
  const std::filesystem::path folder = std::filesystem::absolute(command.json).parent_path();
  ST_CHECK(std::filesystem::is_directory(folder),
           "bench: --json: expected a file in a folder that exists, got '", command.json,
           "'; make its folder first");
}

/// Those whose name contains what was asked for.
template <class Named>
std::vector<Named> chosen_of(const std::vector<Named>& all, const std::string& part) {
  std::vector<Named> chosen;
  std::vector<std::string> names;
  for (const Named& one : all) {
    if (std::count(names.begin(), names.end(), one.name) == 0) names.push_back(one.name);
    if (one.name.find(part) != std::string::npos) chosen.push_back(one);
  }
  ST_CHECK(!chosen.empty(), "bench: --case: no case has '", part,
           "' in its name; expected a part of one of: ", join(names));
  return chosen;
}

std::vector<bench::Case> chosen_cases(const BenchCommand& command) {
  std::vector<bench::Case> all;
  const auto add = [&](const char* level, std::vector<bench::Case> cases) {
    if (command.level.empty() || command.level == level) all.insert(all.end(), cases.begin(), cases.end());
  };
  add("kernel", bench::kernel_cases(command.densities));
  add("layer", bench::layer_cases(command.densities));
  add("neuron", bench::neuron_cases());
  add("step", bench::step_cases(command.densities, command.step));
  return chosen_of(all, command.name);
}

/// Each once, the fewest first.
std::vector<int> chosen_threads(const BenchCommand& command) {
  std::set<int> threads;
  for (const int n : command.threads) threads.insert(n == 0 ? allowed_cores() : n);
  return {threads.begin(), threads.end()};
}

/// With the variables that choose other code in LibTorch's libraries than the machine would get.
void print_settings(const std::vector<int>& threads, int64_t rounds, const std::string& what) {
  std::vector<std::string> numbers;
  for (const int n : threads) numbers.push_back(std::to_string(n));
  std::cout << "threads " << join(numbers) << ", SIMD " << active_isa();
  const Config variables = environment(ST_REVISION).at("variables");
  for (const auto& one : variables.items())
    std::cout << ", " << one.key() << "=" << one.value().get<std::string>();
  std::cout << ", " << rounds << (rounds == 1 ? " round" : " rounds") << "; " << what << "\n\n";
}

template <class Rows>
void write_json(const BenchCommand& command, const Rows& rows, int64_t rounds) {
  if (!command.json.empty()) write_file_atomic(command.json, bench::to_json(rows, rounds).dump(2) + "\n");
}

void run_balances(const BenchCommand& command, const std::vector<int>& threads, int64_t rounds) {
  const std::vector<bench::Balance> balances = chosen_of(bench::kernel_balances(), command.name);
  print_settings(threads, rounds, "density at which events and the dense product take the same time");
  const bench::BalanceTable table(balances);
  std::vector<bench::BalanceRow> rows;
  for (const bench::Balance& one : balances) {
    for (const int n : threads) {
      set_threads(n);
      rows.push_back(
          {&one, n, bench::break_even([&](double density) { return one.ratio(density, rounds); })});
      table.print(rows.back());
    }
  }
  write_json(command, rows, rounds);
}

void run_cases(const BenchCommand& command, const std::vector<int>& threads, int64_t rounds) {
  const std::vector<bench::Case> cases = chosen_cases(command);
  print_settings(threads, rounds, "median ms (least), plain / ours above 1: ours is faster");
  bench::Table table(cases, threads);
  std::vector<bench::Row> rows;
  for (const bench::Case& one : cases) {
    const bench::Contest contest = one.prepare();
    for (const int n : threads) {
      set_threads(n);
      rows.push_back({&one, n, contest.density, contest.used, bench::time_in_turns(contest.forms, rounds)});
      if (one.level == "step") rows.back().steady = bench::steady_state(contest.forms[0]);
      table.print(rows.back());
    }
  }
  table.print_memory(rows);
  table.print_scaling(rows);
  write_json(command, rows, rounds);
}

int run_bench(const BenchCommand& command) {
  check_bench(command);
  const bool few = command.level.empty() || command.break_even;
  const int64_t rounds = command.rounds > 0 ? command.rounds : few ? kFewRounds : kRounds;
  const std::vector<int> threads = chosen_threads(command);
  prepare_process(nullptr, threads.back());
  (command.break_even ? run_balances : run_cases)(command, threads, rounds);
  return kOk;
}

}  // namespace

void add_bench(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<BenchCommand>();
  CLI::App* sub = app.add_subcommand("bench", "time spiking kernels, layers and steps beside plain LibTorch");
  sub->add_option(
      "level", command->level,
      "kernel: products of spikes; layer: one layer; neuron: neurons over a sequence; step: a training step; without it all, in few "
      "rounds");
  sub->add_option("--case", command->name, "only cases with this text in their name, e.g. conv");
  sub->add_option(
         "--density", command->densities,
         "shares of sites with a spike, 0 to 1, in place of those of the level; of a step the rate of "
         "the hidden layers")
      ->delimiter(',');
  sub->add_option("--threads", command->threads,
                  "0: all cores; 1,2: each case with one, then with two, and what more threads gain")
      ->delimiter(',')
      ->capture_default_str();
  sub->add_option("--rounds", command->rounds,
                  "measurements of each form, in turns; 0: 7, of all levels and with --breakeven 3")
      ->capture_default_str();
  sub->add_flag(
      "--breakeven", command->break_even,
      "of level kernel: the density at which events and the dense product take the same time, beside what "
      "training's model of it says");
  sub->add_option("--steps", command->step.steps, "of level step: time steps; 0: those of the case")
      ->capture_default_str();
  sub->add_option("--batch", command->step.batch, "of level step: samples; 0: those of the case")
      ->capture_default_str();
  sub->add_option("--samples", command->step.samples,
                  "of level step: samples that ours takes at a time (compute.samples); 0: all")
      ->capture_default_str();
  sub->add_option("--json", command->json, "writes the results to this file, for tools/bench_compare.py");
  sub->callback([command, &exit_code] { exit_code = run_bench(*command); });
}

}  // namespace spiketrain::cli
