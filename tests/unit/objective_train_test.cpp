// As unit/objective_value_test.cpp, for the objectives that want a spike train, or what a teacher says.
#include "tests/support/objective_case.h"

namespace spiketrain {
namespace {

const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

/// a[t] = a[t-1] + (x[t] - a[t-1]) / tau
Tensor psp(const Tensor& x, double tau) {
  std::vector<Tensor> steps;
  Tensor a = torch::zeros_like(x[0]);
  for (int64_t t = 0; t < x.size(0); ++t) steps.push_back(a = a + (x[t] - a) / tau);
  return torch::stack(steps);
}

double half_square(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v * v / 2;
  return sum;
}

}  // namespace

std::vector<ObjectiveCase> van_rossum_cases() {
  // PSPs of 0,1,1,1,1 with tau_s = 3, filtered once and twice; of 0,1,0,1,1 with tau_s = 2, twice.
  const std::vector<double> once = {0, 1 / 3., 5 / 9., 19 / 27., 65 / 81.};
  const std::vector<double> twice = {0, 1 / 9., 7 / 27., 11 / 27., 131 / 243.};
  const std::vector<double> paper = {0, 0.25, 0.25, 0.4375, 0.625};
  const auto formula = [](std::vector<double> target) {
    return [=](const Tensor& a, const Tensor& is_label) {
      return 0.5 * (a - torch::tensor(target, kDouble).view({-1, 1, 1}) * is_label).square().sum();
    };
  };
  const Objective::Context context = {{2}, 5, Emission{1, 3.0}};
  // Class 0 is the label's; class 1 deviates by 1/2 at the second step.
  const Tensor silent = torch::zeros({5, 1, 2}, kDouble);
  const Tensor stray = outputs({0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0}, {5, 1, 2});
  const Config single = {{"name", "van_rossum"}, {"filter", "single"}};
  const Config given = {{"name", "van_rossum"}, {"target", {0, 1, 0, 1, 1}}, {"tau_s", 2.0}};
  // Spikes are filtered first: class 0 fires as wanted, class 1 once, at the fourth step: 1/3, 2/9.
  const Tensor spikes = outputs({0, 0, 1, 0, 1, 0, 1, 1, 1, 0}, {5, 1, 2});
  const Config of_spikes = {{"name", "van_rossum"}, {"filter", "single"}, {"tau_s", 3.0}};
  // T = 4: the default train is 0,1,0,1; with tau_s = 2 its PSP is 0, 1/2, 1/4, 5/8.
  const Tensor late = outputs({0, 0, 0, 0}, {2, 1, 2});
  return {
      {"van_rossum double",
       {{"name", "van_rossum"}},
       context,
       {0, 5},
       silent,
       {0},
       half_square(twice),
       formula(twice)},
      {"van_rossum single", single, context, {0, 5}, stray, {0}, half_square(once) + 0.125, formula(once)},
      {"van_rossum single, other label",
       single,
       context,
       {0, 5},
       stray,
       {1},
       half_square(once) - half_square({1 / 3.}) + half_square({1 / 6.}),
       formula(once)},
      {"van_rossum, given train", given, context, {0, 5}, silent, {1}, half_square(paper), formula(paper)},
      {"van_rossum, window",
       single,
       context,
       {3, 5},
       late,
       {0},
       half_square({once[3], once[4]}),
       formula({once[3], once[4]})},
      {"van_rossum, even T",
       single,
       {{2}, 4, Emission{1, 2.0}},
       {2, 4},
       late,
       {0},
       half_square({0.25, 0.625}),
       formula({0.25, 0.625})},
      {"van_rossum on spikes",
       of_spikes,
       {{2}, 5},
       {0, 5},
       spikes,
       {0},
       half_square({1 / 3., 2 / 9.}),
       [=](const Tensor& a, const Tensor& is_label) { return formula(once)(psp(a, 3), is_label); }},
      // A sum, not a mean: two samples count twice.
      {"van_rossum, batch",
       single,
       context,
       {0, 5},
       torch::zeros({5, 2, 2}, kDouble),
       {0, 1},
       2 * half_square(once),
       formula(once)},
  };
}

std::vector<ObjectiveCase> distillation_cases() {
  const double ln2 = std::log(2.), ln3 = std::log(3.);
  // Two steps, one sample, two classes; means (2 ln 3, 0), label 1.  At temperature 2 the shares are 3/4 and 1/4;
  // the teacher's (2 ln 2, 0) gives 2/3 and 1/3.
  const Tensor a = outputs({3 * ln3, 1, ln3, -1}, {2, 1, 2}), teacher = outputs({2 * ln2, 0}, {1, 2});
  const double KL = 2 / 3. * std::log(8 / 9.) + 1 / 3. * std::log(4 / 3.), CE = std::log(10.);
  const auto formula = [=](double tau, double label_weight, double scale, double share) {
    return [=](const Tensor& a, const Tensor& is_label) {
      const Tensor z = scale * a.mean(0), p = torch::softmax(teacher / tau, 1),
                   q = torch::softmax(z / tau, 1);
      const Tensor divergence = (p * (p / q).log()).sum(1).mean();
      return share *
             ((1 - label_weight) * tau * tau * divergence + label_weight * cross_entropy(z, is_label));
    };
  };
  const auto config = [](double label_weight, double scale = 1) {
    return Config{{"name", "distillation"}, {"label_weight", label_weight}, {"scale", scale}};
  };
  const Objective::Context two = {{2}, 2}, eight = {{2}, 8};
  return {
      {"distillation", config(0), two, {0, 2}, a, {1}, 4 * KL, formula(2, 0, 1, 1), teacher},
      {"distillation, label only", config(1), two, {0, 2}, a, {1}, CE, formula(2, 1, 1, 1), teacher},
      {"distillation, both",
       config(0.25),
       two,
       {0, 2},
       a,
       {1},
       3 * KL + CE / 4,
       formula(2, 0.25, 1, 1),
       teacher},
      // Twice the means: twice the output at half the scale is the same.
      {"distillation, scale",
       config(0.25, 0.5),
       two,
       {0, 2},
       2 * a,
       {1},
       3 * KL + CE / 4,
       formula(2, 0.25, 0.5, 1),
       teacher},
      {"distillation, two of eight steps",
       config(0),
       eight,
       {4, 6},
       a,
       {1},
       KL,
       formula(2, 0, 1, 0.25),
       teacher},
  };
}

namespace {

TEST(ObjectiveValue, VanRossum) {
  for (const ObjectiveCase& c : van_rossum_cases()) check_objective(c);
}
TEST(ObjectiveValue, Distillation) {
  for (const ObjectiveCase& c : distillation_cases()) check_objective(c);
}

}  // namespace
}  // namespace spiketrain
