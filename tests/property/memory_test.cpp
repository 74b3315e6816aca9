// Bytes of activations: what the memory model predicts is what LibTorch's allocators hand out.
#include <gtest/gtest.h>

#include <cstdlib>

#include "spiketrain/train/memory_model.h"
#include "tests/support/block_pass.h"
#include "tests/support/network_fixture.h"

namespace spiketrain {
namespace {

constexpr int64_t kT = 8, kBatch = 4, kClasses = 10;
const Shape kInput = {2, 16, 16};

struct Case {
  const char* name;
  const char* spec;
  Config neuron;
  const char* rule;
  Config options = Config::object();
};

const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {"lif", "12C3p1-16C3p1-AP2-16C3p1-16C3p1-64-10", {{"name", "lif"}}, "bptt"},
      {"psp_lif", "12C3p1-16C3p1-P2-16C3p1-16C3p1-64-10", {{"name", "psp_lif"}}, "tssl_bp"},
      {"generic", "12C3p1-16C3p1-P2-16C3p1-16C3p1-64-10", {{"name", "cuba_lif"}}, "bptt"},
      {"norm", "12C3p1-16C3p1-MP2-16C3p1-D0.2-16C3p1-64-10", {{"name", "lif"}}, "bptt", {{"norm", "bn"}}},
      {"residual", "12C3p1-RB12-RB16s2-SEW16-64-10", {{"name", "lif"}}, "bptt"},
  };
  return list;
}

RuleP make_rule(const char* name) { return Registry<Rule>::get().make({{"name", name}}); }

class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }

 private:
  int before_;
};

/// Measured and predicted bytes.
std::pair<int64_t, int64_t> compare(const Case& c, int64_t K, int64_t B) {
  OneThread one_thread;
  auto network = make_spec(c.spec, make_context(c.neuron, kInput, kClasses), c.options);
  network->initialise(1);
  network->train();
  BlockNetwork net = cut_into_blocks(network, B, c.neuron, kClasses);
  for (const Tensor& p : net.parameters()) p.mutable_grad() = torch::zeros_like(p);
  const RuleP rule = make_rule(c.rule);
  const Signal input = {binary_input(kT, kBatch, kInput, 1), {}, {}};
  const Tensor labels = torch::arange(kBatch);
  const int64_t measured = block_major_pass(net, rule, input, labels, K);
  MemoryPlan plan;
  plan.window = K;
  plan.windows = (kT + K - 1) / K;
  plan.batch = kBatch;
  plan.block_major = true;
  plan.input = {kInput, Values::binary, false, 1};
  return {measured, predict_memory(net.rows, plan, *rule).peak};
}

class Memory : public ::testing::TestWithParam<size_t> {
 protected:
  const Case& c = cases()[GetParam()];
};

TEST_P(Memory, PredictionIsWithinFivePercent) {
  for (const int64_t K : {1, 2, 4, 8}) {
    for (const int64_t B : {1, 2, 3, 0}) {  // 0: end to end
      const auto [measured, predicted] = compare(c, K, B);
      const double error = static_cast<double>(predicted) / static_cast<double>(measured) - 1;
      if (std::getenv("SPIKETRAIN_VERBOSE"))
        std::printf("%s K=%ld B=%ld: %ld measured, %+.2f %%\n", c.name, K, B, measured, 100 * error);
      EXPECT_NEAR(error, 0, 0.05) << c.name << ", K = " << K << ", B = " << B << ": " << measured
                                  << " measured, " << predicted << " predicted";
    }
  }
}

std::string case_name(const ::testing::TestParamInfo<size_t>& info) { return cases()[info.param].name; }
INSTANTIATE_TEST_SUITE_P(Networks, Memory, ::testing::Range<size_t>(0, 5), case_name);

}  // namespace
}  // namespace spiketrain
