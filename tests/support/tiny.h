// A run small enough for unit tests: 6 x 6 images of four classes, a network of two layers.
#pragma once
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "spiketrain/base/rng.h"
#include "spiketrain/train/trainer.h"

namespace spiketrain {

/// Class c lights quadrant c; noise on top.
class TinyDataset : public Dataset {
 public:
  TinyDataset(int64_t size, uint64_t seed) : size_(size), seed_(seed) {}
  int64_t size() const override { return size_; }
  std::vector<int64_t> sample_shape() const override { return {1, 6, 6}; }
  int64_t classes() const override { return 4; }
  int64_t label(int64_t index) const override { return index % 4; }
  void get(int64_t index, int64_t /*epoch*/, float* out) const override {
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
};

/// The same with one infinite sample.
class BrokenDataset : public TinyDataset {
 public:
  using TinyDataset::TinyDataset;
  void get(int64_t index, int64_t epoch, float* out) const override {
    TinyDataset::get(index, epoch, out);
    if (index == 5) out[0] = std::numeric_limits<float>::infinity();
  }
};

inline Datasets tiny_data() {
  Datasets data;
  data.train = std::make_shared<TinyDataset>(40, 1);
  data.validation = std::make_shared<TinyDataset>(8, 2);
  data.test = std::make_shared<TinyDataset>(16, 3);
  return data;
}

/// Overrides are applied as --set would.
inline Recipe tiny_recipe(const std::vector<std::string>& sets = {}) {
  Config config = {{"steps", 5},
                   {"epochs", 2},
                   {"data", {{"batch", 8}}},
                   {"network", {{"name", "spec"}, {"spec", "6C3-P2-4"}}},
                   {"neuron", {{"name", "psp_lif"}}},
                   {"rule", {{"name", "tssl_bp"}}},
                   {"objective", {{"name", "kernel"}}},
                   {"optimizer", {{"name", "adamw"}, {"lr", 0.01}}},
                   {"train", {{"clip_norm", 1.0}, {"clamp", 4.0}}}};
  for (const std::string& set : sets) apply_set(config, set);
  return make_recipe(config);
}

/// Notes the loss of every batch and every message.
struct Recorder : Observer {
  std::vector<double> losses;
  std::vector<EpochReport> epochs;
  std::vector<std::string> messages;
  void on_batch(const BatchReport& report) override { losses.push_back(report.loss); }
  void on_epoch(const EpochReport& report) override { epochs.push_back(report); }
  void on_message(const std::string& text, bool) override { messages.push_back(text); }
};

/// Stops a run after `batches` batches.
struct StopAfter : Recorder {
  explicit StopAfter(size_t batches) : batches(batches) {}
  void on_batch(const BatchReport& report) override {
    Recorder::on_batch(report);
    if (losses.size() >= batches) stop = true;
  }
  size_t batches;
  std::atomic<bool> stop{false};
};

/// Message of the error of type E that f throws; a test failure if it throws none.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "expected an exception";
  return "";
}

inline ::testing::AssertionResult same_tensors(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size())
    return ::testing::AssertionFailure() << a.size() << " and " << b.size() << " tensors";
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].first != b[i].first || !torch::equal(a[i].second, b[i].second)) {
      return ::testing::AssertionFailure() << a[i].first << " differs from " << b[i].first;
    }
  }
  return ::testing::AssertionSuccess();
}

inline NamedTensors copy_of(const NamedTensors& tensors) {
  NamedTensors copy;
  for (const auto& [name, tensor] : tensors) copy.emplace_back(name, tensor.detach().clone());
  return copy;
}

}  // namespace spiketrain
