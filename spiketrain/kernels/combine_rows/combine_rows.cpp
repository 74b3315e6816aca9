// Sums of rows: choice of the instruction set, and threads over chunks of rows; contract in combine_rows.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spiketrain/kernels/combine_rows/combine_rows.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "spiketrain/kernels/combine_rows/combine_rows-inl.h"

#if HWY_ONCE
#include <type_traits>

#include "spiketrain/kernels/isa.h"
#include "spiketrain/kernels/parallel.h"

namespace spiketrain::cpu {

HWY_EXPORT(CombineRowsF32);
HWY_EXPORT(CombineRowsF64);

namespace {

// Elements of a sum per unit of work.
constexpr int64_t kChunk = 1 << 14;

}  // namespace

template <class R>
void combine_rows(int64_t N, int64_t K, const std::vector<RowSum<R>>& sums) {
  if (N == 0 || K == 0) return;
  select_isa();
  for_chunks(N, std::max<int64_t>(1, kChunk / K), [&](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<R, float>)
      HWY_DYNAMIC_DISPATCH(CombineRowsF32)(K, sums, begin, end);
    else
      HWY_DYNAMIC_DISPATCH(CombineRowsF64)(K, sums, begin, end);
  });
}

template void combine_rows<float>(int64_t, int64_t, const std::vector<RowSum<float>>&);
template void combine_rows<double>(int64_t, int64_t, const std::vector<RowSum<double>>&);

}  // namespace spiketrain::cpu
#endif  // HWY_ONCE
