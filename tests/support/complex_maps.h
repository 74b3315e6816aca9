// The complex synapses by their definition, for comparison.
#pragma once
#include <functional>
#include <vector>

#include "spiketrain/core/synapse.h"

namespace spiketrain {

/// z = A x of complex numbers, x [T,B,2,n] or of either sign [T,B,4,n], A [2,m,n]; twice with `pairs`.
inline Tensor complex_product(const Tensor& x, const Tensor& A, bool pairs) {
  const Tensor v = x.size(2) == 4 ? x.slice(2, 0, 2) - x.slice(2, 2) : x;
  const auto times = [&](int64_t part, int64_t k) {
    return torch::einsum("tbn,mn->tbm", {v.select(2, part), A[k]});
  };
  const Tensor z = torch::stack({times(0, 0) - times(1, 1), times(0, 1) + times(1, 0)}, 2);
  return pairs ? torch::cat({z, -z}, 2) : z;
}

/// The matrix of a circular convolution with kernel [2,*grid]: column h is the kernel moved by h.
inline Tensor circulant(const Tensor& kernel) {
  std::vector<Tensor> columns;
  for (int64_t i = 0; i < kernel.size(1); ++i) {
    for (int64_t j = 0; j < (kernel.dim() == 3 ? kernel.size(2) : 1); ++j)
      columns.push_back(kernel.dim() == 3 ? torch::roll(kernel, {i, j}, {1, 2}).flatten(1)
                                          : torch::roll(kernel, {i}, {1}));
  }
  return torch::stack(columns, 2);
}

struct ComplexMapCase {
  Config config;
  Shape in;
  std::function<Tensor(const Tensor& x, const Tensor& W)> define;  ///< [T,B,*in] -> [T,B,*out]
};

/// One and two dimensions, plain and of either sign, in and out.
inline std::vector<ComplexMapCase> complex_map_cases() {
  std::vector<ComplexMapCase> list;
  for (const bool pairs : {false, true}) {
    for (const int64_t sides : {2, 4}) {
      const auto linear = [=](const Tensor& x, const Tensor& W) {
        const Tensor z = complex_product(x.flatten(3), W, pairs);
        return x.dim() == 5 ? z.unflatten(3, at::IntArrayRef({5, 8})) : z;
      };
      list.push_back({{{"name", "complex_linear"}, {"grid", {13}}, {"pairs", pairs}}, {sides, 7}, linear});
      list.push_back(
          {{{"name", "complex_linear"}, {"grid", {5, 8}}, {"pairs", pairs}}, {sides, 4, 3}, linear});
      const auto conv = [=](const Tensor& x, const Tensor& W) {
        const Tensor z = complex_product(x.flatten(3), circulant(W), pairs);
        return x.dim() == 5 ? z.unflatten(3, W.sizes().slice(1)) : z;
      };
      list.push_back({{{"name", "complex_conv"}, {"samples", {5}}, {"pairs", pairs}}, {sides, 11}, conv});
      list.push_back(
          {{{"name", "complex_conv"}, {"samples", {2, 3}}, {"pairs", pairs}}, {sides, 4, 5}, conv});
    }
  }
  return list;
}

}  // namespace spiketrain
