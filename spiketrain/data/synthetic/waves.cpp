// Waves: a built-in set whose targets are values.
//   x[t,c] = a sin(2 pi (f t / T + phase + c / 8)) + 0.05 n     T frames of eight channels, float; n
//   standard normal y = {a, (f - 0.5) / 1.5}                                   a in [0.2, 1), f in [0.5, 2)
//   cycles per sequence
// The amplitude can be read from every frame; the frequency only from several, so it needs memory.  Both
// targets are uniform: answering their mean gives squared errors of 0.8^2/12 = 0.053 and 1/12 = 0.083.
// Source: our own.  Sample = function of (seed, part, index, T) only.  Tests: unit/synthetic_test.cpp.
#include <cmath>

#include "spiketrain/base/math.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/source.h"
#include "spiketrain/data/tensor_dataset.h"

namespace spiketrain {
namespace {

constexpr double kFullTurn = 2 * kPi;
constexpr int64_t kWaveChannels = 8, kValues = 2;

/// Writes frames x[T,8] and target y[2].
void draw_wave(Rng rng, int64_t T, float* x, float* y) {
  const double amplitude = rng.uniform(0.2, 1), frequency = rng.uniform(0.5, 2), phase = rng.uniform();
  for (int64_t t = 0; t < T; ++t) {
    const double turns = frequency * static_cast<double>(t) / static_cast<double>(T) + phase;
    for (int64_t c = 0; c < kWaveChannels; ++c) {
      const double angle = kFullTurn * (turns + static_cast<double>(c) / kWaveChannels);
      *x++ = static_cast<float>(amplitude * std::sin(angle) + 0.05 * rng.normal());
    }
  }
  y[0] = static_cast<float>(amplitude);
  y[1] = static_cast<float>((frequency - 0.5) / 1.5);
}

struct Waves final : DatasetSource {
  static constexpr const char* kDoc =
      "noisy sinusoids, T frames of 8 values -> amplitude and frequency (regression); built in";
  template <class V>
  void visit(V&) {}

  DatasetInfo info() const override {
    return {part_name(), kDoc, false, {kWaveChannels}, Batch::Form::frames, TargetSpec::values({kValues})};
  }

  std::unique_ptr<Dataset> open(const DataOptions& o) const override {
    check_steps(o, part_name());
    check_no_image_options(o, part_name(), "");
    check_no_event_options(o, part_name(), "waves");
    const bool test = o.split == "test";
    const std::vector<int64_t> indices = split_indices(o, test ? o.test_size : o.train_size);
    const auto count = static_cast<int64_t>(indices.size());
    const Tensor x = torch::empty({count, o.steps, kWaveChannels}), y = torch::empty({count, kValues});
    for (int64_t i = 0; i < count; ++i) {
      Rng rng(o.seed, Purpose::waves, test, static_cast<uint64_t>(indices[static_cast<size_t>(i)]));
      draw_wave(rng, o.steps, x.data_ptr<float>() + i * o.steps * kWaveChannels,
                y.data_ptr<float>() + i * kValues);
    }
    TensorDatasetOptions options;
    options.name = part_name() + " " + o.split;
    options.form = Batch::Form::frames;
    options.ids = torch::tensor(indices, torch::kLong);
    return tensor_dataset(x, {Target::Kind::values, y}, options);
  }
};
ST_REGISTER(DatasetSource, "waves", Waves);

}  // namespace
}  // namespace spiketrain
