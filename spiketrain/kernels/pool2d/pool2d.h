// Sum pooling over k x k windows with stride k, times a scale, and its adjoint.
//   y[m,i,j,c] = scale * sum_{p,q<k} x[m, k*i+p, k*j+q, c];   g_x[m,h,w,c] = scale * g_y[m, h/k, w/k, c]
// TSSL-BP pools with scale 1.1; average pooling is scale 1/k^2.  The sum runs over the window row by row,
// left to right, and is multiplied by the scale (rounded to R) at the end.
//
// If H or W is not a multiple of k the last rows or columns are ignored, and their gradient is 0.
//
// Errors: none (the caller checks k >= 1 and M, H, W >= 0).
//
// Bits: independent of the number of threads and equal to the _ref functions.
// Tests: equiv/kernel_cases_test.cpp, equiv/pool2d_test.cpp.
#pragma once
#include <cstdint>

namespace spiketrain::cpu {

/// M planes of H x W pixels of C numbers, contiguous; the output planes are (H/k) x (W/k), rounded down.  Maps that lie one after the
/// other are M = T*B*channels planes with C = 1; channels last, M = T*B planes of pixels.
struct Pool2dShape {
  int64_t M = 0, H = 0, W = 0;
  int64_t k = 2;
  double scale = 1.0;
  int64_t C = 1;
};

/// x [M,H,W,C] in, y [M,H/k,W/k,C] out; no overlap.  R is float or double.
template <class R>
void pool2d_forward(const Pool2dShape& shape, const R* x, R* y);

/// g_y [M,H/k,W/k,C] in, g_x [M,H,W,C] out (every element is written); no overlap.
template <class R>
void pool2d_backward(const Pool2dShape& shape, const R* g_y, R* g_x);

/// The same in plain loops, one thread: what the fast ones are tested against.
template <class R>
void pool2d_forward_ref(const Pool2dShape& shape, const R* x, R* y);
template <class R>
void pool2d_backward_ref(const Pool2dShape& shape, const R* g_y, R* g_x);

}  // namespace spiketrain::cpu
