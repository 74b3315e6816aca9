// Objectives on targets other than labels: the formulas written out in float64, and what is refused.
#include <gtest/gtest.h>

#include "spiketrain/core/objective.h"
#include "tests/support/message.h"

namespace spiketrain::objective_target_test {

const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

/// Loss of a segment of the T steps of `a` and its gradient.
std::pair<double, Tensor> loss_of(const Config& config, const Objective::Context& context, const Tensor& a,
                                  const Segment& segment, const Target& target) {
  const auto objective = make<Objective>(config);
  objective->prepare(context);
  const Tensor x = a.slice(0, segment.t0, segment.t1).clone().requires_grad_();
  const Tensor loss = objective->loss({Signal::dense(x), segment, context.steps}, target);
  return {loss.item<double>(), torch::autograd::grad({loss}, {x})[0]};
}

void expect_formula(const std::pair<double, Tensor>& got, const Tensor& x,
                    const std::function<Tensor(const Tensor&)>& formula) {
  const Tensor leaf = x.clone().requires_grad_(), loss = formula(leaf);
  EXPECT_NEAR(got.first, loss.item<double>(), 1e-12 * (1 + std::abs(got.first)));
  const Tensor want = torch::autograd::grad({loss}, {leaf})[0];
  EXPECT_LE((got.second - want).norm().item<double>(), 1e-12 * want.norm().item<double>());
}

Tensor huber(const Tensor& d) { return torch::where(d.abs() < 1, d * d / 2, d.abs() - 0.5); }

/// Outputs of any shape, here [2,3].
TEST(ObjectiveTarget, ValuesAndSequences) {
  const Tensor a = 2 * torch::randn({4, 5, 2, 3}, kDouble);
  const Target values = {Target::Kind::values, torch::randn({5, 2, 3})};  // float, as a data set gives them
  const Target sequence = {Target::Kind::sequence, torch::randn({4, 5, 2, 3}, kDouble)};
  const Tensor y = values.y.to(torch::kDouble);
  for (const Segment& segment : {Segment{0, 4}, Segment{1, 3}}) {
    const Tensor x = a.slice(0, segment.t0, segment.t1);
    const double share = static_cast<double>(segment.steps()) / 4;
    const Objective::Context at_values = {{2, 3}, 4, {}, false, Target::Kind::values};
    const Objective::Context at_steps = {{2, 3}, 4, {}, false, Target::Kind::sequence};
    expect_formula(loss_of({{"name", "mse"}}, at_values, a, segment, values), x,
                   [&](const Tensor& z) { return share * (z - y).square().mean(); });
    expect_formula(loss_of({{"name", "mse"}, {"over", "window"}}, at_values, a, segment, values), x,
                   [&](const Tensor& z) { return share * (z.mean(0) - y).square().mean(); });
    expect_formula(loss_of({{"name", "smooth_l1"}}, at_values, a, segment, values), x,
                   [&](const Tensor& z) { return share * huber(z - y).mean(); });
    expect_formula(loss_of({{"name", "mse"}}, at_steps, a, segment, sequence), x, [&](const Tensor& z) {
      return share * (z - sequence.y.slice(0, segment.t0, segment.t1)).square().mean();
    });
  }
}

/// a[t] = a[t-1] + (x[t] - a[t-1]) / tau
Tensor psp(const Tensor& x, double tau) {
  std::vector<Tensor> steps;
  Tensor a = torch::zeros_like(x[0]);
  for (int64_t t = 0; t < x.size(0); ++t) steps.push_back(a = a + (x[t] - a) / tau);
  return torch::stack(steps);
}

TEST(ObjectiveTarget, SpikeTimes) {
  // Sample 0: output 0 at steps 1 and 3, output 1 never; sample 1: output 0 at step 0, output 1 at 4.
  const Target times = {Target::Kind::spike_times,
                        torch::tensor({1., 3., -1., -1., 0., -1., -1., 4.}).view({2, 2, 2})};
  Tensor train = torch::zeros({5, 2, 2}, kDouble);
  train[1][0][0] = train[3][0][0] = train[0][1][0] = train[4][1][1] = 1;
  const Tensor a = torch::rand({5, 2, 2}, kDouble);
  const Objective::Context of_psp = {{2}, 5, Emission{1, 3.0}, true, Target::Kind::spike_times};
  const Objective::Context of_spikes = {{2}, 5, {}, false, Target::Kind::spike_times};
  const Config once = {{"name", "van_rossum"}, {"filter", "single"}}, twice = {{"name", "van_rossum"}};
  const auto distance = [](const Tensor& z, const Tensor& wanted) {
    return 0.5 * (z - wanted).square().sum();
  };
  for (const Segment& segment : {Segment{0, 5}, Segment{2, 4}}) {
    const auto here = [&](const Tensor& x) { return x.slice(0, segment.t0, segment.t1); };
    expect_formula(loss_of(once, of_psp, a, segment, times), here(a),
                   [&](const Tensor& z) { return distance(z, here(psp(train, 3))); });
    expect_formula(loss_of(twice, of_psp, a, segment, times), here(a),
                   [&](const Tensor& z) { return distance(z, here(psp(psp(train, 3), 3))); });
  }
  Config given = once;
  given["tau_s"] = 2.0;
  expect_formula(loss_of(given, of_spikes, a, {0, 5}, times), a,
                 [&](const Tensor& z) { return distance(psp(z, 2), psp(train, 2)); });
  const Target late = {Target::Kind::spike_times, torch::full({2, 2, 1}, 5.0)};
  EXPECT_NE(message_of<UsageError>([&] {
              loss_of(once, of_psp, a, {0, 5}, late);
            }).find("before step 5"),
            std::string::npos);
}

TEST(ObjectiveTarget, WhatIsRefused) {
  const auto refused = [](const Config& config, const Objective::Context& context) {
    return message_of<UsageError>([&] { make<Objective>(config)->prepare(context); });
  };
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const Objective::Context values = {{3}, 4, {}, false, Target::Kind::values};
  EXPECT_TRUE(has(refused({{"name", "rate_ce"}}, values), "expected class_index"));
  EXPECT_TRUE(has(refused({{"name", "van_rossum"}}, values), "class_index or spike_times"));
  EXPECT_TRUE(has(refused({{"name", "rate_ce"}}, {{3, 2}, 4}), "one value per class"));
  EXPECT_TRUE(has(refused({{"name", "mse"}, {"over", "window"}}, {{3}, 4, {}, false, Target::Kind::sequence}),
                  "every step"));
  EXPECT_TRUE(has(refused({{"name", "van_rossum"}}, {{3}, 4}), "objective.tau_s"));
  EXPECT_TRUE(
      has(refused({{"name", "van_rossum"}}, {{3}, 7, Emission{1, 3.0}}), "no default target for T = 7"));
  EXPECT_TRUE(
      has(refused({{"name", "van_rossum"}, {"target", {0, 1, 1}}}, {{3}, 4, Emission{1, 3.0}}), "divide"));
  EXPECT_TRUE(has(refused({{"name", "van_rossum"}, {"tau_s", 3.0}}, {{3}, 4, {}, true}), "schedule whole"));
  EXPECT_TRUE(has(refused({{"name", "max_ce"}}, {{3}, 4, {}, true}), "schedule whole"));
}

TEST(ObjectiveTarget, DistillationNeedsATeacher) {
  const auto objective = make<Objective>("distillation");
  objective->prepare({{3}, 2});
  const Output out = {Signal::dense(torch::zeros({2, 1, 3}, kDouble)), Segment{0, 2}, 2};
  const Tensor label = torch::zeros({1}, torch::kLong);
  const auto refused = [&](const Target& target) {
    return message_of<UsageError>([&] { objective->loss(out, target); });
  };
  EXPECT_NE(refused({Target::Kind::class_index, label}).find("no outputs of a teacher"), std::string::npos);
  EXPECT_NE(refused({Target::Kind::class_index, label, torch::zeros({1, 2})}).find("[1, 3]"),
            std::string::npos);
}

TEST(ObjectiveTarget, SumsOverSamples) {
  for (const std::string& name : Registry<Objective>::get().names()) {
    EXPECT_EQ(make<Objective>(name.c_str())->sums_over_samples(), name == "count" || name == "van_rossum")
        << name;
  }
}

}  // namespace spiketrain::objective_target_test
