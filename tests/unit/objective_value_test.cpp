// Every objective on tiny outputs: the value worked out by hand, and the gradient against autograd of the
// formula written out, in float64.
#include <set>

#include "tests/support/objective_case.h"

namespace spiketrain::objective_value_test {

/// D where it harms: below zero for the label, above zero for the others.
Tensor harm(const Tensor& D, const Tensor& is_label) {
  return is_label * D.clamp_max(0) + (1 - is_label) * D.clamp_min(0);
}

std::vector<ObjectiveCase> count_cases() {
  const Config config = {{"name", "count"}, {"desired", 2.0}, {"undesired", 1.0}};
  const Objective::Context context = {{3}, 4};
  // T = 4.  Sums over time of the six samples, label first in mind:
  //   (1, 3, 0)      label 0: short by 1, D = -1/4; class 1 over by 2, D = 1/2; class 2 under, harmless
  //   (1, 0, 5)      label 2: over, harmless; class 0 on its target, class 1 under
  //   (0, 0, 0)      label 1: silent, short by 2, D = -1/2
  //   (2, 1, 1)      label 0: all on their targets
  //   (0, 0, 0)      label 2: as above, at the other end
  //   (1.5, 4, 2)    label 1: over; D = 1/8 and 1/4 for the others
  const Tensor sums = outputs({1, 3, 0, 1, 0, 5, 0, 0, 0, 2, 1, 1, 0, 0, 0, 1.5, 4, 2}, {1, 6, 3});
  const Tensor part = outputs({0.5, 0, 0.25, 0.25}, {4, 1, 1});  // exact, and not the same at every step
  const auto formula = [](double desired, double undesired) {
    return [=](const Tensor& a, const Tensor& is_label) {
      const Tensor D = (a.sum(0) - (desired * is_label + undesired * (1 - is_label))) / 4;
      return 2 * harm(D, is_label).square().sum();  // T/2 sum D^2
    };
  };
  const double squares = 1 / 16. + 1 / 4. + 1 / 4. + 1 / 4. + 1 / 64. + 1 / 16.;
  // Half of the steps: half of the targets, 1 and 1/2, but D is still over T.
  //   (0.5, 1, 0) label 0: D = -1/8, 1/8;  (0, 0.75, 1.5) label 2: D of class 1 is 1/16
  const Tensor half = outputs({0.25, 1, 0, 0, 0.5, 1, 0.25, 0, 0, 0, 0.25, 0.5}, {2, 2, 3});
  return {{"count", config, context, {0, 4}, sums * part, {0, 2, 1, 0, 2, 1}, 2 * squares, formula(2, 1)},
          {"count, half", config, context, {2, 4}, half, {0, 2}, 2 * (2 / 64. + 1 / 256.), formula(1, 0.5)}};
}

std::vector<ObjectiveCase> mse_count_cases() {
  // T = 4; sums (3, 1, 0), label 0, and (0, 0, 4), label 1.
  const Tensor a =
      outputs({1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1}, {4, 2, 3});
  const auto formula = [](double yes, double no, double K, double share) {
    return [=](const Tensor& a, const Tensor& is_label) {
      return share * (a.sum(0) - K * (yes * is_label + no * (1 - is_label))).square().mean() / K;
    };
  };
  const Config rates = {{"name", "mse_count"}, {"correct_rate", 0.75}, {"incorrect_rate", 0.25}};
  return {// wanted (4, 0, 0) and (0, 4, 0)
          {"mse_count",
           {{"name", "mse_count"}},
           {{3}, 4},
           {0, 4},
           a,
           {0, 1},
           (1 + 1 + 16 + 16) / 6. / 4,
           formula(1, 0, 4, 1)},
          // wanted (3, 1, 1) and (1, 3, 1)
          {"mse_count, rates",
           rates,
           {{3}, 4},
           {0, 4},
           a,
           {0, 1},
           (1 + 1 + 9 + 9) / 6. / 4,
           formula(0.75, 0.25, 4, 1)},
          // two of four steps: sums (1, 1, 0) and (0, 0, 2), wanted (2, 0, 0) and (0, 2, 0), half the weight
          {"mse_count, half",
           {{"name", "mse_count"}},
           {{3}, 4},
           {0, 2},
           a.slice(0, 0, 2),
           {0, 1},
           (1 + 1 + 4 + 4) / 6. / 2 / 2,
           formula(1, 0, 2, 0.5)}};
}

std::vector<ObjectiveCase> cross_entropy_cases() {
  const double ln2 = std::log(2.), ln3 = std::log(3.);
  // Two steps, two samples, three classes.  Means (ln 2, 0, 0), label 0: the share is 2/4; (0, 0, 0): 1/3.
  const Tensor rate = outputs({2 * ln2, 1, -1, 5, -2, 0, 0, -1, 1, -5, 2, 0}, {2, 2, 3});
  const auto rate_ce = [](double scale, double share) {
    return [=](const Tensor& a, const Tensor& is_label) {
      return share * cross_entropy(scale * a.mean(0), is_label);
    };
  };
  // Two steps, one sample, two classes.  Shares of the label: 1/2, then 3/4.
  const Tensor steps = outputs({0, 0, ln3, 0}, {2, 1, 2});
  const double ce = (ln2 + std::log(4 / 3.)) / 2;
  const auto tet_ce = [](double scale, double lambda, double target, double share) {
    return [=](const Tensor& a, const Tensor& is_label) {
      return share *
             ((1 - lambda) * cross_entropy(scale * a, is_label) + lambda * (a - target).square().mean());
    };
  };
  const double towards_1 = (3 + (ln3 - 1) * (ln3 - 1)) / 4,
               towards_half = (0.75 + (ln3 - 0.5) * (ln3 - 0.5)) / 4;
  const Config with_mse = {{"name", "tet_ce"}, {"mse_weight", 0.25}};
  const Config other_target = {{"name", "tet_ce"}, {"mse_weight", 0.5}, {"mse_target", 0.5}, {"scale", 2.0}};
  return {
      {"rate_ce", {{"name", "rate_ce"}}, {{3}, 2}, {0, 2}, rate, {0, 1}, (ln2 + ln3) / 2, rate_ce(1, 1)},
      // Twice the means: shares 4/6 and 1/3.
      {"rate_ce, scale",
       {{"name", "rate_ce"}, {"scale", 2.0}},
       {{3}, 2},
       {0, 2},
       rate,
       {0, 1},
       (std::log(1.5) + ln3) / 2,
       rate_ce(2, 1)},
      {"rate_ce, two of eight steps",
       {{"name", "rate_ce"}},
       {{3}, 8},
       {4, 6},
       rate,
       {0, 1},
       (ln2 + ln3) / 8,
       rate_ce(1, 0.25)},
      {"tet_ce", {{"name", "tet_ce"}}, {{2}, 2}, {0, 2}, steps, {0}, ce, tet_ce(1, 0, 1, 1)},
      {"tet_ce, mse_weight",
       with_mse,
       {{2}, 2},
       {0, 2},
       steps,
       {0},
       0.75 * ce + 0.25 * towards_1,
       tet_ce(1, 0.25, 1, 1)},
      // Twice the output: shares 1/2 and 9/10; the regulariser sees the output itself.
      {"tet_ce, target and scale",
       other_target,
       {{2}, 2},
       {0, 2},
       steps,
       {0},
       0.5 * (ln2 + std::log(10 / 9.)) / 2 + 0.5 * towards_half,
       tet_ce(2, 0.5, 0.5, 1)},
      {"tet_ce, towards the one-hot label",
       {{"name", "tet_ce"}, {"mse_weight", 0.25}, {"mse_one_hot", true}},
       {{2}, 2},
       {0, 2},
       steps,
       {0},
       0.75 * ce + 0.25 * (1 + (ln3 - 1) * (ln3 - 1)) / 4,
       [=](const Tensor& a, const Tensor& is_label) {
         return 0.75 * cross_entropy(a, is_label) + 0.25 * (a - is_label).square().mean();
       }},
      {"tet_ce, two of four steps",
       with_mse,
       {{2}, 4},
       {2, 4},
       steps,
       {0},
       0.5 * (0.75 * ce + 0.25 * towards_1),
       tet_ce(1, 0.25, 1, 0.5)},
      // One step, two samples: the labels go with the samples.
      {"tet_ce, batch",
       {{"name", "tet_ce"}},
       {{2}, 1},
       {0, 1},
       steps.view({1, 2, 2}),
       {1, 0},
       ce,
       tet_ce(1, 0, 1, 1)},
  };
}

std::vector<ObjectiveCase> max_cases() {
  // Greatest values (2, 1) of label 0 and (-1, 0) of label 1, at steps of their own.
  const Tensor a = outputs({2, -1, -1, -3, 1, 1, -2, 0, 0, 0, -4, -5}, {3, 2, 2});
  const double ce = std::log(1 + std::exp(-1.)), twice = std::log(1 + std::exp(-2.));
  const auto formula = [](double scale) {
    return [=](const Tensor& a, const Tensor& is_label) {
      return cross_entropy(scale * torch::amax(a, {0}), is_label);
    };
  };
  const Config scaled = {{"name", "max_ce"}, {"scale", 2.0}};
  return {{"max_ce", {{"name", "max_ce"}}, {{2}, 3}, {0, 3}, a, {0, 1}, ce, formula(1)},
          {"max_ce, scale", scaled, {{2}, 3}, {0, 3}, a, {0, 1}, twice, formula(2)}};
}

std::vector<ObjectiveCase> one_hot_cases() {
  // Two steps, one sample, three classes, label 1.  Distances to (0, 1, 0): 1/2, -1, 1 and -3, 1, 0; those of
  // the mean: -5/4, 0, 1/2.
  const Tensor a = outputs({0.5, 0, 1, -3, 2, 0}, {2, 1, 3});
  const auto mse = [](bool steps, double value, double share) {
    return [=](const Tensor& a, const Tensor& is_label) {
      return share * ((steps ? a : a.mean(0)) - value * is_label).square().mean();
    };
  };
  const auto huber = [](bool steps, double value, double share) {
    return [=](const Tensor& a, const Tensor& is_label) {
      const Tensor d = ((steps ? a : a.mean(0)) - value * is_label).abs();
      return share * torch::where(d < 1, d * d / 2, d - 0.5).mean();
    };
  };
  const auto config = [](const char* name, const char* over, double value = 1) {
    return Config{{"name", name}, {"over", over}, {"value", value}};
  };
  return {
      {"mse",
       config("mse", "step"),
       {{3}, 2},
       {0, 2},
       a,
       {1},
       (0.25 + 1 + 1 + 9 + 1 + 0) / 6,
       mse(true, 1, 1)},
      {"mse of the mean",
       config("mse", "window"),
       {{3}, 2},
       {0, 2},
       a,
       {1},
       (1.5625 + 0 + 0.25) / 3,
       mse(false, 1, 1)},
      // To (0, 2, 0): 1/2, -2, 1 and -3, 0, 0.
      {"mse, value",
       config("mse", "step", 2),
       {{3}, 4},
       {0, 2},
       a,
       {1},
       (0.25 + 4 + 1 + 9) / 6 / 2,
       mse(true, 2, 0.5)},
      {"smooth_l1",
       config("smooth_l1", "step"),
       {{3}, 2},
       {0, 2},
       a,
       {1},
       (0.125 + 0.5 + 0.5 + 2.5 + 0.5 + 0) / 6,
       huber(true, 1, 1)},
      {"smooth_l1 of the mean",
       config("smooth_l1", "window"),
       {{3}, 2},
       {0, 2},
       a,
       {1},
       (0.75 + 0 + 0.125) / 3,
       huber(false, 1, 1)},
      {"smooth_l1, value",
       config("smooth_l1", "step", 2),
       {{3}, 4},
       {0, 2},
       a,
       {1},
       (0.125 + 1.5 + 0.5 + 2.5) / 6 / 2,
       huber(true, 2, 0.5)},
  };
}

std::vector<ObjectiveCase> first_spike_cases() {
  // xi*tau_s = 2, beta*tau_s = 10.  Mean times (2, 4, 4), label 0: CE is log(1 + 2/e); (4, 4, 4), label 2: log 3.
  const Tensor t = outputs({1, 4, 5, 4, 3, 4, 3, 4, 3, 4, 5, 4}, {2, 2, 3});
  const auto formula = [](double alpha) {
    return [=](const Tensor& a, const Tensor& is_label) {
      const Tensor mean = a.mean(0), late = ((mean * is_label).sum(1) / 10).exp() - 1;
      return cross_entropy(-mean / 2, is_label) + alpha * late.mean();
    };
  };
  const double ce = (std::log(1 + 2 * std::exp(-1.0)) + std::log(3.0)) / 2;
  const double late = (std::exp(0.2) + std::exp(0.4)) / 2 - 1;
  return {{"first_spike_ce",
           {{"name", "first_spike_ce"}, {"alpha", 0.5}},
           {{3}, 2},
           {0, 2},
           t,
           {0, 2},
           ce + 0.5 * late,
           formula(0.5)},
          {"first_spike_ce, no second term",
           {{"name", "first_spike_ce"}, {"alpha", 0}},
           {{3}, 2},
           {0, 2},
           t,
           {0, 2},
           ce,
           formula(0)}};
}

const std::vector<std::vector<ObjectiveCase> (*)()> kAll = {
    count_cases, mse_count_cases,   cross_entropy_cases, one_hot_cases,
    max_cases,   first_spike_cases, van_rossum_cases,    distillation_cases};

TEST(ObjectiveValue, FirstSpike) {
  for (const ObjectiveCase& c : first_spike_cases()) check_objective(c);
  const auto objective = make<Objective>("first_spike_ce");
  const Tensor t = outputs({3, 1, 2}, {1, 1, 3});  // the earliest wins
  EXPECT_EQ(objective->evidence({Signal::dense(t), {0, 1}, 1}).argmax(1).item<int64_t>(), 1);
}

TEST(ObjectiveValue, Count) {
  for (const ObjectiveCase& c : count_cases()) check_objective(c);
}
TEST(ObjectiveValue, MseCount) {
  for (const ObjectiveCase& c : mse_count_cases()) check_objective(c);
}
TEST(ObjectiveValue, CrossEntropies) {
  for (const ObjectiveCase& c : cross_entropy_cases()) check_objective(c);
}
TEST(ObjectiveValue, OneHot) {
  for (const ObjectiveCase& c : one_hot_cases()) check_objective(c);
  for (const ObjectiveCase& c : max_cases()) check_objective(c);
}

TEST(ObjectiveValue, EveryRegisteredObjectiveHasACase) {
  std::set<std::string> covered = {"rate_bce"};  // objective_class_test: its targets are no classes
  for (const auto& cases : kAll) {
    for (const ObjectiveCase& c : cases()) covered.insert(c.config["name"]);
  }
  for (const auto* entry : Registry<Objective>::get().entries())
    EXPECT_TRUE(covered.count(entry->name)) << entry->name;
}

}  // namespace spiketrain::objective_value_test
