#include "spiketrain/ops/reduce.h"

#include <algorithm>
#include <vector>

#include "spiketrain/kernels/reduce/reduce.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {

double sum_squares(const torch::Tensor& x) {
  if (!has_kernel(x)) return x.to(torch::kDouble).square().sum().item<double>();
  const Tensor flat = x.contiguous();
  return AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "sum_squares",
                                    [&] { return cpu::sum_squares(pointer<scalar_t>(flat), flat.numel()); });
}

/// Chunks of the leading dimensions, which are summed as a whole, added in order.
torch::Tensor sum_to(const torch::Tensor& x, at::IntArrayRef sizes) {
  if (x.sizes() == sizes) return x;
  const int64_t leading = x.dim() - static_cast<int64_t>(sizes.size());
  if (!x.is_cpu() || leading < 1 || x.numel() == 0) {
    const OneThread one_thread;
    return at::sum_to(x, sizes);
  }
  constexpr int64_t kMinElements = 1 << 15;
  const Tensor rows = leading == 1 ? x : x.flatten(0, leading - 1);
  const int64_t M = rows.size(0), least = std::max<int64_t>(1, kMinElements * M / rows.numel());
  const int64_t size = chunk_size(M, least);
  std::vector<Tensor> parts(static_cast<size_t>((M + size - 1) / size));
  for_chunks(
      M,
      [&](int64_t i, int64_t j) {
        parts[static_cast<size_t>(i / size)] = at::sum_to(rows.slice(0, i, j), sizes);
      },
      least);
  Tensor sum = parts[0];
  for (size_t k = 1; k < parts.size(); ++k) sum = sum + parts[k];
  return sum;
}

}  // namespace spiketrain::ops
