#include "spiketrain/ops/winograd.h"

#include <omp.h>

#include "spiketrain/kernels/winograd/winograd.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/pointer.h"
#include "spiketrain/ops/workspace.h"

namespace spiketrain::ops {
namespace {

WinogradKernels pack_kernels(const Tensor& W_in, bool back, int64_t pad, bool bf16) {
  const Tensor W = W_in.contiguous();
  const int64_t O = W.size(0), C = W.size(1);
  WinogradKernels kernels = {{}, back ? O : C, back ? C : O, back ? 2 - pad : pad, bf16 && has_bf16()};
  cpu::WinogradShape shape;
  shape.in = kernels.in;
  shape.out = kernels.out;
  shape.bf16 = kernels.bf16;
  kernels.packed = torch::empty({cpu::winograd_kernel_floats(shape)}, W.options());
  const cpu::Kernels3x3 K = {W.data_ptr<float>(), back ? 9 * C : 9, back ? 9 : 9 * C, back};
  cpu::winograd_kernels(shape, K, kernels.packed.data_ptr<float>(), omp_get_max_threads());
  return kernels;
}

}  // namespace

bool has_bf16() { return cpu::winograd_has_bf16(); }

bool winograd_fits(at::IntArrayRef W, const ConvKind& kind) {
  constexpr int64_t kFew = 24;  // channels, below which half of what is multiplied would be padding
  return !kind.full && kind.stride == 1 && kind.pad <= 2 && W[2] == 3 && W[3] == 3 && W[0] >= kFew &&
         W[1] >= kFew;
}

bool winograd_pays(const Tensor& W, const ConvKind& kind) {
  return has_kernel(W) && W.scalar_type() == torch::kFloat && !kind.full && winograd_fits(W.sizes(), kind);
}

WinogradKernels winograd_forward(const Tensor& W, const ConvKind& kind, bool bf16) {
  return pack_kernels(W, false, kind.pad, bf16);
}
WinogradKernels winograd_backward(const Tensor& W, const ConvKind& kind, bool bf16) {
  return pack_kernels(W, true, kind.pad, bf16);
}

void winograd(const Tensor& x_in, const WinogradKernels& kernels, const Tensor& y) {
  const Tensor x = laid(x_in, /*last=*/true), out = y.movedim(-3, -1);
  cpu::WinogradShape shape = {x.size(0),   x.size(1),   x.size(2),   kernels.in,
                              kernels.out, kernels.pad, kernels.bf16};
  const std::vector<int64_t> sizes = {shape.images, shape.out_h(), shape.out_w(), shape.out};
  ST_CHECK(x.size(3) == shape.in && out.is_contiguous() && out.sizes() == at::IntArrayRef(sizes),
           "winograd: inputs ", x_in.sizes(), " do not fit outputs ", y.sizes(), ", channels last");
  const int64_t threads = omp_get_max_threads();  // one within for_chunks()
  cpu::winograd(shape, x.data_ptr<float>(), kernels.packed.data_ptr<float>(), out.data_ptr<float>(),
                workspace(cpu::winograd_workspace(shape, threads)), threads);
}

}  // namespace spiketrain::ops
