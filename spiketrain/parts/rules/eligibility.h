// What rules with a trace of each synapse share.  The trace says how much the neuron's states, and so its output, owe to
// the weight.  With what neuron i reads through the synapse, x[t], and the derivatives of its step (Record::jacobian),
//   E_k[t] = sum_l dz_k[t]/dz_l[t-1] * E_l[t-1]  +  dz_k[t]/dI[t] * x[t]      for each state z_k
//   e[t]   = sum_l da[t]/dz_l[t-1] * E_l[t-1]    +  da[t]/dI[t] * x[t]
//   f[t]   = kappa*f[t-1] + e[t]                                              e itself if kappa = 0
//   dW     = sum_t delta[t] * f[t];   psi[t]*delta[t] is backpropagated in space
// A bias is a weight with x = 1.  Every step is a sum of its own: the bits depend neither on segments nor on threads.
#pragma once
#include "spiketrain/core/rule.h"

namespace spiketrain {

/// The recursion, on arrays [F,B*P,K] as Synapse::patches() lays them out.
class Eligibility {
 public:
  /// Continues from what trace() gave; empty: before the first step.
  Eligibility(const Record& record, double kappa, State trace);
  /// f[t] for y, what each neuron reads at step t.
  Tensor advance(int64_t t, const Tensor& y);
  /// {E_k, ..., f}; undefined entries: zero.
  const State& trace() const { return trace_; }

  /// Of a sum: an array times a factor for each neuron and sample.
  struct Term {
    Tensor in;      ///< [F or 1, B*P or 1, K]
    Tensor factor;  ///< [F,B*P,1]; undefined: `all`
    double all = 1;
  };

 private:
  /// A derivative at step t as [F,B*P,1]; undefined: zero.
  Tensor derivative(size_t row, size_t column, int64_t t) const;
  std::vector<Term> terms(size_t k, int64_t t, const Tensor& y) const;

  const Record& record_;
  double kappa_;
  size_t states_;
  State trace_;
};

struct EligibilityRule : Rule {
  uint32_t needs() const override { return kJacobian; }
  bool uses_vjp() const override { return false; }
  bool works_by_step() const override { return true; }
  bool local_in_time() const override { return true; }
  bool reads_patches() const override { return true; }
  int64_t extra_pairs() const override { return 1; }  // (delta, f)

  /// Leaves f of the biases.
  void trace_post(Record& record) const override;
  void trace(const Record& record, Presynaptic& pre) const override;
  Credit credit(const Neuron& neuron, const Record& record, const Tensor& delta,
                const State& g_after) const override;
  Tensor weight_gradient(const Synapse& synapse, const Record& record, const Presynaptic& pre,
                         const Tensor& g) const override;

 protected:
  /// kappa
  virtual double filter() const { return 0; }
};

}  // namespace spiketrain
