// The leaky integrate-and-fire step, shared by the neurons of this folder, and its fused forms.
//   b = membrane that leaks;  u[t] = leak*b + gain*I[t] + (1-leak)*v_rest;  s[t] = H(u[t] - threshold)
// decay_input: gain is multiplied by 1 - leak (then u = v + (I - (v - v_rest))/tau with leak = 1 - 1/tau).
// reset (of the membrane u after a spike):
//   soft_decayed  v = u - threshold*s, then b = v         (leak applies to the lowered membrane)
//   soft          u[t+1] = leak*u[t] - threshold*s[t] + ...  (the threshold is taken off after the leak)
//   hard          v = s ? v_reset : u, then b = v         none   b = u
//   hard_input    (cuba_lif) as hard, and the current of the step after a spike is lost: u[t+1] = v_reset
// State: v, the membrane after reset; with reset_delay, soft or hard_input it is u, before reset, and the
// reset happens in the next step.  reset_delay also detaches the reset (snnTorch's convention).
// raise_after_overshoot: where v is still over the threshold after the reset, the next step fires only at
// twice the threshold, with no gradient through that (snnTorch Leaky with reset_delay = False).
// Sources: Gerstner & Kistler 2002, "Spiking Neuron Models" (Euler form of the LIF equation); Fang et al.
// 2021, "Incorporating learnable membrane time constant to enhance learning of spiking neural networks"
// (learn_leak); conventions as read in the three frameworks' code.  Deviation: none.
// Tests: golden/neurons, grad/neuron, equiv/lif_scan.
#pragma once
#include "spiketrain/core/neuron.h"
#include "spiketrain/kernels/lif_scan/lif_scan.h"
#include "spiketrain/neurons/firing.h"

namespace spiketrain {

struct LifCore : Firing {
  double leak = 0.5, gain = 1, v_rest = 0;
  bool decay_input = false, learn_leak = false, reset_delay = false, raise_after_overshoot = false;
  Tensor w;  ///< scalar parameter, leak = 1 - sigmoid(w); undefined unless learn_leak

  /// Options of the membrane; the neuron adds those of the reset that it has.
  template <class V>
  void visit_membrane(V& v) {
    v(leak, "leak", "membrane decay per step", Range{0, 1});
    v(gain, "gain", "weight of the input current", Range{-1e9, 1e9});
    v(decay_input, "decay_input", "multiply gain by 1 - leak");
    v(v_rest, "v_rest", "resting potential, and membrane before the first step");
  }
  template <class V>
  void visit_delay(V& v) {
    v(reset_delay, "reset_delay",
      "reset in the next step, without gradient; the state is the membrane before it");
  }
  /// UsageError if the options contradict each other.
  void check() const;
  /// Initial value of w.
  double initial_w() const;

  struct Charged {
    Tensor u, s, next;
  };
  /// leak*b + gain*I + (1-leak)*v_rest for a membrane b [B,*] and a current I [B,*].
  Tensor charge(const Tensor& I, const Tensor& b) const;
  /// One step from the state v.
  Charged step(const Tensor& I, const Tensor& v) const;

  /// Neuron::run and vjp of the neuron {u, s} with one state, by the kernel; the tape's current must be one
  /// that the kernel takes.
  void run(Tape& tape) const;
  Neuron::Adjoint vjp(const Tape& tape, const Tensor& delta, const State& g_out) const;

 private:
  bool delayed() const { return reset_delay || reset == "soft" || reset == "hard_input"; }
  struct Factors {
    Tensor leak, gain, rest;  ///< scalars
  };
  Factors factors() const;
  cpu::LifParams kernel_params() const;
};

/// A neuron that is LifCore: its `a` are the spikes.
struct LifNeuron : Neuron {
  LifCore core;

  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override;
  Step step(const Tensor& I, const State& state) const override;
  void run(Tape& tape) const override;
  Adjoint vjp(const Tape& tape, const Tensor& delta, const State& g_out) const override;
  Footprint footprint(const Rule& rule, int64_t window) const override;
};

}  // namespace spiketrain
