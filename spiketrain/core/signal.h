// What travels on an edge of the network over a window of T steps.
#pragma once
#include <utility>

#include "spiketrain/core/torch.h"

namespace spiketrain {
using torch::Tensor;

/// The 0/1 events of one layer over a window, without gradient.  How they are stored (one byte each at
/// present) is this class's own affair: whoever needs them asks for the form it wants.
class Events {
 public:
  Events() = default;
  /// s [T,B,*] uint8, every element 0 or 1; `count` = number of ones, or -1 if not known yet.
  static Events from_bytes(Tensor s, int64_t count = -1);
  bool defined() const { return bytes_.defined(); }
  /// [T,B,*] uint8, contiguous.
  const Tensor& bytes() const { return bytes_; }
  /// [T,B,*] 0 or 1 in the given floating-point type.
  Tensor dense(torch::ScalarType type) const { return bytes_.to(type); }
  /// Number of events in the window.
  int64_t count() const;
  /// Number of places an event could have been: T*B*...
  int64_t numel() const { return bytes_.numel(); }

 private:
  Tensor bytes_;
  mutable int64_t count_ = -1;
};

/// A signal is dense, a [T,B,*], or stationary: a [1,B,*] with a profile `gain` [T], meaning a(t) = gain[t] *
/// a[0]. A still image shown for T steps, and its PSP, are stationary, and whatever is linear then runs once,
/// not T times.
struct Signal {
  Tensor a;  ///< [T,B,*] (or [1,B,*]): what the next synapse multiplies: spikes, their PSP, or analog values.
  Tensor gain;  ///< [T] same type and device as a, no gradient; undefined if dense.
  Events s;     ///< events behind `a`; undefined if `a` is analog.

  bool stationary() const { return gain.defined(); }
  int64_t steps() const { return stationary() ? gain.size(0) : a.size(0); }
  int64_t batch() const { return a.size(1); }
  /// [T,B,*] in full.
  Tensor dense() const;
  /// Steps [t0, t1), sharing storage.
  Signal slice(int64_t t0, int64_t t1) const;
  /// The same values and events, cut from the graph: no credit reaches what made them.
  Signal detached() const { return {a.detach(), gain, s}; }
  /// The same signal with `f` applied to `a`; only for f linear and the same at every step.  Drops the
  /// events.
  template <class F>
  Signal map_linear(F&& f) const {
    return {f(a), gain, {}};
  }
};

/// gain [T] * a [1,B,*] -> [T,B,*]
Tensor spread(const Tensor& a, const Tensor& gain);

}  // namespace spiketrain
