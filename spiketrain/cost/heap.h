// Imagined tensors, counted while somebody holds them: what the memory model walks through a pass with.
// Tests: property/memory_test.cpp.
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>

namespace spiketrain {

/// A tensor that is held by everybody who has one of these, null: none; it points to its size in bytes.
using Held = std::shared_ptr<const int64_t>;

class Heap {
 public:
  Held hold(int64_t bytes) {
    touch(bytes);
    live_ += bytes;
    return {new int64_t(bytes), [this](const int64_t* held) {
              live_ -= *held;
              delete held;
            }};
  }
  /// Holds so many bytes for a moment.
  void touch(int64_t bytes) { peak_ = std::max(peak_, live_ + bytes); }
  int64_t peak() const { return peak_; }

 private:
  int64_t live_ = 0, peak_ = 0;
};

/// What a signal holds: its spikes, its real values, or both (a PSP).
struct Sent {
  Held spikes, values;
};

}  // namespace spiketrain
