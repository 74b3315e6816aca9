// Radio: a built-in set of received signals, whose modulation has to be told.
//   x [2,1,128]   I and Q of 128 samples, 8 a symbol, the greatest of them 1 or -1
//   class         0 BPSK, 1 QPSK, 2 8PSK, 3 16QAM, 4 2FSK (phase-continuous, modulation index 1), 5 noise alone
//   linear ones: random symbols, root-raised-cosine pulses (roll-off 0.35, cut at 4 symbols on either side), random timing in whole samples
//   all: random phase, and a frequency offset of up to 0.005 turns a sample to either side
//   noise: white and Gaussian; signal to noise over the whole band, of sample i: -10 + 2*(i mod 15) dB, so -10, -8, ..., 18
// As sample i has a known signal-to-noise ratio, `eval --predictions` tells the accuracy at each (tools/radio_snr.py).
// Source: our own, in the manner of the RadioML sets (O'Shea & West 2016); simpler: neither fading nor a sample-rate error.
// Sample = function of (seed, part, index) only.  Tests: unit/radio_test.cpp.
#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <vector>

#include "spiketrain/base/math.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/source.h"
#include "spiketrain/data/tensor_dataset.h"

namespace spiketrain {
namespace {

using Complex = std::complex<double>;

constexpr int64_t kRadioSamples = 128, kRadioClasses = 6, kOversampling = 8, kPulseSymbols = 4;
constexpr int64_t kRatios = 15;
constexpr double kRollOff = 0.35, kMostOffset = 0.005;
enum RadioClass : int64_t { kBpsk, kQpsk, k8Psk, k16Qam, kFsk, kNoiseAlone };

Complex turned(double turns) { return std::polar(1.0, 2 * kPi * turns); }

/// Root-raised-cosine pulse at t symbols from its middle.
double root_raised_cosine(double t) {
  if (std::abs(t) < 1e-9) return 1 + kRollOff * (4 / kPi - 1);
  const double x = 4 * kRollOff * t;
  if (std::abs(std::abs(x) - 1) < 1e-9) {
    const double angle = kPi / (4 * kRollOff);
    return kRollOff / std::sqrt(2.0) * ((1 + 2 / kPi) * std::sin(angle) + (1 - 2 / kPi) * std::cos(angle));
  }
  return (std::sin(kPi * t * (1 - kRollOff)) + x * std::cos(kPi * t * (1 + kRollOff))) /
         (kPi * t * (1 - x * x));
}

Complex symbol(Rng& rng, int64_t kind) {
  const auto psk = [&](uint64_t points) {
    return turned(static_cast<double>(rng.below(points)) / static_cast<double>(points));
  };
  if (kind == kBpsk) return psk(2);
  if (kind == kQpsk) return psk(4);
  if (kind == k8Psk) return psk(8);
  const double re = static_cast<double>(rng.below(4)), im = static_cast<double>(rng.below(4));
  return {2 * re - 3, 2 * im - 3};
}

using Received = std::array<Complex, kRadioSamples>;

/// Adds pulses of random symbols.
void add_pulses(Rng& rng, int64_t kind, Received& x) {
  constexpr int64_t kReach = kPulseSymbols * kOversampling;
  static const std::vector<double> pulse = [] {
    std::vector<double> h;
    for (int64_t n = -kReach; n <= kReach; ++n)
      h.push_back(root_raised_cosine(static_cast<double>(n) / kOversampling));
    return h;
  }();
  const auto first = static_cast<int64_t>(rng.below(kOversampling)) - kReach;
  for (int64_t middle = first; middle < kRadioSamples + kReach; middle += kOversampling) {
    const Complex s = symbol(rng, kind);
    const int64_t begin = std::max<int64_t>(0, middle - kReach),
                  end = std::min<int64_t>(kRadioSamples, middle + kReach + 1);
    for (int64_t n = begin; n < end; ++n)
      x[static_cast<size_t>(n)] += s * pulse[static_cast<size_t>(n - middle + kReach)];
  }
}

/// One of two frequencies for each symbol, half a turn a symbol above or below.
void add_tones(Rng& rng, Received& x) {
  double turns = 0, step = 0;
  int64_t left = static_cast<int64_t>(rng.below(kOversampling));
  step = (rng.below(2) != 0 ? 0.5 : -0.5) / kOversampling;
  for (Complex& sample : x) {
    if (left-- == 0) {
      step = (rng.below(2) != 0 ? 0.5 : -0.5) / kOversampling;
      left = kOversampling - 1;
    }
    sample = turned(turns += step);
  }
}

/// Writes x[2,128]; returns the class.
int64_t draw_radio(Rng rng, double ratio, float* out) {
  const auto kind = static_cast<int64_t>(rng.below(kRadioClasses));
  Received x{};
  if (kind == kFsk) add_tones(rng, x);
  if (kind < kFsk) add_pulses(rng, kind, x);
  const double phase = rng.uniform(), offset = rng.uniform(-kMostOffset, kMostOffset);
  double power = 0;
  for (const Complex& sample : x) power += std::norm(sample) / kRadioSamples;
  const double signal = kind == kNoiseAlone ? 0 : 1 / std::sqrt(power),
               noise = std::sqrt(0.5 * std::pow(10, -ratio / 10));
  double greatest = 0;
  for (size_t n = 0; n < x.size(); ++n) {
    const double re = noise * rng.normal(), im = noise * rng.normal();
    x[n] = signal * x[n] * turned(phase + offset * static_cast<double>(n)) + Complex(re, im);
    greatest = std::max({greatest, std::abs(x[n].real()), std::abs(x[n].imag())});
  }
  for (size_t n = 0; n < x.size(); ++n) {
    out[n] = static_cast<float>(x[n].real() / greatest);
    out[n + x.size()] = static_cast<float>(x[n].imag() / greatest);
  }
  return kind;
}

struct Radio final : DatasetSource {
  static constexpr const char* kDoc =
      "received radio signals, 2 x 1 x 128 (I and Q), -10 to 18 dB -> 6 modulations; built in";
  template <class V>
  void visit(V&) {}

  DatasetInfo info() const override {
    return {part_name(),
            kDoc,
            false,
            {2, 1, kRadioSamples},
            Batch::Form::image,
            TargetSpec::class_index(kRadioClasses)};
  }

  std::unique_ptr<Dataset> open(const DataOptions& o) const override {
    check_no_image_options(o, part_name(), "");
    check_no_event_options(o, part_name(), "signals");
    const bool test = o.split == "test";
    const std::vector<int64_t> indices = split_indices(o, test ? o.test_size : o.train_size);
    const auto count = static_cast<int64_t>(indices.size());
    const Tensor x = torch::empty({count, 2, 1, kRadioSamples}), y = torch::empty({count}, torch::kLong);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t index = indices[static_cast<size_t>(i)];
      const double ratio = -10 + 2 * static_cast<double>(index % kRatios);
      y.data_ptr<int64_t>()[i] = draw_radio(Rng(o.seed, Purpose::radio, test, static_cast<uint64_t>(index)),
                                            ratio, x.data_ptr<float>() + i * 2 * kRadioSamples);
    }
    TensorDatasetOptions options;
    options.name = part_name() + " " + o.split;
    options.classes = kRadioClasses;
    options.class_names = {"BPSK", "QPSK", "8PSK", "16QAM", "2FSK", "noise"};
    options.ids = torch::tensor(indices, torch::kLong);
    return tensor_dataset(x, {Target::Kind::class_index, y}, options);
  }
};
ST_REGISTER(DatasetSource, "radio", Radio);

}  // namespace
}  // namespace spiketrain
