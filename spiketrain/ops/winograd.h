// Dense convolutions of 3x3 with stride 1, forward and back to the input, by Winograd's algorithm; contract in
// kernels/winograd/winograd.h.
// Tests: equiv/winograd_test.cpp.
#pragma once
#include "spiketrain/ops/event_conv.h"

namespace spiketrain::ops {

/// Whether the kernel can make products with weights [O,C,kh,kw], and is faster than LibTorch's convolution: 3x3, stride 1, and more
/// than a few channels on both sides.
bool winograd_fits(at::IntArrayRef W, const ConvKind& kind);
/// The same of W; float32 on the CPU alone.
bool winograd_pays(const Tensor& W, const ConvKind& kind);

/// Whether the processor multiplies bfloat16, so that dense products in it are faster.
bool has_bf16();

/// A weight as the products take it.
struct WinogradKernels {
  Tensor packed;
  int64_t in = 0, out = 0, pad = 0;
  bool bf16 = false;
};
/// For the way forward.  bf16: factors may be rounded to bfloat16, which is done where the processor multiplies that.
WinogradKernels winograd_forward(const Tensor& W, const ConvKind& kind, bool bf16 = false);
/// For dL/dx from dL/dy.
WinogradKernels winograd_backward(const Tensor& W, const ConvKind& kind, bool bf16 = false);

/// y [N,out,oh,ow] = x [N,in,H,W] * kernels, both channels last; y is written.  On all threads, or one within for_chunks().
/// UsageError if y does not lie so.
void winograd(const Tensor& x, const WinogradKernels& kernels, const Tensor& y);

}  // namespace spiketrain::ops
