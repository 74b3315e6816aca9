// Standardisation per channel: sums over rows of channels, and the maps that go with them, forward and back.
// Arrays are rows [N,C], contiguous: maps that lie pixel by pixel, or layers of C neurons.  R is float or double.
//
// Sums: float numbers are added in blocks of at most a few hundred rows, blocks in double, so that the error does not grow
// with N.  Squares are taken about the mean of their block, and blocks put together as Chan, Golub and LeVeque 1983
// ("Algorithms for computing the sample variance") have it: one pass over memory, without cancellation.
//
// Errors: none (the caller checks shapes).  No function allocates memory.  Bits: independent of the number of threads and of
// the instruction set.  Tests: equiv/kernel_cases_test.cpp.
#pragma once
#include <cstdint>

namespace spiketrain::cpu {

/// Numbers that the two functions that sum need as `work`.
int64_t channel_work(int64_t N, int64_t C);

/// mean[c] = sum_n x[n,c] / N;  squares[c] = sum_n (x[n,c] - mean[c])^2.  N >= 1.
template <class R>
void channel_moments(int64_t N, int64_t C, const R* x, double* work, double* mean, double* squares);

/// sum[c] = sum_n g[n,c];  product[c] = sum_n g[n,c] * (x[n,c] - mean[c])
template <class R>
void channel_products(int64_t N, int64_t C, const R* g, const R* x, const R* mean, double* work, double* sum,
                      double* product);

/// y[n,c] = (x[n,c] - mean[c]) * factor[c] + bias[c]
template <class R>
struct StandardiseArgs {
  int64_t N = 0, C = 0;
  const R* x = nullptr;                                         ///< [N,C]
  const R *mean = nullptr, *factor = nullptr, *bias = nullptr;  ///< [C]
  R* y = nullptr;                                               ///< [N,C] out; may be x
};
template <class R>
void channel_standardise(const StandardiseArgs<R>& a);

/// g_x[n,c] = (g[n,c] - push[c]) * factor[c] - (x[n,c] - mean[c]) * pull[c]
template <class R>
struct ChannelAdjointArgs {
  int64_t N = 0, C = 0;
  const R *g = nullptr, *x = nullptr;                                            ///< [N,C]
  const R *push = nullptr, *factor = nullptr, *mean = nullptr, *pull = nullptr;  ///< [C]
  R* g_x = nullptr;                                                              ///< [N,C] out; may be g or x
};
template <class R>
void channel_adjoint(const ChannelAdjointArgs<R>& a);

/// The same in plain loops, one thread; sums in double, N after N.
template <class R>
void channel_moments_ref(int64_t N, int64_t C, const R* x, double* mean, double* squares);
template <class R>
void channel_products_ref(int64_t N, int64_t C, const R* g, const R* x, const R* mean, double* sum,
                          double* product);
template <class R>
void channel_standardise_ref(const StandardiseArgs<R>& a);
template <class R>
void channel_adjoint_ref(const ChannelAdjointArgs<R>& a);

}  // namespace spiketrain::cpu
