// LIF scans: choice of the instruction set, and threads over chunks of neurons; contract in lif_scan.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spiketrain/kernels/lif_scan/lif_scan.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "spiketrain/kernels/lif_scan/lif_scan-inl.h"

#if HWY_ONCE
#include <type_traits>

#include "spiketrain/kernels/isa.h"
#include "spiketrain/kernels/parallel.h"

namespace spiketrain::cpu {

HWY_EXPORT(LifForwardF32);
HWY_EXPORT(LifForwardF64);
HWY_EXPORT(LifAdjointF32);
HWY_EXPORT(LifAdjointF64);

namespace {

// Neurons per unit of work.
constexpr int64_t kChunk = 4096;

}  // namespace

template <class R>
int64_t lif_forward(const LifParams& p, const LifForwardArgs<R>& x) {
  select_isa();
  const LifCoefficients<R> c(p);
  return sum_over_chunks<int64_t>(x.N, kChunk, [&](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<R, float>)
      return HWY_DYNAMIC_DISPATCH(LifForwardF32)(c, x, begin, end);
    else
      return HWY_DYNAMIC_DISPATCH(LifForwardF64)(c, x, begin, end);
  });
}

template <class R>
double lif_adjoint(const LifParams& p, const LifAdjointArgs<R>& x) {
  select_isa();
  const LifCoefficients<R> c(p);
  return sum_over_chunks<double>(x.N, kChunk, [&](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<R, float>)
      return HWY_DYNAMIC_DISPATCH(LifAdjointF32)(c, x, begin, end);
    else
      return HWY_DYNAMIC_DISPATCH(LifAdjointF64)(c, x, begin, end);
  });
}

template int64_t lif_forward<float>(const LifParams&, const LifForwardArgs<float>&);
template int64_t lif_forward<double>(const LifParams&, const LifForwardArgs<double>&);
template double lif_adjoint<float>(const LifParams&, const LifAdjointArgs<float>&);
template double lif_adjoint<double>(const LifParams&, const LifAdjointArgs<double>&);

}  // namespace spiketrain::cpu
#endif  // HWY_ONCE
