// Rules through Learner: what a rule may ask for (traces, further pairs of factors, a gradient of its own, another rule
// per layer) against the sums written out, in float64, and what is refused.
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::rules_test {

constexpr int64_t kSteps = 6, kBatch = 4, kIn = 5, kHidden = 6, kClasses = 3;
constexpr double kDecay = 0.6;

/// q[t] = decay*q[t-1] + x[t]; returns q, and leaves its last step in `trace`.
Tensor filtered(const Tensor& x, State& trace) {
  Tensor q = trace.empty() ? torch::zeros_like(x[0]) : trace[0];
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < x.size(0); ++t) steps.push_back(q = kDecay * q + x[t]);
  trace = {q};
  return torch::stack(steps);
}

/// g = psi*delta, q = trace of x: no credit in time, but memory of what came in.
struct TraceRule : Rule {
  static constexpr const char* kDoc = "test: psi*delta with a leaky trace of the input";
  template <class V>
  void visit(V&) {}
  uint32_t needs() const override { return kPsi; }
  bool uses_vjp() const override { return false; }
  bool works_by_step() const override { return true; }
  void trace(const Record&, Presynaptic& pre) const override {
    pre.q = Signal::dense(filtered(pre.x.values(), pre.trace));
  }
  Credit credit(const Neuron&, const Record& record, const Tensor& delta, const State&) const override {
    return {record.psi * delta};
  }
};
ST_REGISTER(Rule, "test_trace", TraceRule);

/// The input itself as q, and a second pair: psi^2*delta with the trace of x.
struct PairRule final : TraceRule {
  static constexpr const char* kDoc = "test: two pairs of factors";
  int64_t extra_pairs() const override { return 1; }
  void trace(const Record&, Presynaptic& pre) const override {
    pre.q = pre.x;
    pre.extra = {Signal::dense(filtered(pre.x.values(), pre.trace))};
  }
  Credit credit(const Neuron&, const Record& record, const Tensor& delta, const State&) const override {
    Credit credit;
    credit.g = record.psi * delta;
    credit.post = {record.psi.square() * delta};
    return credit;
  }
};
ST_REGISTER(Rule, "test_pairs", PairRule);

/// Says that a constant input stays constant, and makes numbers of their own of it.
struct FalseClaim final : TraceRule {
  static constexpr const char* kDoc = "test: says what is not so";
  bool keeps_constant() const override { return true; }
};
ST_REGISTER(Rule, "test_false_claim", FalseClaim);

/// A trace of each synapse, e[t] = decay*e[t-1] + psi[t] (x) x[t], and dW = sum_t delta[t]*e[t]; g = delta.
struct SynapseTraceRule final : TraceRule {
  static constexpr const char* kDoc = "test: a trace of each synapse";
  static Tensor grow(const Tensor& before, const Tensor& psi, const Tensor& x) {
    const Tensor now = psi.unsqueeze(2) * x.unsqueeze(1);
    return before.defined() ? kDecay * before + now : now;
  }
  /// kept: the trace before the segment, from where backward goes through it again.
  void trace(const Record& record, Presynaptic& pre) const override {
    const Tensor before = pre.trace.empty() ? Tensor() : pre.trace[0], x = pre.x.values();
    Tensor e = before;
    for (int64_t t = 0; t < x.size(0); ++t) e = grow(e, record.psi[t], x[t]);
    pre.trace = {e};
    pre.kept = {before};
    pre.q = pre.x;
  }
  Credit credit(const Neuron&, const Record&, const Tensor& delta, const State&) const override {
    return {delta};
  }
  Tensor weight_gradient(const Synapse&, const Record& record, const Presynaptic& pre,
                         const Tensor& g) const override {
    const Tensor x = pre.x.values();
    Tensor e = pre.kept[0], g_W = torch::zeros({g.size(2), x.size(2)}, g.options());
    for (int64_t t = 0; t < g.size(0); ++t) {
      e = grow(e, record.psi[t], x[t]);
      g_W = g_W + (g[t].unsqueeze(2) * e).sum(0);
    }
    return g_W;
  }
};
ST_REGISTER(Rule, "test_synapse_trace", SynapseTraceRule);

/// Everything that a pass forward shows.
struct Shown {
  std::vector<Tensor> x, psi, s,
      a;  ///< of every step: input, derivative and spikes of the hidden layer, output
};

Shown forward(const std::vector<Tensor>& W, const Batch& batch) {
  Shown shown;
  Tensor v = torch::zeros({kBatch, kHidden}, real()), u = torch::zeros({kBatch, kClasses}, real());
  for (int64_t t = 0; t < kSteps; ++t) {
    const Tensor x = step_of(batch, t), membrane = kNetLeak * v + x.mm(W[0].t());
    shown.x.push_back(x);
    shown.psi.push_back(surrogate_derivative(lif_curve(), membrane - 1));
    shown.s.push_back(lif_step(x.mm(W[0].t()), v));
    shown.a.push_back(readout_step(shown.s.back().mm(W[1].t()), u));
  }
  return shown;
}

/// dL/da of the mean cross-entropy over steps [from, T).
std::vector<Tensor> deltas(const Shown& shown, const Tensor& label, int64_t from) {
  std::vector<Tensor> list;
  for (int64_t t = 0; t < kSteps; ++t) {
    const Tensor error = torch::softmax(shown.a[static_cast<size_t>(t)], 1) - torch::one_hot(label, kClasses);
    list.push_back(t < from ? torch::zeros_like(error)
                            : error / static_cast<double>(kBatch * (kSteps - from)));
  }
  return list;
}

Tensor products(const Tensor& post, const Tensor& pre) { return post.t().mm(pre); }

std::vector<Tensor> weights(const Network& network) {
  std::vector<Tensor> list;
  for (const Tensor& p : network.parameters()) list.push_back(p.detach().clone());
  return list;
}

/// The explicit loop of each rule: gradients of both layers for error at steps [from, T).
using Loop = std::vector<Tensor> (*)(const std::vector<Tensor>& W, const Batch& batch, int64_t from);

std::vector<Tensor> trace_loop(const std::vector<Tensor>& W, const Batch& batch, int64_t from) {
  const Shown shown = forward(W, batch);
  const auto delta = deltas(shown, batch.target.y, from);
  Tensor q0 = torch::zeros({kBatch, kIn}, real()), q1 = torch::zeros({kBatch, kHidden}, real());
  std::vector<Tensor> g_W = {torch::zeros_like(W[0]), torch::zeros_like(W[1])};
  for (size_t t = 0; t < delta.size(); ++t) {
    q0 = kDecay * q0 + shown.x[t];
    q1 = kDecay * q1 + shown.s[t];
    g_W[1] = g_W[1] + products(delta[t], q1);  // the readout's psi is 1
    g_W[0] = g_W[0] + products(shown.psi[t] * delta[t].mm(W[1]), q0);
  }
  return g_W;
}

std::vector<Tensor> pair_loop(const std::vector<Tensor>& W, const Batch& batch, int64_t from) {
  const Shown shown = forward(W, batch);
  const auto delta = deltas(shown, batch.target.y, from);
  Tensor q0 = torch::zeros({kBatch, kIn}, real()), q1 = torch::zeros({kBatch, kHidden}, real());
  std::vector<Tensor> g_W = {torch::zeros_like(W[0]), torch::zeros_like(W[1])};
  for (size_t t = 0; t < delta.size(); ++t) {
    q0 = kDecay * q0 + shown.x[t];
    q1 = kDecay * q1 + shown.s[t];
    const Tensor below = delta[t].mm(W[1]);
    g_W[1] = g_W[1] + products(delta[t], shown.s[t]) + products(delta[t], q1);
    g_W[0] =
        g_W[0] + products(shown.psi[t] * below, shown.x[t]) + products(shown.psi[t].square() * below, q0);
  }
  return g_W;
}

std::vector<Tensor> synapse_trace_loop(const std::vector<Tensor>& W, const Batch& batch, int64_t from) {
  const Shown shown = forward(W, batch);
  const auto delta = deltas(shown, batch.target.y, from);
  Tensor e0 = torch::zeros({kBatch, kHidden, kIn}, real()),
         e1 = torch::zeros({kBatch, kClasses, kHidden}, real());
  std::vector<Tensor> g_W = {torch::zeros_like(W[0]), torch::zeros_like(W[1])};
  for (size_t t = 0; t < delta.size(); ++t) {
    e0 = kDecay * e0 + shown.psi[t].unsqueeze(2) * shown.x[t].unsqueeze(1);
    e1 = kDecay * e1 + shown.s[t].unsqueeze(1);
    g_W[1] = g_W[1] + (delta[t].unsqueeze(2) * e1).sum(0);
    g_W[0] = g_W[0] + (delta[t].mm(W[1]).unsqueeze(2) * e0).sum(0);
  }
  return g_W;
}

std::shared_ptr<Network> network() { return dense_network(kIn, {kHidden, kClasses}); }
Batch frames() { return frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses)); }
Batch image() { return image_batch(kBatch, kIn, label_target(kBatch, kClasses)); }

/// No credit crosses time, so the windows must not matter: traces go on in every segment, with error or without.  A
/// still image as much as frames: the layer may hold its current over several segments only for rules whose q is x.
void does_not_depend_on_the_schedule(const char* rule, Loop loop) {
  const std::vector<std::pair<Config, int64_t>> schedules = {
      {{{"name", "whole"}}, 0},
      {{{"name", "truncated"}, {"window", 1}}, 0},
      {{{"name", "truncated"}, {"window", 4}}, 0},
      {{{"name", "checkpointed"}, {"segment", 2}}, 0},
      {{{"name", "truncated"}, {"window", 2}, {"loss", "last"}}, 4},
      {{{"name", "truncated"}, {"window", 1}, {"loss", "last"}}, 5},
      {{{"name", "truncated"}, {"window", 6}, {"burn_in", 3}}, 3},
      {{{"name", "truncated"}, {"burn_in", 2}}, 2}};
  for (const auto& [schedule, from] : schedules) {
    for (const Batch& batch : {frames(), image()}) {
      SCOPED_TRACE(std::string(rule) + " " + schedule.dump());
      const auto net = network();
      LearnerParts parts = learner_parts(net, kSteps);
      parts.method = {make<Rule>(rule)};
      parts.schedule = make<Schedule>(schedule);
      Learner(parts).pass(batch, 0);
      expect_gradients(*net, loop(weights(*net), batch, from));
    }
  }
}

TEST(EngineRules, TracesAdvanceInEverySegment) { does_not_depend_on_the_schedule("test_trace", trace_loop); }
TEST(EngineRules, FurtherPairs) { does_not_depend_on_the_schedule("test_pairs", pair_loop); }
TEST(EngineRules, GradientOfItsOwn) {
  does_not_depend_on_the_schedule("test_synapse_trace", synapse_trace_loop);
}

/// Hidden layer by the trace, readout by backpropagation through time, and the other way round.
TEST(EngineRules, AnotherRulePerLayer) {
  for (const Batch& batch : {frames(), image()}) {
    const auto net = network();
    const auto W = weights(*net);
    LearnerParts parts = learner_parts(net, kSteps);
    parts.method.layers = {{net->layers(0, false)[0]->slot(), make<Rule>("test_trace")}};
    Learner(parts).pass(batch, 0);

    const Shown shown = forward(W, batch);
    std::vector<Tensor> s;
    for (const Tensor& step : shown.s) s.push_back(step.detach().requires_grad_());
    Tensor u = torch::zeros({kBatch, kClasses}, real()), readout = W[1].clone().requires_grad_();
    std::vector<Tensor> a;
    for (const Tensor& step : s) a.push_back(readout_step(step.mm(readout.t()), u));
    step_ce(torch::stack(a), batch.target.y).backward();
    Tensor q = torch::zeros({kBatch, kIn}, real()), g_W = torch::zeros_like(W[0]);
    for (size_t t = 0; t < s.size(); ++t) {
      q = kDecay * q + shown.x[t];
      g_W = g_W + products(shown.psi[t] * s[t].grad(), q);
    }
    expect_gradients(*net, {g_W, readout.grad()});

    parts.method = {make<Rule>("test_trace"), {{net->layers(0, false)[0]->slot(), bptt()}}};
    Learner(parts).pass(batch, 0);
    Tensor v = torch::zeros({kBatch, kHidden}, real());
    const Tensor hidden = W[0].clone().requires_grad_();
    const auto delta = deltas(shown, batch.target.y, 0);
    std::vector<Tensor> roots, errors;
    for (int64_t t = 0; t < kSteps; ++t) {
      roots.push_back(lif_step(step_of(batch, t).mm(hidden.t()), v));
      errors.push_back(delta[static_cast<size_t>(t)].mm(W[1]));
    }
    torch::autograd::backward(roots, errors);
    expect_gradients(*net, {hidden.grad(), trace_loop(W, batch, 0)[1]});
  }
}

/// A recurrent layer runs step by step: the trace of the recurrent synapse is that of the spikes one step before.
TEST(EngineRules, TracesOfRecurrentSynapses) {
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(std::make_shared<Layer>(std::vector<Connection>{linear(kHidden), linear(kHidden)}, lif()),
           {{Network::kInput}, {0, 1}}, true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  const auto W = weights(*net);  // input, recurrent, readout
  const Batch batch = frames();
  for (const int64_t window : {1, 3, 6}) {
    LearnerParts parts = learner_parts(net, kSteps);
    parts.method = {make<Rule>("test_trace")};
    parts.schedule = make<Schedule>("truncated", {{"window", window}});
    Learner(parts).pass(batch, 0);
    // Credit of a step reaches the step before through the recurrent weights, but not over a border.
    Tensor v = torch::zeros({kBatch, kHidden}, real()), u = torch::zeros({kBatch, kClasses}, real());
    Tensor q0 = torch::zeros({kBatch, kIn}, real()), q1 = torch::zeros({kBatch, kHidden}, real()), q2 = q1,
           s = q1;
    std::vector<Tensor> psi, delta, pre, before, after;
    for (int64_t t = 0; t < kSteps; ++t) {
      const Tensor I = batch.x[t].mm(W[0].t()) + s.mm(W[1].t());
      psi.push_back(surrogate_derivative(lif_curve(), kNetLeak * v + I - 1));
      pre.push_back(q0 = kDecay * q0 + batch.x[t]);
      before.push_back(q1 = kDecay * q1 + s);
      s = lif_step(I, v);
      after.push_back(q2 = kDecay * q2 + s);
      const Tensor a = readout_step(s.mm(W[2].t()), u);
      delta.push_back((torch::softmax(a, 1) - torch::one_hot(batch.target.y, kClasses)) /
                      double(kBatch * kSteps));
    }
    std::vector<Tensor> g_W = {torch::zeros_like(W[0]), torch::zeros_like(W[1]), torch::zeros_like(W[2])};
    Tensor g = torch::zeros({kBatch, kHidden}, real());
    for (size_t t = kSteps; t-- > 0;) {
      const bool last_of_window = (static_cast<int64_t>(t) + 1) % window == 0;
      g = psi[t] * (delta[t].mm(W[2]) + (last_of_window ? torch::zeros_like(g) : g.mm(W[1])));
      g_W[0] = g_W[0] + products(g, pre[t]);
      g_W[1] = g_W[1] + products(g, before[t]);
      g_W[2] = g_W[2] + products(delta[t], after[t]);
    }
    expect_gradients(*net, g_W);
  }
}

std::string refusal(const LearnerParts& parts) {
  return message_of<UsageError>([&] { const Learner learner(parts); });
}
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(EngineRules, WhatIsRefused) {
  const auto normed = std::make_shared<Network>(Shape{kIn});
  Connection c = linear(kHidden);
  c.norm = make<Norm>("bn");
  normed->add(std::make_shared<Layer>(std::vector<Connection>{c}, lif()), true);
  LearnerParts parts = learner_parts(normed, kSteps);
  const Learner accepted(parts);
  parts.method = {make<Rule>("test_pairs")};
  EXPECT_TRUE(has(refusal(parts), "do not pass a norm"));

  parts = learner_parts(network(), kSteps);
  parts.method = {};
  EXPECT_TRUE(has(refusal(parts), "layer 0 has no rule"));
  parts.method = {make<Rule>("tssl_bp")};
  EXPECT_TRUE(has(refusal(parts), "psp_lif"));  // that would do

  const auto recurrent = std::make_shared<Network>(Shape{kIn});
  const auto psp = [] { return make<Neuron>("psp_lif"); };
  recurrent->add(std::make_shared<Layer>(std::vector<Connection>{linear(kHidden), linear(kHidden)}, psp()),
                 {{Network::kInput}, {0, 1}}, true);
  parts = learner_parts(recurrent, kSteps);
  parts.method = {make<Rule>("tssl_bp")};
  EXPECT_TRUE(has(refusal(parts), "recurrent connection"));

  const auto timing = std::make_shared<Network>(Shape{kIn});
  timing->add(dense_layer(kHidden, psp()), true);
  parts = learner_parts(timing, kSteps);
  parts.method = {make<Rule>("tssl_bp")};
  const Learner whole(parts);
  parts.schedule = make<Schedule>("checkpointed", {{"segment", 3}});
  EXPECT_TRUE(has(refusal(parts), "use schedule whole or truncated"));

  parts = learner_parts(network(), kSteps);
  parts.schedule = std::make_shared<FixedPlan>(Plan{{0, 2}, {3, kSteps}});
  EXPECT_TRUE(has(refusal(parts), "cover the 6 steps"));
  parts.schedule = std::make_shared<FixedPlan>(Plan{{0, 2, Role::burn_in, true}, {2, kSteps}});
  EXPECT_TRUE(has(refusal(parts), "no segment with a loss"));
}

/// Rule event_prop: a first step has no slope before it, and a spike there would divide by zero.
TEST(EngineRules, EventPropKeepsItsDivisorFromZero) {
  const auto neuron =
      make<Neuron>("cuba_lif", {{"reset", "hard"}, {"decay_input", true}, {"leak", 0.5}, {"leak_syn", 0.5}});
  neuron->build({1});
  const auto credit = [&](double min_slope) {
    const RuleP rule = make<Rule>("event_prop", {{"form", "norse"}, {"min_slope", min_slope}});
    const auto record = make_record(*neuron, torch::full({2, 1, 1}, 4.0, real()), {}, rule->needs());
    neuron->run(*record, record->all());
    EXPECT_EQ(record->s.sum().item<int64_t>(), 2);
    return rule->credit(*neuron, *record, torch::ones({2, 1, 1}, real()), {});
  };
  EXPECT_FALSE(std::isfinite(credit(0).g_before[1].item<double>()));
  // t = 1: lJ = 0, lV = 2*1/(2 - 0).  t = 0: half of that in lJ; lV = 2*1/0.25, and nothing of the lV after the reset to 0.
  const Credit c = credit(0.25);
  EXPECT_EQ(c.g[1].item<double>(), 0);
  EXPECT_EQ(c.g[0].item<double>(), 0.5);
  EXPECT_EQ(c.g_before[0].item<double>(), 0.5);
  EXPECT_EQ(c.g_before[1].item<double>(), 8);
}

TEST(EngineRules, EventPropNamesItsNeuron) {
  LearnerParts parts = learner_parts(network(), kSteps);
  parts.method = {make<Rule>("event_prop")};
  EXPECT_TRUE(
      has(refusal(parts), "use neuron = {name = \"cuba_lif\", reset = \"hard\", decay_input = true}"));
}

TEST(EngineRules, FalseClaimOfAConstantFactor) {
  LearnerParts parts = learner_parts(network(), kSteps);
  parts.method = {make<Rule>("test_false_claim")};
  parts.schedule = make<Schedule>("truncated", {{"window", 2}});
  Learner learner(parts);
  try {
    learner.pass(image_batch(kBatch, kIn, label_target(kBatch, kClasses)), 0);
    ADD_FAILURE() << "not refused";
  } catch (const UsageError& e) {
    EXPECT_TRUE(has(e.what(), "test_false_claim says that it keeps a constant input constant")) << e.what();
  }
}

}  // namespace spiketrain::rules_test
