// Harmonics: built-in sets of noisy sums of one to three complex sinusoids, whose frequencies and amplitudes have to be found from a
// single snapshot: sparse regression on a grid.
//   a(f)[m] = exp(2 pi i m f)/sqrt(M),  m = 0 ... M-1;  in two dimensions the product of both;  f = g/G, G points of the grid
//   y = sum_l c_l a(f_l) + noise             x: real parts, imaginary parts [2,M] or [2,M1,M2]
//   |c| uniform in [0.5, 1), phases uniform; frequencies at least 1/M apart in one dimension, around the circle
//   noise: white, complex Gaussian; of sample i: |signal|^2/|noise|^2 expected = 5*(i mod 7) dB, so 0, 5, ..., 30
//   target [2*G]: the coefficients b on the grid, real parts, imaginary parts; 0 where there is no sinusoid
//   harmonics            M = 16, G = 64, frequencies on the grid: y = A b + noise
//   harmonics-off-grid   the same with frequencies between the points; b has at the nearest point c*a(point)^H a(f)
//   harmonics-2d         8 x 8 samples, 16 x 16 points, on the grid
// As sample i has a known signal-to-noise ratio, `eval --predictions` tells the error at each (tools/harmonics_nmse.py).
// Source: our own.  Sample = function of (seed, part, index) and the set only.  Tests: unit/harmonics_test.cpp.
#include <algorithm>
#include <cmath>
#include <complex>
#include <vector>

#include "spiketrain/base/math.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/source.h"
#include "spiketrain/data/tensor_dataset.h"

namespace spiketrain {
namespace {

using Amplitude = std::complex<double>;

constexpr Purpose kHarmonicsStream = Purpose::harmonics;
constexpr int64_t kHarmonicsRatios = 7, kMostTones = 3;

/// Frequencies [dimension], in points of the grid.
using Tone = std::vector<double>;

struct HarmonicsSize {
  Shape samples, grid;
  bool on_grid = true;
};

/// a(f)[m] for every m, the first dimension slowest.
std::vector<Amplitude> steering(const HarmonicsSize& size, const Tone& tone) {
  std::vector<Amplitude> a = {1};
  for (size_t k = 0; k < tone.size(); ++k) {
    const auto M = static_cast<double>(size.samples[k]), G = static_cast<double>(size.grid[k]);
    std::vector<Amplitude> next;
    for (const Amplitude& before : a) {
      for (int64_t m = 0; m < size.samples[k]; ++m)
        next.push_back(before * std::polar(1 / std::sqrt(M), 2 * kPi * static_cast<double>(m) * tone[k] / G));
    }
    a = std::move(next);
  }
  return a;
}

/// Nearer than 1/M in every dimension.
bool too_near(const HarmonicsSize& size, const Tone& a, const Tone& b) {
  for (size_t k = 0; k < a.size(); ++k) {
    const auto M = static_cast<double>(size.samples[k]), G = static_cast<double>(size.grid[k]);
    const double apart = std::abs(a[k] - b[k]);
    if (std::min(apart, G - apart) >= G / M) return false;
  }
  return true;
}

std::vector<Tone> draw_tones(Rng& rng, const HarmonicsSize& size) {
  const auto count = static_cast<size_t>(1 + rng.below(kMostTones));
  std::vector<Tone> tones;
  while (tones.size() < count) {
    Tone tone;
    for (const int64_t G : size.grid) {
      const auto point = static_cast<double>(rng.below(static_cast<uint64_t>(G)));
      tone.push_back(size.on_grid ? point : point + rng.uniform(-0.5, 0.5));
    }
    const bool apart =
        std::none_of(tones.begin(), tones.end(), [&](const Tone& t) { return too_near(size, t, tone); });
    if (apart) tones.push_back(std::move(tone));
  }
  return tones;
}

/// The nearest point of the grid, and its place among all.
std::pair<Tone, int64_t> nearest_tone(const HarmonicsSize& size, const Tone& tone) {
  Tone point;
  int64_t place = 0;
  for (size_t k = 0; k < tone.size(); ++k) {
    const int64_t G = size.grid[k], g = (std::llround(tone[k]) + G) % G;
    point.push_back(static_cast<double>(g));
    place = place * G + g;
  }
  return {point, place};
}

/// Writes x [2,*samples] and the target [2*grid], which is zero.
void draw_harmonics(Rng rng, const HarmonicsSize& size, double ratio, float* x, float* target) {
  const int64_t M = numel(size.samples), G = numel(size.grid);
  std::vector<Amplitude> y(static_cast<size_t>(M));
  for (const Tone& tone : draw_tones(rng, size)) {
    const Amplitude c = std::polar(rng.uniform(0.5, 1), 2 * kPi * rng.uniform());
    const std::vector<Amplitude> a = steering(size, tone);
    for (size_t m = 0; m < y.size(); ++m) y[m] += c * a[m];
    const auto [point, place] = nearest_tone(size, tone);
    const std::vector<Amplitude> at_point = steering(size, point);
    Amplitude projected = 0;
    for (size_t m = 0; m < y.size(); ++m) projected += std::conj(at_point[m]) * a[m];
    const Amplitude b = size.on_grid ? c : c * projected;
    target[place] = static_cast<float>(b.real());
    target[G + place] = static_cast<float>(b.imag());
  }
  double power = 0;
  for (const Amplitude& sample : y) power += std::norm(sample) / static_cast<double>(M);
  const double noise = std::sqrt(0.5 * power * std::pow(10, -ratio / 10));
  for (size_t m = 0; m < y.size(); ++m) {
    const double re = noise * rng.normal(), im = noise * rng.normal();
    x[m] = static_cast<float>(y[m].real() + re);
    x[m + y.size()] = static_cast<float>(y[m].imag() + im);
  }
}

struct HarmonicsSet : DatasetSource {
  template <class V>
  void visit(V&) {}
  virtual HarmonicsSize size() const = 0;
  virtual const char* doc() const = 0;

  DatasetInfo info() const override {
    Shape shape = {2};
    for (const int64_t side : size().samples) shape.push_back(side);
    return {
        part_name(), doc(), false, shape, Batch::Form::image, TargetSpec::values({2 * numel(size().grid)})};
  }

  std::unique_ptr<Dataset> open(const DataOptions& o) const override {
    check_no_image_options(o, part_name(), "");
    check_no_event_options(o, part_name(), "signals");
    const bool test = o.split == "test";
    const HarmonicsSize sizes = size();
    const std::vector<int64_t> indices = split_indices(o, test ? o.test_size : o.train_size);
    const auto count = static_cast<int64_t>(indices.size());
    const int64_t inputs = 2 * numel(sizes.samples), outputs = 2 * numel(sizes.grid);
    std::vector<int64_t> shape = {count};
    for (const int64_t side : info().shape) shape.push_back(side);
    const Tensor x = torch::empty(shape), y = torch::zeros({count, outputs});
    for (int64_t i = 0; i < count; ++i) {
      const int64_t index = indices[static_cast<size_t>(i)];
      draw_harmonics(Rng(o.seed, kHarmonicsStream, test, static_cast<uint64_t>(index)), sizes,
                     5 * static_cast<double>(index % kHarmonicsRatios), x.data_ptr<float>() + i * inputs,
                     y.data_ptr<float>() + i * outputs);
    }
    TensorDatasetOptions options;
    options.name = part_name() + " " + o.split;
    options.ids = torch::tensor(indices, torch::kLong);
    return tensor_dataset(x, {Target::Kind::values, y}, options);
  }
};

struct Harmonics final : HarmonicsSet {
  static constexpr const char* kDoc =
      "16 samples of one to three complex sinusoids, 0 to 30 dB -> coefficients on 64 frequencies; built in";
  HarmonicsSize size() const override { return {{16}, {64}, true}; }
  const char* doc() const override { return kDoc; }
};
ST_REGISTER(DatasetSource, "harmonics", Harmonics);

struct HarmonicsOffGrid final : HarmonicsSet {
  static constexpr const char* kDoc =
      "as harmonics, with frequencies between the points of the grid; built in";
  HarmonicsSize size() const override { return {{16}, {64}, false}; }
  const char* doc() const override { return kDoc; }
};
ST_REGISTER(DatasetSource, "harmonics-off-grid", HarmonicsOffGrid);

struct Harmonics2d final : HarmonicsSet {
  static constexpr const char* kDoc =
      "as harmonics, 8 x 8 samples -> coefficients on 16 x 16 frequencies; built in";
  HarmonicsSize size() const override { return {{8, 8}, {16, 16}, true}; }
  const char* doc() const override { return kDoc; }
};
ST_REGISTER(DatasetSource, "harmonics-2d", Harmonics2d);

}  // namespace
}  // namespace spiketrain
