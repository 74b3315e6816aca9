// Run directories written by hand, for tests of sweeps.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "spiketrain/base/file.h"
#include "spiketrain/report/sweep_results.h"

namespace spiketrain {

inline const std::vector<SweepMetric> kAccuracy = {{"accuracy", true}};

/// A recipe for windows of steps, not yet resolved; T = 10.
inline Config sweep_base() {
  return {{"title", "by hand"},
          {"steps", 10},
          {"network", {{"name", "spec"}, {"spec", "6C3-P2-10"}}},
          {"neuron", {{"name", "psp_lif"}}},
          {"rule", {{"name", "tssl_bp"}}},
          {"schedule", {{"name", "truncated"}}},
          {"objective", {{"name", "van_rossum"}}}};
}

inline SweepGrid sweep_grid(const std::vector<std::string>& overs, std::vector<int64_t> seeds = {1, 2}) {
  std::vector<SweepAxis> axes;
  for (const std::string& over : overs) axes.push_back(parse_axis(over));
  return make_grid(sweep_base(), {}, std::move(axes), std::move(seeds));
}

/// A finished run of two epochs; `cost` empty: no cost.json.
struct HandRun {
  double test = 0.5, train = 0.75;
  Config more = Config::object();  ///< merged into the last line of metrics.jsonl
  std::string cost = "";
  Config summary = Config::object();  ///< merged into summary.json

  void write(const std::string& dir) const {
    std::filesystem::create_directories(dir);
    const Config first = {
        {"epoch", 1},     {"iteration", 30}, {"train_accuracy", 0.25}, {"test_accuracy", test / 2},
        {"seconds", 1.0}, {"skipped", 1},    {"peak_memory_mib", 64.0}};
    Config second = {{"epoch", 2},     {"iteration", 60}, {"train_accuracy", train}, {"test_accuracy", test},
                     {"seconds", 3.0}, {"skipped", 0},    {"peak_memory_mib", 80.0}};
    second.update(more);
    Config end = {{"epochs", 2}, {"best_test_accuracy", test + 0.125}, {"last_test_accuracy", test}};
    end.update(summary);
    write_file_atomic(dir + "/metrics.jsonl", first.dump() + "\n" + second.dump() + "\n");
    write_file_atomic(dir + "/summary.json", end.dump());
    if (!cost.empty()) write_file_atomic(dir + "/cost.json", cost);
    write_file_atomic(dir + "/DONE", std::string("complete\n"));
  }
};

}  // namespace spiketrain
