// Standardisation per channel: choice of the instruction set, and threads over chunks of rows; contract in channel_norm.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spiketrain/kernels/channel_norm/channel_norm.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "spiketrain/kernels/channel_norm/channel_norm-inl.h"

#if HWY_ONCE
#include <type_traits>

#include "spiketrain/kernels/isa.h"
#include "spiketrain/kernels/parallel.h"

namespace spiketrain::cpu {

HWY_EXPORT(ChannelMomentsF32);
HWY_EXPORT(ChannelMomentsF64);
HWY_EXPORT(ChannelProductsF32);
HWY_EXPORT(ChannelProductsF64);
HWY_EXPORT(ChannelStandardiseF32);
HWY_EXPORT(ChannelStandardiseF64);
HWY_EXPORT(ChannelAdjointF32);
HWY_EXPORT(ChannelAdjointF64);

int64_t channel_work(int64_t N, int64_t C) { return 2 * C * ChannelPlan(N, C).chunks(); }

template <class R>
void channel_moments(int64_t N, int64_t C, const R* x, double* work, double* mean, double* squares) {
  if (C == 0) return;
  select_isa();
  const ChannelPlan p(N, C);
  for_chunks(p.blocks, p.per_chunk, [&](int64_t begin, int64_t end) {
    double* const here = work + 2 * C * (begin / p.per_chunk);
    if constexpr (std::is_same_v<R, float>)
      HWY_DYNAMIC_DISPATCH(ChannelMomentsF32)(p, x, begin, end, here, here + C);
    else
      HWY_DYNAMIC_DISPATCH(ChannelMomentsF64)(p, x, begin, end, here, here + C);
  });
  std::copy(work, work + C, mean);
  std::copy(work + C, work + 2 * C, squares);
  for (int64_t k = 1; k < p.chunks(); ++k) {
    const int64_t first = k * p.per_chunk, last = std::min(p.blocks, first + p.per_chunk);
    const auto before = static_cast<double>(p.rows(0, first)),
               more = static_cast<double>(p.rows(first, last));
    const double* const means = work + 2 * C * k;
    for (int64_t c = 0; c < C; ++c) {
      const double apart = means[c] - mean[c], share = more / (before + more);
      squares[c] += means[C + c] + apart * apart * (before * share);
      mean[c] += apart * share;
    }
  }
}

template <class R>
void channel_products(int64_t N, int64_t C, const R* g, const R* x, const R* mean, double* work, double* sum,
                      double* product) {
  if (C == 0) return;
  select_isa();
  const ChannelPlan p(N, C);
  for_chunks(p.blocks, p.per_chunk, [&](int64_t begin, int64_t end) {
    double* const here = work + 2 * C * (begin / p.per_chunk);
    if constexpr (std::is_same_v<R, float>)
      HWY_DYNAMIC_DISPATCH(ChannelProductsF32)(p, g, x, mean, begin, end, here, here + C);
    else
      HWY_DYNAMIC_DISPATCH(ChannelProductsF64)(p, g, x, mean, begin, end, here, here + C);
  });
  std::fill(sum, sum + C, 0.0);
  std::fill(product, product + C, 0.0);
  for (int64_t k = 0; k < p.chunks(); ++k) {
    for (int64_t c = 0; c < C; ++c) {
      sum[c] += work[2 * C * k + c];
      product[c] += work[2 * C * k + C + c];
    }
  }
}

template <class R>
void channel_standardise(const StandardiseArgs<R>& a) {
  if (a.C == 0) return;
  select_isa();
  const ChannelPlan p(a.N, a.C);
  for_chunks(p.blocks, p.per_chunk, [&](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<R, float>)
      HWY_DYNAMIC_DISPATCH(ChannelStandardiseF32)(p, a, begin, end);
    else
      HWY_DYNAMIC_DISPATCH(ChannelStandardiseF64)(p, a, begin, end);
  });
}

template <class R>
void channel_adjoint(const ChannelAdjointArgs<R>& a) {
  if (a.C == 0) return;
  select_isa();
  const ChannelPlan p(a.N, a.C);
  for_chunks(p.blocks, p.per_chunk, [&](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<R, float>)
      HWY_DYNAMIC_DISPATCH(ChannelAdjointF32)(p, a, begin, end);
    else
      HWY_DYNAMIC_DISPATCH(ChannelAdjointF64)(p, a, begin, end);
  });
}

template void channel_moments<float>(int64_t, int64_t, const float*, double*, double*, double*);
template void channel_moments<double>(int64_t, int64_t, const double*, double*, double*, double*);
template void channel_products<float>(int64_t, int64_t, const float*, const float*, const float*, double*,
                                      double*, double*);
template void channel_products<double>(int64_t, int64_t, const double*, const double*, const double*, double*,
                                       double*, double*);
template void channel_standardise<float>(const StandardiseArgs<float>&);
template void channel_standardise<double>(const StandardiseArgs<double>&);
template void channel_adjoint<float>(const ChannelAdjointArgs<float>&);
template void channel_adjoint<double>(const ChannelAdjointArgs<double>&);

}  // namespace spiketrain::cpu
#endif  // HWY_ONCE
