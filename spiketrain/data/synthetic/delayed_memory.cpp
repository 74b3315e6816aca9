// Delayed memory: a built-in set whose answer depends on what was shown long ago.
//   25 channels: 5 lines for each of 4 classes, and 5 that ask for the answer; T steps, T >= 40
//   steps 0..9        the lines of the class fire with probability 0.4: the cue
//   steps 10..T-11    nothing but noise: the delay, T - 20 steps
//   steps T-10..T-1   the lines that ask fire with probability 0.4: the class has to be told
//   noise             every line, at every step, with probability 0.02
// Answers at the last ten steps need a memory of T - 20 steps; of the cue itself 20 spikes are seen on average, so that a net
// that remembers makes next to no mistakes, and one that does not is right in a quarter of cases.
// Source: our own, after the delayed tasks of Bellec et al. 2020 (e-prop), which have two classes.
// Sample = function of (seed, part, index, T) only.  Tests: unit/synthetic_test.cpp.
#include "spiketrain/base/rng.h"
#include "spiketrain/data/source.h"
#include "spiketrain/data/tensor_dataset.h"

namespace spiketrain {
namespace {

constexpr int64_t kClasses = 4, kLines = 5, kAllLines = kLines * (kClasses + 1), kShown = 10,
                  kLeastSteps = 40;
constexpr uint32_t kScale = 50, kFires = 20, kNoise = 1;  // of 50: probabilities 0.4 and 0.02

/// Writes frames x[T,25]; returns the class.
int64_t draw_delayed_memory(Rng rng, int64_t T, uint8_t* x) {
  const auto label = static_cast<int64_t>(rng.below(kClasses));
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < kAllLines; ++c) {
      const int64_t group = c / kLines;
      const bool cue = t < kShown && group == label, asks = t >= T - kShown && group == kClasses;
      x[t * kAllLines + c] = rng.below(kScale) < (cue || asks ? kFires : kNoise);
    }
  }
  return label;
}

struct DelayedMemory final : DatasetSource {
  static constexpr const char* kDoc =
      "a cue, a delay of T - 20 steps, and a question: T frames of 25 channels -> 4 classes; built in";
  template <class V>
  void visit(V&) {}

  DatasetInfo info() const override {
    return {part_name(), kDoc, false, {kAllLines}, Batch::Form::frames, TargetSpec::class_index(kClasses)};
  }

  std::unique_ptr<Dataset> open(const DataOptions& o) const override {
    check_steps(o, part_name());
    check_no_image_options(o, part_name(), "");
    check_no_event_options(o, part_name(), "spikes");
    ST_CHECK(o.steps >= kLeastSteps, "data ", part_name(), ": expected at least ", kLeastSteps,
             " steps (ten for the cue, ten for the answer, the rest is the delay), got steps = ", o.steps);
    const bool test = o.split == "test";
    const std::vector<int64_t> indices = split_indices(o, test ? o.test_size : o.train_size);
    const auto count = static_cast<int64_t>(indices.size());
    const Tensor x = torch::zeros({count, o.steps, kAllLines}, torch::kByte);
    const Tensor y = torch::empty({count}, torch::kLong);
    for (int64_t i = 0; i < count; ++i) {
      Rng rng(o.seed, Purpose::delayed_memory, test, static_cast<uint64_t>(indices[static_cast<size_t>(i)]));
      y.data_ptr<int64_t>()[i] =
          draw_delayed_memory(rng, o.steps, x.data_ptr<uint8_t>() + i * o.steps * kAllLines);
    }
    TensorDatasetOptions options;
    options.name = part_name() + " " + o.split;
    options.form = Batch::Form::frames;
    options.classes = kClasses;
    options.ids = torch::tensor(indices, torch::kLong);
    return tensor_dataset(x, {Target::Kind::class_index, y}, options);
  }
};
ST_REGISTER(DatasetSource, "delayed-memory", DelayedMemory);

}  // namespace
}  // namespace spiketrain
