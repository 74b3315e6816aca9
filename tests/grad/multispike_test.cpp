// Gradients of event-driven spike-response layers against central differences of the loss, in float64, over two hidden layers whose
// neurons spike several times: every weight and the times of the input; what the gradient lacks without refractory
// feedback; and, with one spike per neuron, the equations of SpikeProp.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "tests/support/event_lists.h"

namespace spiketrain::multispike_grad_test {

constexpr int64_t kInputs = 5, kSteps = 40, kBatch = 3, kOutputs = 3;
constexpr uint64_t kSeed = 5;  // of weights with which no spike grazes, appears or vanishes
constexpr double kStep = 5e-7, kTolerance = 2e-7;

struct Case {
  const char* readout;
  int64_t spikes;
  double tau_s, tau_refractory;
  const char* objective = "first_spike_ce";
};

struct Trial {
  std::shared_ptr<Network> network;
  ObjectiveP objective;
  Target target;
  SpikeTimes input;

  explicit Trial(const Case& c, bool feedback = true, double weight_refractory = 1.2,
                 double weight_mean = 2) {
    const bool each = std::string(c.readout) == "each", classes = std::string(c.objective) != "mse";
    const int64_t values = kOutputs * (each ? c.spikes : 1);
    NetworkContext context;
    context.input = {kInputs};
    context.output = {values};
    network = make<NetworkBuilder>("event_srm", {{"hidden", {6, 5}},
                                                 {"readout", c.readout},
                                                 {"spikes", c.spikes},
                                                 {"tau_s", c.tau_s},
                                                 {"tau_refractory", c.tau_refractory},
                                                 {"weight_refractory", weight_refractory},
                                                 {"weight_mean", weight_mean},
                                                 {"weight_std", 1},
                                                 {"feedback", feedback},
                                                 {"min_slope", 0}})
                  ->build(context);
    network->initialise(kSeed);
    network->to(torch::kDouble);
    auto made = make<Objective>(c.objective);
    target = {classes ? Target::Kind::class_index : Target::Kind::values,
              classes ? torch::arange(kBatch).remainder(kOutputs)
                      : torch::linspace(3, 9, kBatch * values, torch::kDouble).view({kBatch, values})};
    made->prepare({{values}, kSteps, Emission::analog_values(), false, target.kind});
    objective = made;
    input = random_times(kBatch, kInputs, kSteps, 3);
  }

  Signal run(const Tensor& time, Tally* tally = nullptr) const {
    Context context;
    context.mode = Mode::train;
    context.tally = tally;
    Carry carry = network->start();
    SpikeTimes s = input;
    s.time = time;
    return network->forward(Signal::times(s), context, carry);
  }
  Tensor loss(const Tensor& time) const { return objective->loss({run(time), {0, kSteps}, kSteps}, target); }
};

/// d(loss)/d(element) of a tensor that the loss reads, by central differences.
template <class F>
Tensor differences(const Tensor& x, const F& loss) {
  const torch::NoGradGuard no_grad;
  Tensor g = torch::empty_like(x), flat = x.view(-1);
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double at = flat[i].item<double>();
    const auto shifted = [&](double by) {
      flat[i] = at + by;
      return loss();
    };
    g.view(-1)[i] = (shifted(kStep) - shifted(-kStep)) / (2 * kStep);
    flat[i] = at;
  }
  return g;
}

/// Relative to 1 or the greatest.
double error_of(const Tensor& ours, const Tensor& reference) {
  EXPECT_TRUE(ours.defined());
  const double most = reference.abs().max().item<double>();
  EXPECT_GT(most, 1e-6) << "nothing to compare";
  return (ours - reference).abs().max().item<double>() / std::max(1.0, most);
}

class Multispike : public ::testing::TestWithParam<Case> {};

TEST_P(Multispike, IsTheDerivativeOfTheLoss) {
  const Trial s(GetParam());
  Tally tally;
  s.run(s.input.time, &tally);
  for (size_t l = 0; l < 2; ++l)
    EXPECT_GT(tally.counts().at(l).spikes, kBatch * (l == 0 ? 6 : 5))
        << "more than one spike per hidden neuron";
  Tensor time = s.input.time.clone().requires_grad_();
  s.loss(time).backward();
  Tensor moved = s.input.time.clone();
  const auto loss = [&] { return s.loss(moved).item<double>(); };
  const Trial without(GetParam(), /*feedback=*/false);
  without.loss(s.input.time).backward();
  double lacking = 0;
  const auto parameters = s.network->named_parameters(), others = without.network->named_parameters();
  for (const auto& item : parameters) {
    const Tensor reference = differences(item.value(), loss);
    EXPECT_LE(error_of(item.value().grad(), reference), kTolerance) << item.key();
    lacking = std::max(lacking, error_of(others[item.key()].grad(), reference));
  }
  EXPECT_GT(lacking, 1e-2) << "the sum over earlier spikes should matter here";
  EXPECT_LE(error_of(time.grad(), differences(moved, loss)), kTolerance) << "input times";
}

INSTANTIATE_TEST_SUITE_P(Cases, Multispike,
                         ::testing::Values(Case{"mean", 1, 5, 10}, Case{"mean", 3, 5, 10},
                                           Case{"mean", 2, 4, 4}, Case{"each", 2, 4, 6, "mse"},
                                           Case{"each", 1, 3, 12, "mse"}));

constexpr double kTau = 5;
double eps(double s) { return s > 0 ? s / kTau * std::exp(1 - s / kTau) : 0; }
double eps_slope(double s) { return s > 0 ? (1 - s / kTau) / kTau * std::exp(1 - s / kTau) : 0; }

/// Times of the first spikes of a layer by a plain search; infinity: none.
std::vector<double> first_spikes(const Tensor& w, const std::vector<double>& in) {
  std::vector<double> times;
  for (int64_t m = 0; m < w.size(0); ++m) {
    const auto u = [&](double at) {
      double sum = 0;
      for (size_t i = 0; i < in.size(); ++i)
        sum += w[m][static_cast<int64_t>(i)].item<double>() * eps(at - in[i]);
      return sum;
    };
    double found = INFINITY;
    for (int k = 0; k < 16 * kSteps && std::isinf(found); ++k) {
      double low = k / 16.0, high = low + 1 / 16.0;
      if (u(high) < 1) continue;
      for (int i = 0; i < 60; ++i) (u(0.5 * (low + high)) < 1 ? low : high) = 0.5 * (low + high);
      found = high;
    }
    times.push_back(found);
  }
  return times;
}

/// delta_m = -(dE/dt_m)/u_m'(t_m); returns dE/dW = delta_m eps(t_m - t_i), and in `g` dE/dt of the layer below.
Tensor spike_prop(const Tensor& w, const std::vector<double>& in, const std::vector<double>& out,
                  std::vector<double>& g) {
  Tensor by_weight = torch::zeros_like(w);
  std::vector<double> below(in.size());
  for (size_t m = 0; m < out.size(); ++m) {
    if (std::isinf(out[m])) continue;
    const auto row = w[static_cast<int64_t>(m)];
    double rise = 0;
    for (size_t i = 0; i < in.size(); ++i)
      rise += row[static_cast<int64_t>(i)].item<double>() * eps_slope(out[m] - in[i]);
    const double delta = -g[m] / rise;
    for (size_t i = 0; i < in.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      by_weight[static_cast<int64_t>(m)][at] = delta * eps(out[m] - in[i]);
      below[i] -= delta * row[at].item<double>() * eps_slope(out[m] - in[i]);
    }
  }
  g = below;
  return by_weight;
}

/// After Bohte, Kok and La Poutre 2002: a strong refractory response leaves every neuron one spike.
TEST(Multispike, WithOneSpikeItIsSpikeProp) {
  Trial one({"each", 1, kTau, 50, "mse"}, true, /*weight_refractory=*/1000, /*weight_mean=*/5);
  EventList list;
  std::vector<std::vector<double>> t(1);
  for (int64_t i = 0; i < kInputs; ++i) {
    t[0].push_back(1.3 * static_cast<double>(i) + 0.2);
    list.emplace_back(t[0].back(), i);
  }
  one.input = spike_times({list}, kInputs, kSteps);
  one.target.y = one.target.y.slice(0, 0, 1);
  one.loss(one.input.time).backward();
  const std::vector<Tensor> W = one.network->parameters();
  for (const Tensor& w : W) t.push_back(first_spikes(w.detach(), t.back()));
  std::vector<double> g;  // dE/dt of the outputs: the mean of squares
  for (int64_t j = 0; j < kOutputs; ++j) {
    const double at = t[3][static_cast<size_t>(j)];
    ASSERT_TRUE(std::isfinite(at)) << j;
    g.push_back(2 * (at - one.target.y[0][j].item<double>()) / kOutputs);
  }
  for (size_t l = 3; l-- > 0;) {
    const Tensor expected = spike_prop(W[l].detach(), t[l], t[l + 1], g);
    EXPECT_LE(error_of(W[l].grad(), expected), 1e-8) << "layer " << l;
  }
}

}  // namespace spiketrain::multispike_grad_test
