// Truncated, block-local credit against plain autograd of the definition with explicit detaching, in float64.
#include <gtest/gtest.h>

#include "tests/support/engine.h"

namespace spiketrain::truncated_test {

constexpr int64_t kSteps = 6, kBatch = 8, kIn = 36, kClasses = 4;

std::shared_ptr<Neuron> soft_lif() { return make<Neuron>("lif", {{"leak", kNetLeak}, {"reset", "soft"}}); }

/// Layers 36 -> 10 -> 8 -> 7 -> 4 in blocks of these sizes, a head on each block but the last.
std::shared_ptr<Network> network(const std::vector<int64_t>& blocks) {
  const auto net = std::make_shared<Network>(Shape{kIn});
  for (const int64_t n : {10, 8, 7}) net->add(dense_layer(n, soft_lif()), true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  net->partition(blocks);
  for (int64_t b = 0; b + 1 < net->blocks(); ++b)
    net->attach_head(b, {dense_layer(kClasses, leaky_readout())});
  draw_weights(*net);
  return net;
}

/// u[t+1] = leak*u[t] - s[t] + I[t+1]; the spike is read from the membrane once more, so that a cut membrane cuts it too.
Tensor soft_step(const Tensor& I, Tensor& u) {
  const auto fire = [](const Tensor& membrane) { return spike(membrane - 1, lif_curve(), /*strict=*/false); };
  u = kNetLeak * u - fire(u) + I;
  return fire(u);
}

struct Weights {
  std::vector<Tensor> layers, heads;
};

Weights copy_weights(const Network& net) {
  Weights w;
  for (const auto& item : net.named_parameters()) {
    (item.key().rfind("head", 0) == 0 ? w.heads : w.layers)
        .push_back(item.value().detach().clone().requires_grad_());
  }
  return w;
}

/// The definition: one step after the other, layer after layer; states are detached every K steps and the signal after
/// the hidden layers in `cuts`.
void reference(const Weights& w, const Batch& batch, int64_t K, const std::vector<int64_t>& cuts) {
  std::vector<Tensor> state, head;
  for (const Tensor& W : w.layers) state.push_back(torch::zeros({kBatch, W.size(0)}, real()));
  for (const Tensor& W : w.heads) head.push_back(torch::zeros({kBatch, W.size(0)}, real()));
  for (int64_t t = 0; t < kSteps; ++t) {
    if (t % K == 0) {
      for (auto* list : {&state, &head}) {
        for (Tensor& z : *list) z = z.detach();
      }
    }
    Tensor x = batch.x, loss = torch::zeros({}, real());
    const auto add = [&](const Tensor& z) {
      loss = loss + torch::cross_entropy_loss(z, batch.target.y) / static_cast<double>(kSteps);
    };
    size_t h = 0;
    for (size_t l = 0; l < w.layers.size(); ++l) {
      const Tensor I = x.mm(w.layers[l].t());
      const bool last = l + 1 == w.layers.size();
      x = last ? readout_step(I, state[l]) : soft_step(I, state[l]);
      if (last) add(x);
      if (std::find(cuts.begin(), cuts.end(), static_cast<int64_t>(l)) == cuts.end()) continue;
      add(readout_step(x.mm(w.heads[h].t()), head[h]));
      ++h;
      x = x.detach();
    }
    loss.backward({}, /*retain_graph=*/true);
  }
}

class Truncated : public ::testing::TestWithParam<std::tuple<int64_t, std::vector<int64_t>>> {};

TEST_P(Truncated, EqualsAutogradWithExplicitDetaching) {
  const auto& [K, blocks] = GetParam();
  const auto net = network(blocks);
  Batch batch = image_batch(kBatch, kIn, label_target(kBatch, kClasses));
  const Weights w = copy_weights(*net);
  std::vector<int64_t> cuts;
  int64_t end = -1;
  for (const int64_t size : blocks) cuts.push_back(end += size);
  cuts.pop_back();  // the last block's head is the output layer
  reference(w, batch, K, cuts);

  LearnerParts parts = learner_parts(net, kSteps);
  parts.schedule = make<Schedule>("truncated", {{"window", K}});
  Learner(parts).pass(batch, 0);
  size_t layer = 0, head = 0, compared = 0;
  for (const auto& item : net->named_parameters()) {
    const Tensor& expected = item.key().rfind("head", 0) == 0 ? w.heads[head++] : w.layers[layer++];
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    ASSERT_GT(expected.grad().norm().item<double>(), 0) << item.key();
    EXPECT_LE(relative(item.value().grad(), expected.grad()), kGradientTolerance) << item.key();
    ++compared;
  }
  EXPECT_EQ(compared, 4 + cuts.size());
}

INSTANTIATE_TEST_SUITE_P(
    Grid, Truncated,
    ::testing::Combine(::testing::Values(1, 2, 3, 4, 6),
                       ::testing::Values(std::vector<int64_t>{3}, std::vector<int64_t>{1, 2},
                                         std::vector<int64_t>{2, 1}, std::vector<int64_t>{1, 1, 1})));

}  // namespace spiketrain::truncated_test
