// Rule = how errors flow in time and into W.  The defaults are exact backpropagation through time (BPTT); a
// learning rule overrides what it changes.
#pragma once
#include "spiketrain/core/neuron.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {

struct Rule : Part {
  /// Slots of the record (its arrays, kU, kPsi, ...) that trace() and credit() read; checked against Neuron::provides() when a network is built.
  virtual uint32_t needs() const { return 0; }
  /// True if credit() calls Neuron::vjp, so that the record keeps what the neuron's adjoint reads.
  virtual bool uses_vjp() const { return true; }
  /// True only if trace() leaves q = x and keeps no trace, so that dW is a product with the input itself.
  virtual bool q_is_input() const { return false; }
  /// True only if weight_gradient() is the default and the factors that trace() makes of a constant input are constant too: the
  /// same image, with profiles of their own.  The engine then multiplies the image once for several segments.
  virtual bool keeps_constant() const { return q_is_input(); }
  /// True if credit() over single steps, joined by dL/d(state), is credit() over the segment: what a recurrent
  /// connection needs, whose current exists one step at a time.
  virtual bool works_by_step() const { return uses_vjp(); }

  /// True if nothing is backpropagated to earlier steps: credit() computes g[t] from delta[t] alone and no g_before.
  /// Nor is anything through recurrent connections, so the gradient does not depend on the segments.
  virtual bool local_in_time() const { return false; }
  /// True if credit() computes gradients of the neuron's own parameters; a neuron that has some is refused otherwise.
  virtual bool teaches_neuron() const { return uses_vjp(); }
  /// A neuron with the options that this rule needs, where none has them by default; null: some do.
  virtual Config neuron() const { return nullptr; }
  /// What would do instead where a neuron lacks what the rule reads, for the error message; "": nothing.
  virtual std::string otherwise() const { return {}; }

  /// What a user should know of this rule with a readout of such neurons; "": nothing.
  virtual std::string caveat(const Neuron& /*readout*/) const { return {}; }

  /// True if trace() reads what each neuron reads by itself, Synapse::patches().
  virtual bool reads_patches() const { return false; }

  /// Number of (post, pre) pairs beside (g, q).  Their post factors do not pass a norm's adjoint, so a layer with a
  /// norm refuses a rule that has any.
  virtual int64_t extra_pairs() const { return 0; }
  /// Whether the error signal of a sample depends on the others of the batch.
  virtual bool couples_samples() const { return false; }
  /// Products of weights' size that weight_gradient() takes, for the cost meter.
  virtual int64_t weight_products() const { return 1 + extra_pairs(); }

  /// Forward, after the neuron ran and before trace(), as often as that: advance record.trace, leave in record.post
  /// what credit() needs of it.  No gradient.
  virtual void trace_post(Record& /*record*/) const {}
  /// Forward, after the neuron ran, in every segment of training whether or not it has a loss: choose q (and
  /// extra factors), advance pre.trace.  No gradient.
  virtual void trace(const Record& /*record*/, Presynaptic& pre) const { pre.q = pre.x; }
  /// Whether credit() of this record can read a delta of windows, see Record::windows.
  virtual bool takes_windows(const Neuron& /*neuron*/, const Record& /*record*/) const { return false; }
  /// Whether credit() of a record with a map, of a neuron that takes one, reads nothing else of it, see Record::map.
  virtual bool takes_map() const { return false; }
  /// Whether the membrane of a record is of no use once credit() has run.
  virtual bool is_done_with_membrane() const { return false; }
  /// Backward: delta = dL/da [T,B,*] and dL/d(state after the segment) -> the error signal g at the input current, and the
  /// gradients of the state before and of the neuron's parameters.
  virtual Credit credit(const Neuron& neuron, const Record& record, const Tensor& delta,
                        const State& g_after) const {
    return neuron.vjp(record, delta, g_after);
  }
  /// Backward, per synapse: dW, the elements of the synapse's weight in their order.  g [T,B,*out] is the error signal at this synapse's
  /// current (backpropagated through norm and bias); record.post holds the further factors that credit() returned.
  /// The default: outer(g, q) + sum_k outer(post[k], extra[k]).
  virtual Tensor weight_gradient(const Synapse& synapse, const Record& record, const Presynaptic& pre,
                                 const Tensor& g) const;
};
using RuleP = std::shared_ptr<const Rule>;

/// sum_t g[t] (x) q[t]; a constant q is multiplied with the sum of gain[t]*g[t].
Tensor outer_product(const Synapse& synapse, const Tensor& g, const Signal& q);

/// Of a rule that keeps_constant(), and a constant input: the factor of the image, sum_t profile(q)[t]*g[t], and the same of the
/// further pairs -> [1,B,*].
Tensor gathered_credit(const Record& record, const Presynaptic& pre, const Tensor& g);

/// sum_t gain[t] * g[t] -> [1,B,*]
Tensor gather(const Tensor& g, const Tensor& gain);

/// Whether a built neuron provides what the rule reads, and has no parameters unless the rule teaches them.
bool compatible(const Rule& rule, const Neuron& neuron);
/// UsageError that names the neurons which would work, if `neuron` lacks a slot that `rule` reads or has parameters
/// that it does not teach.
void check_compatible(const Rule& rule, const Neuron& neuron);

}  // namespace spiketrain
