// Few-spikes neurons and their signed code: digits, the two forms, gradients against autograd of the definition, what is refused.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/core/encoder.h"
#include "spiketrain/engine/learner.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::few_spikes_test {

const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);
constexpr int64_t kPhases = 6;

/// sum_i w_i*s[i] over each period [T,B,*] -> [periods,B,*], w_i = alpha*2^-(1+i).
Tensor decoded(const Tensor& s, double alpha, int64_t K = kPhases) {
  const Tensor w = alpha * torch::pow(0.5, torch::arange(1, K + 1, kDouble));
  return torch::tensordot(s.unflatten(0, at::IntArrayRef({s.size(0) / K, K})), w, {1}, {0});
}

TEST(FewSpikesEncoder, SendsSignAndDigits) {
  const auto encoder = make<Encoder>("few_spikes", {{"phases", kPhases}, {"alpha", 2.0}});
  EXPECT_EQ(encoder->step_shape({2, 5}), (Shape{4, 5}));
  Batch batch;
  batch.x =
      torch::tensor({0.0, 0.4, -0.4, 1.0, -1.99, 7.0, -9.0, 0.01, 2.0, -0.03125}, kDouble).view({1, 2, 5});
  const int64_t T = 2 * kPhases;
  const Signal sent = encoder->encode(batch, {0, T, T});
  const Tensor s = sent.values();
  EXPECT_EQ(s.sizes(), (std::vector<int64_t>{T, 1, 4, 5}));
  EXPECT_TRUE(torch::equal(s.slice(0, 0, kPhases), s.slice(0, kPhases))) << "the same in every period";
  const Tensor both = decoded(s, 2), value = (both.slice(2, 0, 2) - both.slice(2, 2))[0];
  const double step = 2 * std::pow(0.5, kPhases);
  const Tensor wanted = batch.x.sign() * torch::clamp(torch::floor(batch.x.abs() / step) * step, 0, 2 - step);
  EXPECT_TRUE(torch::equal(value, wanted));
  EXPECT_EQ((both.slice(2, 0, 2) * both.slice(2, 2)).abs().max().item<double>(), 0) << "one sign is silent";
  EXPECT_TRUE(torch::equal(encoder->encode(batch, {3, 8, T}).values(), s.slice(0, 3, 8)));
}

TEST(FewSpikes, DigitsOfReluAreThoseOfPhaseIf) {
  torch::manual_seed(4);
  // Multiples of 1/64, so that sums are exact.
  const Tensor I = torch::randint(-64, 100, {3 * kPhases, 4, 7}, kDouble) / 64;
  const auto fs = make_neuron(
                 {{"name", "few_spikes"}, {"phases", kPhases}, {"alpha", 1.0}, {"strict", false}}, {7}),
             phase = make_neuron({{"name", "phase_if"}, {"bits", kPhases}, {"form", "aligned"}}, {7});
  const Tensor ours = output_of(*run_all(*fs, I)), theirs = output_of(*run_all(*phase, I));
  EXPECT_TRUE(torch::equal(ours, theirs));
  EXPECT_GT(ours.sum().item<double>(), 50);
}

Config tables(const std::string& curve, const std::string& form = "aligned") {
  Config config = {{"name", "few_spikes"}, {"curve", curve}, {"learn", true}, {"form", form}};
  if (curve == "relu") config["phases"] = kPhases, config["alpha"] = 4.0;
  return config;
}
int64_t period_of(const std::string& curve) {
  return curve == "relu" ? kPhases : curve == "sigmoid" ? 12 : 16;
}

TEST(FewSpikes, AlignedIsPipelinedAPeriodEarlier) {
  for (const char* curve : {"relu", "sigmoid", "swish"}) {
    SCOPED_TRACE(curve);
    torch::manual_seed(5);
    const int64_t K = period_of(curve);
    const Tensor I = torch::randn({2 * K, 3, 5}, kDouble), delta = torch::randn({2 * K, 3, 5}, kDouble);
    const Tensor none = torch::zeros({K, 3, 5}, kDouble);
    const auto now = make_neuron(tables(curve), {5}), later = make_neuron(tables(curve, "pipelined"), {5});
    now->to(torch::kDouble), later->to(torch::kDouble);
    const auto run = run_all(*now, I), late = run_all(*later, torch::cat({I, none}));
    EXPECT_TRUE(torch::equal(output_of(*run), output_of(*late).slice(0, K)));
    const Credit a = now->vjp(*run, delta, {}), b = later->vjp(*late, torch::cat({none, delta}), State(4));
    EXPECT_TRUE(torch::equal(a.g, b.g.slice(0, 0, 2 * K)));
    ASSERT_EQ(a.g_params.size(), 3U);
    for (size_t k = 0; k < 3; ++k) {
      EXPECT_TRUE(torch::equal(a.g_params[k], b.g_params[k])) << k;
      EXPECT_GT(a.g_params[k].abs().max().item<double>(), 0) << k;
    }
  }
}

/// The definition of one period [K,B,*] in autograd, with the surrogate.
TEST(FewSpikes, GradientsAreAutogradOfTheDefinition) {
  for (const char* curve : {"relu", "sigmoid", "swish"}) {
    SCOPED_TRACE(curve);
    torch::manual_seed(6);
    const int64_t K = period_of(curve);
    const auto neuron = make_neuron(tables(curve), {5});
    neuron->to(torch::kDouble);
    const auto p = neuron->named_parameters();
    const Tensor I = torch::randn({K, 3, 5}, kDouble).requires_grad_(),
                 delta = torch::randn({K, 3, 5}, kDouble);
    Tensor v = torch::zeros({3, 5}, kDouble), loss = torch::zeros({}, kDouble);
    for (int64_t i = 0; i < K; ++i) v = v + p["d"][i] * I[i];
    std::vector<Tensor> spikes;
    for (int64_t i = 0; i < K; ++i) {
      const Tensor w = (v - p["T"][i]) / (v.abs() + 1), slope = (1 - w.detach().abs()).clamp_min(0);
      const Tensor s = w.detach().gt(0).to(torch::kDouble) + (w - w.detach()) * slope;
      spikes.push_back(s.detach());
      loss = loss + (s * delta[i]).sum();
      v = v - s * p["h"][i];
    }
    const auto want = torch::autograd::grad({loss}, {I, p["h"], p["d"], p["T"]});
    const auto run = run_all(*neuron, I.detach());
    EXPECT_TRUE(torch::equal(output_of(*run), torch::stack(spikes)));
    const Credit credit = neuron->vjp(*run, delta, {});
    EXPECT_TRUE(torch::allclose(credit.g, want[0], 1e-12, 1e-12));
    for (size_t k = 0; k < 3; ++k)
      EXPECT_TRUE(torch::allclose(credit.g_params[k], want[k + 1], 1e-12, 1e-12)) << k;
  }
}

/// S(z) as a loop over complex numbers.
Tensor shrunk(const Tensor& z, double threshold) {
  const Tensor re = z.slice(1, 0, z.size(1) / 2), im = z.slice(1, z.size(1) / 2);
  const Tensor gain = (1 - threshold / (re * re + im * im).sqrt()).clamp_min(0);
  return torch::cat({re * gain, im * gain}, 1);
}

TEST(ComplexFewSpikes, SendsTheDigitsOfWhatIsShrunk) {
  torch::manual_seed(7);
  const double alpha = 2, threshold = 0.5, step = alpha * std::pow(0.5, kPhases);
  const Config options = {{"phases", kPhases}, {"alpha", alpha}, {"threshold", threshold}};
  const auto with = [&](const char* name) {
    Config config = options;
    config["name"] = name;
    return config;
  };
  const auto neuron = make_neuron(with("complex_few_spikes"), {4, 9}),
             readout = make_neuron(with("complex_few_spikes_readout"), {2, 9});
  neuron->to(torch::kDouble), readout->to(torch::kDouble);
  const Tensor x = torch::randn({2 * kPhases, 3, 2, 9}, kDouble);
  const Tensor z = decoded(x, alpha);  // what is read of these currents
  const Tensor want = torch::stack({shrunk(z[0], threshold), shrunk(z[1], threshold)});
  const auto analog = run_all(*readout, x);
  for (int64_t t = 0; t < 2 * kPhases; ++t)
    EXPECT_TRUE(torch::allclose(analog->a[t], want[t / kPhases], 0, 1e-14)) << t;
  const auto run = run_all(*neuron, torch::cat({x, -x}, 2));
  const Tensor sent = decoded(output_of(*run), alpha), value = sent.slice(2, 0, 2) - sent.slice(2, 2);
  const Tensor cut = want.sign() * torch::clamp(torch::floor(want.abs() / step) * step, 0, alpha - step);
  EXPECT_TRUE(torch::equal(value, cut));
  EXPECT_TRUE(want.eq(0).any().item<bool>() && want.ne(0).any().item<bool>());
  EXPECT_EQ(run->s.masked_select(torch::cat({want, want}, 2).eq(0).repeat_interleave(kPhases, 0))
                .sum()
                .item<int64_t>(),
            0)
      << "what is shrunk to zero is silent";
}

TEST(ComplexFewSpikes, GradientIsPassedStraightThroughTheDigitsAndExactThroughTheShrinkage) {
  torch::manual_seed(8);
  const double alpha = 2;
  const auto neuron = make_neuron(
      {{"name", "complex_few_spikes"}, {"phases", kPhases}, {"alpha", alpha}, {"threshold", 0.5}}, {4, 9});
  neuron->to(torch::kDouble);
  const Tensor half = torch::randn({kPhases, 3, 2, 9}, kDouble),
               I = torch::cat({half, -half}, 2).requires_grad_();
  const Tensor delta = torch::randn({kPhases, 3, 4, 9}, kDouble), threshold = neuron->parameters()[0];
  const Tensor w = alpha * torch::pow(0.5, torch::arange(1, kPhases + 1, kDouble));
  const Tensor z = torch::tensordot(I.slice(2, 0, 2), w, {0}, {0});
  const Tensor re = z.slice(1, 0, 1), im = z.slice(1, 1),
               gain = torch::relu(1 - threshold / (re * re + im * im).sqrt());
  const Tensor v = torch::cat({re * gain, im * gain}, 1), m = torch::cat({v, -v}, 1);
  const Tensor g_m = torch::tensordot(delta, w, {0}, {0}) / w.square().sum() * (m.ge(0) & m.le(alpha));
  const auto want = torch::autograd::grad({(m * g_m.detach()).sum()}, {I, threshold});
  const Credit credit = neuron->vjp(*run_all(*neuron, I.detach()), delta, {});
  EXPECT_TRUE(torch::allclose(credit.g, want[0], 1e-12, 1e-12));
  EXPECT_TRUE(torch::allclose(credit.g_params.at(0), want[1], 1e-12, 1e-12));
  EXPECT_GT(want[1].abs().item<double>(), 0);
}

TEST(ComplexShrink, GradientIsTheFormulaAndThresholdsBelowZeroAreNone) {
  const auto neuron = make_neuron({{"name", "complex_shrink"}, {"threshold", 1.0}}, {2});
  neuron->to(torch::kDouble);
  const Tensor z = torch::tensor({3.0, 4.0, 0.3, -0.4, 0.0, 0.0}, kDouble).view({1, 3, 2});
  const Tensor delta = torch::tensor({1.0, 0.0}, kDouble).expand({1, 3, 2});
  const Credit credit = neuron->vjp(*run_all(*neuron, z), delta, {});
  // d/dx of x(1 - 1/r) = 1 - 1/r + x^2/r^3, d/dy = x*y/r^3, d/dthreshold = -x/r
  EXPECT_NEAR(credit.g[0][0][0].item<double>(), 1 - 0.2 + 9 / 125.0, 1e-14);
  EXPECT_NEAR(credit.g[0][0][1].item<double>(), 12 / 125.0, 1e-14);
  EXPECT_EQ(credit.g[0].slice(0, 1).abs().max().item<double>(), 0)
      << "nothing goes back from what is shrunk to 0";
  EXPECT_NEAR(credit.g_params.at(0).item<double>(), -0.6, 1e-14);
  const torch::NoGradGuard no_grad;
  Tensor(neuron->parameters()[0]).fill_(-0.5);
  EXPECT_TRUE(torch::equal(run_all(*neuron, z)->a, z));
}

struct Parts {
  Config neuron = {{"name", "few_spikes"}, {"phases", kPhases}, {"alpha", 2.0}};
  Config readout = {{"name", "few_spikes_readout"}, {"phases", kPhases}, {"alpha", 2.0}};
  Config encoder = {{"name", "few_spikes"}, {"phases", kPhases}, {"alpha", 2.0}};
  Config options = Config::object(), schedule = {{"name", "whole"}};
  std::string spec = "3C3-AP2-8-4";
  int64_t steps = kPhases;
};

Learner learner(const Parts& p) {
  NetworkContext context = make_context(p.neuron, make<Encoder>(p.encoder)->step_shape({2, 6, 6}), 4);
  context.readout = [&] { return make<Neuron>(p.readout); };
  LearnerParts parts;
  parts.network = make_spec(p.spec, context, p.options);
  parts.network->initialise(1);
  parts.method = {bptt()};
  parts.objective = make<Objective>("rate_ce");
  parts.steps = p.steps;
  parts.encoder = make<Encoder>(p.encoder);
  parts.schedule = make<Schedule>(p.schedule);
  return Learner(std::move(parts));
}

TEST(FewSpikes, WhatCannotReadTheCodeIsRefused) {
  const auto refused = [](const auto& edit, const char* what) {
    Parts parts;
    edit(parts);
    const std::string text = message_of<UsageError>([&] { learner(parts); });
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  EXPECT_NO_THROW(learner({}));
  refused([](Parts& p) { p.neuron = {{"name", "lif"}}; }, "use neuron few_spikes");
  refused([](Parts& p) { p.readout = {{"name", "leaky_readout"}}; }, "few_spikes_readout");
  refused([](Parts& p) { p.neuron["phases"] = 5; }, "set the same phases");
  refused([](Parts& p) { p.readout["alpha"] = 4.0; }, "set the same alpha");
  refused([](Parts& p) { p.neuron = {{"name", "few_spikes"}, {"curve", "swish"}}; }, "encoder direct");
  refused([](Parts& p) { p.steps = 7; }, "multiple of encoder.phases");
  refused([](Parts& p) { p.spec = "3C3-MP2-8-4"; }, "average pooling");
  refused([](Parts& p) { p.options = {{"norm", "bn"}}; }, "leave network.norm out");
  refused([](Parts& p) { p.schedule = {{"name", "truncated"}, {"window", 3}}; }, "use schedule whole");
  const auto options = [](const Config& config, const char* what) {
    const std::string text = message_of<UsageError>([&] { make<Neuron>("few_spikes", config); });
    EXPECT_NE(text.find(what), std::string::npos) << text;
  };
  options({{"curve", "sigmoid"}, {"phases", 10}}, "has 12 phases");
  options({{"curve", "swish"}, {"alpha", 2.0}}, "alpha belongs to");
  Parts direct;  // an image is read at every step then
  direct.encoder = {{"name", "direct"}};
  direct.steps = 7;
  Batch batch;
  batch.x = torch::rand({1, 2, 6, 6});
  batch.target = {Target::Kind::class_index, torch::tensor({0})};
  const std::string text = message_of<UsageError>([&] { learner(direct).infer(batch); });
  EXPECT_NE(text.find("multiple of phases"), std::string::npos) << text;
  for (const char* name : {"complex_shrink", "complex_few_spikes", "complex_few_spikes_readout"}) {
    const std::string shape = message_of<UsageError>([&] { make_neuron({{"name", name}}, {5}); });
    EXPECT_NE(shape.find("network slista"), std::string::npos) << shape;
  }
}

}  // namespace spiketrain::few_spikes_test
