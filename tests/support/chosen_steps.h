// Networks of every kind in float64, batches, what a pass leaves, and networks written out step by step, for schedules that
// choose steps.
#pragma once
#include "tests/support/engine.h"

namespace spiketrain::chosen_steps {

inline constexpr int64_t kSteps = 9, kBatch = 4, kIn = 5, kClasses = 3;

inline Batch frames() { return frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses)); }
inline Batch image() { return image_batch(kBatch, kIn, label_target(kBatch, kClasses)); }
inline Batch padded() {
  Batch batch = frames();
  batch.lengths = torch::tensor(std::vector<int64_t>{9, 5, 7, 2});
  return batch;
}

inline std::shared_ptr<Network> dense() { return dense_network(kIn, {6, 5, kClasses}); }
inline std::shared_ptr<Network> recurrent() {
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(std::make_shared<Layer>(std::vector<Connection>{linear(6), linear(6)}, lif()),
           {{Network::kInput}, {0, 1}}, true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  return net;
}
inline std::shared_ptr<Network> residual() {
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(dense_layer(6, lif()), true);
  net->add(std::make_shared<Layer>(std::vector<Connection>{linear(6), Connection{}}, lif()), {{0}, {0}},
           true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  return net;
}
inline std::shared_ptr<Network> with_dropout() {
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(dense_layer(12, lif()), true);
  net->add(make<Stage>("dropout", {{"probability", 0.5}}), false);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  return net;
}
inline std::shared_ptr<Network> with_norm() {
  const auto net = std::make_shared<Network>(Shape{kIn});
  Connection c = linear(6);
  c.norm = make<Norm>("bn");
  net->add(std::make_shared<Layer>(std::vector<Connection>{c}, lif()), true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  return net;
}
inline std::shared_ptr<Network> blocks(bool heads) {
  const auto net = dense();
  net->partition({1, 1});
  if (heads) net->attach_head(0, {dense_layer(kClasses, leaky_readout())});
  draw_weights(*net);
  return net;
}

struct Outcome {
  Tensor loss, prediction;
  std::vector<Tensor> gradients;
};
inline Outcome run(LearnerParts parts, const Batch& batch, Tally* tally = nullptr) {
  const PassResult result = Learner(parts).pass(batch, 3, {}, tally);
  Outcome out{result.loss, result.prediction, {}};
  for (auto& item : take_gradients(*parts.network)) out.gradients.push_back(item.second);
  return out;
}
inline void expect_near(const Outcome& a, const Outcome& b, double tolerance = 1e-12) {
  EXPECT_NEAR(a.loss.item<double>(), b.loss.item<double>(), tolerance);
  EXPECT_LE(relative(a.prediction, b.prediction), tolerance);
  ASSERT_EQ(a.gradients.size(), b.gradients.size());
  for (size_t k = 0; k < a.gradients.size(); ++k) {
    EXPECT_GT(b.gradients[k].norm().item<double>(), 0);
    EXPECT_LE(relative(a.gradients[k], b.gradients[k]), tolerance) << k;
  }
}
inline void expect_same(const Outcome& a, const Outcome& b) {
  EXPECT_TRUE(torch::equal(a.loss, b.loss));
  EXPECT_TRUE(torch::equal(a.prediction, b.prediction));
  for (size_t k = 0; k < a.gradients.size(); ++k) EXPECT_TRUE(torch::equal(a.gradients[k], b.gradients[k]));
}

/// A layer with a recurrent connection and a leaky readout, or dense_network(), written out.
struct Written {
  explicit Written(const Network& network) {
    for (const auto& item : network.named_parameters())
      W.push_back(item.value().detach().clone().requires_grad_());
    looped = W[1].size(0) == W[1].size(1) && W.size() == 3 && W[1].size(0) == 6;
    for (const Tensor& w : W) z.push_back(torch::zeros({kBatch, w.size(0)}, real()));
    // recurrent(): parameters are W, V, readout; z[1] is the spikes that the loop carries
  }
  Tensor step(Tensor x) {
    if (looped) {
      const Tensor s = lif_step(x.mm(W[0].t()) + z[1].mm(W[1].t()), z[0]);
      z[1] = s;
      return readout_step(s.mm(W[2].t()), z[2]);
    }
    for (size_t l = 0; l + 1 < W.size(); ++l) x = lif_step(x.mm(W[l].t()), z[l]);
    return readout_step(x.mm(W.back().t()), z.back());
  }
  void cut() {
    for (Tensor& state : z) state = state.detach();
  }
  std::vector<Tensor> W, z;
  bool looped = false;
};

}  // namespace spiketrain::chosen_steps
