// Squared norm of a flat array.
// Deterministic: the array is cut into chunks of 65,536 elements, each chunk is summed in double with sixteen
// running sums, and the chunk sums are added in order.  The bits depend neither on the number of threads nor
// on the instruction set.
//
// Errors: none.  n may be 0 (sum 0).  Tests: equiv/kernel_cases_test.cpp, equiv/reduce_test.cpp.
#pragma once
#include <cstdint>

namespace spiketrain::cpu {

/// Sum of x[i]^2 over n elements, in double.  R is float or double.
template <class R>
double sum_squares(const R* x, int64_t n);

}  // namespace spiketrain::cpu
