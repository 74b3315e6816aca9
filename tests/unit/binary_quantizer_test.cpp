// Binary weights: their values and gradients, the switch, and a layer that multiplies with them.
#include <gtest/gtest.h>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/switched_quantizer.h"
#include "tests/support/message.h"

namespace spiketrain::binary_quantizer_test {

std::shared_ptr<SwitchedQuantizer> binary(const char* backward = "identity") {
  return std::dynamic_pointer_cast<SwitchedQuantizer>(make<Quantizer>("binary", {{"backward", backward}}));
}

Tensor weights_with_zeros() {
  torch::manual_seed(5);
  const Tensor W = torch::randn({4, 3, 2, 2}, torch::kDouble);
  W[1][2][0][1] = 0.0;
  W[2].fill_(0.0);
  return W;
}

TEST(BinaryQuantizer, ZeroCountsAsPositiveAndARowOfZerosStaysZero) {
  const Tensor W = weights_with_zeros(), B = binary()->apply(W);
  EXPECT_EQ(B[1][2][0][1].item<double>(), W[1].abs().mean().item<double>());
  EXPECT_EQ(B[2].abs().sum().item<double>(), 0);
}

/// No other scale of the signs of a row, and no other signs, come nearer to its weights.
TEST(BinaryQuantizer, TheScaleLosesLeast) {
  const auto quantizer = binary();
  const Tensor W = weights_with_zeros(), B = quantizer->quantize(W);
  const auto lost = [&](const Tensor& Q) { return (W - Q).square().flatten(1).sum(1); };
  for (const double factor : {0.9, 0.999, 1.001, 1.1})
    EXPECT_TRUE((lost(B * factor) >= lost(B)).all().item<bool>()) << factor;
  for (int64_t k = 0; k < 12; ++k) {
    Tensor other = B.clone().flatten(1);
    other.select(1, k).neg_();
    EXPECT_TRUE((lost(other.view(W.sizes())) >= lost(B) - 1e-12).all().item<bool>()) << k;
  }
}

/// sign(W) with the gradient of a hard tanh; the mean size with its own.
Tensor defined(const Tensor& W, bool full) {
  const Tensor s = torch::where(W >= 0, torch::ones_like(W), -torch::ones_like(W)).detach();
  const Tensor cut = torch::where(W.abs() <= 1, W, W.detach());
  const Tensor alpha = (W * s).flatten(1).mean(1).view({-1, 1, 1, 1});
  if (full) return alpha * (s + cut - cut.detach());
  return (alpha * s).detach() + W - W.detach();
}

TEST(BinaryQuantizer, GradientsAreThoseOfTheDefinition) {
  for (const bool full : {false, true}) {
    const Tensor W = weights_with_zeros().requires_grad_(), g = torch::randn({4, 3, 2, 2}, torch::kDouble);
    const Tensor ours = torch::autograd::grad({binary(full ? "full" : "identity")->apply(W)}, {W}, {g})[0];
    const Tensor right = torch::autograd::grad({defined(W, full)}, {W}, {g})[0];
    EXPECT_LT((ours - right).abs().max().item<double>(), 1e-14) << full;
    EXPECT_GT(right.abs().max().item<double>(), 0);
  }
}

TEST(BinaryQuantizer, OffItGivesTheWeightItself) {
  const auto quantizer = binary();
  EXPECT_TRUE(quantizer->is_on());
  const Tensor W = torch::randn({3, 4});
  quantizer->turn(false);
  EXPECT_TRUE(quantizer->apply(W).is_same(W));
  EXPECT_FALSE(torch::equal(quantizer->quantize(W), W));
  quantizer->turn(true);
  EXPECT_TRUE(torch::equal(quantizer->apply(W), quantizer->quantize(W)));
  EXPECT_EQ(quantizer->stored_bits(W), 12 + 3 * 32);
}

TEST(BinaryQuantizer, RefusesWeightsThatAreNoRows) {
  EXPECT_NE(message_of<UsageError>([] { binary()->apply(torch::ones({5})); }).find("one row for each output"),
            std::string::npos);
  EXPECT_THROW(make<Quantizer>("binary", {{"backward", "none"}}), UsageError);
}

std::shared_ptr<Layer> binary_layer(const std::shared_ptr<const Quantizer>& quantizer) {
  Connection c;
  c.synapse = make<Synapse>("linear", {{"features", 3}});
  c.quantizer = quantizer;
  auto layer =
      std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>("leaky_readout", {{"leak", 1.0}}));
  layer->build({{4}});
  int64_t slots = 0;
  layer->assign_slots(slots);
  layer->initialise(3);
  return layer;
}

Tensor output_of(Layer& layer, const Tensor& x) {
  Carry carry;
  carry.state.resize(1);
  carry.trace.resize(1);
  carry.post_trace.resize(1);
  Context context;
  context.mode = Mode::train;
  context.method.rule = make<Rule>("bptt");
  return layer.forward({Signal::dense(x)}, context, carry).values();
}

TEST(BinaryQuantizer, ALayerHoldsTheSwitchAndMultipliesAsItSays) {
  const auto quantizer = binary("full");
  const auto layer = binary_layer(quantizer);
  const Tensor on = layer->named_buffers()["quantizer.on"];
  EXPECT_TRUE(is_quantizer_switch("0.quantizer.on"));
  EXPECT_FALSE(is_quantizer_switch("0.synapse.weight"));
  layer->to(torch::kDouble);  // of all tensors
  const Tensor x = torch::rand({1, 2, 4}, torch::kDouble);
  const Tensor W = layer->connections()[0].synapse->weight();
  const Tensor y = output_of(*layer, x);
  EXPECT_LT((y - x.matmul(quantizer->quantize(W).t())).abs().max().item<double>(), 1e-12);
  const Tensor expected = torch::autograd::grad(
      {x.matmul(defined(W.view({3, 4, 1, 1}), true).view({3, 4}).t())}, {W}, {torch::ones_like(y)})[0];
  y.sum().backward();
  EXPECT_LT((W.grad() - expected).abs().max().item<double>(), 1e-12);
  on.fill_(0);
  EXPECT_LT((output_of(*layer, x) - x.matmul(W.t())).abs().max().item<double>(), 1e-12);
  EXPECT_EQ(Layer::from_config(layer->config())->config(), layer->config());
}

}  // namespace spiketrain::binary_quantizer_test
