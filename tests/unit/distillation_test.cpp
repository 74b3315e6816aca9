// Step-wise distillation against ordinary distillation and against its formula in float64.
#include <gtest/gtest.h>

#include "spiketrain/core/objective.h"

namespace spiketrain::distillation_test {

constexpr int64_t kSteps = 3, kBatch = 4, kClasses = 5;
const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

std::shared_ptr<Objective> distillation(const char* match, double label_weight, double scale = 1) {
  auto objective = make<Objective>(
      "distillation",
      {{"match", match}, {"label_weight", label_weight}, {"temperature", 3.0}, {"scale", scale}});
  objective->prepare({{kClasses}, kSteps});
  return objective;
}

Target target_of(const Tensor& teacher) {
  return {Target::Kind::class_index, torch::tensor({0, 4, 2, 2}), teacher};
}

Objective::Error error_of(const Objective& objective, const Tensor& z, const Target& target) {
  return objective.error({Signal::dense(z), {0, z.size(0)}, kSteps}, target);
}

void expect_near(const Tensor& a, const Tensor& b) {
  EXPECT_LE((a - b).abs().max().item<double>(), 1e-13 * (1 + b.abs().max().item<double>()));
}

TEST(Distillation, OfEqualStepsIsThatOfTheirMean) {
  torch::manual_seed(5);
  const Target target = target_of(torch::randn({kBatch, kClasses}, kDouble));
  const Tensor z = torch::randn({1, kBatch, kClasses}, kDouble).expand({kSteps, -1, -1}).contiguous();
  for (const double label_weight : {0.0, 0.25, 1.0}) {
    const auto steps = error_of(*distillation("steps", label_weight, 1.5), z, target),
               mean = error_of(*distillation("mean", label_weight, 1.5), z, target);
    expect_near(steps.loss, mean.loss);
    expect_near(steps.delta, mean.delta);
  }
}

TEST(Distillation, IsItsFormula) {
  torch::manual_seed(6);
  const Target target = target_of(torch::randn({kBatch, kClasses}, kDouble));
  const Tensor z = torch::randn({kSteps, kBatch, kClasses}, kDouble);
  const Tensor a = z.clone().requires_grad_();
  const Tensor p = torch::softmax(target.teacher / 3, 1);
  Tensor loss = 0.25 * torch::cross_entropy_loss(1.5 * a.mean(0), target.y);
  for (int64_t t = 0; t < kSteps; ++t) {
    const Tensor q = torch::softmax(1.5 * a[t] / 3, 1);
    loss = loss + 0.75 * 9 * (p * (p / q).log()).sum() / (kBatch * kSteps);
  }
  const Objective::Error error = error_of(*distillation("steps", 0.25, 1.5), z, target);
  expect_near(error.loss, loss.detach());
  expect_near(error.delta, torch::autograd::grad({loss}, {a})[0]);
}

/// The mean is the teacher's, no step is.
TEST(Distillation, GivesEveryStepAGradientWhereTheMeanHasNone) {
  torch::manual_seed(7);
  const Tensor teacher = torch::randn({kBatch, kClasses}, kDouble),
               d = torch::randn({kBatch, kClasses}, kDouble);
  const Tensor z = torch::stack({teacher + d, teacher + d, teacher - 2 * d});
  const Objective::Error mean = error_of(*distillation("mean", 0), z, target_of(teacher)),
                         steps = error_of(*distillation("steps", 0), z, target_of(teacher));
  EXPECT_LE(mean.delta.abs().max().item<double>(), 1e-14);
  EXPECT_NEAR(mean.loss.item<double>(), 0, 1e-14);
  EXPECT_GT(steps.loss.item<double>(), 0.01);
  for (int64_t t = 0; t < kSteps; ++t)
    for (int64_t b = 0; b < kBatch; ++b)
      EXPECT_GT(steps.delta[t][b].abs().max().item<double>(), 1e-3) << t << " " << b;
}

TEST(Distillation, RefusesAnotherMatch) {
  EXPECT_THROW(make<Objective>("distillation", {{"match", "step"}}), UsageError);
}

}  // namespace spiketrain::distillation_test
