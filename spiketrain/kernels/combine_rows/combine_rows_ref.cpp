// Sums of rows in plain loops; contract in combine_rows.h.
#include "spiketrain/kernels/combine_rows/combine_rows.h"

namespace spiketrain::cpu {

template <class R>
void combine_rows_ref(int64_t N, int64_t K, const std::vector<RowSum<R>>& sums) {
  for (const RowSum<R>& sum : sums) {
    for (int64_t n = 0; n < N; ++n) {
      for (int64_t k = 0; k < K; ++k) {
        R value = 0;
        for (const RowTerm<R>& term : sum.terms) {
          const R product = (term.factor ? term.factor[n] : term.all) * term.in[n % term.rows * K + k];
          value = &term == sum.terms.data() ? product : value + product;
        }
        sum.out[n * K + k] = value;
      }
    }
  }
}

template void combine_rows_ref<float>(int64_t, int64_t, const std::vector<RowSum<float>>&);
template void combine_rows_ref<double>(int64_t, int64_t, const std::vector<RowSum<double>>&);

}  // namespace spiketrain::cpu
