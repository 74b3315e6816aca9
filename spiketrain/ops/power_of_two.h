// Powers of two, from real numbers and as sign and exponent.
// Tests: unit/power_of_two_test.cpp, golden/psn_test.cpp.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {

/// sign * 2^exponent, of any shape; int64.  sign 0: zero.
struct PowersOfTwo {
  torch::Tensor sign, exponent;
};

/// sign(w) * 2^round(log2 |w|), halves to even, zero where w is: exact, in the type and place of w.  Not finite where w
/// is not.
torch::Tensor nearest_power_of_two(const torch::Tensor& w);

/// Sign and exponent of numbers that are powers of two or zero, exactly.  UsageError if one is not.
PowersOfTwo powers_of_two(const torch::Tensor& w);

}  // namespace spiketrain::ops
