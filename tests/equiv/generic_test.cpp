// The definitions in plain ATen, which every device without kernels runs, against the kernels: the fused neurons in a
// layer, TSSL-BP's credit, the PSP filter and window sums.  float64, 1e-12 relative to 1 + max.
#include <gtest/gtest.h>

#include "spiketrain/core/layer.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/lif_scan.h"
#include "spiketrain/ops/pool2d.h"
#include "spiketrain/ops/reduce.h"
#include "spiketrain/ops/tssl_scan.h"

namespace spiketrain::generic_test {

void expect_close(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  EXPECT_LE((a - b).abs().max().item<double>(), 1e-12 * (1.0 + b.abs().max().item<double>())) << what;
}

struct Outcome {
  Tensor a, s, g_x;
  std::vector<Tensor> g_params, state;
};

/// A layer of 20 neurons over two segments.
Outcome run_layer(const Config& neuron, const Config& rule, double scale) {
  torch::manual_seed(3);
  const Tensor x = (torch::rand({9, 4, 12}, torch::kDouble) * scale).requires_grad_();
  Connection connection;
  connection.synapse = make<Synapse>("linear", {{"features", 20}});
  Layer layer({connection}, make<Neuron>(neuron));
  layer.build({{12}});
  int64_t slots = 0;
  layer.assign_slots(slots);
  layer.initialise(5);
  layer.to(torch::kDouble);
  Context context;
  context.method.rule = make<Rule>(rule);
  context.mode = Mode::train;
  Carry carry;
  carry.state.resize(1);
  carry.trace.resize(1);
  carry.post_trace.resize(1);
  const Signal first = layer.forward({Signal::dense(x.slice(0, 0, 4))}, context, carry),
               second = layer.forward({Signal::dense(x.slice(0, 4, 9))}, context, carry);
  const Tensor a = torch::cat({first.values(), second.values()});
  a.backward(torch::randn(a.sizes(), torch::kDouble));
  Outcome out = {a.detach(), torch::cat({first.spikes().bytes(), second.spikes().bytes()}), x.grad(), {}, {}};
  for (const Tensor& p : layer.parameters()) out.g_params.push_back(p.grad());
  for (const Tensor& z : carry.state[0]) out.state.push_back(z.detach());
  return out;
}

void check_layer(const Config& neuron, const Config& rule, double scale) {
  SCOPED_TRACE(neuron.dump() + rule.dump() + str(" ", scale));
  const Outcome fused = run_layer(neuron, rule, scale);
  ops::GenericOnly generic;
  const Outcome plain = run_layer(neuron, rule, scale);
  EXPECT_GT(fused.s.sum().item<int64_t>(), 0);
  EXPECT_TRUE(torch::equal(fused.s, plain.s));
  expect_close(fused.a, plain.a, "a");
  expect_close(fused.g_x, plain.g_x, "g_x");
  ASSERT_EQ(fused.g_params.size(), plain.g_params.size());
  for (size_t k = 0; k < fused.g_params.size(); ++k)
    expect_close(fused.g_params[k], plain.g_params[k], "g_params " + std::to_string(k));
  for (size_t k = 0; k < fused.state.size(); ++k)
    expect_close(fused.state[k], plain.state[k], "state " + std::to_string(k));
}

TEST(Generic, TsslLayerEqualsTheKernels) {
  for (const char* variant : {"dec2020", "sep2020", "jun2020", "surrogate"}) {
    // below and above the layer rate at which the 2020 variants warm up
    for (const double scale : {0.6, 3.0})
      check_layer({{"name", "psp_lif"}}, {{"name", "tssl_bp"}, {"variant", variant}}, scale);
  }
}

TEST(Generic, BpttLayerEqualsTheKernels) {
  for (const char* reset : {"soft_decayed", "soft", "hard", "none"}) {
    for (const bool learn : {false, true}) {
      check_layer(
          {{"name", "lif"}, {"reset", reset}, {"learn_leak", learn}, {"decay_input", learn}, {"gain", 2.0}},
          {{"name", "bptt"}}, 3);
    }
  }
  check_layer({{"name", "if"}}, {{"name", "bptt"}}, 3);
  check_layer({{"name", "psp_lif"}}, {{"name", "bptt"}}, 3);
}

TEST(Generic, PspScanAndWindowSumEqualTheKernels) {
  torch::manual_seed(4);
  const Tensor x = torch::randn({6, 2, 3, 5, 7}, torch::kDouble),
               before = torch::randn({2, 3, 5, 7}, torch::kDouble);
  const auto run = [&] {
    const Tensor leaf = x.clone().requires_grad_();
    Tensor carried = before.clone();
    const Tensor a = ops::psp_scan(leaf, 3.0, carried);
    const Tensor y = ops::window_sum(a, 2, 1.1);
    (y * y).sum().backward();
    return std::vector<Tensor>{a.detach(),
                               carried,
                               y.detach(),
                               leaf.grad(),
                               ops::window_sum(x[0][0], 2, 1.1),
                               torch::scalar_tensor(ops::sum_squares(x), torch::kDouble)};
  };
  const std::vector<Tensor> fused = run();
  ops::GenericOnly generic;
  const std::vector<Tensor> plain = run();
  for (size_t i = 0; i < fused.size(); ++i) expect_close(fused[i], plain[i], "result " + std::to_string(i));
}

TEST(Generic, GenericOnlyEndsWithItsScope) {
  const Tensor x = torch::zeros({3});
  EXPECT_TRUE(ops::has_kernel(x));
  {
    ops::GenericOnly generic;
    EXPECT_FALSE(ops::has_kernel(x));
  }
  EXPECT_TRUE(ops::has_kernel(x));
  EXPECT_FALSE(ops::has_kernel(x.to(torch::kHalf)));
}

TEST(Ops, ScansRefuseWhatDoesNotFit) {
  const Tensor I = torch::zeros({4, 2, 3}), bytes = torch::zeros({4, 2, 3}, torch::kUInt8);
  Tensor state = torch::zeros({2, 3}), psp = torch::zeros({2, 3}), wrong = torch::zeros({2, 2});
  EXPECT_EQ(ops::lif_forward({}, I, state, {bytes}, {}, {}), 0);
  EXPECT_THROW(ops::lif_forward({}, I, wrong, {bytes}, {}, {}), UsageError);
  EXPECT_THROW(ops::lif_forward({}, I, state, {I}, {}, {}), UsageError);  // spikes are bytes
  EXPECT_THROW(ops::lif_forward({}, I, state, {bytes}, I[0], {}), UsageError);
  EXPECT_THROW(ops::lif_forward({}, I.to(torch::kHalf), state, {bytes}, {}, {}), UsageError);
  EXPECT_THROW(ops::psp_lif_forward({}, I, state, wrong, {bytes}, {}, torch::empty_like(I)), UsageError);
  EXPECT_EQ(ops::psp_lif_forward({}, I, state, psp, {bytes}, {}, {}), 0);
  EXPECT_THROW(ops::psp_lif_forward({}, I, state, psp, {}, {}, {}), UsageError);
  EXPECT_THROW(ops::tssl_credit({}, {}, {I}, wrong, psp, I, false), UsageError);
}

}  // namespace spiketrain::generic_test
