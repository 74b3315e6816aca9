// Quantized weights: values on the levels, gradient straight through, and a layer that multiplies with them.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/core/layer.h"

namespace spiketrain::quantizer_test {

Tensor example() { return torch::tensor({-1.0, -0.4, 0.0, 0.2, 0.75}, torch::kDouble).requires_grad_(); }

TEST(Quantizer, RoundsToSymmetricLevels) {
  // 3 bits: 2^2 - 1 = 3 levels on each side of zero, a third of the largest weight apart.
  const Tensor q = make<Quantizer>("uniform", {{"bits", 3}})->apply(example());
  const Tensor wanted = torch::tensor({-1.0, -1.0 / 3, 0.0, 1.0 / 3, 2.0 / 3}, torch::kDouble);
  EXPECT_LT((q - wanted).abs().max().item<double>(), 1e-15);
}

TEST(Quantizer, OneBitKeepsSignAndMeanSize) {
  const Tensor q = make<Quantizer>("uniform", {{"bits", 1}})->apply(example());
  const Tensor wanted = torch::tensor({-0.47, -0.47, 0.47, 0.47, 0.47}, torch::kDouble);
  EXPECT_LT((q - wanted).abs().max().item<double>(), 1e-15);
}

TEST(Quantizer, AllZeroStaysZeroAndGradientPassesStraightThrough) {
  const auto quantizer = make<Quantizer>("uniform", {{"bits", 4}});
  EXPECT_EQ(quantizer->apply(torch::zeros({3}, torch::kDouble)).abs().sum().item<double>(), 0);
  const Tensor W = example(), weight = torch::arange(5, torch::kDouble);
  (quantizer->apply(W) * weight).sum().backward();
  EXPECT_TRUE(torch::equal(W.grad(), weight));
}

/// Sum of squares that rounding to levels of this distance loses.
double lost(const Tensor& w, double step, double levels) {
  return (torch::clamp(torch::round(w / step), -levels, levels) * step - w).square().sum().item<double>();
}

void expect_least_loss(const Tensor& w) {
  for (const int64_t bits : {2, 4, 8}) {
    const Tensor q = make<Quantizer>("uniform", {{"bits", bits}, {"scale", "power_of_two"}})->apply(w);
    const auto levels = static_cast<double>((int64_t{1} << (bits - 1)) - 1);
    double step = 0, least = 1e30;
    for (int e = -30; e < 12; ++e) {
      const double there = lost(w, std::ldexp(1.0, e), levels);
      if (there < least) least = there, step = std::ldexp(1.0, e);
    }
    const Tensor whole = q / step;
    EXPECT_TRUE(torch::equal(whole, torch::round(whole))) << bits;
    EXPECT_LE(whole.abs().max().item<double>(), levels) << bits;
    EXPECT_NEAR((q - w).square().sum().item<double>(), least, 1e-4 * least) << bits;
  }
}

TEST(Quantizer, PowersOfTwoLoseLeastAmongTheirKind) {
  torch::manual_seed(4);
  const Tensor w = torch::randn({40, 30}, torch::kFloat) * 0.07;
  expect_least_loss(w);
  const Tensor heavy = w / (torch::rand({40, 30}) + 1e-3);  // tails fall with the square
  expect_least_loss(heavy);
  for (const float size : {0.7F, 2.9F, 90.0F}) {
    Tensor outlier = w.clone();
    outlier[3][4] = size;
    expect_least_loss(outlier);
  }
}

TEST(Quantizer, PowersOfTwoOfOneBitOfZerosAndOfNoNumbers) {
  const Tensor q = make<Quantizer>("uniform", {{"bits", 1}, {"scale", "power_of_two"}})->apply(example());
  EXPECT_TRUE(torch::equal(q.detach(), torch::tensor({-0.5, -0.5, 0.5, 0.5, 0.5}, torch::kDouble)));
  const auto quantizer = make<Quantizer>("uniform", {{"bits", 4}, {"scale", "power_of_two"}});
  EXPECT_EQ(quantizer->apply(torch::zeros({3})).abs().sum().item<double>(), 0);
  const Tensor broken = torch::tensor({1.0, std::nan("")});
  EXPECT_TRUE(torch::isnan(quantizer->apply(broken)).any().item<bool>());
  const Tensor W = example();
  quantizer->apply(W).sum().backward();
  EXPECT_TRUE(torch::equal(W.grad(), torch::ones_like(W)));
}

TEST(Quantizer, RefusesNoBits) { EXPECT_THROW(make<Quantizer>("uniform", {{"bits", 0}}), UsageError); }

TEST(Quantizer, ALayerMultipliesWithTheQuantizedWeightAndTrainsTheFullOne) {
  Connection c;
  c.synapse = make<Synapse>("linear", {{"features", 3}});
  c.quantizer = make<Quantizer>("uniform", {{"bits", 2}});
  Layer layer({c}, make<Neuron>("leaky_readout", {{"leak", 1.0}}));
  layer.build({{4}});
  layer.to(torch::kDouble);
  int64_t slots = 0;
  layer.assign_slots(slots);
  layer.initialise(3);
  Carry carry;
  carry.state.resize(1);
  carry.trace.resize(1);
  carry.post_trace.resize(1);
  Context context;
  context.mode = Mode::train;
  context.method.rule = make<Rule>("bptt");
  const Tensor x = torch::rand({1, 2, 4}, torch::kDouble);
  const Signal y = layer.forward({Signal::dense(x)}, context, carry);
  const Tensor W = c.synapse->weight(), Q = c.quantizer->apply(W).detach();
  EXPECT_LT((y.values() - x.matmul(Q.t())).abs().max().item<double>(), 1e-12);
  y.values().sum().backward();
  EXPECT_LT((W.grad() - x.sum(at::IntArrayRef{0, 1}).expand_as(W)).abs().max().item<double>(), 1e-12);
  EXPECT_EQ(Layer::from_config(layer.config())->config(), layer.config());
}

}  // namespace spiketrain::quantizer_test
