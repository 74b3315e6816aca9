// The leaky integrate-and-fire step, shared by the neurons of this folder, and its fused form.
//   b = membrane that leaks;  u[t] = leak*b + gain*I[t] + (1-leak)*v_rest;  s[t] = H(u[t] - threshold)
// decay_input: gain is multiplied by 1 - leak (then u = v + (I - (v - v_rest))/tau with leak = 1 - 1/tau).
// reset (of the membrane u after a spike):
//   soft_decayed  v = u - drop*s, then b = v         (leak applies to the lowered membrane)
//   soft          u[t+1] = leak*u[t] - drop*s[t] + ...  (taken off after the leak)
//   hard          v = s ? v_reset : u, then b = v
//   hard_input    (cuba_lif) as hard, and the current of the step after a spike is lost: u[t+1] = v_reset
//   none          b = u
// drop is the threshold unless reset_by gives another number (the released convolution of TESS).
// detach_reset: no gradient through s in the reset; reset_slope takes its place: dv/ds := reset_slope
// (the temporal adjustment of BPTA).
// State: v, the membrane after reset; with reset_delay, soft or hard_input it is u, before reset, and the
// reset happens in the next step.  reset_delay also detaches the reset (snnTorch's convention).
// raise_after_overshoot: where v is still over the threshold after the reset, the next step fires only at
// twice the threshold, with no gradient through that (snnTorch Leaky with reset_delay = False).
// per: one leak, gain, v_rest, threshold and v_reset for the layer, or one per channel [C,1,1] or per neuron
// [*shape].  These are buffers of the neuron that start at the option's value; set_coefficient() (core/neuron.h)
// fills them.  learn_leak replaces the leak by the parameter w of that shape, leak = 1 - sigmoid(w).
// Sources: Gerstner & Kistler 2002, "Spiking Neuron Models" (Euler form of the LIF equation); Fang et al.
// 2021, "Incorporating learnable membrane time constant to enhance learning of spiking neural networks"
// (learn_leak); Perez-Nieves et al. 2021, "Neural heterogeneity promotes robust learning" (per neuron);
// conventions as read in the three frameworks' code.  Deviation: none.
// Tests: golden/neurons, grad/neuron, equiv/lif_scan.
#pragma once
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/lif_scan.h"
#include "spiketrain/parts/neurons/firing.h"

namespace spiketrain {

struct LifCore : Firing {
  // Options.
  double leak = 0.5, gain = 1, v_rest = 0;
  bool decay_input = false, learn_leak = false, reset_delay = false, raise_after_overshoot = false;
  std::string per = "layer", start = "rest";
  // What the neuron is, set when it is made.
  bool leaks = true;  ///< false: leak = 1, and v_rest is the membrane before the first step only
  bool fires = true;  ///< false: no threshold
  Tensor w;           ///< parameter, leak = 1 - sigmoid(w); undefined unless learn_leak

  /// Options of the membrane; the neuron adds those of the reset that it has.
  template <class V>
  void visit_membrane(V& v) {
    v(leak, "leak",
      "factor by which the membrane potential decays per step: 1: no decay; snnTorch's beta; 1 - 1/tau",
      Range{0, 1});
    v(gain, "gain", "factor on the input current", Range{-1e9, 1e9});
    v(decay_input, "decay_input", "multiply gain by 1 - leak");
    v(v_rest, "v_rest", "resting potential, to which the membrane potential decays");
    visit_start(v);
  }
  template <class V>
  void visit_start(V& v) {
    v(start, "start",
      "membrane potential before the first step: rest: v_rest; zero: 0; half: half the threshold, so that counts of spikes "
      "are rounded to the nearest rather than down",
      Choices{{"rest", "zero", "half"}});
  }
  template <class V>
  void visit_delay(V& v) {
    v(reset_delay, "reset_delay",
      "the reset happens one step after the spike, without gradient, as in snnTorch; the state is the membrane potential before the reset");
  }
  template <class V>
  void visit_per(V& v) {
    v(per, "per", "leak, gain, threshold, ...: one value for the layer, one per channel, or one per neuron",
      Choices{{"layer", "channel", "neuron"}});
  }
  /// UsageError if the options contradict each other.
  void check() const;
  /// Resolves the options for neurons of shape `shape`, and registers parameters and buffers with `owner`.  Once.
  void build(torch::nn::Module& owner, const Shape& shape);
  /// The coefficient `name` with this value: a scalar, or unless per is layer a buffer of `owner`.
  Tensor coefficient(torch::nn::Module& owner, const char* name, double value, const Shape& shape) const;
  /// Whether the kernel can run it: every coefficient is one number.
  bool scalar() const { return per == "layer"; }
  /// Slots of a neuron with this membrane; of the options alone.
  uint32_t provides() const;
  /// du/dI as it is now: a number, or an array that broadcasts to [B,*].
  Tensor gain_now() const { return factors().gain.detach(); }
  /// Neuron::leak() as it is now.
  double leak_now() const { return w.defined() ? 1 - torch::sigmoid(w.detach()).item<double>() : leak; }

  struct Charged {
    Tensor u, s, next;
  };
  /// Membrane before the first step, `shape` is [B,*].  UsageError if the neuron was not built.
  Tensor initial(at::IntArrayRef shape, const torch::TensorOptions& options) const;
  /// leak*b + gain*I + (1-leak)*v_rest for a membrane b [B,*] and a current I [B,*].
  Tensor charge(const Tensor& I, const Tensor& b) const;
  /// One step from the state v.
  Charged step(const Tensor& I, const Tensor& v) const;
  /// Of a neuron whose coefficients are scalars.  UsageError for a reset that the kernel has not.
  cpu::LifParams kernel_params() const;

 private:
  bool delayed() const { return reset_delay || kind == Reset::soft || kind == Reset::hard_input; }
  double initial_w() const;
  /// Shape of a coefficient.
  Shape extent(const Shape& shape) const;
  struct Factors {
    Tensor leak, gain, rest;  ///< scalars or arrays; rest undefined: none
  };
  Factors factors() const;

  Factors fixed_;                 ///< undefined if they have to be computed anew: learned, or arrays
  Tensor leaks_, gains_, rests_;  ///< arrays, undefined where there are none
};

/// A neuron that is LifCore: it sends its spikes.  On the CPU in float or double, with scalar coefficients, one fused
/// scan forward and one backward; memory u and s for all steps of the segment.
struct LifNeuron : Stepped {
  LifCore core;

  void build(const Shape& shape) override;
  uint32_t provides() const override { return core.provides(); }
  double leak() const override { return core.leak_now(); }
  uint32_t vjp_reads(const Tensor& I) const override;
  bool scans(const Tensor& I, uint32_t slots) const override { return by_kernel(I) && !(slots & kJacobian); }
  bool takes_map(const Tensor& I) const override {
    return by_kernel(I) && !core.w.defined() && !core.raise_after_overshoot && ops::ChannelMap::fits(I);
  }
  bool takes_windows(const Record& record) const override {
    return by_kernel(record.map.defined() ? record.I : record.u);
  }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override;
  Step step(const Tensor& I, const State& state) const override;
  void run(Record& record, Steps steps) const override;
  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override;

 private:
  /// The constants, with the leak as it is now.
  cpu::LifParams params() const;
  bool by_kernel(const Tensor& x) const;

  cpu::LifParams params_;
};

}  // namespace spiketrain
