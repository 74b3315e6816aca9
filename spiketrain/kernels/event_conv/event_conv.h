// Convolution of spikes: the work is one addition of a row of weights (or of errors) per spike, not one
// multiplication per input.  Both products of a synapse that meet spikes:
//   forward   y[n,oy,ox,o]  = scale * sum over ky,kx,c of x[n, oy*stride+ky-pad, ox*stride+kx-pad, c] * W[o,c,ky,kx]
//   gradient  dW[o,c,ky,kx] = scale * sum over n,oy,ox of x[n, oy*stride+ky-pad, ox*stride+kx-pad, c] * g[n,oy,ox,o]
// A fully connected layer is the convolution whose kernel is as large as its map: on a map [C,H,W] with
// kernel_h = H, kernel_w = W, and on a vector of K inputs with C = K and a map of one pixel.
//
// Spikes are bits, counts of spikes are planes of bits, pixel by pixel with the channels inside (channels last):
// see BitMaps.  y and g are channels last, too: [images, out_h, out_w, O]; W and dW are [O, C, kernel_h, kernel_w].
//
// Errors: none; the caller checks that supported() holds and that the arrays are as long as they should be.
// Bits: independent of the number of threads and of the instruction set; those of the plain loops wherever the sums
// are exact, whose order of addition is another.  An output of the forward depends on its own image alone.
// NOTES.md has what was tried, and where the limits are.  Prior art: Gong et al. 2020, "SparseTrain: leveraging
// dynamic sparsity in software for training DNNs on general-purpose SIMD processors" (PACT), which skips zeros of
// dense tensors; here they are never read.
// Tests: equiv/kernel_cases_test.cpp.
#pragma once
#include <cstddef>
#include <cstdint>

namespace spiketrain::cpu {

/// Where the bits of a map are.  Bit k of the array is bit k%64 of words[k/64] (little-endian memory: bit k%8 of byte
/// k/8).  Plane p of image n begins at bit
///   p*plane_bits + (n / images_per_step)*step_bits + (n % images_per_step)*image_bits
/// and holds pixel by pixel the C channels; the value of a site is the sum over planes of 2^p * bit.
struct BitMaps {
  const uint64_t* words = nullptr;  ///< readable for 16 bytes beyond the last bit that is used
  int64_t planes = 1;
  int64_t plane_bits = 0, step_bits = 0, image_bits = 0;
  int64_t images_per_step = 1;

  int64_t begin(int64_t plane, int64_t image) const {
    return plane * plane_bits + image / images_per_step * step_bits + image % images_per_step * image_bits;
  }
};

struct EventConvShape {
  int64_t images = 0, C = 1, H = 1, W = 1, O = 1;
  int64_t kernel_h = 1, kernel_w = 1, stride = 1, pad = 0;

  int64_t out_h() const { return (H + 2 * pad - kernel_h) / stride + 1; }
  int64_t out_w() const { return (W + 2 * pad - kernel_w) / stride + 1; }
  int64_t taps() const { return kernel_h * kernel_w; }
  int64_t sites() const { return H * W * C; }
  /// Whether it reads each input once: a fully connected layer.
  bool full() const { return kernel_h == H && kernel_w == W && pad == 0; }
};

/// Lists hold 16-bit numbers: false for maps or kernels with more rows than these can name.
bool event_conv_supported(const EventConvShape& shape);

/// Bytes that a call works in, for these threads and planes; the caller gives it that much, aligned to 64 bytes.
int64_t event_conv_forward_workspace(const EventConvShape& shape, int64_t planes, int64_t threads);
int64_t event_conv_gradient_workspace(const EventConvShape& shape, int64_t planes, int64_t threads);

/// y is written.
void event_conv_forward(const EventConvShape& shape, const BitMaps& x, const float* W, float scale, float* y,
                        void* workspace, int64_t threads);
/// dW is written.
void event_conv_gradient(const EventConvShape& shape, const BitMaps& x, const float* g, float scale,
                         float* dW, void* workspace, int64_t threads);

/// The same in plain loops, one thread.
void event_conv_forward_ref(const EventConvShape& shape, const BitMaps& x, const float* W, float scale,
                            float* y);
void event_conv_gradient_ref(const EventConvShape& shape, const BitMaps& x, const float* g, float scale,
                             float* dW);

}  // namespace spiketrain::cpu
