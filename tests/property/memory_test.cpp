// Bytes of activations: what the memory model predicts is what LibTorch's allocators hand out in the pass that
// training makes, and it does not depend on the number of steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "spiketrain/ops/event_conv.h"
#include "spiketrain/train/probe.h"
#include "tests/support/noise_frames.h"

namespace spiketrain::memory_test {

constexpr int64_t kBatch = 4;
const Shape kInput = {2, 16, 16};

/// oneDNN's scratch differs between instruction sets; the model is of this one.  Read at its first use.
[[maybe_unused]] const int kInstructionSet = setenv("ONEDNN_MAX_CPU_ISA", "AVX2", /*overwrite=*/1);

struct Case {
  const char* name;
  std::vector<std::string> sets;
  bool still = false;
  double tolerance = 0.3;  // of products that are all dense
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {"lif", {"network.spec=12C3p1-16C3p1-AP2-16C3p1-16C3p1-64-10"}},
      {"tssl",
       {"network.spec=12C3p1-16C3p1-P2-16C3p1-16C3p1-64-10", "neuron.name=psp_lif", "rule.name=tssl_bp"}},
      {"generic", {"network.spec=12C3p1-16C3p1-P2-16C3p1-16C3p1-64-10", "neuron.name=cuba_lif"}},
      {"norm", {"network.spec=12C3p1-16C3p1-MP2-16C3p1-D0.2-16C3p1-64-10", "network.norm=bn"}, false, 0.3},
      {"residual", {"network.spec=12C3p1-RB12-RB16s2-SEW16-64-10"}, false, 0.3},
      {"pooled_heads", {"network.spec=12C3p1-16C3p1-AP2-16C3p1-16C3p1-64-10", "head.pool_to=64"}},
      {"fixed_heads", {"network.spec=12C3p1-16C3p1-AP2-16C3p1-16C3p1-64-10", "head.weights=sign"}},
      {"cut_before_pooling",
       {"network.spec=12C3p1-16C3p1-AP2-16C3p1-16C3p1-64-10", "blocks.cut=before_pooling"}},
      {"unit_before_max_pooling", {"network.spec=4C3p1-SEW4-MP2-12-10"}, false, 0.45},
      {"sltt", {"network.spec=12C3p1-16C3p1-AP2-16C3p1-16C3p1-64-10", "rule=sltt"}},
      {"ottt", {"network.spec=12C3p1-16C3p1-AP2-16C3p1-16C3p1-64-10", "rule=ottt"}},
      {"s_tllr", {"network.spec=12C3p1-16C3p1-AP2-16C3p1-16C3p1-64-10", "rule=s_tllr"}},
      {"ottt_fully_connected", {"network.spec=200-200-100-10", "rule=ottt"}},
      {"s_tllr_fully_connected", {"network.spec=200-200-100-10", "rule=s_tllr", "rules.readout=sltt"}},
      {"rtrl", {"network.spec=12C3p1-AP2-16C3p1-64-10", "rule=rtrl"}, false, 0.2},
      {"e_prop",
       {"network.spec=200-100R-48-10", "neuron.name=alif", "readout.name=leaky_readout",
        "rule={name=\"e_prop\",kappa=0.5}", "rules.readout=ottt"},
       false,
       0.2},
      {"images_fully_connected", {"network.spec=64-48-32-10"}, true},
      {"images", {"network.spec=12C3p1-16C3p1-AP2-16C3p1-16C3p1-64-10"}, true},
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
  ops::WithProducts dense{
      ops::Products::dense};  // which way spikes go depends on how many they are; this one needs more
  const Case& c = cases()[GetParam()];
};

TEST_P(Memory, PredictionIsNear) {
  for (const int64_t K : {1, 2, 4, 8}) {
    for (const int64_t B : {1, 2, 3, 0}) {
      for (const char* order : {"blocks.order=block", "blocks.order=time"}) {
        std::vector<std::string> sets = c.sets;
        sets.emplace_back(order);
        const Experiment e = noise_experiment(kInput, kBatch, 8, K, B, sets, c.still);
        const auto measured = static_cast<double>(measure_activation_bytes(e.training, kBatch));
        const auto predicted = static_cast<double>(predict(e));
        EXPECT_NEAR(predicted / measured, 1, c.tolerance)
            << c.name << ", K = " << K << ", B = " << B << ", " << order << ": " << measured << " measured, "
            << predicted << " predicted";
      }
    }
  }
}

/// Computing again costs the states between the segments and no more.
TEST_P(Memory, PredictionHoldsForSegmentsThatAreComputedAgain) {
  for (const std::string& set : c.sets) {
    // Refused, because its credit does not leave a segment, or of no use where credit does not leave a step.
    if (set == "rule.name=tssl_bp" || set.rfind("rule=", 0) == 0) return;
  }
  for (const int64_t segment : {1, 3, 8}) {
    for (const int64_t B : {2, 0}) {
      std::vector<std::string> sets = c.sets;
      sets.push_back(str("schedule={name=\"checkpointed\", segment=", segment, "}"));
      const Experiment e = noise_experiment(kInput, kBatch, 8, 1, B, sets, c.still);
      const auto measured = static_cast<double>(measure_activation_bytes(e.training, kBatch));
      const auto predicted = static_cast<double>(predict(e));
      EXPECT_NEAR(predicted / measured, 1, c.tolerance)
          << c.name << ", segments of " << segment << ", B = " << B << ": " << measured << " measured, "
          << predicted << " predicted";
    }
  }
}

/// As many steps are left out as the plan says where no two are equally active, as here.  How long the runs of the best
/// steps are is not known before, and a first pass that holds more than the second is predicted with room to spare: those
/// are bounds.
TEST_P(Memory, PredictionHoldsForSchedulesThatChooseSteps) {
  bool norm = false;
  for (const std::string& set : c.sets) {
    if (set == "rule.name=tssl_bp" || set.rfind("rule=", 0) == 0) return;  // as above
    norm = norm || set == "network.norm=bn";
  }
  for (const char* schedule :
       {"skipper\", segment=4", "skipper\", segment=8, skip=75", "skipper\", mode=\"mask\", segment=4",
        "top_steps\", live=2", "top_steps\", live=7"}) {
    if (norm && std::strstr(schedule, "mask")) continue;  // refused
    for (const int64_t B : {2, 0}) {
      std::vector<std::string> sets = c.sets;
      sets.emplace_back("neuron.threshold=0.05");  // silent steps are equally active
      sets.push_back(str("schedule={name=\"", schedule, "}"));
      const Experiment e = noise_experiment(kInput, kBatch, 16, 1, B, sets, c.still);
      const auto measured = static_cast<double>(measure_activation_bytes(e.training, kBatch));
      const auto predicted = static_cast<double>(predict(e));
      const std::string what =
          str(c.name, ", ", schedule, ", B = ", B, ": ", measured, " measured, ", predicted, " predicted");
      EXPECT_GE(predicted / measured, 1 - c.tolerance) << what;
      const bool bound = std::strstr(schedule, "live=7") || std::strstr(schedule, "skip=75");
      EXPECT_LE(predicted / measured, bound ? 2.2 : 1 + c.tolerance) << what;
    }
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
