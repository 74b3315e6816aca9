// Batch norm and tdBN against the formula written out, in float64:
//   y = scale * weight * (I - mean) / sqrt(var + eps) + bias
// mean and biased var per channel over time, batch and space; scale = 1, or alpha * threshold for tdBN.
#include "spiketrain/core/norm.h"

#include <gtest/gtest.h>

#include "spiketrain/core/layer.h"

namespace spiketrain::norm_test {

constexpr double kTolerance = 1e-12;
const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

struct Case {
  std::vector<int64_t> shape;  ///< [T,B,C,...]
  double scale, momentum, eps;
};

/// An eps that is seen, so that its place counts.
std::vector<Case> cases() {
  std::vector<Case> list;
  for (const double scale : {1.0, 0.5, 1.75}) {
    list.push_back({{4, 3, 5, 3, 2}, scale, 0.1, 0.25});
    list.push_back({{4, 3, 5}, scale, 0.3, 0.25});
    list.push_back({{1, 2, 3, 2, 2}, scale, 0.1, 1e-5});
  }
  return list;
}

/// A norm and its tensors, by name.
struct Built {
  std::shared_ptr<Norm> norm;
  Tensor weight, bias, mean, var;
};

/// `bn` if it has no scale, else `tdbn`.
Built build(const Case& c) {
  Config options = {{"momentum", c.momentum}, {"eps", c.eps}};
  if (c.scale != 1) options["scale"] = c.scale;
  Built built;
  built.norm = make<Norm>(c.scale == 1 ? "bn" : "tdbn", options);
  built.norm->build(Shape(c.shape.begin() + 2, c.shape.end()));
  built.norm->to(torch::kDouble);
  const auto parameters = built.norm->named_parameters(), buffers = built.norm->named_buffers();
  built.weight = parameters["weight"];
  built.bias = parameters["bias"];
  built.mean = buffers["running_mean"];
  built.var = buffers["running_var"];
  return built;
}

/// A norm whose weight and bias differ from channel to channel.
Built drawn(const Case& c) {
  Built built = build(c);
  torch::NoGradGuard no_grad;
  built.weight.copy_(torch::rand({c.shape[2]}, kDouble) + 0.5);
  built.bias.copy_(torch::randn({c.shape[2]}, kDouble));
  return built;
}

Context in(Mode mode) {
  Context context;
  context.mode = mode;
  return context;
}

/// Currents whose channels differ in mean and size.
Tensor currents(const Case& c) {
  std::vector<int64_t> per_channel(c.shape.size(), 1);
  per_channel[2] = c.shape[2];
  const Tensor channel = torch::arange(c.shape[2], kDouble).view(per_channel);
  return torch::randn(c.shape, kDouble) * (0.5 + channel) + 2 * channel - 1;
}

/// [C, values of that channel]
Tensor by_channel(const Tensor& I) { return I.transpose(0, 2).flatten(1); }

Tensor formula(const Tensor& I, const Tensor& mean, const Tensor& var, const Built& norm, const Case& c) {
  std::vector<int64_t> per_channel(static_cast<size_t>(I.dim()), 1);
  per_channel[2] = I.size(2);
  const auto wide = [&](const Tensor& x) { return x.view(per_channel); };
  return c.scale * wide(norm.weight) * (I - wide(mean)) / torch::sqrt(wide(var) + c.eps) + wide(norm.bias);
}

Tensor mean_of(const Tensor& I) { return by_channel(I).mean(1); }
/// Mean squared distance from the mean, over n or n - 1 values.
Tensor variance_of(const Tensor& I, bool unbiased) {
  const Tensor values = by_channel(I);
  const auto n = static_cast<double>(values.size(1));
  return (values - values.mean(1, true)).square().sum(1) / (unbiased ? n - 1 : n);
}

void expect_near(const Tensor& got, const Tensor& want, const char* what) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  EXPECT_LE((got - want).norm().item<double>(), kTolerance * want.norm().item<double>()) << what;
}

void check_training(const Case& c) {
  for (const Mode mode : {Mode::train, Mode::replay}) {
    const Built norm = drawn(c);
    const Tensor I = currents(c).requires_grad_(), g = torch::randn(c.shape, kDouble);
    const Tensor y = norm.norm->forward(I, in(mode));
    const Tensor want = formula(I, mean_of(I), variance_of(I, false), norm, c);
    expect_near(y, want, "forward");
    const std::vector<Tensor> leaves = {I, norm.weight, norm.bias};
    const auto got = torch::autograd::grad({y}, leaves, {g});
    const auto expected = torch::autograd::grad({want}, leaves, {g});
    for (size_t k = 0; k < leaves.size(); ++k) expect_near(got[k], expected[k], "gradient");
  }
}

void check_evaluation(const Case& c) {
  const Built norm = drawn(c);
  Tensor mean = torch::zeros({c.shape[2]}, kDouble), var = torch::ones({c.shape[2]}, kDouble);
  for (int pass = 0; pass < 2; ++pass) {
    const Tensor I = currents(c);
    norm.norm->forward(I, in(Mode::train));
    mean = (1 - c.momentum) * mean + c.momentum * mean_of(I);
    var = (1 - c.momentum) * var + c.momentum * variance_of(I, true);
    expect_near(norm.mean, mean, "running mean");
    expect_near(norm.var, var, "running variance");
  }
  const Tensor I = currents(c).requires_grad_(), g = torch::randn(c.shape, kDouble);
  const Tensor y = norm.norm->forward(I, in(Mode::evaluate)), want = formula(I, mean, var, norm, c);
  expect_near(y, want, "forward");
  expect_near(torch::autograd::grad({y}, {I}, {g})[0], torch::autograd::grad({want}, {I}, {g})[0],
              "gradient");
  expect_near(norm.mean, mean, "running mean after evaluation");
  expect_near(norm.var, var, "running variance after evaluation");
}

void for_every_case(void (*check)(const Case&)) {
  torch::manual_seed(21);
  for (const Case& c : cases()) {
    SCOPED_TRACE(::testing::Message() << at::IntArrayRef(c.shape) << ", scale " << c.scale);
    check(c);
  }
}

TEST(Norm, TrainingEqualsTheFormulaAndItsGradient) { for_every_case(check_training); }
TEST(Norm, RunningStatisticsAreUsedInEvaluation) { for_every_case(check_evaluation); }

/// A segment that is computed again gives the same bits and leaves the running statistics alone.
TEST(Norm, ReplayLeavesTheRunningStatistics) {
  torch::manual_seed(23);
  for (const Case& c : cases()) {
    const Built norm = drawn(c);
    const Tensor I = currents(c), y = norm.norm->forward(I, in(Mode::train));
    const Tensor mean = norm.mean.clone(), var = norm.var.clone();
    EXPECT_TRUE(torch::equal(norm.norm->forward(I, in(Mode::replay)), y));
    EXPECT_TRUE(torch::equal(norm.mean, mean));
    EXPECT_TRUE(torch::equal(norm.var, var));
    norm.norm->forward(I, in(Mode::train));
    EXPECT_FALSE(torch::equal(norm.mean, mean));
  }
}

TEST(Norm, TdbnGivesCurrentsOfTheSizeOfTheThreshold) {
  torch::manual_seed(22);
  const double alpha = 0.5, threshold = 1.25;
  const Case c = {{5, 6, 4, 7, 7}, alpha * threshold, 0.1, 1e-5};
  const Tensor y = build(c).norm->forward(currents(c), in(Mode::train));
  EXPECT_LE(mean_of(y).abs().max().item<double>(), 1e-12);
  const Tensor deviation = variance_of(y, false).sqrt();
  EXPECT_LE((deviation - alpha * threshold).abs().max().item<double>(), 1e-4);  // not exact: eps
}

TEST(Norm, BeginsWithoutGainAndWithTheUsualConstants) {
  for (const char* name : {"bn", "tdbn"}) {
    const auto norm = make<Norm>(name);
    norm->build({3, 4, 4});
    EXPECT_TRUE(torch::equal(norm->named_parameters()["weight"], torch::ones({3})));
    EXPECT_TRUE(torch::equal(norm->named_parameters()["bias"], torch::zeros({3})));
    EXPECT_TRUE(torch::equal(norm->named_buffers()["running_mean"], torch::zeros({3})));
    EXPECT_TRUE(torch::equal(norm->named_buffers()["running_var"], torch::ones({3})));
    EXPECT_EQ(norm->config()["momentum"], 0.1);
    EXPECT_EQ(norm->config()["eps"], 1e-5);
  }
  EXPECT_EQ(make<Norm>("tdbn")->config()["scale"], 1.0);
  EXPECT_THROW(make<Norm>("bn", {{"scale", 2.0}}), UsageError);
}

TEST(Norm, ReluIsThePositivePart) {
  const auto norm = make<Norm>("relu");
  norm->build({3});
  EXPECT_TRUE(norm->parameters().empty() && norm->buffers().empty());
  const Tensor I = torch::randn({4, 2, 3}, kDouble).requires_grad_();
  for (const Mode mode : {Mode::train, Mode::evaluate}) {
    const Tensor y = norm->forward(I, in(mode));
    EXPECT_TRUE(torch::equal(y, I.clamp_min(0)));
    EXPECT_TRUE(torch::equal(torch::autograd::grad({y.sum()}, {I})[0], I.gt(0).to(torch::kDouble)));
  }
}

/// Spikes [T,B,*] of a neuron step by step.
Tensor by_steps(const Neuron& neuron, const Tensor& I) {
  const auto& stepped = dynamic_cast<const Stepped&>(neuron);
  State state = neuron.initial(I.sizes().slice(1), I.options());
  std::vector<Tensor> spikes;
  for (int64_t t = 0; t < I.size(0); ++t) {
    Stepped::Step now = stepped.step(I[t], state);
    spikes.push_back(now.s);
    state = std::move(now.next);
  }
  return torch::stack(spikes);
}

TEST(Norm, SpikesBehindANormLieWhereTheirNeuronsAre) {
  const torch::NoGradGuard no_grad;
  for (const char* neuron : {"lif", "psp_lif"}) {
    for (const Mode mode : {Mode::train, Mode::evaluate}) {
      for (const bool still : {false, true}) {
        Connection c;
        c.synapse = make<Synapse>("conv2d", {{"channels", 6}, {"kernel", 3}, {"weight_scale", 4.0}});
        c.norm = make<Norm>("bn");
        Layer layer({c}, make<Neuron>(neuron, {{"threshold", 0.5}}));
        layer.build({{2, 7, 8}});
        int64_t slots = 0;
        layer.assign_slots(slots);
        layer.initialise(3);
        Context context = in(mode);
        context.method.rule = make<Rule>("bptt");
        Carry carry;
        carry.state.resize(1);
        carry.trace.resize(1);
        carry.post_trace.resize(1);
        torch::manual_seed(1);
        const Tensor image = torch::rand({1, 3, 2, 7, 8}),
                     x = still ? image.expand({4, -1, -1, -1, -1}) : torch::rand({4, 3, 2, 7, 8});
        const Signal signal = still ? Signal::constant(image, torch::ones({4})) : Signal::dense(x);
        const Tensor I =
            c.norm->forward(c.synapse->apply(Signal::dense(x.contiguous()), c.synapse->weight()), context);
        const Tensor wanted = by_steps(*layer.neuron(), I);
        const Tensor got = layer.forward({signal}, context, carry).spikes().dense(torch::kFloat);
        EXPECT_GT(wanted.sum().item<double>(), 50);
        EXPECT_TRUE(torch::equal(got, wanted))
            << neuron << (still ? ", still, mode " : ", mode ") << static_cast<int>(mode);
      }
    }
  }
}

}  // namespace spiketrain::norm_test
