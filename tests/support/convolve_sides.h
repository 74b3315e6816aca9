// The definition of synapse conv, in differentiable operations.
#pragma once
#include <vector>

#include "spiketrain/base/options.h"
#include "spiketrain/core/signal.h"

namespace spiketrain {

/// A kernel, stride, zeros in front and behind, and dilation for each of one or two dimensions; groups of maps.
struct Sides {
  std::vector<int64_t> kernel, stride, before, after, dilation;
  int64_t groups;
};

/// Sides that differ, groups, dilation, an odd zero behind; two dimensions and one.
inline std::vector<Sides> sides_cases() {
  return {{{3, 2}, {2, 1}, {2, 0}, {1, 1}, {2, 1}, 2},
          {{1, 3}, {1, 2}, {0, 1}, {0, 1}, {1, 2}, 1},
          {{2, 3}, {1, 1}, {0, 1}, {1, 1}, {1, 1}, 4},
          {{3}, {2}, {1}, {2}, {2}, 2},
          {{4}, {1}, {0}, {0}, {1}, 1}};
}

/// The synapse with these sides, and eight maps.
inline Config config_of(const Sides& s) {
  return {{"name", "conv"},         {"channels", 8},       {"kernel", s.kernel},
          {"stride", s.stride},     {"padding", s.before}, {"padding_end", s.after},
          {"dilation", s.dilation}, {"groups", s.groups},  {"bias", s.groups == 2}};
}

/// x [T,B,C,*] and W [channels, C/groups, *kernel] -> [T,B,channels,*]
inline Tensor convolve_sides(const Tensor& x, const Tensor& W, const Sides& s) {
  const auto dims = static_cast<int64_t>(s.kernel.size());
  std::vector<int64_t> pads;
  for (size_t i = s.kernel.size(); i-- > 0;) pads.insert(pads.end(), {s.before[i], s.after[i]});
  const Tensor a = torch::constant_pad_nd(x, pads);
  std::vector<Tensor> groups;
  for (int64_t n = 0; n < s.groups; ++n) {
    const int64_t in = W.size(1), out = W.size(0) / s.groups;
    const Tensor maps = a.slice(2, n * in, (n + 1) * in), weight = W.slice(0, n * out, (n + 1) * out);
    Tensor I = torch::zeros({}, x.options());
    for (int64_t k = 0; k < c10::multiply_integers(s.kernel); ++k) {
      const int64_t at[2] = {dims == 1 ? k : k / s.kernel[1], dims == 1 ? 0 : k % s.kernel[1]};
      Tensor seen = maps, w = weight;
      for (int64_t i = 0; i < dims; ++i) {
        const auto d = static_cast<size_t>(i);
        const int64_t size = (a.size(3 + i) - s.dilation[d] * (s.kernel[d] - 1) - 1) / s.stride[d] + 1;
        const int64_t from = at[i] * s.dilation[d];
        seen = seen.slice(3 + i, from, from + (size - 1) * s.stride[d] + 1, s.stride[d]);
        w = w.select(2, at[i]);
      }
      I = I + (dims == 1 ? torch::einsum("tbcx,oc->tbox", {seen, w})
                         : torch::einsum("tbcyx,oc->tboyx", {seen, w}));
    }
    groups.push_back(I);
  }
  return torch::cat(groups, 2);
}

}  // namespace spiketrain
