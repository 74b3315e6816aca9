// Metrics of the normalised squared error: by hand, batches joined, what cannot be divided.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/core/objective.h"
#include "tests/support/message.h"

namespace spiketrain::nmse_test {

std::vector<double> sums(const Metric& metric, const Tensor& prediction, const Tensor& wanted) {
  const Tensor s = metric.sums(prediction, {Target::Kind::values, wanted}, {});
  EXPECT_EQ(s.scalar_type(), torch::kDouble);
  return {s.data_ptr<double>(), s.data_ptr<double>() + s.numel()};
}

/// Wanted vectors of size 2, errors whose ratios are these.
std::pair<Tensor, Tensor> samples(const std::vector<double>& ratios) {
  const Tensor r = torch::tensor(ratios, torch::kDouble),
               wanted = torch::zeros({r.numel(), 3}, torch::kDouble);
  wanted.select(1, 0).fill_(2);
  Tensor predicted = wanted.clone();
  predicted.select(1, 2).add_(2 * r.sqrt());
  return {predicted, wanted};
}

TEST(Nmse, MeanAndMedianInDecibels) {
  const auto mean = make<Metric>("nmse_db"), median = make<Metric>("median_nmse_db");
  EXPECT_FALSE(mean->greater_is_better());
  const auto [predicted, wanted] = samples({0.001, 0.01, 1.0});
  EXPECT_NEAR(mean->value(sums(*mean, predicted, wanted)), 10 * std::log10(1.011 / 3), 1e-12);
  EXPECT_NEAR(median->value(sums(*median, predicted, wanted)), -20, 0.1);
  // One failure more moves the mean by decibels, the median by the distance of two samples.
  const auto [worse, as_before] = samples({0.001, 0.01, 1.0, 100.0, 0.0099});
  EXPECT_NEAR(mean->value(sums(*mean, worse, as_before)), 10 * std::log10(101.0209 / 5), 1e-12);
  EXPECT_NEAR(median->value(sums(*median, worse, as_before)), -20, 0.1);
}

TEST(Nmse, SumsOfBatchesAddUp) {
  for (const char* name : {"nmse_db", "median_nmse_db"}) {
    const auto metric = make<Metric>(name);
    const auto [predicted, wanted] = samples({0.5, 0.02, 0.3, 0.0004, 0.07});
    std::vector<double> parts = sums(*metric, predicted.slice(0, 0, 2), wanted.slice(0, 0, 2));
    const std::vector<double> rest = sums(*metric, predicted.slice(0, 2), wanted.slice(0, 2));
    for (size_t k = 0; k < parts.size(); ++k) parts[k] += rest[k];
    EXPECT_NEAR(metric->value(parts), metric->value(sums(*metric, predicted, wanted)), 1e-12) << name;
    EXPECT_TRUE(std::isnan(metric->value(std::vector<double>(parts.size(), 0)))) << name;
  }
}

TEST(Nmse, ExactPredictionsAndHugeErrorsStayFinite) {
  const auto median = make<Metric>("median_nmse_db");
  const auto [predicted, wanted] = samples({0, 0, 0});
  EXPECT_NEAR(median->value(sums(*median, predicted, wanted)), -120, 0.1);
  const auto [far, same] = samples({1e9, std::nan("")});
  EXPECT_NEAR(median->value(sums(*median, far, same)), 40, 0.1);
}

TEST(Nmse, ZeroTargetsAreRefused) {
  const auto [predicted, wanted] = samples({0.1, 0.2});
  wanted[1].zero_();
  const auto metric = make<Metric>("nmse_db");
  const std::string text = message_of<UsageError>([&, p = predicted, w = wanted] { sums(*metric, p, w); });
  EXPECT_NE(text.find("use metric mse"), std::string::npos) << text;
}

}  // namespace spiketrain::nmse_test
