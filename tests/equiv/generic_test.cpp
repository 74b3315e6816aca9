// The definitions in plain ATen, which every device without kernels runs, against the kernels: TSSL-BP's
// neuron and credit, the PSP filter and window sums.  float64, 1e-12 relative to 1 + max.
#include <gtest/gtest.h>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/ops.h"

namespace spiketrain {
namespace {

void expect_close(const Tensor& a, const Tensor& b, const std::string& what) {
  ASSERT_EQ(a.sizes(), b.sizes()) << what;
  EXPECT_LE((a - b).abs().max().item<double>(), 1e-12 * (1.0 + b.abs().max().item<double>())) << what;
}

struct Outcome {
  Tensor a, s, g_x, g_W;
};

Outcome run_layer(const std::string& variant, double scale) {
  torch::manual_seed(3);
  const Tensor x = (torch::rand({9, 4, 12}, torch::kDouble) * scale).requires_grad_();
  Layer layer(Registry<Synapse>::get().make({{"name", "linear"}, {"features", 20}}), nullptr,
              Registry<Neuron>::get().make({{"name", "psp_lif"}}), {12});
  int64_t slots = 0;
  layer.assign_slots(slots);
  layer.initialise(5);
  layer.to(torch::kDouble);
  Pass pass;
  pass.rule = Registry<Rule>::get().make({{"name", "tssl_bp"}, {"variant", variant}});
  pass.train = true;
  pass.state.resize(1);
  const Signal out = layer.forward({x, {}, {}}, pass);
  const Tensor delta = torch::randn(out.a.sizes(), torch::kDouble);
  out.a.backward(delta);
  return {out.a.detach(), out.s.bytes(), x.grad(), layer.synapse->weight().grad()};
}

TEST(Generic, TsslLayerEqualsTheKernels) {
  for (const std::string variant : {"head", "sep2020", "jun2020", "surrogate"}) {
    for (const double scale :
         {0.6, 3.0}) {  // below and above the layer rate at which the 2020 variants warm up
      SCOPED_TRACE(variant + str(" ", scale));
      const Outcome fused = run_layer(variant, scale);
      ops::GenericOnly generic;
      const Outcome plain = run_layer(variant, scale);
      EXPECT_GT(fused.s.sum().item<int64_t>(), 0);
      EXPECT_TRUE(torch::equal(fused.s, plain.s));
      expect_close(fused.a, plain.a, "a");
      expect_close(fused.g_x, plain.g_x, "g_x");
      expect_close(fused.g_W, plain.g_W, "g_W");
    }
  }
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
    return std::vector<Tensor>{a.detach(), carried, y.detach(), leaf.grad(),
                               ops::window_sum(x[0][0], 2, 1.1)};
  };
  const std::vector<Tensor> fused = run();
  ops::GenericOnly generic;
  const std::vector<Tensor> plain = run();
  for (size_t i = 0; i < fused.size(); ++i) expect_close(fused[i], plain[i], "result " + std::to_string(i));
}

}  // namespace
}  // namespace spiketrain
