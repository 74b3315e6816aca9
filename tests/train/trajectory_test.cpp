// The first ten losses of every rule on the tiny task, against numbers stored in trajectory.json.
// Tolerance: relative 1e-3.  One machine repeats them bit for bit on any number of threads; another may sum
// in another order inside BLAS and convolution, which changes the last bits of a current and, rarely, one
// spike. Rewrite the numbers with SPIKETRAIN_UPDATE=1 and give the reason in RESULT_CHANGES.md.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/tiny.h"

namespace spiketrain {
namespace {

constexpr size_t kSteps = 10;
constexpr double kTolerance = 1e-3;
const char* const kPath = ST_SOURCE_DIR "/tests/train/trajectory.json";

std::vector<double> losses_of(const std::string& rule) {
  Experiment experiment = build_experiment(tiny_recipe({"rule={name=\"" + rule + "\"}"}), tiny_data());
  StopAfter observer(kSteps);
  TrainerOptions options;
  options.observer = &observer;
  options.stop = &observer.stop;
  Trainer(experiment, options).run();
  return observer.losses;
}

TEST(Trajectory, EveryRuleRepeatsItsLosses) {
  const bool update = std::getenv("SPIKETRAIN_UPDATE") != nullptr;
  std::ifstream file(kPath);
  const Config stored = update ? Config::object() : Config::parse(file);
  Config now = Config::object();
  for (const auto* rule : Registry<Rule>::get().entries()) {
    SCOPED_TRACE(rule->name);
    const std::vector<double> losses = losses_of(rule->name);
    ASSERT_EQ(losses.size(), kSteps);
    now[rule->name] = losses;
    if (update) continue;
    ASSERT_TRUE(stored.contains(rule->name)) << "no stored losses: run with SPIKETRAIN_UPDATE=1";
    const auto expected = stored.at(rule->name).get<std::vector<double>>();
    ASSERT_EQ(expected.size(), kSteps);
    for (size_t i = 0; i < kSteps; ++i) {
      EXPECT_NEAR(losses[i], expected[i], kTolerance * std::abs(expected[i])) << "step " << i;
    }
  }
  if (update) std::ofstream(kPath) << now.dump(1) << '\n';
}

}  // namespace
}  // namespace spiketrain
