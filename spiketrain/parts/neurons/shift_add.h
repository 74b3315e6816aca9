// A cw_psn whose weights are powers of two, in integers: shifts, additions and one comparison per neuron and step.
//   h[t,c] = sum_{i<k} sign[c,i] * (x[t - dilation*(k-1-i), c] << shift[c,i]);   s[t,c] = 1 if h[t,c] >= threshold[c]
// x is the current in units of 2^-input_bits.  Shifts are the exponents of the weights, all raised by the same number so
// that none is negative, and the threshold is rounded up: h >= threshold exactly where the neuron's own sum, without
// rounding, is at least 0.
// The integer form is ours.  Tests: golden/psn_test.cpp, unit/shift_add_test.cpp.
#pragma once
#include "spiketrain/parts/neurons/cw_psn.h"

namespace spiketrain {

struct ShiftAdd {
  Tensor sign, shift;  ///< [C,k] int64: -1, 0, 1; at least 0
  Tensor threshold;    ///< [C] int64
  int64_t dilation = 1;

  /// Of a built neuron with the quantizer power_of_two, as it is deployed.  UsageError for another one, and if numbers get too
  /// large for 64 bits with currents below 2^15 in size.
  static ShiftAdd of(const ChannelPsn& neuron, int64_t input_bits);

  struct Sent {
    Tensor h, s;  ///< int64, shaped like x
  };
  /// Whole sequences x [T,B,C,*] int64 from silence.
  Sent run(const Tensor& x) const;
};

}  // namespace spiketrain
