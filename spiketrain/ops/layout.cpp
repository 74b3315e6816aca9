#include "spiketrain/ops/layout.h"

#include "spiketrain/kernels/transpose/transpose.h"
#include "spiketrain/ops/chunks.h"

namespace spiketrain::ops {
namespace {

/// Whether the kernel copies maps x [*,C,H,W] as they are to where pixels follow each other, or back if x lies so.
bool transposes(const Tensor& x) {
  const bool typed = has_kernel(x) || (x.is_cpu() && x.scalar_type() == torch::kUInt8);
  return x.dim() >= 4 && typed && !(x.requires_grad() && at::GradMode::is_enabled());
}

/// Maps of x [*,C,H,W], which lies pixel by pixel (or, if `last`, map by map), to the memory of y in the other order.
void transpose(const Tensor& x, const Tensor& y, bool last) {
  const int64_t C = x.size(-3), sites = x.size(-2) * x.size(-1);
  const int64_t N = x.numel() == 0 ? 0 : x.numel() / (C * sites), rows = last ? C : sites;
  const auto copy = [&](auto* from, auto* to) { cpu::transpose(N, rows, C * sites / rows, from, to); };
  if (N == 0) return;
  if (x.scalar_type() == torch::kUInt8) {
    copy(x.data_ptr<uint8_t>(), y.data_ptr<uint8_t>());
  } else if (x.scalar_type() == torch::kFloat) {
    copy(x.data_ptr<float>(), y.data_ptr<float>());
  } else {
    copy(x.data_ptr<double>(), y.data_ptr<double>());
  }
}

}  // namespace

Tensor laid(const Tensor& x, bool last) {
  if (!x.defined()) return x;
  const Tensor y = last ? x.movedim(-3, -1) : x;
  if (y.is_contiguous()) return y;
  if (!transposes(x) || !(last ? x.is_contiguous() : x.movedim(-3, -1).is_contiguous()))
    return y.contiguous();
  Tensor copy = torch::empty(y.sizes(), x.options());
  transpose(x, copy, last);
  return copy;
}

void copy_maps(const Tensor& to, const Tensor& from) {
  const bool crosswise = from.sizes() == to.sizes() && from.scalar_type() == to.scalar_type() &&
                         transposes(to) && transposes(from) && from.is_contiguous() &&
                         to.movedim(-3, -1).is_contiguous();
  if (!crosswise) {
    to.copy_(from);
    return;
  }
  transpose(from, to, /*last=*/true);
}

}  // namespace spiketrain::ops
