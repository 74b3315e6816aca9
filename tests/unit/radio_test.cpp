// The built-in set of radio signals: that its classes are the modulations they are called, at the ratios that the indices say.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "spiketrain/base/check.h"
#include "spiketrain/data/source.h"

namespace spiketrain::radio_test {

constexpr int64_t kSamples = 128, kClasses = 6, kRatios = 15;

DataOptions options(int64_t size) {
  DataOptions o;
  o.name = "radio";
  o.train_size = o.test_size = size;
  return o;
}

/// [2,128]
torch::Tensor sample(const Dataset& data, int64_t index) {
  const torch::Tensor x = torch::empty({2, kSamples});
  data.read(index, 0, x.data_ptr());
  return x;
}
torch::Tensor complex(const torch::Tensor& x) {
  return torch::complex(x[0].to(torch::kDouble), x[1].to(torch::kDouble));
}

/// Share of the strongest line in the spectrum of x^power.
double line(const torch::Tensor& x, int64_t power) {
  torch::Tensor y = x;
  for (int64_t k = 1; k < power; ++k) y = y * x;
  const torch::Tensor padded = torch::cat({y, torch::zeros({7 * kSamples}, y.options())});
  return torch::fft_fft(padded).abs().max().item<double>() / y.abs().sum().item<double>();
}

TEST(Radio, SamplesAndClasses) {
  const auto data = open_dataset(options(600));
  EXPECT_EQ(data->sample(), SampleSpec::image({2, 1, kSamples}));
  EXPECT_EQ(data->target().classes, kClasses);
  std::vector<int64_t> of(kClasses);
  for (int64_t i = 0; i < 600; ++i) {
    ++of.at(static_cast<size_t>(data->class_of(i)));
    EXPECT_EQ(sample(*data, i).abs().max().item<float>(), 1) << i;
  }
  for (const int64_t count : of) EXPECT_NEAR(count, 100, 40);
}

TEST(Radio, SampleDependsOnSeedPartAndIndexOnly) {
  const auto many = open_dataset(options(60));
  DataOptions o = options(9);
  EXPECT_TRUE(torch::equal(sample(*open_dataset(o), 7), sample(*many, 7)));
  EXPECT_FALSE(torch::equal(sample(*many, 8), sample(*many, 7)));
  o.seed = 2;
  EXPECT_FALSE(torch::equal(sample(*open_dataset(o), 7), sample(*many, 7)));
  o = options(60);
  o.split = "test";
  EXPECT_FALSE(torch::equal(sample(*open_dataset(o), 7), sample(*many, 7)));
  o.split = "validation";
  o.validation = 20;
  const auto part = open_dataset(o);
  for (int64_t i = 0; i < 20; ++i)
    EXPECT_TRUE(torch::equal(sample(*part, i), sample(*many, part->id(i)))) << i;
  o.augment = true;
  EXPECT_THROW(open_dataset(o), UsageError);
}

TEST(Radio, ModulationsAreWhatTheyAreCalled) {
  const auto data = open_dataset(options(3000));
  std::vector<double> second(kClasses), fourth(kClasses), unsteady(kClasses), n(kClasses);
  for (int64_t i = kRatios - 1; i < 3000; i += kRatios) {  // at 18 dB
    const torch::Tensor x = complex(sample(*data, i)), size = x.abs();
    const auto c = static_cast<size_t>(data->class_of(i));
    second[c] += line(x, 2), fourth[c] += line(x, 4), n[c] += 1;
    unsteady[c] += size.std().item<double>() / size.mean().item<double>();
  }
  for (size_t c = 0; c < kClasses; ++c) {
    ASSERT_GT(n[c], 10) << c;
    second[c] /= n[c], fourth[c] /= n[c], unsteady[c] /= n[c];
  }
  enum : size_t { bpsk, qpsk, psk8, qam16, fsk, noise };
  EXPECT_GT(second[bpsk], 0.9);  // two phases: none in the square
  for (const size_t c : {qpsk, psk8, qam16, noise}) EXPECT_LT(second[c], 0.7) << c;
  EXPECT_GT(fourth[qpsk], fourth[psk8] + 0.1);  // four: none in the fourth power
  EXPECT_GT(second[fsk], 0.4);                  // two lines, as the modulation index is 1
  EXPECT_LT(unsteady[fsk], 0.15);               // of constant envelope
  for (const size_t c : {bpsk, qpsk, psk8, qam16, noise}) EXPECT_GT(unsteady[c], 0.25) << c;
  EXPECT_GT(unsteady[qam16], unsteady[psk8]);
  EXPECT_NEAR(unsteady[noise], 0.52, 0.05);  // Rayleigh: sqrt(4/pi - 1)
}

TEST(Radio, NoiseIsAsStrongAsTheIndexSays) {
  const auto data = open_dataset(options(6000));
  for (const int64_t k : {0, 5, 10}) {  // -10, 0 and 10 dB
    double outside = 0, all = 0;
    for (int64_t i = k; i < 6000; i += kRatios) {
      if (data->class_of(i) > 3) continue;  // band-limited ones only
      const torch::Tensor power = torch::fft_fft(complex(sample(*data, i))).abs().square();
      const double total = power.sum().item<double>();
      outside += power.slice(0, kSamples / 4, 3 * kSamples / 4).sum().item<double>() / total;
      all += 1;
    }
    const double N = std::pow(10, -(-10 + 2 * static_cast<double>(k)) / 10);
    EXPECT_NEAR(outside / all, 0.5 * N / (1 + N), 0.08 * 0.5 * N / (1 + N) + 0.003) << k;
  }
}

}  // namespace spiketrain::radio_test
