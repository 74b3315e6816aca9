// An objective on a tiny output: the value worked out by hand, and the formula written out, in float64.
#pragma once
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "spiketrain/core/objective.h"

namespace spiketrain {

inline constexpr double kObjectiveTolerance = 1e-12;

struct ObjectiveCase {
  const char* what;
  Config config;
  Objective::Context context;
  Segment segment;
  Tensor a;  ///< [K,B,classes]
  std::vector<int64_t> label;
  double value;
  std::function<Tensor(const Tensor& a, const Tensor& is_label)> formula;  ///< is_label [B,classes], 0 or 1
  Tensor teacher = {};
};

inline Tensor outputs(std::vector<double> values, at::IntArrayRef shape) {
  return torch::tensor(values, torch::dtype(torch::kDouble)).view(shape);
}

/// -log of the label's share in the softmax of z [...,classes], averaged over the rest.
inline Tensor cross_entropy(const Tensor& z, const Tensor& is_label) {
  return (z.exp().sum(-1).log() - (z * is_label).sum(-1)).mean();
}

inline void check_objective(const ObjectiveCase& c) {
  SCOPED_TRACE(c.what);
  const auto objective = make<Objective>(c.config);
  objective->prepare(c.context);
  const Target target = {Target::Kind::class_index, torch::tensor(c.label, torch::kLong), c.teacher};
  const Tensor is_label = (target.y.unsqueeze(1) == torch::arange(c.context.output[0])).to(torch::kDouble);
  const auto a = c.a.clone().requires_grad_(), b = c.a.clone().requires_grad_();
  const Tensor loss = objective->loss({Signal::dense(a), c.segment, c.context.steps}, target);
  const Tensor formula = c.formula(b, is_label);
  EXPECT_EQ(loss.dim(), 0);
  EXPECT_NEAR(loss.item<double>(), c.value, kObjectiveTolerance * (1 + std::abs(c.value)));
  EXPECT_NEAR(formula.item<double>(), c.value, kObjectiveTolerance * (1 + std::abs(c.value)));
  const Tensor got = torch::autograd::grad({loss}, {a})[0], want = torch::autograd::grad({formula}, {b})[0];
  EXPECT_LE((got - want).norm().item<double>(), kObjectiveTolerance * want.norm().item<double>());
}

/// unit/objective_train_test.cpp
std::vector<ObjectiveCase> van_rossum_cases();
std::vector<ObjectiveCase> distillation_cases();

}  // namespace spiketrain
