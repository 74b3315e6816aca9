#include "spiketrain/ops/reduce.h"

#include "spiketrain/kernels/reduce/reduce.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {

double sum_squares(const torch::Tensor& x) {
  if (!has_kernel(x)) return x.to(torch::kDouble).square().sum().item<double>();
  const Tensor flat = x.contiguous();
  return AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "sum_squares",
                                    [&] { return cpu::sum_squares(pointer<scalar_t>(flat), flat.numel()); });
}

}  // namespace spiketrain::ops
