// Noise = samples and targets of a given kind with nothing in them, for measuring what a pass costs: counts of events
// are 1 a tenth of the time, all other numbers lie anywhere from 0 to 1.
// Tests: property/memory_test.cpp.
#pragma once
#include <utility>

#include "spiketrain/base/rng.h"
#include "spiketrain/data/dataset.h"

namespace spiketrain {

class Noise : public Dataset {
 public:
  Noise(int64_t size, SampleSpec sample, TargetSpec target)
      : size_(size), sample_(std::move(sample)), target_(std::move(target)) {}
  int64_t size() const override { return size_; }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  void read(int64_t index, int64_t /*epoch*/, void* out) const override {
    Rng rng(1, Purpose::noise, 0, static_cast<uint64_t>(index));
    if (sample_.type != torch::kByte) return fill(rng, sample_.numel(), static_cast<float*>(out));
    auto* counts = static_cast<uint8_t*>(out);
    for (int64_t i = 0; i < sample_.numel(); ++i) counts[i] = rng.below(10) == 0;
  }
  int64_t class_of(int64_t index) const override {
    return target_.kind == Target::Kind::class_index ? index % target_.classes : Dataset::class_of(index);
  }
  void read_target(int64_t index, void* out) const override {
    if (target_.kind == Target::Kind::class_index) return Dataset::read_target(index, out);
    Rng rng(1, Purpose::noise, 1, static_cast<uint64_t>(index));
    fill(rng, target_.numel(), static_cast<float*>(out));
  }
  bool has_teacher() const override { return true; }
  void read_teacher(int64_t index, int64_t /*epoch*/, float* out) const override {
    Rng rng(1, Purpose::noise, 2, static_cast<uint64_t>(index));
    fill(rng, spiketrain::numel(target_.shape), out);
  }
  std::string describe() const override { return "noise"; }

 private:
  static void fill(Rng& rng, int64_t n, float* out) {
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(rng.uniform());
  }
  int64_t size_;
  SampleSpec sample_;
  TargetSpec target_;
};

}  // namespace spiketrain
