// Adjoints of the PSN family in float64 against autograd through their definition, written out here: 1e-12 relative to 1 + the
// largest gradient.
#include <gtest/gtest.h>

#include "spiketrain/core/extras.h"
#include "spiketrain/core/synapse.h"
#include "spiketrain/ops/surrogate.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::psn_grad_test {

const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);
constexpr int64_t kSteps = 9, kBatch = 37;

void expect_near(const Tensor& got, const Tensor& want, const std::string& what) {
  ASSERT_TRUE(got.defined()) << what;
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  const double scale = 1 + want.abs().max().item<double>();
  EXPECT_LE((got - want).abs().max().item<double>(), 1e-12 * scale) << what;
}

/// Named values in float64 that ask for a gradient.
using Values = torch::OrderedDict<std::string, Tensor>;

/// h [T,B,*] of these parameters for inputs that begin `past` steps before the first.
using Definition = std::function<Tensor(const Values& p, const Tensor& x, int64_t past)>;

Tensor channel(const Tensor& x, const Shape& shape) {
  std::vector<int64_t> view(shape.size(), 1);
  view[0] = x.size(0);
  return x.view(view);
}

/// sum_i w(i) * x[t - dilation*(k-1-i)], steps before x zero.
template <class W>
Tensor weighed(const Tensor& x, int64_t past, int64_t k, int64_t dilation, W&& w) {
  std::vector<Tensor> h;
  for (int64_t t = past; t < x.size(0); ++t) {
    Tensor sum = torch::zeros_like(x[0]);
    for (int64_t i = 0; i < k; ++i) {
      const int64_t then = t - dilation * (k - 1 - i);
      if (then >= 0) sum = sum + x[then] * w(t - past, i);
    }
    h.push_back(sum);
  }
  return torch::stack(h);
}

/// A neuron with random parameters.
std::shared_ptr<Neuron> random_neuron(const Config& config, const Shape& shape) {
  const torch::NoGradGuard no_grad;
  auto neuron = make_neuron(config, shape);
  neuron->to(torch::kDouble);
  torch::manual_seed(5);
  for (Tensor& p : neuron->parameters()) p.copy_(torch::randn(p.sizes(), kDouble) * 0.6);
  for (auto& b : neuron->named_buffers()) b.value().copy_(torch::rand(b.value().sizes(), kDouble) + 0.3);
  return neuron;
}

struct Case {
  Config config;
  Shape shape;
  Definition h;
  bool training = false;  ///< with the statistics of the batch
  int64_t steps = kSteps;
  bool last = false;  ///< maps that lie pixel by pixel
};

Tensor draw(std::vector<int64_t> sizes, bool last = false) {
  const Tensor x = torch::randn(sizes, kDouble);
  return last ? x.movedim(2, -1).contiguous().movedim(-1, 2) : x;
}

void run(Neuron& neuron, Record& record, bool training) {
  if (training) return dynamic_cast<NormedNeuron&>(neuron).run_training(record, /*moves=*/false);
  neuron.run(record, record.all());
}

void check(const Case& c) {
  SCOPED_TRACE(c.config.dump());
  const auto neuron = random_neuron(c.config, c.shape);
  std::vector<int64_t> sizes = {c.steps, kBatch};
  sizes.insert(sizes.end(), c.shape.begin(), c.shape.end());
  torch::manual_seed(7);
  const Tensor I = draw(sizes, c.last), delta = draw(sizes, c.last);
  State before = neuron->initial(I.sizes().slice(1), kDouble), g_after;
  const bool counts = c.config["name"] == "masked_psn" && !before.empty();
  const size_t inputs = before.size() - (counts ? 1 : 0);
  for (size_t j = 0; j < inputs; ++j) before[j] = torch::randn(I.sizes().slice(1), kDouble);
  for (size_t j = 0; j < inputs; ++j) g_after.push_back(torch::randn(I.sizes().slice(1), kDouble));
  if (counts) g_after.emplace_back();

  Values p;
  for (const auto& item : neuron->named_parameters())
    p.insert(item.key(), item.value().detach().clone().requires_grad_());
  std::vector<Tensor> x;  // oldest first
  for (size_t j = inputs; j-- > 0;) x.push_back(before[j].clone().requires_grad_());
  const Tensor now = I.clone().requires_grad_();
  std::vector<Tensor> all = x;
  for (const Tensor& step : now.unbind(0)) all.push_back(step);
  const Tensor sequence = torch::stack(all);
  const auto past = static_cast<int64_t>(inputs);
  const Tensor h = c.h(p, sequence, past);
  const SurrogateCurve curve = surrogate_curve("atan", 0, 1);
  Tensor loss = (spike(h, curve, false) * delta).sum();
  for (size_t j = 0; j < inputs; ++j)
    loss = loss + (sequence[sequence.size(0) - 1 - static_cast<int64_t>(j)] * g_after[j]).sum();
  std::vector<Tensor> leaves = {now};
  leaves.insert(leaves.end(), x.begin(), x.end());
  for (const auto& item : p) leaves.push_back(item.value());
  const auto want = torch::autograd::grad({loss}, leaves);

  const auto record = record_of(*neuron, I, before, kU);
  run(*neuron, *record, c.training);
  expect_near(record->u, h.detach(), "h");
  EXPECT_TRUE(torch::equal(record->s, (h.detach() >= 0).to(torch::kByte)));
  EXPECT_GT(record->s.sum().item<int64_t>(), 0);
  for (size_t j = 0; j < inputs; ++j)
    EXPECT_TRUE(
        torch::equal(record->state[j], sequence[sequence.size(0) - 1 - static_cast<int64_t>(j)].detach()));
  const Credit credit = neuron->vjp(*record, delta, g_after);
  expect_near(credit.g, want[0], "g");
  for (size_t j = 0; j < inputs; ++j) expect_near(credit.g_before.at(j), want[inputs - j], "g_before");
  const size_t first = 1 + inputs;
  ASSERT_EQ(credit.g_params.size(), want.size() - first);
  for (size_t i = 0; i < credit.g_params.size(); ++i)
    expect_near(credit.g_params[i], want[first + i], neuron->named_parameters().keys()[i]);
}

Definition matrix(double lambda, int64_t k) {
  return [=](const Values& p, const Tensor& x, int64_t) {
    const int64_t T = x.size(0);
    Tensor M = torch::zeros({T, T}, kDouble);
    for (int64_t t = 0; t < T; ++t)
      for (int64_t j = std::max<int64_t>(0, t - k + 1); j <= t; ++j) M[t][j] = 1;
    const Tensor W = p["weight"] * (lambda * M + (1 - lambda));
    return (W.mm(x.flatten(1)) + p["bias"].unsqueeze(1)).view(x.sizes());
  };
}

TEST(PsnGrad, WholeSequences) {
  for (const Shape& shape : {Shape{5}, Shape{3, 2, 2}}) {
    check({{{"name", "psn"}, {"steps", kSteps}}, shape, matrix(0, kSteps)});
    check({{{"name", "masked_psn"}, {"steps", kSteps}, {"k", 3}, {"mask", 0.4}}, shape, matrix(0.4, 3)});
  }
  Case maps = {{{"name", "psn"}, {"steps", kSteps}}, {3, 2, 2}, matrix(0, kSteps)};
  maps.last = true;
  check(maps);
}

TEST(PsnGrad, Sliding) {
  for (const int64_t k : {1, 2, 4, 12}) {
    for (const int64_t dilation : {1, 3}) {
      const Definition h = [=](const Values& p, const Tensor& x, int64_t past) {
        return weighed(x, past, k, dilation, [&](int64_t, int64_t i) { return p["weight"][i]; }) + p["bias"];
      };
      for (const int64_t steps : {1, 2, 9})
        check({{{"name", "sliding_psn"}, {"k", k}, {"dilation", dilation}}, {5}, h, false, steps});
    }
  }
}

/// The band of masked_psn, from the first step of a sequence and shorter than it.
TEST(PsnGrad, MaskedInFull) {
  for (const int64_t k : {1, 3, 20}) {
    const Definition h = [=](const Values& p, const Tensor& x, int64_t past) {
      const int64_t taps = std::min<int64_t>(k, 12);
      const auto w = [&](int64_t t, int64_t i) {
        const int64_t lag = taps - 1 - i;
        return lag > t ? torch::zeros({}, kDouble) : p["weight"][t][t - lag];
      };
      std::vector<int64_t> view(static_cast<size_t>(x.dim()), 1);
      view[0] = x.size(0) - past;
      return weighed(x, past, taps, 1, w) + p["bias"].slice(0, 0, x.size(0) - past).view(view);
    };
    check({{{"name", "masked_psn"}, {"steps", 12}, {"k", k}}, {5}, h});
    check({{{"name", "masked_psn"}, {"steps", 12}, {"k", k}}, {2, 3, 1}, h, false, 12});
  }
}

Tensor quantized(const Config& config, const Tensor& W) {
  return config.contains("quantizer") ? make<Quantizer>(Config{{"name", config["quantizer"]}})->apply(W) : W;
}

TEST(PsnGrad, ChannelWise) {
  for (const Config& more : {Config::object(), Config{{"quantizer", "power_of_two"}}}) {
    for (const Shape& shape : {Shape{4}, Shape{4, 3, 2}}) {
      Config config = {{"name", "cw_psn"}, {"k", 3}, {"dilation", 2}};
      config.update(more);
      const Definition h = [=](const Values& p, const Tensor& x, int64_t past) {
        const Tensor W = quantized(config, p["weight"]);
        const auto w = [&](int64_t, int64_t i) { return channel(W.select(1, i), shape); };
        return weighed(x, past, 3, 2, w) + channel(p["bias"], shape);
      };
      Case c = {config, shape, h};
      check(c);
      c.last = shape.size() == 3;
      c.steps = 3;
      check(c);
    }
  }
}

/// Statistics of the batch, through which gradients pass.
TEST(PsnGrad, ChannelWiseWithItsNorm) {
  for (const Config& more : {Config::object(), Config{{"quantizer", "power_of_two"}}}) {
    for (const Shape& shape : {Shape{4}, Shape{4, 3, 2}}) {
      Config config = {{"name", "cw_psn"}, {"k", 3}, {"dilation", 2}, {"norm", "batch"}, {"eps", 1e-3}};
      config.update(more);
      const Definition h = [=](const Values& p, const Tensor& x, int64_t past) {
        const auto sum_of = [&](const Tensor& W) {
          return weighed(x, past, 3, 2, [&](int64_t, int64_t i) { return channel(W.select(1, i), shape); });
        };
        const Tensor t1 = sum_of(p["weight"]).movedim(2, 0).flatten(1), mean = t1.mean(1);
        const Tensor r = torch::rsqrt((t1 - mean.unsqueeze(1)).square().mean(1) + 1e-3);
        const Tensor W = quantized(config, p["weight"] * (p["gamma"] * r).unsqueeze(1));
        return sum_of(W) + channel(p["bias"] - p["gamma"] * mean * r, shape);
      };
      check({config, shape, h, /*training=*/true});
    }
  }
}

TEST(PsnGrad, FrozenNormIsConstant) {
  const Shape shape = {4};
  const auto neuron = random_neuron({{"name", "cw_psn"}, {"k", 2}, {"norm", "batch"}}, shape);
  dynamic_cast<NormedNeuron&>(*neuron).frozen = true;
  torch::manual_seed(7);
  const Tensor I = torch::randn({kSteps, 5, 4}, kDouble), delta = torch::randn({kSteps, 5, 4}, kDouble);
  const auto record = run_all(*neuron, I);
  const Credit ours = neuron->vjp(*record, delta, {}),
               steps = by_steps(*neuron).Stepped::vjp(*record, delta, {});
  expect_near(ours.g, steps.g, "g");
  for (size_t i = 0; i < ours.g_params.size(); ++i)
    expect_near(ours.g_params[i], steps.g_params[i], "parameter");
}

/// Equal rows and no dilation: every channel is the same sliding neuron.
TEST(PsnGrad, EqualChannelsSlide) {
  const auto one = random_neuron({{"name", "sliding_psn"}, {"k", 3}}, {4}),
             each = random_neuron({{"name", "cw_psn"}, {"k", 3}}, {4});
  {
    const torch::NoGradGuard no_grad;
    each->named_parameters()["weight"].copy_(one->named_parameters()["weight"].expand({4, 3}));
    each->named_parameters()["bias"].copy_(one->named_parameters()["bias"].expand({4}));
  }
  torch::manual_seed(7);
  const Tensor I = torch::randn({kSteps, 5, 4}, kDouble), delta = torch::randn({kSteps, 5, 4}, kDouble);
  const auto a = run_all(*one, I), b = run_all(*each, I);
  EXPECT_TRUE(torch::equal(a->u, b->u));
  const Credit g = one->vjp(*a, delta, {}), h = each->vjp(*b, delta, {});
  expect_near(h.g, g.g, "g");
  expect_near(h.g_params[0].sum(0), g.g_params[0], "weight");
  expect_near(h.g_params[1].sum(), g.g_params[1], "bias");
}

TEST(PsnGrad, MaskAtOneIsItsMatrix) {
  const auto band = random_neuron({{"name", "masked_psn"}, {"steps", kSteps}, {"k", 3}}, {4}),
             full = random_neuron({{"name", "psn"}, {"steps", kSteps}}, {4});
  const Tensor mask = torch::ones({kSteps, kSteps}, kDouble).tril().triu(-2);
  {
    const torch::NoGradGuard no_grad;
    full->named_parameters()["weight"].copy_(band->named_parameters()["weight"] * mask);
    full->named_parameters()["bias"].copy_(band->named_parameters()["bias"]);
  }
  torch::manual_seed(7);
  const Tensor I = torch::randn({kSteps, 5, 4}, kDouble), delta = torch::randn({kSteps, 5, 4}, kDouble);
  const auto a = run_all(*band, I), b = run_all(*full, I);
  expect_near(a->u, b->u, "h");
  const Credit g = band->vjp(*a, delta, {}), h = full->vjp(*b, delta, {});
  expect_near(g.g, h.g, "g");
  expect_near(g.g_params[0], h.g_params[0] * mask, "weight");
  expect_near(g.g_params[1], h.g_params[1], "bias");
}

}  // namespace spiketrain::psn_grad_test
