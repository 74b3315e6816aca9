// The adjoint of every neuron, fused and by steps, against autograd through step() in float64: 1e-12 relative
// to 1 + the largest gradient.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/core/extras.h"
#include "spiketrain/ops/surrogate.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::neuron_test {

const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

const Shape kShape = {5};

struct Problem {
  Tensor I, delta;
  State before, g_after;
};

/// Random input, learning signal, states before and their gradients after, for neurons of shape `shape`.
Problem make_problem(const Neuron& neuron, const Shape& shape = kShape) {
  torch::manual_seed(7);
  std::vector<int64_t> state = {3}, all = {9, 3};
  state.insert(state.end(), shape.begin(), shape.end());
  all.insert(all.end(), shape.begin(), shape.end());
  Problem p;
  p.I = torch::randn(all, kDouble) * 1.2 + 0.3;
  p.delta = torch::randn(all, kDouble);
  for (const Tensor& z : neuron.initial(state, kDouble)) {
    p.before.push_back(z + torch::randn(state, kDouble) * 0.8);
    p.g_after.push_back(torch::randn(state, kDouble));
  }
  return p;
}

/// Autograd through the loop of step().
Credit reference(const Neuron& neuron, const Problem& p) {
  Tensor I = p.I.clone().requires_grad_();
  std::vector<Tensor> leaves = {I};
  State state;
  for (const Tensor& z : p.before) {
    state.push_back(z.clone().requires_grad_());
    leaves.push_back(state.back());
  }
  for (const Tensor& w : neuron.parameters()) leaves.push_back(w);
  Tensor loss = torch::zeros({}, kDouble);
  for (int64_t t = 0; t < I.size(0); ++t) {
    Stepped::Step now = by_steps(neuron).step(I[t], state);
    loss = loss + (now.a * p.delta[t]).sum();
    state = now.next;
  }
  for (size_t k = 0; k < state.size(); ++k) loss = loss + (state[k] * p.g_after[k]).sum();
  auto g = torch::autograd::grad({loss}, leaves, {}, false, false, /*allow_unused=*/true);
  for (size_t k = 0; k < g.size(); ++k) {
    if (!g[k].defined()) g[k] = torch::zeros_like(leaves[k]);
  }
  const auto params = g.begin() + 1 + static_cast<int64_t>(p.before.size());
  return {g[0], State(g.begin() + 1, params), std::vector<Tensor>(params, g.end())};
}

void expect_near(const Tensor& got, const Tensor& want, const char* what) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  const double scale = 1 + want.abs().max().item<double>();
  EXPECT_LE((got - want).abs().max().item<double>(), 1e-12 * scale) << what;
}

void expect_same(const Credit& got, const Credit& want) {
  expect_near(got.g, want.g, "g");
  ASSERT_EQ(got.g_before.size(), want.g_before.size());
  for (size_t k = 0; k < got.g_before.size(); ++k) expect_near(got.g_before[k], want.g_before[k], "g_before");
  ASSERT_EQ(got.g_params.size(), want.g_params.size());
  for (size_t k = 0; k < got.g_params.size(); ++k) expect_near(got.g_params[k], want.g_params[k], "g_params");
}

/// run() and vjp() of a built neuron in double against autograd and against the loop of step().
void check(const Neuron& neuron, const Shape& shape) {
  const Stepped& steps = by_steps(neuron);
  const Problem p = make_problem(neuron, shape);
  const Credit want = reference(neuron, p);
  const uint32_t slots = neuron.provides() & (kU | kPsi);

  const auto fused = run_all(neuron, p.I, p.before);
  expect_same(neuron.vjp(*fused, p.delta, p.g_after), want);
  const auto recorded = run_all(neuron, p.I, p.before, slots),
             looped = record_of(neuron, p.I, p.before, slots);
  steps.Stepped::run(*looped, looped->all());
  expect_same(steps.Stepped::vjp(*looped, p.delta, p.g_after), want);

  if (slots & kPsi) expect_near(recorded->psi, looped->psi, "psi");
  if (slots & kU) expect_near(recorded->u, looped->u, "u");
  if (fused->s.defined()) {
    EXPECT_TRUE(torch::equal(fused->s, looped->s));
    EXPECT_TRUE(torch::equal(fused->s, recorded->s));
  }
  for (size_t k = 0; k < fused->state.size(); ++k) expect_near(fused->state[k], looped->state[k], "state");
}

void check(const Config& config, const Shape& shape = kShape) {
  SCOPED_TRACE(config.dump());
  const auto neuron = make_neuron(config, shape);
  neuron->to(torch::kDouble);
  check(*neuron, shape);
}

TEST(NeuronGrad, EveryNeuronAtItsDefaults) {
  for (const Config& config : default_neurons()) {
    const bool complex = config["name"] == "complex_shrink";
    if (config["name"] != "masked_psn")
      check(config, complex ? Shape{6} : kShape);  // no steps: grad/psn_test.cpp
  }
}

TEST(NeuronGrad, FiltersOverTime) {
  check({{"name", "sliding_psn"}, {"k", 3}, {"dilation", 2}, {"surrogate", "sigmoid"}});
  for (const char* norm : {"none", "batch"}) {
    for (const char* quantizer : {"none", "power_of_two"}) {
      const Config config = {
          {"name", "cw_psn"}, {"k", 3}, {"dilation", 2}, {"norm", norm}, {"quantizer", quantizer}};
      SCOPED_TRACE(config.dump());
      const auto neuron = make_neuron(config, kShape);
      neuron->to(torch::kDouble);
      if (auto* normed = dynamic_cast<NormedNeuron*>(neuron.get())) normed->frozen = true;
      check(*neuron, kShape);
    }
  }
}

TEST(NeuronGrad, MembranesThatSeeTheCurrentOfTheStepBefore) {
  for (const char* name : {"cuba_lif", "cuba_readout"}) {
    check({{"name", name}, {"order", "old"}});
    check({{"name", name}, {"order", "old"}, {"v_rest", 0.3}, {"start", "zero"}, {"leak_syn", 0.8}});
  }
}

TEST(NeuronGrad, LifEveryResetAndSurrogate) {
  for (Config config : lif_resets()) {
    for (const std::string& surrogate : surrogate_names()) {
      config["surrogate"] = surrogate;
      config["leak"] = 0.8;
      check(config);
    }
  }
}

TEST(NeuronGrad, LifLearnsItsLeak) {
  for (Config config : lif_resets()) {
    for (const bool decay_input : {false, true}) {
      config["learn_leak"] = true;
      config["decay_input"] = decay_input;
      config["leak"] = 0.7;
      config["gain"] = 1.5;
      config["v_rest"] = 0.125;
      check(config);
    }
  }
}

/// What a soft reset takes off, the derivative that takes the place of a detached reset's, the gate.
Config with(Config config, const Config& more) {
  config.update(more);
  return config;
}
std::vector<Config> other_resets() {
  const Config lif = {{"name", "lif"}, {"leak", 0.8}};
  std::vector<Config> list;
  for (const char* reset : {"soft_decayed", "soft"}) {
    for (const bool detach : {false, true})
      list.push_back(with(lif, {{"reset", reset}, {"reset_by", 0.75}, {"detach_reset", detach}}));
  }
  list.push_back(with(lif, {{"reset_by", 1.5}, {"reset_delay", true}}));
  list.push_back(with(lif, {{"reset_by", 1.5}, {"raise_after_overshoot", true}}));
  for (const char* reset : {"soft_decayed", "hard"})
    list.push_back(with(lif, {{"reset", reset}, {"detach_reset", true}, {"reset_slope", -0.4}}));
  return list;
}

TEST(NeuronGrad, OtherResetsAndGates) {
  for (const Config& config : other_resets()) {
    for (const double gate : {0.0, 0.3}) {
      for (const char* surrogate : {"atan", "inverse_membrane"}) {
        const Config gated = with(config, {{"surrogate", surrogate}, {"surrogate_gate", gate}});
        check(gated);
        if (config["reset"] == "soft") continue;
        if (!config.contains("raise_after_overshoot")) check(with(gated, {{"name", "cuba_lif"}}));
      }
    }
  }
  check({{"name", "lif"}, {"per", "neuron"}, {"reset_by", 0.75}, {"surrogate_gate", 0.5}});
  check({{"name", "if"}, {"reset", "hard"}, {"detach_reset", true}, {"reset_slope", 0.2}});
  check({{"name", "eif"}, {"reset", "hard"}, {"detach_reset", true}, {"reset_slope", 0.2}});
}

/// Written out: u = leak*u_before - drop*s_before + I (soft), or leak*(u_before - drop*s_before) + I, with its adjoint.
TEST(NeuronGrad, ResetByIsTakenOff) {
  const double leak = 0.8, drop = 0.6, threshold = 0.9;
  for (const bool decayed : {false, true}) {
    const auto neuron = make_neuron({{"name", "lif"},
                                     {"leak", leak},
                                     {"threshold", threshold},
                                     {"reset", decayed ? "soft_decayed" : "soft"},
                                     {"reset_by", drop}},
                                    kShape);
    torch::manual_seed(3);
    const Tensor I = torch::randn({9, 3, 5}, kDouble) + 0.5, delta = torch::randn({9, 3, 5}, kDouble);
    const auto record = run_all(*neuron, I, {}, kU);
    const double back = decayed ? leak * drop : drop;
    const SurrogateCurve curve = surrogate_curve("atan", 0, threshold);
    Tensor u = torch::zeros({3, 5}, kDouble), s = torch::zeros({3, 5}, kDouble);
    std::vector<Tensor> psi;
    for (int64_t t = 0; t < 9; ++t) {
      u = leak * u - back * s + I[t];
      s = (u >= threshold).to(torch::kDouble);
      psi.push_back(surrogate_derivative(curve, u - threshold));
      expect_near(record->u[t], u, "u");
      EXPECT_TRUE(torch::equal(record->s[t].to(torch::kDouble), s));
    }
    EXPECT_GT(record->s.sum().item<int64_t>(), 9);
    const Credit credit = neuron->vjp(*record, delta, {});
    Tensor g = torch::zeros({3, 5}, kDouble);
    for (int64_t t = 9; t-- > 0;) {
      g = psi[static_cast<size_t>(t)] * (delta[t] - back * g) + leak * g;
      expect_near(credit.g[t], g, "g");
    }
  }
}

/// Without adaptation alif is lif, whatever its reset takes off and whatever gate there is.
TEST(NeuronGrad, AlifWithoutAdaptationIsLif) {
  torch::manual_seed(3);
  const Tensor I = torch::randn({9, 3, 5}, kDouble) + 0.5, delta = torch::randn({9, 3, 5}, kDouble);
  for (const Config& reset : {Config{{"reset", "soft"}, {"reset_by", 0.6}}, Config{{"reset_by", 0.6}},
                              Config{{"reset", "hard"}, {"detach_reset", true}, {"reset_slope", 0.2}}}) {
    const Config common = with(reset, {{"leak", 0.8}, {"surrogate", "atan"}, {"surrogate_gate", 0.75}});
    Config options = with({{"name", "alif"}, {"beta", 0}, {"reset", "soft_decayed"}}, common);
    const auto alif = make_neuron(options, kShape),
               lif = make_neuron(with(common, {{"name", "lif"}}), kShape);
    const auto ours = run_all(*alif, I), theirs = run_all(*lif, I);
    EXPECT_TRUE(torch::equal(ours->s, theirs->s)) << reset.dump();
    expect_near(alif->vjp(*ours, delta, {}).g, lif->vjp(*theirs, delta, {}).g, "g");
  }
}

/// The adjoint of BPTA: g[t] = psi*(delta + leak*slope*g[t+1]) + leak*(1 - s)*g[t+1].
TEST(NeuronGrad, ResetSlopeCrossesTheReset) {
  const double leak = 0.9, slope = 0.2;
  const auto neuron = [&](double of) {
    return make_neuron({{"name", "lif"},
                        {"leak", leak},
                        {"threshold", 0.5},
                        {"reset", "hard"},
                        {"detach_reset", true},
                        {"reset_slope", of},
                        {"surrogate", "inverse_membrane"}},
                       kShape);
  };
  torch::manual_seed(3);
  const Tensor I = torch::randn({9, 3, 5}, kDouble) + 0.3, delta = torch::randn({9, 3, 5}, kDouble);
  const auto record = run_all(*neuron(slope), I, {}, kU | kI);
  const Credit credit = neuron(slope)->vjp(*record, delta, {});
  const Tensor s = record->s.to(torch::kDouble), psi = s / record->u;
  EXPECT_TRUE(torch::equal(record->s, run_all(*neuron(0), I)->s));  // the forward is the same
  Tensor g = torch::zeros({3, 5}, kDouble);
  for (int64_t t = 9; t-- > 0;) {
    g = psi[t] * (delta[t] + leak * slope * g) + leak * (1 - s[t]) * g;
    expect_near(credit.g[t], g, "g");
  }
  EXPECT_FALSE(torch::equal(neuron(0)->vjp(*record, delta, {}).g, credit.g));
}

TEST(NeuronGrad, IfEveryReset) {
  for (Config config : lif_resets()) {
    if (config["reset"] == "soft" || config["raise_after_overshoot"] == true) continue;
    config["name"] = "if";
    config.erase("raise_after_overshoot");
    check(config);
  }
}

TEST(NeuronGrad, OtherNeuronsEveryReset) {
  for (const char* reset : {"soft_decayed", "soft", "hard", "hard_input", "none"}) {
    for (int bits = 0; bits < 4; ++bits) {
      Config config = {{"name", "cuba_lif"}, {"reset", reset}, {"detach_reset", bool(bits & 1)}};
      config["reset_delay"] = bool(bits & 2);
      config["gain_syn"] = 0.75;
      check(config);
      if (std::string(reset) == "hard_input") continue;
      config.erase("gain_syn");
      config["name"] = "liaf";
      for (const char* act : {"relu", "tanh", "identity"}) {
        config["act"] = act;
        config["threshold_related"] = bool(bits & 2);
        check(config);
      }
    }
  }
  for (const char* reset : {"soft_decayed", "hard", "none"}) {
    check({{"name", "klif"}, {"reset", reset}, {"scale_reset", true}, {"v_rest", 0.25}});
    check({{"name", "qif"}, {"reset", reset}, {"v_reset", 0.0}, {"detach_reset", true}});
    if (std::string(reset) == "none") continue;
    check({{"name", "eif"}, {"reset", reset}, {"v_rest", 0.25}, {"sharpness", 0.5}});
  }
  check({{"name", "leaky_readout"}, {"leak", 0.9}, {"decay_input", true}, {"v_rest", 0.5}});
}

TEST(NeuronGrad, UndefinedGradientOfTheStateIsZero) {
  const auto neuron = make_neuron({{"name", "lif"}}, kShape);
  const Problem p = make_problem(*neuron);
  const auto record = run_all(*neuron, p.I, p.before);
  const Credit want = neuron->vjp(*record, p.delta, {torch::zeros({3, 5}, kDouble)});
  EXPECT_TRUE(torch::equal(neuron->vjp(*record, p.delta, {}).g, want.g));
  EXPECT_TRUE(torch::equal(neuron->vjp(*record, p.delta, {Tensor()}).g, want.g));
}

TEST(Eif, StepsByHand) {
  const auto neuron = make_neuron({{"name", "eif"}, {"tau_m", 4}, {"sharpness", 0.5}, {"v_rest", 0.1}});
  State state = neuron->initial({1}, kDouble);
  EXPECT_EQ(state[0].item<double>(), -0.1);
  double v = -0.1;
  for (const double I : {0.5, 3.0, -1.0}) {
    const double u = v + (I + 0.1 - v + 0.5 * std::exp((v - 0.8) / 0.5)) / 4;
    const Stepped::Step step = by_steps(*neuron).step(torch::full({1}, I, kDouble), state);
    EXPECT_NEAR(step.u.item<double>(), u, 1e-15);
    EXPECT_EQ(step.s.item<double>(), u >= 1 ? 1 : 0);
    v = u >= 1 ? -0.1 : u;
    EXPECT_NEAR(step.next[0].item<double>(), v, 1e-15);
    state = step.next;
  }
}

TEST(NeuronOptions, ContradictionsAreErrors) {
  EXPECT_THROW(make_neuron({{"name", "lif"}, {"v_reset", -1.0}}), UsageError);
  EXPECT_THROW(make_neuron({{"name", "lif"}, {"reset", "hard"}, {"v_reset", 1.5}}), UsageError);
  EXPECT_THROW(make_neuron({{"name", "lif"}, {"learn_leak", true}, {"leak", 1.0}}), UsageError);
  EXPECT_THROW(make_neuron({{"name", "lif"}, {"raise_after_overshoot", true}, {"reset", "hard"}}),
               UsageError);
  EXPECT_THROW(make_neuron({{"name", "lif"}, {"v_rest", 2.0}}), UsageError);
  EXPECT_THROW(make_neuron({{"name", "lif"}, {"surrogate", "atna"}}), UsageError);
  for (const char* reset : {"hard", "none"})
    EXPECT_THROW(make_neuron({{"name", "lif"}, {"reset", reset}, {"reset_by", 0.5}}), UsageError) << reset;
  const Config slope = {{"name", "lif"}, {"reset", "hard"}, {"reset_slope", 0.2}, {"detach_reset", true}};
  make_neuron(slope);
  for (const Config& wrong : {Config{{"detach_reset", false}}, Config{{"reset", "none"}},
                              Config{{"reset", "soft"}}, Config{{"reset_delay", true}}})
    EXPECT_THROW(make_neuron(with(slope, wrong)), UsageError) << wrong.dump();
  EXPECT_THROW(make_neuron({{"name", "lif"}, {"surrogate", "inverse_membrane"}, {"per", "neuron"}}),
               UsageError);
}

}  // namespace spiketrain::neuron_test
