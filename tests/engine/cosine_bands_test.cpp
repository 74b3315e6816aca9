// How far the gradient of each rule points from that of BPTT, as a mean over 40 random networks: a band for the whole of
// learning through time, in which no exact test of a part can see a slip of another.
//   networks  40-30-30-30 lif (leak as told, soft_decayed reset, threshold 1, surrogate max(0, 1-|u-1|)), readout 30-10 without
//             leak; weights N(0,1)*2/sqrt(inputs), of the readout N(0,1)/sqrt(inputs)
//   inputs    T = 20, four samples, spikes with probability 0.2; cross-entropy of each step; float64
//   reference BPTT with the gradient through the reset
// The means are those of a program of its own (NumPy, adjoints by hand) on 40 networks of this kind from another generator.
// What is asked beside them: the farther from the loss, the worse; the longer a window, the better; a trace beats none.
#include <array>

#include "tests/support/engine.h"

namespace spiketrain::cosine_bands_test {

constexpr int64_t kSteps = 20, kBatch = 4, kIn = 40, kClasses = 10, kLayers = 3, kNets = 40;
constexpr double kBand = 0.03;

enum Way { detached, k10, k5, k2, sltt, ottt, k5_trace, kWays };
constexpr const char* kNames[] = {"BPTT, reset detached", "K = 10", "K = 5", "K = 2", "SLTT", "OTTT",
                                  "K = 5, trace at cuts"};
using Cosines = std::array<std::array<double, kLayers>, kWays>;

std::shared_ptr<Network> network(double leak, bool detach) {
  auto net = std::make_shared<Network>(Shape{kIn});
  for (int64_t l = 0; l < kLayers; ++l) {
    net->add(dense_layer(30, make<Neuron>({{"name", "lif"},
                                           {"leak", leak},
                                           {"surrogate", "triangle"},
                                           {"surrogate_scale", 1},
                                           {"detach_reset", detach}})),
             true);
  }
  net->add(dense_layer(kClasses, make<Neuron>("leaky_readout", {{"leak", 0}})), true);
  net->to(torch::kDouble);
  return net;
}

void draw(Network& net, int64_t seed) {
  torch::NoGradGuard no_grad;
  torch::manual_seed(static_cast<uint64_t>(seed));
  for (auto& item : net.named_parameters()) {
    Tensor& W = item.value();
    const double gain = W.size(0) == kClasses ? 1 : 2;
    W.copy_(torch::randn(W.sizes(), real()) * (gain / std::sqrt(static_cast<double>(W.size(1)))));
  }
}

Batch batch_of(int64_t seed) {
  Batch batch =
      frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses), 1000 + static_cast<uint64_t>(seed));
  batch.x = (batch.x < 0.2).to(torch::kDouble);
  batch.target.y = torch::randint(kClasses, {kBatch}, torch::kLong);
  return batch;
}

std::vector<Tensor> gradients(const std::shared_ptr<Network>& net, const char* rule, int64_t window,
                              const Batch& batch) {
  LearnerParts parts = learner_parts(net, kSteps);
  parts.method = {make<Rule>(rule)};
  parts.schedule = make<Schedule>("truncated", {{"window", window}});
  Learner(parts).pass(batch, 0);
  std::vector<Tensor> list;
  for (auto& item : take_gradients(*net)) list.push_back(item.second);
  return list;
}

/// Means over the networks.
Cosines measure(double leak) {
  Cosines mean = {};
  const auto attached = network(leak, false), cut = network(leak, true);
  for (int64_t seed = 0; seed < kNets; ++seed) {
    draw(*attached, seed);
    draw(*cut, seed);
    const Batch batch = batch_of(seed);
    const auto exact = gradients(attached, "bptt", kSteps, batch);
    const std::vector<Tensor> ways[kWays] = {
        gradients(cut, "bptt", kSteps, batch), gradients(attached, "bptt", 10, batch),
        gradients(attached, "bptt", 5, batch), gradients(attached, "bptt", 2, batch),
        gradients(attached, "sltt", 1, batch), gradients(attached, "ottt", 1, batch),
        gradients(cut, "bptt_trace", 5, batch)};
    for (size_t w = 0; w < kWays; ++w) {
      for (size_t l = 0; l < kLayers; ++l) {
        const Tensor a = ways[w][l].flatten(), b = exact[l].flatten();
        mean[w][l] += (a.dot(b) / (a.norm() * b.norm())).item<double>() / kNets;
      }
    }
  }
  return mean;
}

void check(double leak, const Cosines& expected) {
  const Cosines got = measure(leak);
  for (size_t w = 0; w < kWays; ++w) {
    for (size_t l = 0; l < kLayers; ++l)
      EXPECT_NEAR(got[w][l], expected[w][l], kBand)
          << "leak " << leak << ", " << kNames[w] << ", layer " << l + 1;
    EXPECT_LE(got[w][0], got[w][2] + 1e-3) << kNames[w];  // the farther from the loss, the worse
  }
  for (size_t l = 0; l < kLayers; ++l) {  // the longer the window, the better; a trace is better than none
    for (const auto& [worse, better] : {std::pair{sltt, k2}, {k2, k5}, {k5, k10}, {sltt, ottt}})
      EXPECT_LT(got[worse][l], got[better][l])
          << "leak " << leak << ", layer " << l + 1 << ", " << kNames[worse];
  }
}

TEST(CosineBands, LittleLeft) {
  check(0.09, {{{0.998, 0.999, 1.000},
                {1.000, 1.000, 1.000},
                {0.999, 1.000, 1.000},
                {0.997, 0.999, 1.000},
                {0.994, 0.998, 0.999},
                {0.997, 0.999, 1.000},
                {0.998, 0.999, 1.000}}});
}
TEST(CosineBands, HalfLeft) {
  check(0.5, {{{0.962, 0.984, 0.995},
               {0.992, 0.997, 0.999},
               {0.976, 0.992, 0.997},
               {0.925, 0.974, 0.992},
               {0.868, 0.955, 0.985},
               {0.954, 0.987, 0.995},
               {0.958, 0.984, 0.995}}});
}
TEST(CosineBands, MostLeft) {
  check(0.9, {{{0.845, 0.917, 0.964},
               {0.945, 0.978, 0.992},
               {0.871, 0.950, 0.981},
               {0.764, 0.904, 0.963},
               {0.685, 0.878, 0.953},
               {0.863, 0.929, 0.964},
               {0.864, 0.920, 0.964}}});
}

}  // namespace spiketrain::cosine_bands_test
