// Some samples of a data set.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "spiketrain/data/dataset.h"

namespace spiketrain {

/// `count` samples at equal distances, so that sets sorted by class keep all their classes; all if there are no more, or count is 0.
class SomeSamples final : public Dataset {
 public:
  SomeSamples(std::shared_ptr<const Dataset> data, int64_t count)
      : data_(std::move(data)), count_(count > 0 ? std::min(count, data_->size()) : data_->size()) {}

  /// Its index in the whole set.
  int64_t index(int64_t i) const { return i * data_->size() / count_; }

  int64_t size() const override { return count_; }
  const SampleSpec& sample() const override { return data_->sample(); }
  const TargetSpec& target() const override { return data_->target(); }
  void read(int64_t i, int64_t epoch, void* out) const override { data_->read(index(i), epoch, out); }
  int64_t class_of(int64_t i) const override { return data_->class_of(index(i)); }
  void read_target(int64_t i, void* out) const override { data_->read_target(index(i), out); }
  bool has_lengths() const override { return data_->has_lengths(); }
  int64_t length(int64_t i) const override { return data_->length(index(i)); }
  int64_t id(int64_t i) const override { return data_->id(index(i)); }
  bool has_teacher() const override { return data_->has_teacher(); }
  void read_teacher(int64_t i, float* out) const override { data_->read_teacher(index(i), out); }
  std::string describe() const override { return data_->describe(); }

 private:
  std::shared_ptr<const Dataset> data_;
  int64_t count_;
};

}  // namespace spiketrain
