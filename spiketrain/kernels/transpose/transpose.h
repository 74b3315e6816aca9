// Matrices the other way round: maps laid pixel by pixel from map by map, and back.
// Errors: none (the caller checks sizes; x and y must not overlap).  Bits: copies.
// Tests: equiv/kernel_cases_test.cpp.
#pragma once
#include <cstdint>

namespace spiketrain::cpu {

/// y[n,j,i] = x[n,i,j] for n < N, i < rows, j < columns.  V is uint8_t, float or double.
template <class V>
void transpose(int64_t N, int64_t rows, int64_t columns, const V* x, V* y);

/// The same in a plain loop, one thread.
template <class V>
void transpose_ref(int64_t N, int64_t rows, int64_t columns, const V* x, V* y);

}  // namespace spiketrain::cpu
