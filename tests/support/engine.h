// Learners without recipe or data set on small fully connected networks in float64, and the same networks written out
// step by step in plain ATen, to compare gradients.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/core/layer.h"
#include "spiketrain/engine/learner.h"
#include "spiketrain/ops/surrogate.h"
#include "tests/support/network_fixture.h"

namespace spiketrain {

inline torch::TensorOptions real() { return torch::TensorOptions().dtype(torch::kDouble); }

inline constexpr double kNetLeak = 0.75, kGradientTolerance = 1e-12;

inline std::shared_ptr<Neuron> lif() { return make<Neuron>("lif", {{"leak", kNetLeak}}); }
inline std::shared_ptr<Neuron> leaky_readout() { return make<Neuron>("leaky_readout", {{"leak", kNetLeak}}); }

inline Connection linear(int64_t features) {
  Connection c;
  c.synapse = make<Synapse>("linear", {{"features", features}});
  return c;
}
inline std::shared_ptr<Layer> dense_layer(int64_t features, std::shared_ptr<Neuron> neuron) {
  return std::make_shared<Layer>(std::vector<Connection>{linear(features)}, std::move(neuron));
}

/// Weights in float64 that make the neurons fire now and then.
inline void draw_weights(Network& network, uint64_t seed = 5) {
  torch::NoGradGuard no_grad;
  network.to(torch::kDouble);
  torch::manual_seed(seed);
  for (auto& item : network.named_parameters()) {
    Tensor& p = item.value();
    if (p.dim() < 2) continue;
    p.copy_((torch::rand(p.sizes(), real()) - 0.3) * (4 / std::sqrt(static_cast<double>(p.size(1)))));
  }
}

/// inputs -> `widths`: lif layers and a leaky readout.
inline std::shared_ptr<Network> dense_network(int64_t inputs, const std::vector<int64_t>& widths) {
  auto network = std::make_shared<Network>(Shape{inputs});
  for (size_t l = 0; l < widths.size(); ++l) {
    const bool last = l + 1 == widths.size();
    network->add(dense_layer(widths[l], last ? leaky_readout() : lif()), /*new_unit=*/true);
  }
  draw_weights(*network);
  return network;
}

/// A schedule with one given plan.
struct FixedPlan final : Schedule {
  explicit FixedPlan(Plan p) : segments(std::move(p)) {}
  Plan plan(const PlanRequest&) const override { return segments; }
  Plan segments;
};

inline LearnerParts learner_parts(std::shared_ptr<Network> network, int64_t steps,
                                  const char* objective = "tet_ce") {
  LearnerParts parts;
  parts.network = std::move(network);
  parts.method = {bptt()};
  parts.objective = make<Objective>(objective);
  parts.steps = steps;
  return parts;
}

inline Target label_target(int64_t B, int64_t classes) {
  return {Target::Kind::class_index, torch::arange(B).remainder(classes)};
}

/// Frames [T,B,inputs] between 0 and 1.
inline Batch frames_batch(int64_t T, int64_t B, int64_t inputs, Target target, uint64_t seed = 7) {
  torch::manual_seed(seed);
  Batch batch;
  batch.form = Batch::Form::frames;
  batch.x = torch::rand({T, B, inputs}, real());
  batch.target = std::move(target);
  return batch;
}
inline Batch image_batch(int64_t B, int64_t inputs, Target target, uint64_t seed = 7) {
  Batch batch = frames_batch(1, B, inputs, std::move(target), seed);
  batch.form = Batch::Form::image;
  batch.x = batch.x[0];
  return batch;
}

/// A batch with nothing but one of its samples, cut to `length` steps.
inline Batch one_sample(const Batch& batch, int64_t b, int64_t length) {
  const bool frames = batch.form == Batch::Form::frames, steps = batch.target.kind == Target::Kind::sequence;
  Batch one = batch;
  one.x = frames ? batch.x.slice(0, 0, length).slice(1, b, b + 1) : batch.x.slice(0, b, b + 1);
  one.target.y =
      steps ? batch.target.y.slice(0, 0, length).slice(1, b, b + 1) : batch.target.y.slice(0, b, b + 1);
  one.lengths = Tensor();
  one.ids = batch.ids.defined() ? batch.ids.slice(0, b, b + 1) : torch::full({1}, b, torch::kLong);
  return one;
}

/// Input at step t.
inline Tensor step_of(const Batch& batch, int64_t t) {
  return batch.form == Batch::Form::frames ? batch.x[t] : batch.x;
}

inline SurrogateCurve lif_curve() { return surrogate_curve("atan", 0, 1); }

/// u = leak*v + I; s = H(u - 1); v = u - s
inline Tensor lif_step(const Tensor& I, Tensor& v) {
  const Tensor u = kNetLeak * v + I, s = spike(u - 1, lif_curve(), /*strict=*/false);
  v = u - s;
  return s;
}
/// u = leak*u + I
inline Tensor readout_step(const Tensor& I, Tensor& u) { return u = kNetLeak * u + I; }

/// dense_network() written out.
class DenseReference {
 public:
  explicit DenseReference(const Network& network) {
    for (const auto& item : network.named_parameters())
      W.push_back(item.value().detach().clone().requires_grad_());
    start();
  }
  void start() { state_.assign(W.size(), Tensor()); }
  /// Cuts the states from the graph.
  void cut() {
    for (Tensor& z : state_) {
      if (z.defined()) z = z.detach();
    }
  }
  /// x [B,in] -> [B,out]
  Tensor step(Tensor x) {
    for (size_t l = 0; l < W.size(); ++l) {
      const Tensor I = x.mm(W[l].t());
      if (!state_[l].defined()) state_[l] = torch::zeros_like(I).detach();
      x = l + 1 == W.size() ? readout_step(I, state_[l]) : lif_step(I, state_[l]);
      if (l + 1 < W.size()) spikes.push_back(x.detach());
    }
    return x;
  }
  /// Outputs at steps [t0, t1): [K,B,out]
  Tensor run(const Batch& batch, int64_t t0, int64_t t1) {
    std::vector<Tensor> out;
    for (int64_t t = t0; t < t1; ++t) out.push_back(step(step_of(batch, t)));
    return torch::stack(out);
  }

  std::vector<Tensor> W;       ///< leaves
  std::vector<Tensor> spikes;  ///< of every hidden layer at every step, in the order of time

 private:
  std::vector<Tensor> state_;
};

/// Mean cross-entropy of all steps of a [K,B,classes].
inline Tensor step_ce(const Tensor& a, const Tensor& label) {
  return torch::cross_entropy_loss(a.flatten(0, 1), label.repeat({a.size(0)}));
}

inline double relative(const Tensor& a, const Tensor& b) {
  return (a - b).norm().item<double>() / std::max(1e-300, b.norm().item<double>());
}

/// Gradients of the network, by name; undefined where there is none.
inline std::vector<std::pair<std::string, Tensor>> take_gradients(Network& network) {
  std::vector<std::pair<std::string, Tensor>> list;
  for (auto& item : network.named_parameters()) {
    list.emplace_back(item.key(), item.value().grad().defined() ? item.value().grad().clone() : Tensor());
    item.value().mutable_grad() = Tensor();
  }
  return list;
}

/// The network's gradients, which are taken away, against those of `leaves`, in order.
inline void expect_gradients(Network& network, const std::vector<Tensor>& expected,
                             double tolerance = kGradientTolerance) {
  const auto got = take_gradients(network);
  ASSERT_EQ(got.size(), expected.size());
  double total = 0;
  for (size_t k = 0; k < got.size(); ++k) {
    ASSERT_TRUE(got[k].second.defined() && expected[k].defined()) << got[k].first;
    total += expected[k].norm().item<double>();
    EXPECT_LE(relative(got[k].second, expected[k]), tolerance) << got[k].first;
  }
  EXPECT_GT(total, 0);
}

inline std::vector<Tensor> gradients_of(const std::vector<Tensor>& leaves) {
  std::vector<Tensor> list;
  for (const Tensor& leaf : leaves) list.push_back(leaf.grad());
  return list;
}

/// Gradients of one pass by a rule, in the order of the parameters; they are taken away.
inline std::vector<Tensor> gradients(const std::shared_ptr<Network>& net, const RuleP& rule,
                                     const Batch& batch, int64_t steps,
                                     std::shared_ptr<const Schedule> schedule = {}) {
  LearnerParts parts = learner_parts(net, steps);
  parts.method = {rule};
  parts.schedule = std::move(schedule);
  Learner(parts).pass(batch, 0);
  std::vector<Tensor> list;
  for (auto& item : take_gradients(*net)) list.push_back(item.second);
  return list;
}

/// Greatest relative distance; none of b is zero.
inline double distance(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double most = 0;
  for (size_t k = 0; k < b.size(); ++k) {
    EXPECT_GT(b[k].norm().item<double>(), 0) << k;
    most = std::max(most, relative(a[k], b[k]));
  }
  return most;
}

}  // namespace spiketrain
