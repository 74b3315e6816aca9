// The first ten losses of every rule on the tiny task, end to end and in windows and blocks, against numbers
// stored in trajectory.json.
// Tolerance: relative 1e-3.  One machine repeats them bit for bit on any number of threads; another may sum
// in another order inside BLAS and convolution, which changes the last bits of a current and, rarely, one
// spike. Rewrite the numbers with SPIKETRAIN_UPDATE=1 and give the reason in RESULT_CHANGES.md.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/tiny.h"

namespace spiketrain::trajectory_test {

constexpr size_t kSteps = 10;
constexpr double kTolerance = 1e-3;
const char* const kPath = ST_SOURCE_DIR "/tests/train/trajectory.json";

using Method = std::pair<std::string, std::vector<std::string>>;  ///< its name in the file, its settings

std::vector<Method> methods() {
  std::vector<Method> list;
  for (const auto* entry : Registry<Rule>::get().entries()) {
    list.push_back({entry->name, rule_settings(entry->name)});
    if (reads_counts(entry->name)) continue;
    for (const char* update : {"batch", "window"}) {
      std::vector<std::string> sets = rule_settings(entry->name);
      for (const char* set : {"network.spec=6C3-P2-12-4", "blocks.size=1"}) sets.emplace_back(set);
      sets.push_back(std::string("schedule={name=\"truncated\", window=2, update=\"") + update + "\"}");
      list.push_back({entry->name + ", local, an update per " + update, sets});
    }
  }
  return list;
}

std::vector<double> losses_of(const std::vector<std::string>& sets) {
  Experiment experiment = tiny_experiment(sets);
  StopAfter observer(kSteps);
  TrainerOptions options;
  options.observers = {&observer};
  options.stop = &observer.stop;
  Trainer(experiment.training, options).run();
  return observer.losses;
}

TEST(Trajectory, EveryRuleRepeatsItsLosses) {
  const bool update = std::getenv("SPIKETRAIN_UPDATE") != nullptr;
  std::ifstream file(kPath);
  const Config stored = update ? Config::object() : Config::parse(file);
  Config now = Config::object();
  for (const auto& [name, sets] : methods()) {
    SCOPED_TRACE(name);
    const std::vector<double> losses = losses_of(sets);
    ASSERT_EQ(losses.size(), kSteps);
    now[name] = losses;
    if (update) continue;
    ASSERT_TRUE(stored.contains(name)) << "no stored losses: run with SPIKETRAIN_UPDATE=1";
    const auto expected = stored.at(name).get<std::vector<double>>();
    ASSERT_EQ(expected.size(), kSteps);
    for (size_t i = 0; i < kSteps; ++i) {
      EXPECT_NEAR(losses[i], expected[i], kTolerance * std::abs(expected[i])) << "step " << i;
    }
  }
  if (update) std::ofstream(kPath) << now.dump(1) << '\n';
}

}  // namespace spiketrain::trajectory_test
