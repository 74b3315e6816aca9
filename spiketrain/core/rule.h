// Rule = how credit flows in time and into W.  The defaults are exact backpropagation through time (BPTT);
// a learning rule overrides one to three of these.
#pragma once
#include "spiketrain/core/neuron.h"

namespace spiketrain {

struct Rule {
  virtual ~Rule() = default;
  /// Slots of the tape that credit() reads; checked against Neuron::provides() when the network is built.
  virtual uint32_t needs() const { return 0; }
  /// Forward, after the neuron ran: choose q, advance tape.trace.  No gradient.
  virtual void eligibility(Tape& tape) const { tape.q = tape.x; }
  /// delta = dL/da [T,B,*] and dL/d(state after the window) -> credit on the input current and what precedes
  /// it.
  virtual Neuron::Adjoint credit(const Neuron& neuron, const Tape& tape, const Tensor& delta,
                                 const State& g_out) const {
    return neuron.vjp(tape, delta, g_out);
  }
  /// True if credit() calls Neuron::vjp, so that the neuron must save what its adjoint reads.
  virtual bool uses_vjp() const { return true; }
  /// True if q is a trace of the input: real numbers, stored for every step.  For the cost meter.
  virtual bool traces() const { return false; }
  virtual void check() {}
};
using RuleP = std::shared_ptr<const Rule>;

/// UsageError that names the neurons which would work, if `neuron` lacks a slot that `rule` reads.
void check_compatible(const Rule& rule, const std::string& rule_name, const Neuron& neuron,
                      const std::string& neuron_name);

}  // namespace spiketrain
