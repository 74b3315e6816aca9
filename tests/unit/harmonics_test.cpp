// The built-in sets of harmonics: sums of steering vectors with the coefficients that the target says, at the ratios that the
// indices say.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/base/math.h"
#include "spiketrain/data/source.h"
#include "spiketrain/parts/synapses/complex_map.h"

namespace spiketrain::harmonics_test {

constexpr int64_t kRatios = 7;

DataOptions options(const std::string& name, int64_t size) {
  DataOptions o;
  o.name = name;
  o.train_size = o.test_size = size;
  return o;
}

struct Sample {
  Tensor x, b;  ///< complex [M], [G]
};

Tensor complex_of(const Tensor& parts) {
  const Tensor flat = parts.to(torch::kDouble).view({2, -1});
  return torch::complex(flat[0].contiguous(), flat[1].contiguous());
}
Sample sample(const Dataset& data, int64_t index) {
  Tensor x = torch::empty(data.sample().shape), y = torch::empty(data.target().shape);
  data.read(index, 0, x.data_ptr());
  data.read_target(index, y.data_ptr());
  return {complex_of(x), complex_of(y)};
}
/// [M,G]
Tensor steering(const Shape& samples, const Shape& grid) {
  const Tensor A = steering_matrix(samples, grid);
  return torch::complex(A[0].contiguous(), A[1].contiguous());
}

TEST(Harmonics, ShapesAndTones) {
  const auto line = open_dataset(options("harmonics", 300)),
             area = open_dataset(options("harmonics-2d", 300));
  EXPECT_EQ(line->sample(), SampleSpec::image({2, 16}));
  EXPECT_EQ(line->target(), TargetSpec::values({128}));
  EXPECT_EQ(area->sample(), SampleSpec::image({2, 8, 8}));
  EXPECT_EQ(area->target(), TargetSpec::values({512}));
  std::vector<int64_t> tones(4);
  for (int64_t i = 0; i < 300; ++i) {
    const Tensor size = sample(*line, i).b.abs(), found = size.nonzero().flatten();
    ++tones.at(static_cast<size_t>(found.numel()));
    EXPECT_GE(size.index({found}).min().item<double>(), 0.5 - 1e-6);
    EXPECT_LT(size.max().item<double>(), 1 + 1e-6);
    for (int64_t a = 0; a < found.numel(); ++a) {
      for (int64_t b = 0; b < a; ++b) {
        const int64_t apart = (found[a] - found[b]).item<int64_t>();
        EXPECT_GE(std::min(apart, 64 - apart), 4) << "1/M of the circle";
      }
    }
  }
  for (size_t k = 1; k <= 3; ++k) EXPECT_NEAR(tones[k], 100, 40) << k;
}

/// Signal and noise of a sample are y = A b + noise.
TEST(Harmonics, NoiseIsAsStrongAsTheIndexSays) {
  for (const char* name : {"harmonics", "harmonics-2d"}) {
    SCOPED_TRACE(name);
    const bool line = std::string(name) == "harmonics";
    const Tensor A = line ? steering({16}, {64}) : steering({8, 8}, {16, 16});
    const auto data = open_dataset(options(name, 1400));
    for (int64_t k = 0; k < kRatios; ++k) {
      double signal = 0, noise = 0;
      for (int64_t i = k; i < 1400; i += kRatios) {
        const Sample s = sample(*data, i);
        const Tensor clean = A.mv(s.b);
        const double power = clean.abs().square().sum().item<double>();
        signal += 1;
        noise += (s.x - clean).abs().square().sum().item<double>() / power;
      }
      EXPECT_NEAR(-10 * std::log10(noise / signal), 5 * static_cast<double>(k), 0.4) << k;
    }
  }
}

/// Between the points, the coefficient at the nearest one leaves less than any other would.
TEST(Harmonics, OffTheGridTheNearestPointFitsBest) {
  const auto data = open_dataset(options("harmonics-off-grid", 700));
  const Tensor A = steering({16}, {64});
  int64_t alone = 0, off = 0;
  for (int64_t i = 6; i < 700; i += kRatios) {  // at 30 dB
    const Sample s = sample(*data, i);
    const Tensor found = s.b.abs().nonzero().flatten();
    if (found.numel() != 1) continue;
    ++alone;
    const Tensor fit = A.conj().t().mv(s.x);  // the coefficient that fits best at each point
    EXPECT_EQ(fit.abs().argmax().item<int64_t>(), found.item<int64_t>()) << i;
    EXPECT_LT((fit.index({found}) - s.b.index({found})).abs().item<double>(), 0.15) << i;
    off += (s.x - A.mv(s.b)).abs().square().sum().item<double>() / s.x.abs().square().sum().item<double>() >
           0.01;
  }
  EXPECT_GT(alone, 15);
  EXPECT_GT(off, 5) << "a point of the grid does not explain the signal";
}

TEST(Harmonics, SampleDependsOnSeedPartAndIndexOnly) {
  const auto many = open_dataset(options("harmonics", 60));
  const auto same = [](const Sample& a, const Sample& b) {
    return torch::equal(a.x, b.x) && torch::equal(a.b, b.b);
  };
  DataOptions o = options("harmonics", 9);
  EXPECT_TRUE(same(sample(*open_dataset(o), 7), sample(*many, 7)));
  EXPECT_FALSE(same(sample(*many, 8), sample(*many, 7)));
  o.seed = 2;
  EXPECT_FALSE(same(sample(*open_dataset(o), 7), sample(*many, 7)));
  o = options("harmonics", 60);
  o.split = "test";
  EXPECT_FALSE(same(sample(*open_dataset(o), 7), sample(*many, 7)));
  o.split = "validation";
  o.validation = 20;
  const auto part = open_dataset(o);
  for (int64_t i = 0; i < 20; ++i) EXPECT_TRUE(same(sample(*part, i), sample(*many, part->id(i)))) << i;
  o.augment = true;
  EXPECT_THROW(open_dataset(o), UsageError);
}

}  // namespace spiketrain::harmonics_test
