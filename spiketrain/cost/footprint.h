// What one neuron stores and does, as the cost meter needs it: derived from what the part declares (emits(), slots), or
// measured on a few neurons.  Bytes are for floats of four.
// Tests: unit/footprint_test.cpp.
#pragma once
#include "spiketrain/core/rule.h"

namespace spiketrain {

inline constexpr int64_t kFloatBytes = 4;

/// One neuron of a layer that learns by a rule.
struct NeuronFootprint {
  int64_t state = 0;        ///< bytes of state
  int64_t trace = 0;        ///< bytes of the rule's traces of the neuron
  int64_t derivatives = 0;  ///< of a step that the record keeps
  double spikes = 0;        ///< bytes per step of the spikes it sends, which are bits
  int64_t values = 0;       ///< bytes per step of the real values it sends: a PSP, an analog output
  int64_t slots = 0;    ///< bytes per step the record keeps beside them: membrane, psi, factors of the rule
  int64_t current = 0;  ///< bytes per step of the input current, if the record keeps it
  double ops = 0;       ///< elementwise operations per step, forward
  /// Bytes per step between forward and backward.
  double kept() const { return spikes + static_cast<double>(values + slots + current); }
};

/// Of a neuron built for `shape`, over a segment of so many steps.  Operations: as many as step() writes words; of a
/// neuron that has no step(), as many as run() reads and writes words, an estimate that leaves out what it reads more
/// than once.
NeuronFootprint neuron_footprint(const Neuron& neuron, const Rule& rule, int64_t steps, const Shape& shape);

}  // namespace spiketrain
