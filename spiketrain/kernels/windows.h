// Errors of pooled maps: what all sites of a window have in common, held once per window, as the scans read them.
// Tests: the cases of lif_scan and tssl_scan.
#pragma once
#include <cstdint>

namespace spiketrain::cpu {

/// Maps [H,W,C] of pixels that were pooled over k x k windows with stride k: each site has `scale` times what its window has, and
/// 0 behind the last whole window.  k = 1: none.
struct Windows {
  int64_t k = 1, H = 1, W = 1, C = 1;
  double scale = 1;

  int64_t sites() const { return H * W * C; }
  int64_t pooled() const { return (H / k) * (W / k) * C; }
};

/// Of N neurons, that of neuron n at step t, from x [T,N], or with windows [T, N/sites*pooled].
template <class R>
R at_site(const Windows& p, const R* x, int64_t N, int64_t t, int64_t n) {
  if (p.k == 1) return x[t * N + n];
  const int64_t c = n % p.C, px = n / p.C % p.W, py = n / (p.C * p.W) % p.H, image = n / p.sites();
  const int64_t rows = p.H / p.k, columns = p.W / p.k, row = py / p.k, column = px / p.k;
  if (row >= rows || column >= columns) return R(0);
  const R* step = x + t * (N / p.sites() * p.pooled());
  return static_cast<R>(p.scale) * step[((image * rows + row) * columns + column) * p.C + c];
}

}  // namespace spiketrain::cpu
