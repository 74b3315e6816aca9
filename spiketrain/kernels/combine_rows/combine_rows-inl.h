// A chunk of rows, compiled once per instruction set; contract in combine_rows.h.
#if defined(SPIKETRAIN_COMBINE_ROWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_COMBINE_ROWS_INL_H
#undef SPIKETRAIN_COMBINE_ROWS_INL_H
#else
#define SPIKETRAIN_COMBINE_ROWS_INL_H
#endif

#include "spiketrain/kernels/combine_rows/combine_rows.h"
#include "spiketrain/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {

// The terms of one row of one sum; as many as are unrolled.
constexpr size_t kMostTerms = 4;
template <class R>
struct Row {
  const R* in[kMostTerms];
  R factor[kMostTerms];

  Row(const RowSum<R>& sum, size_t first, size_t count, int64_t n, int64_t K) {
    for (size_t i = 0; i < count; ++i) {
      const RowTerm<R>& term = sum.terms[first + i];
      in[i] = term.in + (n < term.rows ? n : n % term.rows) * K;
      factor[i] = term.factor ? term.factor[n] : term.all;
    }
  }
};

// Calls body(access, k) for the vectors of a row; the last one overlaps the one before it, as nothing that is read is written.
template <class R, class Body>
HWY_INLINE void for_overlapping(int64_t K, const Body& body) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<R>()));
  if (K < lanes) return body(Part<R>{static_cast<size_t>(K)}, 0);
  int64_t k = 0;
  for (; k + lanes <= K; k += lanes) body(Whole<R>(), k);
  if (k < K) body(Whole<R>(), K - lanes);
}

// The first kTerms terms of a row.
template <size_t kTerms, class R>
HWY_INLINE void combine_terms(const Row<R>& row, int64_t K, R* out) {
  const hn::ScalableTag<R> d;
  for_overlapping<R>(K, [&](const auto access, int64_t k) {
    auto value = hn::Mul(hn::Set(d, row.factor[0]), access.load(row.in[0] + k));
    for (size_t i = 1; i < kTerms; ++i)
      value = hn::Add(value, hn::Mul(hn::Set(d, row.factor[i]), access.load(row.in[i] + k)));
    access.store(value, out + k);
  });
}

// `terms` more of them.
template <class R>
HWY_INLINE void add_terms(const Row<R>& row, size_t terms, int64_t K, R* out) {
  const hn::ScalableTag<R> d;
  for_row<R>(K, [&](const auto& access, int64_t k) HWY_ATTR {
    auto value = access.load(out + k);
    for (size_t i = 0; i < terms; ++i)
      value = hn::Add(value, hn::Mul(hn::Set(d, row.factor[i]), access.load(row.in[i] + k)));
    access.store(value, out + k);
  });
}

// Any number of them.
template <class R>
HWY_INLINE void combine_row(int64_t n, int64_t K, const RowSum<R>& sum) {
  const size_t count = sum.terms.size();
  R* const out = sum.out + n * K;
  const Row<R> row(sum, 0, count < kMostTerms ? count : kMostTerms, n, K);
  switch (count) {
    case 1:
      return combine_terms<1>(row, K, out);
    case 2:
      return combine_terms<2>(row, K, out);
    case 3:
      return combine_terms<3>(row, K, out);
    case 4:
      return combine_terms<4>(row, K, out);
    default:
      break;
  }
  combine_terms<4>(row, K, out);
  for (size_t i = kMostTerms; i < count; i += kMostTerms) {
    const size_t here = count - i < kMostTerms ? count - i : kMostTerms;
    add_terms(Row<R>(sum, i, here, n, K), here, K, out);
  }
}

// Rows [begin, end) of all sums, row by row, so that what they share is read from memory once.
template <class R>
void combine(int64_t K, const std::vector<RowSum<R>>& sums, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    for (const RowSum<R>& sum : sums) combine_row(n, K, sum);
  }
}

}  // namespace

void CombineRowsF32(int64_t K, const std::vector<RowSum<float>>& sums, int64_t begin, int64_t end) {
  combine(K, sums, begin, end);
}
void CombineRowsF64(int64_t K, const std::vector<RowSum<double>>& sums, int64_t begin, int64_t end) {
  combine(K, sums, begin, end);
}

}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
