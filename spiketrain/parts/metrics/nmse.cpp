// Normalised mean squared error of vectors, in dB: of each sample (or step) |error|^2/|wanted|^2.
//   nmse_db          10 log10 of the mean over the samples: a few failures decide it
//   median_nmse_db   10 log10 of the median; from a histogram of steps of 0.1 dB between -120 and 40 dB, within which it is
//                    interpolated, so that values of other batches need not be kept
// A sample whose wanted vector is zero is a UsageError.  sums: {ratios, number}; the counts of the histogram.
// Tests: unit/nmse_test.cpp.
#include <cmath>
#include <limits>

#include "spiketrain/parts/metrics/vectors.h"

namespace spiketrain {
namespace {

constexpr double kNever = std::numeric_limits<double>::quiet_NaN();

/// |error|^2/|wanted|^2 of each vector [n].
Tensor error_ratios(const Metric& metric, const Tensor& prediction, const Target& target,
                    const Tensor& valid) {
  const Vectors v = vectors(prediction, target, valid);
  const Tensor size = v.wanted.square().sum(1);
  ST_CHECK(!size.eq(0).any().item<bool>(), "metric ", metric.part_name(),
           ": divides by the size of the wanted values, and those of a sample are all 0; use metric mse");
  return (v.predicted - v.wanted).square().sum(1) / size;
}

struct ErrorRatio : Metric {
  template <class V>
  void visit(V&) {}
  std::vector<Target::Kind> targets() const override {
    return {Target::Kind::values, Target::Kind::sequence};
  }
  bool greater_is_better() const override { return false; }
};

struct NmseDb final : ErrorRatio {
  static constexpr const char* kDoc = "normalised mean squared error in dB, of the mean over samples";
  Tensor sums(const Tensor& prediction, const Target& target, const Tensor& valid) const override {
    const Tensor ratios = error_ratios(*this, prediction, target, valid), sum = ratios.sum();
    return torch::stack({sum, torch::full_like(sum, static_cast<double>(ratios.numel()))});
  }
  double value(const std::vector<double>& sums) const override {
    return sums[1] > 0 ? 10 * std::log10(sums[0] / sums[1]) : kNever;
  }
};
ST_REGISTER(Metric, "nmse_db", NmseDb);

struct MedianNmseDb final : ErrorRatio {
  static constexpr const char* kDoc = "normalised squared error in dB, of the median sample, to 0.1 dB";
  static constexpr int64_t kBins = 1600;
  static constexpr double kLow = -120, kStep = 0.1;
  Tensor sums(const Tensor& prediction, const Target& target, const Tensor& valid) const override {
    const double high = kLow + kStep * kBins;  // what is no number fails, too
    const Tensor db = torch::nan_to_num(10 * torch::log10(error_ratios(*this, prediction, target, valid)),
                                        high, high, kLow);
    const Tensor bin = torch::clamp(torch::floor((db - kLow) / kStep), 0, kBins - 1).to(torch::kLong);
    return torch::bincount(bin.cpu(), {}, kBins).to(torch::kDouble).to(db.device());
  }
  double value(const std::vector<double>& counts) const override {
    double all = 0;
    for (const double count : counts) all += count;
    double below = 0;
    for (size_t k = 0; k < counts.size(); ++k) {
      if (counts[k] > 0 && below + counts[k] >= all / 2)
        return kLow + kStep * (static_cast<double>(k) + (all / 2 - below) / counts[k]);
      below += counts[k];
    }
    return kNever;
  }
};
ST_REGISTER(Metric, "median_nmse_db", MedianNmseDb);

}  // namespace
}  // namespace spiketrain
