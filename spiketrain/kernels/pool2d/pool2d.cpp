// Sum pooling, one output row at a time, threads over planes; contract in pool2d.h.
// Plain loops with the window size known at compile time for k = 2 and 3: rows are short (4 to 16 outputs in
// the networks at hand) and the work is one pass over memory, so the compiler's baseline vectors are as fast
// as wider ones.
#include "spiketrain/kernels/pool2d/pool2d.h"

#include <algorithm>
#include <cstring>

#include "spiketrain/kernels/parallel.h"

namespace spiketrain::cpu {
namespace {

// Planes handled by a thread at once, about 64K elements.
int64_t planes_per_chunk(const Pool2dShape& p) {
  return std::max<int64_t>(1, 65536 / std::max<int64_t>(1, p.H * p.W * p.C));
}

// Calls body(plane) for every plane.
template <class Body>
void for_planes(const Pool2dShape& p, const Body& body) {
  for_chunks(p.M, planes_per_chunk(p), [&](int64_t begin, int64_t end) {
    for (int64_t m = begin; m < end; ++m) body(m);
  });
}

// K = 0: the window size is only known at run time.
template <int K, class R>
void forward_row(const R* __restrict x, int64_t W, int64_t Wo, int64_t window, R scale, R* __restrict y) {
  const int64_t k = K > 0 ? K : window;
  for (int64_t j = 0; j < Wo; ++j) {
    R sum = 0;
    for (int64_t r = 0; r < k; ++r) {
      for (int64_t q = 0; q < k; ++q) sum += x[r * W + j * k + q];
    }
    y[j] = sum * scale;
  }
}

template <int K, class R>
void backward_row(const R* __restrict g_y, int64_t W, int64_t Wo, int64_t window, R scale,
                  R* __restrict g_x) {
  const int64_t k = K > 0 ? K : window;
  for (int64_t j = 0; j < Wo; ++j) {
    const R g = g_y[j] * scale;
    for (int64_t q = 0; q < k; ++q) g_x[j * k + q] = g;
  }
  for (int64_t w = Wo * k; w < W; ++w) g_x[w] = 0;
  for (int64_t r = 1; r < k; ++r) std::memcpy(g_x + r * W, g_x, static_cast<size_t>(W) * sizeof(R));
}

template <int K, class R>
void forward_planes(const Pool2dShape& p, const R* x, R* y) {
  const int64_t Ho = p.H / p.k, Wo = p.W / p.k;
  for_planes(p, [&](int64_t m) {
    for (int64_t i = 0; i < Ho; ++i) {
      forward_row<K>(x + (m * p.H + i * p.k) * p.W, p.W, Wo, p.k, static_cast<R>(p.scale),
                     y + (m * Ho + i) * Wo);
    }
  });
}

template <int K, class R>
void backward_planes(const Pool2dShape& p, const R* g_y, R* g_x) {
  const int64_t Ho = p.H / p.k, Wo = p.W / p.k;
  for_planes(p, [&](int64_t m) {
    R* plane = g_x + m * p.H * p.W;
    for (int64_t i = 0; i < Ho; ++i) {
      backward_row<K>(g_y + (m * Ho + i) * Wo, p.W, Wo, p.k, static_cast<R>(p.scale), plane + i * p.k * p.W);
    }
    std::fill(plane + Ho * p.k * p.W, plane + p.H * p.W, R(0));
  });
}

// Pixels of C numbers: rows of sums side by side.
template <class R>
void forward_pixels(const Pool2dShape& p, const R* x, R* y) {
  const int64_t Ho = p.H / p.k, Wo = p.W / p.k, C = p.C;
  const R scale = static_cast<R>(p.scale);
  for_planes(p, [&](int64_t m) {
    for (int64_t pixel = 0; pixel < Ho * Wo; ++pixel) {
      const R* const window = x + ((m * p.H + pixel / Wo * p.k) * p.W + pixel % Wo * p.k) * C;
      R* const out = y + (m * Ho * Wo + pixel) * C;
      std::fill(out, out + C, R(0));
      for (int64_t r = 0; r < p.k; ++r) {
        for (int64_t q = 0; q < p.k; ++q) {
          const R* const from = window + (r * p.W + q) * C;
          for (int64_t c = 0; c < C; ++c) out[c] += from[c];
        }
      }
      for (int64_t c = 0; c < C; ++c) out[c] *= scale;
    }
  });
}

template <class R>
void backward_pixels(const Pool2dShape& p, const R* g_y, R* g_x) {
  const int64_t Ho = p.H / p.k, Wo = p.W / p.k, C = p.C;
  const R scale = static_cast<R>(p.scale);
  for_planes(p, [&](int64_t m) {
    for (int64_t h = 0; h < p.H; ++h) {
      for (int64_t w = 0; w < p.W; ++w) {
        R* const to = g_x + ((m * p.H + h) * p.W + w) * C;
        if (h / p.k >= Ho || w / p.k >= Wo) {
          std::fill(to, to + C, R(0));
          continue;
        }
        const R* const from = g_y + ((m * Ho + h / p.k) * Wo + w / p.k) * C;
        for (int64_t c = 0; c < C; ++c) to[c] = from[c] * scale;
      }
    }
  });
}

}  // namespace

template <class R>
void pool2d_forward(const Pool2dShape& p, const R* x, R* y) {
  if (p.C > 1) return forward_pixels(p, x, y);
  if (p.k == 2) return forward_planes<2>(p, x, y);
  if (p.k == 3) return forward_planes<3>(p, x, y);
  forward_planes<0>(p, x, y);
}

template <class R>
void pool2d_backward(const Pool2dShape& p, const R* g_y, R* g_x) {
  if (p.H * p.W == 0) return;
  if (p.C > 1) return backward_pixels(p, g_y, g_x);
  if (p.k == 2) return backward_planes<2>(p, g_y, g_x);
  if (p.k == 3) return backward_planes<3>(p, g_y, g_x);
  backward_planes<0>(p, g_y, g_x);
}

template void pool2d_forward<float>(const Pool2dShape&, const float*, float*);
template void pool2d_forward<double>(const Pool2dShape&, const double*, double*);
template void pool2d_backward<float>(const Pool2dShape&, const float*, float*);
template void pool2d_backward<double>(const Pool2dShape&, const double*, double*);

}  // namespace spiketrain::cpu
