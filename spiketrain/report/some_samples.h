// Some samples of a data set.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/data/dataset.h"

namespace spiketrain {

class SomeSamples final : public Dataset {
 public:
  /// These, in this order.
  SomeSamples(std::shared_ptr<const Dataset> data, std::vector<int64_t> samples)
      : data_(std::move(data)), samples_(std::move(samples)) {}
  /// `count` samples at equal distances, so that sets sorted by class keep all their classes; all if there are no more, or count is 0.
  SomeSamples(const std::shared_ptr<const Dataset>& data, int64_t count)
      : SomeSamples(data, at_equal_distances(data->size(), count)) {}

  /// Indices of `count` of `size` samples, as above.
  static std::vector<int64_t> at_equal_distances(int64_t size, int64_t count) {
    const int64_t n = count > 0 ? std::min(count, size) : size;
    std::vector<int64_t> samples;
    for (int64_t i = 0; i < n; ++i) samples.push_back(i * size / n);
    return samples;
  }

  /// Its index in the whole set.
  int64_t index(int64_t i) const { return samples_.at(static_cast<size_t>(i)); }

  int64_t size() const override { return static_cast<int64_t>(samples_.size()); }
  const SampleSpec& sample() const override { return data_->sample(); }
  const TargetSpec& target() const override { return data_->target(); }
  void read(int64_t i, int64_t epoch, void* out) const override { data_->read(index(i), epoch, out); }
  int64_t class_of(int64_t i) const override { return data_->class_of(index(i)); }
  void read_target(int64_t i, void* out) const override { data_->read_target(index(i), out); }
  bool has_lengths() const override { return data_->has_lengths(); }
  int64_t length(int64_t i) const override { return data_->length(index(i)); }
  int64_t id(int64_t i) const override { return data_->id(index(i)); }
  bool has_teacher() const override { return data_->has_teacher(); }
  void read_teacher(int64_t i, int64_t epoch, float* out) const override {
    data_->read_teacher(index(i), epoch, out);
  }
  std::string describe() const override { return data_->describe(); }

 private:
  std::shared_ptr<const Dataset> data_;
  std::vector<int64_t> samples_;
};

}  // namespace spiketrain
