// Convolution of spikes in plain loops; contract in event_conv.h.
#include "spiketrain/kernels/event_conv/event_conv.h"

namespace spiketrain::cpu {
namespace {

/// Calls f(spikes, y index, W index) for every pair of a spike and a weight that it meets.
template <class F>
void for_pairs(const EventConvShape& s, const BitMaps& x, const F& f) {
  const int64_t height = s.out_h(), width = s.out_w();
  for (int64_t n = 0; n < s.images; ++n) {
    for (int64_t oy = 0; oy < height; ++oy) {
      for (int64_t ox = 0; ox < width; ++ox) {
        for (int64_t tap = 0; tap < s.taps(); ++tap) {
          const int64_t iy = oy * s.stride + tap / s.kernel_w - s.pad,
                        ix = ox * s.stride + tap % s.kernel_w - s.pad;
          if (iy < 0 || iy >= s.H || ix < 0 || ix >= s.W) continue;
          for (int64_t c = 0; c < s.C; ++c) {
            float value = 0;
            for (int64_t p = 0; p < x.planes; ++p) {
              const int64_t bit = x.begin(p, n) + (iy * s.W + ix) * s.C + c;
              value += static_cast<float>((x.words[bit / 64] >> (bit % 64) & 1) << p);
            }
            if (value == 0) continue;
            for (int64_t o = 0; o < s.O; ++o)
              f(value, ((n * height + oy) * width + ox) * s.O + o, (o * s.C + c) * s.taps() + tap);
          }
        }
      }
    }
  }
}

}  // namespace

void event_conv_forward_ref(const EventConvShape& s, const BitMaps& x, const float* W, float scale,
                            float* y) {
  for (int64_t i = 0; i < s.images * s.out_h() * s.out_w() * s.O; ++i) y[i] = 0;
  for_pairs(s, x, [&](float spikes, int64_t i, int64_t w) { y[i] += spikes * (W[w] * scale); });
}

void event_conv_gradient_ref(const EventConvShape& s, const BitMaps& x, const float* g, float scale,
                             float* dW) {
  const int64_t n = s.O * s.C * s.taps();
  for (int64_t w = 0; w < n; ++w) dW[w] = 0;
  for_pairs(s, x, [&](float spikes, int64_t i, int64_t w) { dW[w] += spikes * g[i]; });
  for (int64_t w = 0; w < n; ++w) dW[w] *= scale;
}

}  // namespace spiketrain::cpu
