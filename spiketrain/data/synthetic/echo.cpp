// Echo: a built-in set whose targets are sequences, of different lengths.
//   x[t,c] = 1 with probability 1/4, else 0                    n frames of four channels, uint8
//   y[t,k] = 0.7 y[t-1,k] + x[t,2k] - x[t,2k+1]                k = 0, 1; y[-1] = 0
//   n uniform from ceil(T/2) to T
// Every pulse raises or lowers an output, and the effect fades: a memory of a few steps is enough.  Far from
// the beginning y has mean 0 and variance 2 (1/4)(3/4) / (1 - 0.7^2) = 0.735, the squared error of answering
// 0.
// Source: our own.  Sample = function of (seed, part, index, T) only.  Tests: unit/synthetic_test.cpp.
#include "spiketrain/base/rng.h"
#include "spiketrain/data/source.h"
#include "spiketrain/data/tensor_dataset.h"

namespace spiketrain {
namespace {

constexpr int64_t kChannels = 4, kOutputs = 2;
constexpr double kFade = 0.7;

/// Writes frames x[n,4] and targets y[n,2]; returns n.
int64_t draw_echo(Rng rng, int64_t T, uint8_t* x, float* y) {
  const int64_t least = (T + 1) / 2;
  const int64_t n = least + static_cast<int64_t>(rng.below(static_cast<uint64_t>(T - least + 1)));
  double value[kOutputs] = {0, 0};
  for (int64_t t = 0; t < n; ++t, x += kChannels, y += kOutputs) {
    const uint32_t word = rng.next();
    for (int64_t c = 0; c < kChannels; ++c) x[c] = (word >> (2 * c) & 3) == 0;
    for (int64_t k = 0; k < kOutputs; ++k) {
      value[k] = kFade * value[k] + x[2 * k] - x[2 * k + 1];
      y[k] = static_cast<float>(value[k]);
    }
  }
  return n;
}

struct Echo final : DatasetSource {
  static constexpr const char* kDoc =
      "pulses, up to T frames of 4 channels -> 2 fading sums at every step (regression); built in";
  template <class V>
  void visit(V&) {}

  DatasetInfo info() const override {
    return {part_name(), kDoc, false, {kChannels}, Batch::Form::frames, TargetSpec::sequence(0, {kOutputs})};
  }

  std::unique_ptr<Dataset> open(const DataOptions& o) const override {
    check_steps(o, part_name());
    check_no_image_options(o, part_name(), "");
    check_no_event_options(o, part_name(), "pulses");
    const bool test = o.split == "test";
    const std::vector<int64_t> indices = split_indices(o, test ? o.test_size : o.train_size);
    const auto count = static_cast<int64_t>(indices.size());
    const Tensor x = torch::zeros({count, o.steps, kChannels}, torch::kByte);
    const Tensor y = torch::zeros({count, o.steps, kOutputs}), lengths = torch::empty({count}, torch::kLong);
    for (int64_t i = 0; i < count; ++i) {
      Rng rng(o.seed, Purpose::echo, test, static_cast<uint64_t>(indices[static_cast<size_t>(i)]));
      lengths.data_ptr<int64_t>()[i] =
          draw_echo(rng, o.steps, x.data_ptr<uint8_t>() + i * o.steps * kChannels,
                    y.data_ptr<float>() + i * o.steps * kOutputs);
    }
    TensorDatasetOptions options;
    options.name = part_name() + " " + o.split;
    options.form = Batch::Form::frames;
    options.lengths = lengths;
    options.ids = torch::tensor(indices, torch::kLong);
    return tensor_dataset(x, {Target::Kind::sequence, y}, options);
  }
};
ST_REGISTER(DatasetSource, "echo", Echo);

}  // namespace
}  // namespace spiketrain
