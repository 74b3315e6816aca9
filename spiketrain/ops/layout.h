// How maps lie in memory.  [T,B,C,H,W] are either contiguous, map by map, or channels last, pixel by pixel: what the
// convolutions of spikes and dense ones are fastest with.  Everything else follows what it is given.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {
using torch::Tensor;

/// True if x [T,*] is one step, repeated without memory of its own.
inline bool repeats(const Tensor& x) { return x.dim() > 1 && x.size(0) > 1 && x.stride(0) == 0; }

/// True if maps [*,C,H,W] lie pixel by pixel.  False where that is the same as map by map.
inline bool channels_last(const Tensor& x) {
  if (x.defined() && x.dim() == 5 && repeats(x)) return channels_last(x[0]);
  return x.defined() && x.dim() >= 4 && !x.is_contiguous() && x.movedim(-3, -1).is_contiguous();
}

/// The same values as a contiguous tensor [*,H,W,C] if `last`, [*,C,H,W] if not; x's own memory if it lies so.  Undefined
/// if x is.
Tensor laid(const Tensor& x, bool last);

/// to.copy_(from), fast for maps of which `from` lie map by map and `to` pixel by pixel.
void copy_maps(const Tensor& to, const Tensor& from);

/// True if x is one zero, expanded to its shape: a state that holds no memory.
inline bool is_expanded_zero(const Tensor& x) {
  if (x.numel() < 2 || !x.is_cpu()) return false;
  for (int64_t i = 0; i < x.dim(); ++i) {
    if (x.size(i) > 1 && x.stride(i) != 0) return false;
  }
  return x.as_strided({}, {}).item<double>() == 0;
}

/// What laid() gives for a state; undefined for one of zeros without memory.
inline Tensor laid_state(const Tensor& x, bool last) {
  return x.defined() && is_expanded_zero(x) ? Tensor() : laid(x, last);
}

/// The way back: [*,C,H,W] of what laid() gave.
inline Tensor unlaid(const Tensor& x, bool last) { return last ? x.movedim(-1, -3) : x; }

/// Memory for values of this shape, maps [*,C,H,W], in that layout.
inline Tensor laid_empty(at::IntArrayRef shape, const torch::TensorOptions& options, bool last) {
  if (!last) return torch::empty(shape, options);
  std::vector<int64_t> sizes = shape.vec();
  sizes.push_back(sizes[sizes.size() - 3]);
  sizes.erase(sizes.end() - 4);
  return torch::empty(sizes, options).movedim(-1, -3);
}

}  // namespace spiketrain::ops
