// The adjoint of every neuron, fused and by steps, against autograd through step() in float64: 1e-12 relative
// to 1 + the largest gradient.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

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

void check(const Config& config) {
  SCOPED_TRACE(config.dump());
  const auto neuron = make_neuron(config, kShape);
  neuron->to(torch::kDouble);
  check(*neuron, kShape);
}

TEST(NeuronGrad, EveryNeuronAtItsDefaults) {
  for (const Config& config : default_neurons()) check(config);
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

TEST(Surrogate, CurveMatchesItsFormula) {
  // One value per name, at x = 0.3 and x = -0.3, from the formulas written out (pi/2*2*0.3 etc.).
  const double pi = 3.14159265358979323846, x = 0.3, sig = 1 / (1 + std::exp(-4 * x));
  const std::vector<std::pair<std::string, double>> at = {
      {"sigmoid", 4 * sig * (1 - sig)},
      {"atan", 1 / (1 + pi * pi * x * x)},
      {"fast_sigmoid", 1 / std::pow(25 * x + 1, 2)},
      {"super_spike", 1 / std::pow(x + 1, 2)},
      {"soft_sign", 1 / (4 * std::pow(0.5 + x, 2))},
      {"nonzero_sign_log_abs", 1 / (1 + x)},
      {"piecewise_quadratic", 1 - x},
      {"triangle", 0.3 * (1 - x)},
      {"rect", 1},
      {"piecewise_exp", 0.5 * std::exp(-x)},
      {"erf", 2 / std::sqrt(pi) * std::exp(-4 * x * x)},
      {"heavi_erfc", 2 / std::sqrt(pi) * std::exp(-1e4 * x * x)},
      {"tanh", 1 - std::pow(std::tanh(100 * x), 2)},
      {"circ", 1e6 / std::pow(1e4 + x * x, 1.5)},
      {"single_exponential", 2 * std::exp(-x / 0.5)},
      {"slayer", 0.05 / 100 * std::exp(-x / 100)},
      {"triangular", -1},
      {"straight_through", 1},
      {"heaviside", 1},
      {"leaky_spike", 1},
      {"spike_rate_escape", 25 * std::exp(-0.7)},
      {"sparse_fast_sigmoid", 0}};
  // Those that are no functions of |x|.
  const std::map<std::string, double> one_sided = {
      {"triangular", 1}, {"heaviside", 0}, {"leaky_spike", 0.1}, {"spike_rate_escape", 25 * std::exp(-1.3)}};
  ASSERT_EQ(at.size(), surrogate_names().size());
  for (const auto& [name, value] : at) {
    const SurrogateCurve curve = surrogate_curve(name, 0, 1);
    const Tensor points = torch::tensor({x, -x}, kDouble);
    const Tensor got = surrogate_derivative(curve, points);
    const double mirrored = one_sided.count(name) ? one_sided.at(name) : value;
    EXPECT_NEAR(got[0].item<double>(), value, 1e-14) << name;
    EXPECT_NEAR(got[1].item<double>(), mirrored, 1e-14) << name;
    EXPECT_NEAR(cpu::surrogate_derivative(curve, x), value, 1e-14) << name;
    EXPECT_NEAR(cpu::surrogate_derivative(curve, -x), mirrored, 1e-14) << name;
  }
  EXPECT_THROW(surrogate_curve("sigmoida", 0, 1), UsageError);
  EXPECT_THROW(surrogate_curve("sigmoid", -1, 1), UsageError);
}

TEST(Surrogate, NonzeroSignLogAbsIsTheSlopeOfItsPrimitive) {
  for (const double alpha : {0.5, 1.0, 4.0}) {
    const SurrogateCurve curve = surrogate_curve("nonzero_sign_log_abs", alpha, 1);
    for (const double x : {-2.0, -0.25, 0.5, 3.0}) {
      const auto primitive = [&](double y) { return (y < 0 ? -1 : 1) * std::log(alpha * std::abs(y) + 1); };
      const double slope = (primitive(x + 1e-6) - primitive(x - 1e-6)) / 2e-6;
      EXPECT_NEAR(cpu::surrogate_derivative(curve, x), slope, 1e-8 * alpha);
    }
    EXPECT_EQ(cpu::surrogate_derivative(curve, 0.0), alpha);
  }
}

TEST(Surrogate, ReadsTheThresholdOnlyInItsUnits) {
  for (const std::string& name : surrogate_names())
    EXPECT_EQ(surrogate_reads_threshold(name), name == "single_exponential" || name == "slayer") << name;
}

TEST(Surrogate, SparseBeginsOneAboveTheThreshold) {
  const SurrogateCurve curve = surrogate_curve("sparse_fast_sigmoid", 4, 1);
  const Tensor points = torch::tensor({-2.0, 1.0, 1.5}, kDouble);
  const Tensor want = torch::tensor({0.0, 0.0, 1 / 49.0}, kDouble);
  EXPECT_TRUE(torch::allclose(surrogate_derivative(curve, points), want, 0, 1e-15));
  for (int64_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(cpu::surrogate_derivative(curve, points[i].item<double>()), want[i].item<double>(), 1e-15);
  }
}

TEST(Surrogate, EdgesAreAsInTheFramework) {
  const Tensor zero = torch::zeros({1}, kDouble);
  const auto at_threshold = [&](const char* name) {
    const SurrogateCurve curve = surrogate_curve(name, 0, 1);
    EXPECT_EQ(surrogate_derivative(curve, zero).item<double>(), cpu::surrogate_derivative(curve, 0.0));
    return cpu::surrogate_derivative(curve, 0.0);
  };
  EXPECT_EQ(at_threshold("heaviside"), 0);
  EXPECT_EQ(at_threshold("leaky_spike"), 0.1);
  EXPECT_EQ(at_threshold("triangular"), -1);
}

TEST(Surrogate, WidthsInUnitsOfTheThreshold) {
  EXPECT_NEAR(surrogate_curve("single_exponential", 0.5, 2).rate, 1.0, 1e-15);
  EXPECT_NEAR(surrogate_curve("slayer", 1, 2).rate, 1 / 200.0, 1e-15);
}

TEST(Surrogate, FarBelowTheThresholdIsFinite) {
  for (const std::string& name : surrogate_names()) {
    const Tensor x = torch::tensor({-1e4, 1e4, -200.0, 0.0}, torch::kFloat).requires_grad_();
    spike(x, surrogate_curve(name, 0, 1), true).sum().backward();
    EXPECT_TRUE(torch::isfinite(x.grad()).all().item<bool>()) << name;
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
}

}  // namespace spiketrain::neuron_test
