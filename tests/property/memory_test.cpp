// Bytes of activations: what is measured on few samples and steps is what the pass over a whole batch takes, and windows
// make it independent of the number of steps.
#include "spiketrain/recipe/memory.h"

#include <gtest/gtest.h>

#include "spiketrain/ops/event_conv.h"
#include "spiketrain/train/probe.h"
#include "tests/support/noise_frames.h"

namespace spiketrain::memory_test {

constexpr int64_t kBatch = 4, kLarge = 64;
constexpr double kNear = 0.05;
const Shape kInput = {2, 16, 16};

struct Case {
  const char* name;
  std::vector<std::string> sets;
  bool still = false;
};

/// Of layers as large as those whose memory matters: their products are shared in eight.
const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {"lif", {"network.spec=24C3p1-32C3p1-AP2-32C3p1-32C3p1-64-10"}},
      {"tssl",
       {"network.spec=24C3p1-32C3p1-P2-32C3p1-32C3p1-64-10", "neuron.name=psp_lif", "rule.name=tssl_bp"}},
      {"generic", {"network.spec=24C3p1-32C3p1-P2-32C3p1-32C3p1-64-10", "neuron.name=cuba_lif"}},
      {"norm", {"network.spec=24C3p1-32C3p1-MP2-32C3p1-D0.2-32C3p1-64-10", "network.norm=bn"}},
      {"residual", {"network.spec=24C3p1-RB24-RB32s2-SEW32-64-10"}},
      {"pooled_heads", {"network.spec=24C3p1-32C3p1-AP2-32C3p1-32C3p1-64-10", "head.pool_to=64"}},
      {"fixed_heads", {"network.spec=24C3p1-32C3p1-AP2-32C3p1-32C3p1-64-10", "head.weights=sign"}},
      {"cut_before_pooling",
       {"network.spec=24C3p1-32C3p1-AP2-32C3p1-32C3p1-64-10", "blocks.cut=before_pooling"}},
      {"unit_before_max_pooling", {"network.spec=4C3p1-SEW4-MP2-12-10"}},
      {"sltt", {"network.spec=24C3p1-32C3p1-AP2-32C3p1-32C3p1-64-10", "rule=sltt"}},
      {"ottt", {"network.spec=24C3p1-32C3p1-AP2-32C3p1-32C3p1-64-10", "rule=ottt"}},
      {"s_tllr", {"network.spec=24C3p1-32C3p1-AP2-32C3p1-32C3p1-64-10", "rule=s_tllr"}},
      {"ottt_fully_connected", {"network.spec=200-200-100-10", "rule=ottt"}},
      {"s_tllr_fully_connected", {"network.spec=200-200-100-10", "rule=s_tllr", "rules.readout=sltt"}},
      {"rtrl", {"network.spec=12C3p1-AP2-16C3p1-64-10", "rule=rtrl"}},
      {"e_prop",
       {"network.spec=200-100R-48-10", "neuron.name=alif", "readout.name=leaky_readout",
        "rule={name=\"e_prop\",kappa=0.5}", "rules.readout=ottt"}},
      {"images_fully_connected", {"network.spec=64-48-32-10"}, true},
      {"images", {"network.spec=24C3p1-32C3p1-AP2-32C3p1-32C3p1-64-10"}, true},
  };
  return list;
}

class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }

 private:
  int before_;
};

class Memory : public ::testing::TestWithParam<size_t> {
 protected:
  OneThread one_thread;
  ops::WithProducts dense{ops::Products::dense};  // the other way depends on how many spikes there are
  /// A batch that is measured on some of its samples, or on all if they are quick, against a pass over all.
  void expect_near(int64_t T, int64_t K, int64_t B, const std::vector<std::string>& more) {
    std::vector<std::string> sets = c.sets;
    sets.insert(sets.end(), more.begin(), more.end());
    const Experiment e = noise_experiment(kInput, kLarge, T, K, B, sets, c.still);
    const auto measured = static_cast<double>(measure_activation_bytes(e.training, kLarge));
    const auto estimated = static_cast<double>(estimate_activation_bytes(e.training, kLarge, /*work=*/2e8));
    EXPECT_NEAR(estimated / measured, 1, kNear)
        << c.name << ", K = " << K << ", B = " << B << ", " << join(more) << ": " << measured << " measured, "
        << estimated << " estimated";
  }
  const Case& c = cases()[GetParam()];
};

TEST_P(Memory, FewSamplesTellOfMany) {
  for (const int64_t B : {1, 0}) {
    for (const int64_t K : {1, 5}) expect_near(5, K, B, {});
  }
  expect_near(4, 2, 2, {"blocks.order=time"});
}

TEST_P(Memory, DenseProductsTakeTheMost) {
  for (const int64_t K : {1, 5}) {
    const Experiment e = noise_experiment(kInput, kBatch, 5, K, 0, c.sets, c.still);
    const int64_t most = measure_activation_bytes(e.training, kBatch);
    for (const ops::Products way : {ops::Products::events, ops::Products::automatic}) {
      const ops::WithProducts other{way};
      EXPECT_LE(measure_activation_bytes(e.training, kBatch), most) << c.name << ", K = " << K;
    }
  }
}

TEST_P(Memory, FewSamplesTellOfManyInEverySchedule) {
  for (const std::string& set : c.sets) {
    // Refused, because its credit does not leave a segment, or of no use where credit does not leave a step.
    if (set == "rule.name=tssl_bp" || set.rfind("rule=", 0) == 0) return;
  }
  // Not skipper with mode mask, where it depends on the samples which steps follow each other.  All neurons firing at every step
  // would not do: of steps with equally many spikes all are kept.
  for (const char* schedule : {"checkpointed\", segment=3", "skipper\", segment=4", "top_steps\", live=2"}) {
    expect_near(8, 1, 0, {str("schedule={name=\"", schedule, "}"), "neuron.threshold=0.3"});
  }
}

/// With segments of sqrt(T) steps.
TEST(Schedules, MemoryGrowsWithTheRootOfTheNumberOfSteps) {
  const OneThread one_thread;
  for (const char* schedule : {"checkpointed", "skipper", "skipper\", mode=\"mask"}) {
    const auto bytes = [&](int64_t T) {
      const Experiment e = noise_experiment(
          {200}, kBatch, T, 1, 0,
          {"network.spec=400-400-10", "rule=bptt", str("schedule={name=\"", schedule, "\"}")},
          /*still=*/false);
      return static_cast<double>(measure_activation_bytes(e.training, kBatch));
    };
    const double few = bytes(64), many = bytes(1024);
    EXPECT_GT(many / few, 1.2) << schedule;
    EXPECT_LT(many / few, 4.2) << schedule;
  }
}

TEST_P(Memory, DoesNotDependOnTheNumberOfSteps) {
  const auto bytes = [&](int64_t T) {
    const Experiment e = noise_experiment(kInput, kBatch, T, 2, 1, c.sets, c.still);
    return static_cast<double>(measure_activation_bytes(e.training, kBatch));
  };
  EXPECT_NEAR(bytes(60) / bytes(6), 1, 0.02) << c.name;
}

/// What `inspect` says of long sequences, against passes over all of their steps.
TEST(Measured, FewStepsTellOfMany) {
  const OneThread one_thread;
  const ops::WithProducts dense{ops::Products::dense};
  const std::string spec = "network.spec=12C3p1-16C3p1-AP2-48R-10";
  for (const bool still : {false, true}) {
    const Experiment whole = noise_experiment(kInput, 8, 60, 60, 0, {spec, "blocks.order=block"}, still);
    const Experiment windows = noise_experiment(kInput, 8, 60, 3, 1, {spec}, still),
                     steps = noise_experiment(kInput, 8, 60, 1, 1, {spec}, still);
    const Dataset& data = *whole.training.data.train;
    const auto ratio = [&](const Recipe& recipe, const Experiment& e) {
      return static_cast<double>(measure_memory(recipe, data.sample(), data.target())) /
             static_cast<double>(measure_activation_bytes(e.training, 8));
    };
    EXPECT_NEAR(ratio(whole.recipe, whole), 1, 0.02);
    EXPECT_NEAR(ratio(end_to_end(windows.recipe), whole), 1, 0.02);
    EXPECT_NEAR(ratio(windows.recipe, windows), 1, 0.02);
    EXPECT_NEAR(ratio(step_by_step(windows.recipe), steps), 1, 0.02);
  }
}

TEST(Measured, WhatTakesMinutesIsRefused) {
  const std::vector<std::string> sets = {"network.spec=20C3p1-10", "schedule={name=\"checkpointed\"}"};
  Recipe recipe = noise_experiment(kInput, 4, 10, 1, 0, sets).recipe;
  const auto measure = [&] {
    measure_memory(recipe, SampleSpec::frames(recipe.steps, {2, 64, 64}, torch::kByte),
                   TargetSpec::class_index(10));
  };
  EXPECT_NO_THROW(measure());
  recipe.steps = 100000;
  EXPECT_THROW(measure(), UsageError);
}

/// In windows of one step nothing is kept but states and traces.
TEST(OnlineRules, MemoryDoesNotDependOnTheNumberOfSteps) {
  const OneThread one_thread;
  using Sets = std::vector<std::string>;
  const std::string recurrent = "network.spec=8C3-P2-48R-10", local = "blocks.size=1";
  std::vector<Sets> methods;
  for (const char* rule : {"sltt", "ottt", "s_tllr", "rtrl", "e_prop"})
    methods.push_back({recurrent, str("rule=", rule)});
  methods.push_back({"network.spec=8C3-P2-48-10", "rule=s_tllr", "rules.readout=sltt",  // TESS
                     "blocks={size=1,output=\"apart\"}", "readout.name=leaky_readout",
                     "head={name=\"linear\",weights=\"square_wave\"}", "objective.name=tet_ce"});
  methods.push_back({"network.spec=8C3-P2-48-10", "rule=sltt", "neuron=srm0", local,  // DECOLLE
                     "readout.name=leaky_readout", "head={name=\"linear\",weights=\"uniform\"}",
                     "network.output_weights=uniform", "objective={name=\"smooth_l1\"}"});
  methods.push_back({"network.spec=8C3-P2-48-10", "rule=sltt", local, "objective={name=\"mse\"}"});  // ELL
  for (const Sets& sets : methods) {
    const auto bytes = [&](int64_t T) {
      const Experiment e = noise_experiment({2, 8, 8}, kBatch, T, 1, 0, sets, /*still=*/false);
      return static_cast<double>(measure_activation_bytes(e.training, kBatch));
    };
    EXPECT_NEAR(bytes(1000) / bytes(10), 1, 0.01) << join(sets);
  }
}

std::string case_name(const ::testing::TestParamInfo<size_t>& info) { return cases()[info.param].name; }
INSTANTIATE_TEST_SUITE_P(Networks, Memory, ::testing::Range<size_t>(0, 18), case_name);

}  // namespace spiketrain::memory_test
