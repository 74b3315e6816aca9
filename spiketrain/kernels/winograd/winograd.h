// Convolution of 3x3 with stride 1 of real numbers, in fewer multiplications than a sum of nine products: for what no silence
// shortens, such as the errors' way back
//   y[n,oy,ox,o] = sum over ky,kx,c of x[n, oy+ky-pad, ox+kx-pad, c] * K[o,c,ky,kx]
// x [images,H,W,in] and y [images,out_h,out_w,out] are channels last.  Squares of 2x2 outputs are made from 4x4 products: 4
// multiplications per output and channel, where the sum takes 9.
// Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", F(2x2,3x3).  F(4x4,3x3) multiplies less, but
// gained 0 to 25 % in time here and has errors ten times as large.
//
// Errors: none; the caller checks the padding, that there are outputs, and that the arrays are as long as they should be.
// Bits: independent of the number of threads, and the same on all instruction sets with fused multiply-adds; those of
// the plain loops wherever the sums and their quarters are exact.  Errors are about twice those of a sum; with factors in bfloat16
// (what the maps make of inputs and kernels is rounded to nearest) they are of the size of bfloat16's.
// Tests: equiv/kernel_cases_test.cpp, equiv/winograd_test.cpp.
#pragma once
#include <cstdint>

namespace spiketrain::cpu {

struct WinogradShape {
  int64_t images = 0, H = 1, W = 1, in = 1, out = 1;
  int64_t pad = 1;  ///< 0, 1 or 2
  bool bf16 =
      false;  ///< factors of the products are rounded to bfloat16, sums are float32; only where winograd_has_bf16()

  int64_t out_h() const { return H + 2 * pad - 2; }
  int64_t out_w() const { return W + 2 * pad - 2; }
};

/// K[o,c,ky,kx] = data[o*out_stride + c*in_stride + 3*ky + kx], or if `turned` 3*(2-ky) + 2-kx.
struct Kernels3x3 {
  const float* data = nullptr;
  int64_t in_stride = 9, out_stride = 9;
  bool turned = false;
};

/// Whether the processor, and the instruction set in use, multiply bfloat16 (AVX-512 BF16).
bool winograd_has_bf16();

/// The kernels as the products take them: written by winograd_kernels(), for any number of images.
int64_t winograd_kernel_floats(const WinogradShape& shape);
void winograd_kernels(const WinogradShape& shape, const Kernels3x3& K, float* kernels, int64_t threads);

/// Bytes that a call works in, for these threads; the caller gives it that much, aligned to 64 bytes.
int64_t winograd_workspace(const WinogradShape& shape, int64_t threads);

/// y is written.
void winograd(const WinogradShape& shape, const float* x, const float* kernels, float* y, void* workspace,
              int64_t threads);

/// The same in plain loops, one thread.
void winograd_ref(const WinogradShape& shape, const float* x, const Kernels3x3& K, float* y);

}  // namespace spiketrain::cpu
