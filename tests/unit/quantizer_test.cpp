// Quantized weights: values on the levels, gradient straight through, and a layer that multiplies with them.
#include <gtest/gtest.h>

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
