// Sum pooling in plain loops; contract in pool2d.h.
#include "spiketrain/kernels/pool2d/pool2d.h"

namespace spiketrain::cpu {

template <class R>
void pool2d_forward_ref(const Pool2dShape& p, const R* x, R* y) {
  const int64_t Ho = p.H / p.k, Wo = p.W / p.k;
  for (int64_t m = 0; m < p.M; ++m) {
    for (int64_t i = 0; i < Ho; ++i) {
      for (int64_t j = 0; j < Wo; ++j) {
        for (int64_t c = 0; c < p.C; ++c) {
          R sum = 0;
          for (int64_t r = 0; r < p.k; ++r) {
            for (int64_t q = 0; q < p.k; ++q)
              sum += x[((m * p.H + i * p.k + r) * p.W + j * p.k + q) * p.C + c];
          }
          y[((m * Ho + i) * Wo + j) * p.C + c] = sum * static_cast<R>(p.scale);
        }
      }
    }
  }
}

template <class R>
void pool2d_backward_ref(const Pool2dShape& p, const R* g_y, R* g_x) {
  const int64_t Ho = p.H / p.k, Wo = p.W / p.k;
  for (int64_t m = 0; m < p.M; ++m) {
    for (int64_t h = 0; h < p.H; ++h) {
      for (int64_t w = 0; w < p.W; ++w) {
        const int64_t i = h / p.k, j = w / p.k;
        const bool covered = i < Ho && j < Wo;
        for (int64_t c = 0; c < p.C; ++c)
          g_x[((m * p.H + h) * p.W + w) * p.C + c] =
              covered ? g_y[((m * Ho + i) * Wo + j) * p.C + c] * static_cast<R>(p.scale) : R(0);
      }
    }
  }
}

template void pool2d_forward_ref<float>(const Pool2dShape&, const float*, float*);
template void pool2d_forward_ref<double>(const Pool2dShape&, const double*, double*);
template void pool2d_backward_ref<float>(const Pool2dShape&, const float*, float*);
template void pool2d_backward_ref<double>(const Pool2dShape&, const double*, double*);

}  // namespace spiketrain::cpu
