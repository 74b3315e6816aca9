// Data small enough for unit tests: 6 x 6 images of four classes.
#pragma once
#include <limits>
#include <memory>
#include <string>

#include "spiketrain/base/rng.h"
#include "spiketrain/data/dataset.h"

namespace spiketrain {

/// Class c lights quadrant c; noise on top.
class TinyDataset : public Dataset {
 public:
  TinyDataset(int64_t size, uint64_t seed) : size_(size), seed_(seed) {}
  int64_t size() const override { return size_; }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }
  int64_t class_of(int64_t index) const override { return index % 4; }
  void read(int64_t index, int64_t /*epoch*/, void* to) const override {
    auto* out = static_cast<float*>(to);
    Rng rng(seed_, Purpose::test, 0, static_cast<uint64_t>(index));
    for (int64_t p = 0; p < 36; ++p) {
      const int64_t quadrant = (p / 6 / 3) * 2 + (p % 6) / 3;
      out[p] = static_cast<float>((quadrant == index % 4 ? 1.0 : 0.0) + 0.3 * rng.normal());
    }
  }
  std::string describe() const override { return "tiny"; }

 private:
  int64_t size_;
  uint64_t seed_;
  SampleSpec sample_ = SampleSpec::image({1, 6, 6});
  TargetSpec target_ = TargetSpec::class_index(4);
};

/// The same with one infinite sample.
class BrokenDataset : public TinyDataset {
 public:
  using TinyDataset::TinyDataset;
  void read(int64_t index, int64_t epoch, void* out) const override {
    TinyDataset::read(index, epoch, out);
    if (index == 5) *static_cast<float*>(out) = std::numeric_limits<float>::infinity();
  }
};

inline Datasets tiny_data() {
  Datasets data;
  data.train = std::make_shared<TinyDataset>(40, 1);
  data.validation = std::make_shared<TinyDataset>(8, 2);
  data.test = std::make_shared<TinyDataset>(16, 3);
  return data;
}

}  // namespace spiketrain
