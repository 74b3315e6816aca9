// What the neurons of the PSN family do over time in a forward pass: operations of whole sequences, from silence.
//   psn (and masked_psn with lambda < 1)   T*T products per neuron
//   masked_psn, sliding_psn, cw_psn        one for each tap that reaches a step of the sequence; shifts in place of products
//                                          if the quantizer is power_of_two
//   additions                              one for each product or shift, and one per step for the threshold
// Source of the counts and of the energies per operation: Table 6 of "Multiplication-free parallelizable spiking neurons
// with efficient spatio-temporal dynamics", 2025 (arXiv:2501.14490), which counts taps as if every dilation were 1: so does
// `published`.  Deviation: none.  Tests: golden/psn_test.cpp.
#pragma once
#include "spiketrain/core/neuron.h"

namespace spiketrain {

struct NeuronOperations {
  int64_t multiplications = 0, shifts = 0, additions = 0;

  /// At 45 nm: multiplication 3.7 pJ, addition 0.9 pJ, shift 0.13 pJ.
  double energy_uj() const {
    return 1e-6 * (3.7 * static_cast<double>(multiplications) + 0.9 * static_cast<double>(additions) +
                   0.13 * static_cast<double>(shifts));
  }
  NeuronOperations& operator+=(const NeuronOperations& other);
};

/// Whether neuron_operations() counts this neuron.
bool weighs_time(const Neuron& neuron);
/// Of so many neurons over T steps, per sample.  UsageError unless weighs_time().
NeuronOperations neuron_operations(const Neuron& neuron, int64_t neurons, int64_t T, bool published = false);

}  // namespace spiketrain
