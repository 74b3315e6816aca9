// Reductions over a flat array: squared norm, finiteness, number of non-zero bytes.
// Deterministic: the array is cut into chunks of 65,536 elements, each chunk is summed in double with sixteen
// running sums, and the chunk sums are added in order.  The bits depend neither on the number of threads nor
// on the instruction set.
//
// Errors: none.  n may be 0 (sum 0, finite, count 0).  Tests: equiv/reduce_test.cpp.
#pragma once
#include <cstdint>

namespace spiketrain::cpu {

/// Sum of x[i]^2 over n elements, in double.  R is float or double.
template <class R>
double sum_squares(const R* x, int64_t n);

/// True if no element is NaN or infinite.  R is float or double.
template <class R>
bool all_finite(const R* x, int64_t n);

/// Number of elements that are not 0.
int64_t count_nonzero_u8(const uint8_t* x, int64_t n);

}  // namespace spiketrain::cpu
