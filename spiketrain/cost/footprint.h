// What one neuron and one synapse store and do, as the cost meter and the memory model need it: derived from what the
// part declares (emits(), slots, config()), or measured on a few neurons.  Bytes are for floats of four.
// Tests: unit/cost_test.cpp, property/memory_test.cpp.
#pragma once
#include "spiketrain/core/rule.h"

namespace spiketrain {

inline constexpr int64_t kFloatBytes = 4;

/// One neuron of a layer that learns by a rule.
struct NeuronFootprint {
  int64_t state = 0;          ///< bytes of state
  int64_t trace = 0;          ///< bytes of the rule's traces of the neuron
  int64_t derivatives = 0;    ///< of a step that the record keeps
  int64_t synapse_trace = 0;  ///< bytes of the rule's traces of one synapse, if each has some
  int64_t synapse_kept = 0;   ///< bytes that the rule keeps of one beside it, from a single step
  double spikes = 0;          ///< bytes per step of the spikes it sends, which are bits
  int64_t values = 0;         ///< bytes per step of the real values it sends: a PSP, an analog output
  int64_t slots =
      0;  ///< bytes per step that the record keeps beside them: membrane, psi, factors of the rule
  int64_t current = 0;  ///< bytes per step of the input current, if the record keeps it
  double run = 0;       ///< bytes that run() holds for a moment beside the record
  double scratch = 0;   ///< bytes per step that the rule's credit holds beside delta and g
  double ops = 0;       ///< elementwise operations per step, forward
  /// Bytes per step between forward and backward.
  double kept() const { return spikes + static_cast<double>(values + slots + current); }
};

/// Of a neuron built for `shape`, over a segment of so many steps.  Operations: as many as step() writes words; of a
/// neuron that has no step(), as many as run() reads and writes words, an estimate that leaves out what it reads more
/// than once.  Bytes of run() and vjp(): what they allocate on zeros.
NeuronFootprint neuron_footprint(const Neuron& neuron, const Rule& rule, int64_t steps, const Shape& shape);

/// Bytes that apply, pull and outer hold beside their results at the worst moment.
struct SynapseScratch {
  int64_t apply = 0, pull = 0, outer = 0;
};

/// How the products of a synapse are worked on.
struct ProductPlan {
  int64_t rows = 1;     ///< samples times steps
  bool spikes = false;  ///< the input is spikes, which become floats share by share
  int threads = 1;
};

/// For inputs of shape `in`.  Synapses other than conv2d and linear are taken to turn spikes into floats all at once
/// and to need nothing else.
SynapseScratch synapse_scratch(const Synapse& synapse, const Shape& in, const Shape& out,
                               const ProductPlan& plan);

}  // namespace spiketrain
