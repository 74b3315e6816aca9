// Plain loops: the definition.
#include "spiketrain/kernels/winograd/winograd.h"

namespace spiketrain::cpu {

void winograd_ref(const WinogradShape& s, const float* x, const Kernels3x3& K, float* y) {
  for (int64_t n = 0; n < s.images; ++n) {
    for (int64_t oy = 0; oy < s.out_h(); ++oy) {
      for (int64_t ox = 0; ox < s.out_w(); ++ox) {
        for (int64_t o = 0; o < s.out; ++o) {
          float sum = 0;
          for (int64_t tap = 0; tap < 9; ++tap) {
            const int64_t iy = oy + tap / 3 - s.pad, ix = ox + tap % 3 - s.pad;
            if (iy < 0 || iy >= s.H || ix < 0 || ix >= s.W) continue;
            const float* pixel = x + ((n * s.H + iy) * s.W + ix) * s.in;
            const float* kernel = K.data + o * K.out_stride + (K.turned ? 8 - tap : tap);
            for (int64_t c = 0; c < s.in; ++c) sum += pixel[c] * kernel[c * K.in_stride];
          }
          y[((n * s.out_h() + oy) * s.out_w() + ox) * s.out + o] = sum;
        }
      }
    }
  }
}

}  // namespace spiketrain::cpu
