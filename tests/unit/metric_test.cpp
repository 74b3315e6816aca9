// Metrics: values worked out by hand, batches joined, padding left out.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "spiketrain/core/objective.h"
#include "tests/support/message.h"

namespace spiketrain::metric_test {

const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

std::vector<double> list(const Tensor& sums) {
  EXPECT_EQ(sums.scalar_type(), torch::kDouble);
  EXPECT_EQ(sums.dim(), 1);
  return {sums.data_ptr<double>(), sums.data_ptr<double>() + sums.numel()};
}

double value(const Metric& metric, const Tensor& prediction, const Target& target, const Tensor& valid = {}) {
  return metric.value(list(metric.sums(prediction, target, valid)));
}

Target labels(const std::vector<int64_t>& y) {
  return {Target::Kind::class_index, torch::tensor(y, torch::kLong)};
}

TEST(Metric, AccuracyAndTopK) {
  const Tensor z = torch::tensor({3., 2., 1., 0., 0., 1., 2., 3., 1., 3., 0., 2.}).view({3, 4});
  const Target y = labels({0, 2, 0});
  EXPECT_DOUBLE_EQ(value(*make<Metric>("accuracy"), z, y), 1 / 3.);
  EXPECT_DOUBLE_EQ(value(*make<Metric>("top_k", {{"k", 1}}), z, y), 1 / 3.);
  EXPECT_DOUBLE_EQ(value(*make<Metric>("top_k", {{"k", 2}}), z, y), 2 / 3.);
  EXPECT_DOUBLE_EQ(value(*make<Metric>("top_k", {{"k", 3}}), z, y), 1);
  EXPECT_NE(message_of<UsageError>([&] { value(*make<Metric>("top_k"), z, y); }).find("4 classes, got 5"),
            std::string::npos);
}

TEST(Metric, MseAndR2) {
  const Tensor z = torch::tensor({1., 2., 3., 5.}).view({2, 2});
  const Target y = {Target::Kind::values, torch::tensor({1., 0., 2., 4.}).view({2, 2})};
  EXPECT_DOUBLE_EQ(value(*make<Metric>("mse"), z, y), (0 + 4 + 1 + 1) / 4.);
  // Means of the outputs 3/2 and 2: squares about them 1/2 and 8.
  EXPECT_DOUBLE_EQ(value(*make<Metric>("r2"), z, y), 1 - 6 / 8.5);
  EXPECT_DOUBLE_EQ(value(*make<Metric>("r2"), y.y, y), 1);
  EXPECT_DOUBLE_EQ(value(*make<Metric>("r2"), torch::tensor({1.5, 2., 1.5, 2.}).view({2, 2}), y), 0);
}

TEST(Metric, ClassesThatAreRare) {
  // Labels 0 0 0 1, predicted 0 0 1 1; class 2 neither occurs nor is predicted.
  const Tensor z = torch::one_hot(torch::tensor({0, 0, 1, 1}), 3).to(torch::kDouble);
  const Target y = labels({0, 0, 0, 1});
  EXPECT_DOUBLE_EQ(value(*make<Metric>("balanced_accuracy"), z, y), (2 / 3. + 1) / 2);
  // F1 of class 0: 4 / (4 + 0 + 1), of class 1: 2 / (2 + 1 + 0).
  EXPECT_DOUBLE_EQ(value(*make<Metric>("f1"), z, y), (4 / 5. + 2 / 3.) / 2);
  EXPECT_DOUBLE_EQ(value(*make<Metric>("f1", {{"average", "micro"}}), z, y), 6 / 8.);
}

TEST(Metric, SeveralLabels) {
  const Tensor p = torch::tensor({0.9, 0.2, 0.6, 0.4, 0.5, 0.7}).view({2, 3});
  const Target y = {Target::Kind::values, torch::tensor({1., 0., 1., 1., 0., 1.}).view({2, 3})};
  EXPECT_DOUBLE_EQ(value(*make<Metric>("exact_match"), p, y), 0.5);  // 0.5 is not above 0.5
  EXPECT_DOUBLE_EQ(value(*make<Metric>("exact_match", {{"threshold", 0.3}}), p, y), 0.5);
  // Output 0: right once, missed once; output 2: right twice; output 1: never there, never predicted.
  EXPECT_DOUBLE_EQ(value(*make<Metric>("f1"), p, y), (2 / 3. + 1) / 2);
  EXPECT_DOUBLE_EQ(value(*make<Metric>("f1", {{"average", "micro"}}), p, y), 6 / 7.);
}

TEST(Metric, SumsOfBatchesAddUp) {
  const Tensor z = torch::randn({6, 3}, kDouble);
  for (const std::string& name : Registry<Metric>::get().names()) {
    const auto metric = name == "top_k" ? make<Metric>("top_k", {{"k", 2}}) : make<Metric>(name.c_str());
    const bool classes = metric->targets()[0] == Target::Kind::class_index;
    const Target y =
        classes ? labels({0, 1, 2, 0, 1, 2}) : Target{Target::Kind::values, torch::randn({6, 3}, kDouble)};
    const auto part = [&](int64_t i, int64_t j) {
      return metric->sums(z.slice(0, i, j), {y.kind, y.y.slice(0, i, j)}, {});
    };
    EXPECT_NEAR(metric->value(list(part(0, 1) + part(1, 4) + part(4, 6))), value(*metric, z, y), 1e-12)
        << name;
  }
}

TEST(Metric, PaddingIsLeftOut) {
  const std::vector<int64_t> lengths = {4, 1, 3};
  const Tensor z = torch::randn({4, 3, 2}, kDouble), y = torch::randn({4, 3, 2}, kDouble);
  const Tensor valid = torch::arange(4).unsqueeze(1) < torch::tensor(lengths);
  std::vector<Tensor> predicted, wanted;
  for (int64_t b = 0; b < 3; ++b) {
    predicted.push_back(z.select(1, b).slice(0, 0, lengths[static_cast<size_t>(b)]));
    wanted.push_back(y.select(1, b).slice(0, 0, lengths[static_cast<size_t>(b)]));
  }
  for (const char* name : {"mse", "r2"}) {
    const auto metric = make<Metric>(name);
    EXPECT_NEAR(value(*metric, z, {Target::Kind::sequence, y}, valid),
                value(*metric, torch::cat(predicted), {Target::Kind::values, torch::cat(wanted)}), 1e-12)
        << name;
    EXPECT_NEAR(value(*metric, z, {Target::Kind::sequence, y}),
                value(*metric, z.flatten(0, 1), {Target::Kind::values, y.flatten(0, 1)}), 1e-12)
        << name;
  }
}

TEST(Metric, NothingIsNotANumber) {
  for (const std::string& name : Registry<Metric>::get().names())
    EXPECT_TRUE(std::isnan(make<Metric>(name.c_str())->value({0, 0, 0, 0, 0}))) << name;
  // No variance to explain.
  const Target y = {Target::Kind::values, torch::full({2, 1}, 0.5)};
  EXPECT_TRUE(std::isnan(value(*make<Metric>("r2"), torch::zeros({2, 1}), y)));
}

TEST(Metric, OnlyErrorsAreBetterWhenLess) {
  const std::set<std::string> errors = {"mse", "nmse_db", "median_nmse_db"};
  for (const std::string& name : Registry<Metric>::get().names())
    EXPECT_EQ(make<Metric>(name.c_str())->greater_is_better(), errors.count(name) == 0) << name;
}

}  // namespace spiketrain::metric_test
