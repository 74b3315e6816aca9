// Regularizers through Learner against autograd of the definition in float64: schedules, rules, blocks, recurrent layers,
// padding; what is refused; a network whose rates come to a target.
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::regularizers_test {

constexpr int64_t kSteps = 7, kBatch = 4, kIn = 5, kClasses = 3;
constexpr double kLower = 0.3, kUpper = 0.4, kWeight = 3, kLow = -0.1, kHigh = 0.8, kVoltage = 0.7;

RegularizerP rate() {
  return make<Regularizer>("rate",
                           {{"weight", kWeight}, {"lower", kLower}, {"upper", kUpper}, {"readouts", true}});
}
RegularizerP voltage() {
  return make<Regularizer>("voltage", {{"weight", kVoltage}, {"lower", kLow}, {"upper", kHigh}});
}
using Parts = std::vector<RegularizerP>;

Batch frames() { return frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses)); }
Batch image() { return image_batch(kBatch, kIn, label_target(kBatch, kClasses)); }
Batch padded() {
  Batch batch = frames();
  batch.lengths = torch::tensor(std::vector<int64_t>{7, 3, 5, 1});
  return batch;
}
/// [T,B] as numbers.
Tensor valid_of(const Batch& batch) {
  if (!batch.lengths.defined()) return torch::ones({kSteps, kBatch}, real());
  return (torch::arange(kSteps).unsqueeze(1) < batch.lengths.unsqueeze(0)).to(torch::kDouble);
}

/// What a layer did: [T,B,n] each, in the graph.
struct Activity {
  std::vector<Tensor> s, u;
};

/// The definitions, over the steps [t0, t1) of a layer.
Tensor rate_penalty(const Activity& layer, const Tensor& valid, int64_t t0, int64_t t1) {
  const Tensor here = valid.slice(0, t0, t1).unsqueeze(2);
  const Tensor f = (torch::stack(layer.s).slice(0, t0, t1) * here).sum(at::IntArrayRef{0, 1}) / here.sum();
  return kWeight * (torch::relu(kLower - f).square() + torch::relu(f - kUpper).square()).mean();
}
Tensor voltage_penalty(const Activity& layer, const Tensor& valid, int64_t t0, int64_t t1) {
  const Tensor here = valid.slice(0, t0, t1).unsqueeze(2), u = torch::stack(layer.u).slice(0, t0, t1);
  const Tensor each = torch::relu(u - kHigh).square() + torch::relu(kLow - u).square();
  return kVoltage * (each * here).sum() / (here.sum() * static_cast<double>(u.size(2)));
}

/// dense_network() written out with what its hidden layers do; credit is cut before every step that `cut` divides.
struct Written {
  explicit Written(const Network& network, bool between_layers = true) : between_layers_(between_layers) {
    for (const auto& item : network.named_parameters())
      W.push_back(item.value().detach().clone().requires_grad_());
  }
  Tensor run(const Batch& batch, int64_t cut) {
    layers.assign(W.size() - 1, {});
    std::vector<Tensor> z, out;
    for (const Tensor& w : W) z.push_back(torch::zeros({kBatch, w.size(0)}, real()));
    for (int64_t t = 0; t < kSteps; ++t) {
      Tensor x = step_of(batch, t);
      for (size_t l = 0; l < W.size(); ++l) {
        if (t % cut == 0) z[l] = z[l].detach();
        const Tensor I = (between_layers_ ? x : x.detach()).mm(W[l].t());
        if (l + 1 == W.size()) {
          out.push_back(readout_step(I, z[l]));
          break;
        }
        const Tensor u = kNetLeak * z[l] + I;
        x = spike(u - 1, lif_curve(), /*strict=*/false);
        z[l] = u - x;
        layers[l].s.push_back(x);
        layers[l].u.push_back(u);
      }
    }
    return torch::stack(out);
  }
  std::vector<Tensor> W;
  std::vector<Activity> layers;

 private:
  bool between_layers_;
};

/// Mean over the samples of the cross-entropy at their valid steps.
Tensor mean_ce(const Tensor& a, const Batch& batch) {
  const Tensor each =
      -a.log_softmax(2).gather(2, batch.target.y.view({1, -1, 1}).expand({kSteps, kBatch, 1})).squeeze(2);
  const Tensor valid = valid_of(batch);
  return (each * valid / valid.sum(0)).sum() / static_cast<double>(kBatch);
}

/// The learner's gradients and penalties against the definition: penalties of windows of `window` steps, credit cut every
/// `cut` steps.
void check(const Config& schedule, int64_t window, const char* rule = "bptt", int64_t cut = 0) {
  for (const Parts& regularizers : {Parts{rate()}, Parts{voltage()}, Parts{rate(), voltage()}}) {
    for (const Batch& batch : {frames(), image(), padded()}) {
      SCOPED_TRACE(
          str(schedule.dump(), ' ', rule, ' ', regularizers[0]->part_name(), ' ', regularizers.size()));
      const auto net = dense_network(kIn, {6, 5, kClasses});
      LearnerParts parts = learner_parts(net, kSteps);
      parts.method = {make<Rule>(rule)};
      parts.schedule = make<Schedule>(schedule);
      parts.regularizers = regularizers;
      Written written(*net);
      Tensor loss = mean_ce(written.run(batch, cut ? cut : window), batch);
      std::vector<Tensor> penalties;
      for (const RegularizerP& part : regularizers) {
        Tensor sum = torch::zeros({}, real());
        for (const Activity& layer : written.layers) {
          for (int64_t t0 = 0; t0 < kSteps; t0 += window) {
            const int64_t t1 = std::min(kSteps, t0 + window);
            const Tensor valid = valid_of(batch);
            const Tensor value =
                part->needs() ? voltage_penalty(layer, valid, t0, t1) : rate_penalty(layer, valid, t0, t1);
            sum = sum + value * (static_cast<double>(t1 - t0) / kSteps);
          }
        }
        penalties.push_back(sum);
        loss = loss + sum;
      }
      loss.backward();
      const PassResult result = Learner(parts).pass(batch, 0);
      EXPECT_LE(relative(result.penalties, torch::stack(penalties).detach()), 1e-12);
      EXPECT_GT(result.penalties.min().item<double>(), 0);
      expect_gradients(*net, gradients_of(written.W));
      EXPECT_FALSE(Learner(parts).infer(batch).penalties.defined());
    }
  }
}

TEST(EngineRegularizers, WholeSequences) {
  check({{"name", "whole"}}, kSteps);
  for (const int64_t segment : {1, 3, 7}) check({{"name", "checkpointed"}, {"segment", segment}}, kSteps);
}

TEST(EngineRegularizers, Windows) {
  for (const int64_t window : {1, 2, 3}) check({{"name", "truncated"}, {"window", window}}, window);
}

/// Nothing crosses a step under sltt, whatever the windows.
TEST(EngineRegularizers, SpatialCredit) {
  check({{"name", "whole"}}, kSteps, "sltt", 1);
  check({{"name", "truncated"}, {"window", 3}}, 3, "sltt", 1);
}

/// One hidden layer: what regularizers add to the gradient of its weights, [n,in].
Tensor added(const char* rule, const Config& options, const Parts& regularizers, const Batch& batch) {
  const auto net = dense_network(kIn, {6, kClasses});
  LearnerParts parts = learner_parts(net, kSteps);
  Config config = options;
  config["name"] = rule;
  parts.method = {make<Rule>(config)};
  Learner(parts).pass(batch, 0);
  const Tensor without = take_gradients(*net)[0].second;
  parts.regularizers = regularizers;
  Learner(parts).pass(batch, 0);
  const auto with = take_gradients(*net);
  return with[0].second - without;
}

/// Per step: psi, du, x, and the derivative of the rate penalty by each spike.
struct Factors {
  Tensor psi, du, x, da, exact;  ///< exact: BPTT of the rate penalty
};
Factors factors_of(const Batch& batch) {
  const auto net = dense_network(kIn, {6, kClasses});
  Written written(*net);
  written.run(batch, kSteps + 1);
  const Activity& layer = written.layers[0];
  const Tensor valid = valid_of(batch), s = torch::stack(layer.s).detach().requires_grad_(),
               u = torch::stack(layer.u).detach().requires_grad_();
  Factors f;
  f.exact = torch::autograd::grad({rate_penalty(layer, valid, 0, kSteps)}, {written.W[0]}, {}, true)[0];
  Activity leaf;
  for (int64_t t = 0; t < kSteps; ++t) leaf.s.push_back(s[t]), leaf.u.push_back(u[t]);
  f.da = torch::autograd::grad({rate_penalty(leaf, valid, 0, kSteps)}, {s})[0];
  f.du = torch::autograd::grad({voltage_penalty(leaf, valid, 0, kSteps)}, {u})[0];
  f.psi = torch::autograd::grad({spike(u - 1, lif_curve(), false).sum()}, {u})[0];
  std::vector<Tensor> x;
  for (int64_t t = 0; t < kSteps; ++t) x.push_back(step_of(batch, t));
  f.x = torch::stack(x);
  return f;
}
Tensor weights_of(const Tensor& g, const Tensor& q) { return torch::einsum("tbo,tbi->oi", {g, q}); }
Tensor decayed(const Tensor& x, double leak) {
  std::vector<Tensor> y;
  for (int64_t t = 0; t < x.size(0); ++t) y.push_back(t == 0 ? x[t] : leak * y.back() + x[t]);
  return torch::stack(y);
}

TEST(EngineRegularizers, RulesWithTraces) {
  for (const Batch& batch : {frames(), image(), padded()}) {
    const Factors f = factors_of(batch);
    const Tensor spatial = f.psi * f.da;
    const Parts rates = {rate()}, membranes = {voltage()};
    const auto expect = [&](const Tensor& got, const Tensor& want) {
      EXPECT_GT(want.norm().item<double>(), 0);
      EXPECT_LE(relative(got, want), 1e-11);  // of a difference
    };
    const Config none = Config::object();
    expect(added("ottt", none, rates, batch), weights_of(spatial, decayed(f.x, kNetLeak)));
    expect(added("ottt", none, membranes, batch), weights_of(f.du, decayed(f.x, kNetLeak)));
    const Config tllr = {{"alpha_post", -0.5}};
    Tensor q = torch::zeros_like(f.psi);
    for (int64_t t = 1; t < kSteps; ++t) q[t] = 0.2 * (q[t - 1] + f.psi[t - 1]);
    expect(added("s_tllr", tllr, rates, batch),
           weights_of(spatial, decayed(f.x, 0.75)) - 0.5 * weights_of(q * f.da, f.x));
    expect(added("s_tllr", tllr, membranes, batch), weights_of(f.du, decayed(f.x, 0.75)));
    for (const char* rule : {"rtrl", "bptt", "bptt_trace"}) {
      SCOPED_TRACE(rule);
      expect(added(rule, none, rates, batch), f.exact);
    }
    expect(added("e_prop", {{"kappa", 0}}, rates, batch), added("rtrl", none, rates, batch));
    for (const char* rule : {"rtrl", "e_prop"})
      expect(added(rule, none, membranes, batch), weights_of(f.du, f.x));
    expect(added("bptt_trace", none, membranes, batch), added("bptt", none, membranes, batch));
  }
}

/// An objective whose error is given.
struct Given final : Objective {
  explicit Given(Tensor d) : delta(std::move(d)) {}
  Tensor loss(const Output& out, const Target&) const override { return (out.values() * delta).sum(); }
  Tensor delta;
};

/// A PSP is what such a neuron sends: the rate's derivative comes in as an error on it would.
TEST(EngineRegularizers, SpikeTiming) {
  auto net = std::make_shared<Network>(Shape{kIn});
  net->add(dense_layer(6, make<Neuron>("psp_lif")), true);
  draw_weights(*net);
  Batch batch = frames();
  batch.target = label_target(kBatch, 6);
  LearnerParts parts = learner_parts(net, kSteps);
  parts.method = {make<Rule>("tssl_bp")};
  const Tensor none = torch::zeros({kSteps, kBatch, 6}, real());
  parts.objective = std::make_shared<Given>(none);
  const Tensor f = Learner(parts).infer(batch).prediction.sum(0) / static_cast<double>(kSteps * kBatch);
  take_gradients(*net);
  const Tensor slope =
      2 * kWeight / (6.0 * kSteps * kBatch) * (torch::relu(f - kUpper) - torch::relu(kLower - f));
  EXPECT_GT(slope.norm().item<double>(), 0);
  parts.objective = std::make_shared<Given>(slope.expand_as(none));
  Learner(parts).pass(batch, 0);
  const Tensor want = take_gradients(*net)[0].second;
  parts.objective = std::make_shared<Given>(none);
  parts.regularizers = {rate()};
  Learner(parts).pass(batch, 0);
  expect_gradients(*net, {want});
}

/// Layers that run one step at a time have one rate over the sequence all the same.
TEST(EngineRegularizers, RecurrentLayers) {
  for (const char* schedule : {"whole", "checkpointed"}) {
    for (const Batch& batch : {frames(), padded()}) {
      const auto net = std::make_shared<Network>(Shape{kIn});
      net->add(std::make_shared<Layer>(std::vector<Connection>{linear(6), linear(6)}, lif()),
               {{Network::kInput}, {0, 1}}, true);
      net->add(dense_layer(kClasses, leaky_readout()), true);
      draw_weights(*net);
      LearnerParts parts = learner_parts(net, kSteps);
      parts.schedule = make<Schedule>(schedule);
      parts.regularizers = {rate(), voltage()};
      std::vector<Tensor> W;
      for (const auto& item : net->named_parameters())
        W.push_back(item.value().detach().clone().requires_grad_());
      Activity layer;
      std::vector<Tensor> out;
      Tensor v = torch::zeros({kBatch, 6}, real()), s = v, y = torch::zeros({kBatch, kClasses}, real());
      for (int64_t t = 0; t < kSteps; ++t) {
        const Tensor u = kNetLeak * v + step_of(batch, t).mm(W[0].t()) + s.mm(W[1].t());
        s = spike(u - 1, lif_curve(), false);
        v = u - s;
        layer.s.push_back(s);
        layer.u.push_back(u);
        out.push_back(readout_step(s.mm(W[2].t()), y));
      }
      const Tensor valid = valid_of(batch);
      (mean_ce(torch::stack(out), batch) + rate_penalty(layer, valid, 0, kSteps) +
       voltage_penalty(layer, valid, 0, kSteps))
          .backward();
      Learner(parts).pass(batch, 0);
      expect_gradients(*net, gradients_of(W));
    }
  }
}

/// A block's penalty stays in the block; heads that spike are layers like others.
TEST(EngineRegularizers, BlocksAndHeads) {
  const auto net = dense_network(kIn, {6, 5, kClasses});
  net->partition({1, 1});
  net->attach_head(0, {dense_layer(kClasses, lif())});
  draw_weights(*net);
  LearnerParts parts = learner_parts(net, kSteps);
  const Batch batch = frames();
  Learner(parts).pass(batch, 0);
  const auto without = take_gradients(*net);
  parts.regularizers = {rate()};
  const Tensor both = Learner(parts).pass(batch, 0).penalties;
  const auto with = take_gradients(*net);
  ASSERT_EQ(with.size(), 4U);  // the head's comes last
  Written stages(*net, /*between_layers=*/false);
  const Tensor head = stages.W.back();
  stages.W.pop_back();
  stages.run(batch, kSteps + 1);
  Activity of_head;
  Tensor v = torch::zeros({kBatch, kClasses}, real());
  for (const Tensor& s : stages.layers[0].s) {
    const Tensor u = kNetLeak * v + s.mm(head.t());
    of_head.s.push_back(spike(u - 1, lif_curve(), false));
    v = u - of_head.s.back();
  }
  const Tensor valid = valid_of(batch);
  Tensor sum = rate_penalty(of_head, valid, 0, kSteps);
  for (const Activity& layer : stages.layers) sum = sum + rate_penalty(layer, valid, 0, kSteps);
  sum.backward();
  EXPECT_LE(relative(both, sum.detach().unsqueeze(0)), 1e-12);
  for (const size_t k : {0U, 1U, 3U}) {
    const Tensor want = k == 3 ? head.grad() : stages.W[k].grad();
    EXPECT_GT(want.norm().item<double>(), 0);
    EXPECT_LE(relative(with[k].second - without[k].second, want), 1e-11) << with[k].first;
  }
}

/// Only steps that learn count: neither those of a burn-in, nor twice those that are computed again.
TEST(EngineRegularizers, SharesAddUp) {
  const auto net = dense_network(kIn, {6, kClasses});
  LearnerParts parts = learner_parts(net, kSteps);
  parts.regularizers = {voltage()};
  parts.schedule = std::make_shared<FixedPlan>(Plan{{0, 2, Role::burn_in, false},
                                                    {2, 3, Role::live, false},
                                                    {3, 5, Role::replay, false},
                                                    {5, 7, Role::replay}});
  Written written(*net);
  written.run(frames(), 1);
  const Tensor valid = valid_of(frames());
  const double want = (voltage_penalty(written.layers[0], valid, 2, 3) / 5 +
                       voltage_penalty(written.layers[0], valid, 3, 7) * 4 / 5)
                          .item<double>();
  EXPECT_NEAR(Learner(parts).pass(frames(), 0).penalties.item<double>(), want, 1e-12);
}

TEST(EngineRegularizers, RatesComeToATarget) {
  const auto net = dense_network(kIn, {12, 10, kClasses});
  LearnerParts parts = learner_parts(net, kSteps);
  parts.regularizers = {make<Regularizer>("rate", {{"weight", 20}, {"lower", 0.2}, {"upper", 0.2}})};
  const Learner learner(parts);
  const auto rates = [&] {
    Written written(*net);
    written.run(frames(), kSteps);
    return std::pair{torch::stack(written.layers[0].s).mean().item<double>(),
                     torch::stack(written.layers[1].s).mean().item<double>()};
  };
  const auto before = rates();
  EXPECT_GT(std::abs(before.first - 0.2) + std::abs(before.second - 0.2), 0.1);
  double first = 0, last = 0;
  for (int i = 0; i < 400; ++i) {
    last = learner.pass(frames(), static_cast<uint64_t>(i)).penalties.item<double>();
    if (i == 0) first = last;
    const auto gradients = take_gradients(*net);
    const auto weights = net->parameters();
    const torch::NoGradGuard no_grad;
    for (size_t k = 0; k < gradients.size(); ++k) Tensor(weights[k]).sub_(0.1 * gradients[k].second);
  }
  EXPECT_LT(last, first / 4);
  EXPECT_NEAR(rates().first, 0.2, 0.04);
  EXPECT_NEAR(rates().second, 0.2, 0.04);
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(EngineRegularizers, WhatIsRefused) {
  const auto refusal = [](const char* neuron, const char* rule, const Parts& regularizers) {
    auto net = std::make_shared<Network>(Shape{kIn});
    net->add(dense_layer(6, make<Neuron>(neuron)), true);
    LearnerParts parts = learner_parts(net, kSteps);
    parts.method = {make<Rule>(rule)};
    parts.regularizers = regularizers;
    return message_of<UsageError>([&] { Learner learner(parts); });
  };
  EXPECT_TRUE(has(refusal("psp_lif", "tssl_bp", {voltage()}), "but rule tssl_bp of layer"));
  EXPECT_TRUE(has(refusal("lif", "bptt", {rate(), rate()}), "'rate' is there twice"));
  EXPECT_TRUE(has(refusal("leaky_readout", "bptt", {rate()}), "has none"));
  for (const char* name : {"rate", "voltage"}) {
    EXPECT_TRUE(has(message_of<UsageError>([&] {
                      make<Regularizer>(name, {{"lower", 0.5}, {"upper", 0.4}});
                    }),
                    "expected lower <= upper, got 0.5 and 0.4"));
  }
}

}  // namespace spiketrain::regularizers_test
