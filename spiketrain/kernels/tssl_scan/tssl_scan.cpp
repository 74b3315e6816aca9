// TSSL-BP scans: choice of the instruction set, and threads over chunks of neurons; contract in tssl_scan.h.
// clang-format off: the order of these matters
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spiketrain/kernels/tssl_scan/tssl_scan.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "spiketrain/kernels/tssl_scan/tssl_scan-inl.h"
// clang-format on

#if HWY_ONCE
#include <type_traits>

#include "spiketrain/kernels/isa.h"
#include "spiketrain/kernels/parallel.h"

namespace spiketrain::cpu {

HWY_EXPORT(ForwardF32);
HWY_EXPORT(ForwardF64);
HWY_EXPORT(PspF32);
HWY_EXPORT(PspF64);
HWY_EXPORT(AdjointF32);
HWY_EXPORT(AdjointF64);
HWY_EXPORT(CreditF32);
HWY_EXPORT(CreditF64);

namespace {

// Neurons per unit of work.
constexpr int64_t kChunk = 4096;

template <class R>
constexpr bool kIsFloat = std::is_same_v<R, float>;

}  // namespace

template <class R>
int64_t tssl_forward(const TsslParams& p, const TsslForwardArgs<R>& x) {
  select_isa();
  const TsslCoefficients<R> c(p);
  return sum_over_chunks<int64_t>(x.N, kChunk, [&](int64_t begin, int64_t end) {
    if constexpr (kIsFloat<R>)
      return HWY_DYNAMIC_DISPATCH(ForwardF32)(c, x, begin, end);
    else
      return HWY_DYNAMIC_DISPATCH(ForwardF64)(c, x, begin, end);
  });
}

template <class R>
void psp_scan(double tau_s, const PspScanArgs<R>& x) {
  select_isa();
  const TsslCoefficients<R> c(TsslParams{1.0, tau_s, 1.0});
  for_chunks(x.N, kChunk, [&](int64_t begin, int64_t end) {
    if constexpr (kIsFloat<R>)
      HWY_DYNAMIC_DISPATCH(PspF32)(c, x, begin, end);
    else
      HWY_DYNAMIC_DISPATCH(PspF64)(c, x, begin, end);
  });
}

template <class R>
void psp_adjoint(double tau_s, const PspAdjointArgs<R>& x) {
  select_isa();
  const TsslCoefficients<R> c(TsslParams{1.0, tau_s, 1.0});
  for_chunks(x.N, kChunk, [&](int64_t begin, int64_t end) {
    if constexpr (kIsFloat<R>)
      HWY_DYNAMIC_DISPATCH(AdjointF32)(c, x, begin, end);
    else
      HWY_DYNAMIC_DISPATCH(AdjointF64)(c, x, begin, end);
  });
}

template <class R>
void tssl_credit(TsslVariant variant, const TsslParams& p, const TsslCreditArgs<R>& x) {
  select_isa();
  const TsslCoefficients<R> c(p);
  for_chunks(x.N, kChunk, [&](int64_t begin, int64_t end) {
    if constexpr (kIsFloat<R>)
      HWY_DYNAMIC_DISPATCH(CreditF32)(variant, c, x, begin, end);
    else
      HWY_DYNAMIC_DISPATCH(CreditF64)(variant, c, x, begin, end);
  });
}

template int64_t tssl_forward<float>(const TsslParams&, const TsslForwardArgs<float>&);
template int64_t tssl_forward<double>(const TsslParams&, const TsslForwardArgs<double>&);
template void psp_scan<float>(double, const PspScanArgs<float>&);
template void psp_scan<double>(double, const PspScanArgs<double>&);
template void psp_adjoint<float>(double, const PspAdjointArgs<float>&);
template void psp_adjoint<double>(double, const PspAdjointArgs<double>&);
template void tssl_credit<float>(TsslVariant, const TsslParams&, const TsslCreditArgs<float>&);
template void tssl_credit<double>(TsslVariant, const TsslParams&, const TsslCreditArgs<double>&);

}  // namespace spiketrain::cpu
#endif  // HWY_ONCE
