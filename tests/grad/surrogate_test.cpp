// The surrogate derivatives against their formulas, in LibTorch and as the kernels have them; the gate.
#include "spiketrain/ops/surrogate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/support/neuron_cases.h"

namespace spiketrain::surrogate_test {

const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

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
      {"threshold_triangle", 0.3 * (1 - x)},
      {"triangular", -1},
      {"straight_through", 1},
      {"heaviside", 1},
      {"leaky_spike", 1},
      {"spike_rate_escape", 25 * std::exp(-0.7)},
      {"sparse_fast_sigmoid", 0},
      {"inverse_membrane", 1 / 1.3}};
  // Those that are no functions of |x|.
  const std::map<std::string, double> one_sided = {{"triangular", 1},
                                                   {"heaviside", 0},
                                                   {"leaky_spike", 0.1},
                                                   {"spike_rate_escape", 25 * std::exp(-1.3)},
                                                   {"inverse_membrane", 0}};
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
    EXPECT_EQ(surrogate_reads_threshold(name), name == "single_exponential" || name == "slayer" ||
                                                   name == "inverse_membrane" || name == "threshold_triangle")
        << name;
}

/// The derivative is what it is without the gate, and 0 at the gate and beyond, in LibTorch and in the kernel.
TEST(Surrogate, AGateCutsItOff) {
  const Tensor x = torch::tensor({-2.0, -0.5, -0.4375, 0.0, 0.4375, 0.5, 1e30}, kDouble);
  for (const std::string& name : surrogate_names()) {
    const SurrogateCurve open = surrogate_curve(name, 0, 1);
    SurrogateCurve gated = open;
    gated.gate = 0.5;
    const Tensor want = surrogate_derivative(open, x) * (x.abs() < 0.5);
    EXPECT_TRUE(torch::equal(surrogate_derivative(gated, x), want)) << name;
    const Tensor leaf = x.clone().requires_grad_();
    EXPECT_TRUE(torch::equal(torch::autograd::grad({spike(leaf, gated, false).sum()}, {leaf})[0], want))
        << name;
    for (int64_t i = 0; i < x.numel(); ++i)
      EXPECT_NEAR(cpu::surrogate_derivative(gated, x[i].item<double>()), want[i].item<double>(), 1e-14)
          << name;
  }
  const auto neuron =
      make_neuron({{"name", "lif"}, {"surrogate", "straight_through"}, {"surrogate_gate", 0.25}});
  const auto record =
      run_all(*neuron, torch::tensor({0.75, 0.0, 1.5}, kDouble).view({3, 1, 1}), {}, kPsi | kU);
  EXPECT_TRUE(
      torch::equal(record->psi.flatten(), (record->u.flatten() - 1).abs().lt(0.25).to(torch::kDouble)));
}

TEST(Surrogate, InverseMembraneIsOneOverU) {
  for (const double threshold : {0.5, 2.0}) {
    const SurrogateCurve curve = surrogate_curve("inverse_membrane", 0, threshold);
    for (const double u : {0.4, 0.5, 0.8, 2.0, 5.0}) {
      const double want = u >= threshold ? 1 / u : 0;
      EXPECT_NEAR(cpu::surrogate_derivative(curve, u - threshold), want, 1e-15);
    }
  }
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

}  // namespace spiketrain::surrogate_test
