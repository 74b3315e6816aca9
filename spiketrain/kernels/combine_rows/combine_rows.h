// Sums of rows with a factor for each row: a step of the traces of synapses (parts/rules/eligibility.h).
//   out[n,k] = sum over the terms, in their order, of factor[n] * in[n mod rows, k]
// Several sums over the same arrays are made in one pass over them.
// Every product and every sum is rounded by itself.  Errors: none (the caller checks that each sum has a term).
// Bits: independent of the number of threads and of the instruction set, and equal to the _ref function.
// Tests: equiv/kernel_cases_test.cpp.
#pragma once
#include <cstdint>
#include <vector>

namespace spiketrain::cpu {

template <class R>
struct RowTerm {
  const R* in = nullptr;      ///< [rows,K]
  int64_t rows = 1;           ///< N, or less: then they repeat
  const R* factor = nullptr;  ///< [N]; null: `all`
  R all = 1;                  ///< of every row
};

template <class R>
struct RowSum {
  R* out = nullptr;  ///< [N,K], written; no overlap with any array that is read
  std::vector<RowTerm<R>> terms;
};

/// R is float or double; N, K >= 0.
template <class R>
void combine_rows(int64_t N, int64_t K, const std::vector<RowSum<R>>& sums);

/// The same in plain loops, one thread.
template <class R>
void combine_rows_ref(int64_t N, int64_t K, const std::vector<RowSum<R>>& sums);

}  // namespace spiketrain::cpu
