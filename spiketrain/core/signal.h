// What travels on an edge of the network over a segment of T steps, in one of four forms:
//   constant  image [1,B,*] and a profile gain [T]: a(t) = gain[t] * image.  A static image shown for T steps, and its
//             PSP, are constant; whatever is linear then runs once, not T times.
//   dense     a [T,B,*], real numbers.
//   spikes    Spikes, and optionally a scale, or the PSP filter they pass on the edge: a[t] = a[t-1] + (s[t] - a[t-1])/tau_s.
//   times     SpikeTimes of a whole sequence: lists of exact times, which have no values per step.  For event-driven
//             stages alone: Network refuses other readers.  The edge is the times, so the gradient is dL/d(time).
// Parts ask for what they want: values() in full, rows() for a share of a product, or the spikes themselves.
#pragma once
#include <memory>

#include "spiketrain/core/spikes.h"
#include "spiketrain/ops/spike_times.h"

namespace spiketrain {

using Shape = std::vector<int64_t>;  ///< of one sample at one step: [C,H,W] or [N]

class Signal {
 public:
  Signal() = default;
  /// image [1,B,*], in autograd; gain [T] of the same type and device, no gradient.
  static Signal constant(Tensor image, Tensor gain);
  /// a [T,B,*], in autograd.
  static Signal dense(Tensor a);
  /// Spikes without gradient, read as numbers of `type`.
  static Signal spikes(Spikes s, torch::ScalarType type);
  /// Spikes with a carrier (see carrier()) that leads to what made them; the values are `scale` times the spikes.
  static Signal spikes(Spikes s, Tensor edge, double scale = 1);
  /// The PSP a [T,B,*] (no gradient of its own) of `scale` times them, with time constant tau_s; `edge` is a carrier: its
  /// gradient is dL/da.  before [B,*]: the PSP before the first step; undefined: zero.  a undefined: computed from the spikes
  /// once somebody asks for numbers.
  static Signal psp(Spikes s, Tensor edge, double tau_s, Tensor a, Tensor before, double scale = 1);

  /// Spikes of a whole sequence, the time in autograd.  UsageError if they are not what SpikeTimes says.
  static Signal times(SpikeTimes s);

  bool defined() const { return edge_.defined(); }
  bool is_constant() const { return gain_.defined(); }
  bool has_spikes() const { return spikes_.defined(); }
  bool has_times() const { return times_.index.defined(); }
  /// Time constant of the filter between the spikes and the values; 0: none.
  double tau_s() const { return tau_s_; }
  /// Factor between the spikes and the values, or what the filter reads.
  double scale() const { return scale_; }
  /// Of a PSP: before the first step; undefined: zero.
  const Tensor& before() const { return before_; }
  /// True if the values are the spikes themselves, or scale() times them.
  bool is_spikes() const { return has_spikes() && tau_s_ == 0; }
  int64_t steps() const { return is_constant() ? gain_.size(0) : has_times() ? times_.steps : edge_.size(0); }
  int64_t batch() const { return has_times() ? times_.batch() : edge_.size(1); }

  /// The tensor that carries the gradient: the image, the values, the times, or a carrier without storage.  For
  /// autograd nodes that take the numbers from elsewhere; computing on a carrier gives NaN.
  const Tensor& edge() const { return edge_; }
  /// [T,B,*] floating point, in autograd.  UsageError for times.
  Tensor values() const;
  /// Rows [begin, end) of the values as a matrix [T*B, *], without gradient.  UsageError for constant signals and times.
  Tensor rows(int64_t begin, int64_t end) const;
  /// What constant() was given.
  const Tensor& image() const { return edge_; }
  const Tensor& gain() const { return gain_; }
  /// Computes now, with all threads, what rows() would on its first call.
  void prepare() const {
    if (psp_) filtered();
  }
  /// Undefined unless has_spikes().  The values are these only where is_spikes() and scale() is 1.
  const Spikes& spikes() const { return spikes_; }
  /// The lists, with the edge as their time: those of times(), or of bare spikes by steps.  UsageError for other forms.
  SpikeTimes spike_times() const;

  /// Steps [begin, end), sharing storage.  UsageError for a part of times.
  Signal slice(int64_t begin, int64_t end) const;
  /// The same values and spikes, detached: no gradient reaches what made them.
  Signal detached() const;
  /// The same signal with another tensor to carry the gradient: of the same shape and, unless it is a carrier, values.
  Signal with_edge(Tensor edge) const;
  /// `f` applied to the values; only for f linear and the same at every step, so that a constant signal stays
  /// constant.
  template <class F>
  Signal map_linear(F&& f) const {
    return is_constant() ? constant(f(edge_), gain_) : dense(f(values()));
  }
  /// Values times a number; of a constant signal the image stays what it is.
  Signal scaled(double factor) const {
    return is_constant() ? constant(edge_, gain_ * factor) : dense(values() * factor);
  }
  /// Joins segments in time, of a PSP consecutive ones.  Spikes stay spikes if all parts are; anything else becomes dense.
  static Signal concatenate(const std::vector<Signal>& parts);

 private:
  Tensor edge_, gain_;
  Spikes spikes_;
  double tau_s_ = 0, scale_ = 1;
  Tensor before_;
  struct Psp;
  std::shared_ptr<Psp> psp_;  ///< values of a filtered signal, shared by its copies
  const Tensor& filtered() const;
  SpikeTimes times_;
};

/// A tensor of this shape that occupies one element and holds NaN: autograd checks its shape, type and device and
/// sends gradients through it, and whoever computes on it by mistake gets NaN.
Tensor carrier(at::IntArrayRef shape, const torch::TensorOptions& options);

/// Whether a constant signal with this gain is its image at every step; false off the CPU.
bool all_ones(const Tensor& gain);

/// gain [T] * image [1,B,*] -> [T,B,*]
Tensor spread(const Tensor& image, const Tensor& gain);

/// Number of elements of one sample.
int64_t numel(const Shape& shape);

}  // namespace spiketrain
