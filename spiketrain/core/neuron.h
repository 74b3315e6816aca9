// Neuron = state dynamics and their exact derivative.  Knows nothing of losses, rules, layers or windows.
#pragma once
#include "spiketrain/core/registry.h"
#include "spiketrain/core/tape.h"
#include "spiketrain/core/torch.h"

namespace spiketrain {

struct Neuron : torch::nn::Module {
  struct Step {
    Tensor a;    ///< [B,*] output value
    Tensor s;    ///< [B,*] events as 0/1 floats; undefined for an analog neuron
    State next;  ///< state after the step
  };
  /// Gradients of what run() consumed.
  struct Adjoint {
    Tensor g;                      ///< dL/dI [T,B,*]
    State g_in;                    ///< dL/d(state before the window)
    std::vector<Tensor> g_params;  ///< dL/d(parameter), in the order of parameters()
  };

  /// Slots that run() can record.
  virtual uint32_t provides() const { return kPsi; }
  /// State before the first step; `shape` is [B,*].
  virtual State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const = 0;
  /// The definition: one step in differentiable ATen; the surrogate is the derivative of the spike.
  virtual Step step(const Tensor& I, const State& state) const = 0;
  /// Tape.I, in -> a, s, out and the slots in `needs`.  The default loops over step().
  virtual void run(Tape& tape) const;
  /// Exact adjoint of run(), from dL/da [T,B,*] and dL/d(out) (undefined entries count as zero).  The default
  /// differentiates step().
  virtual Adjoint vjp(const Tape& tape, const Tensor& delta, const State& g_out) const;
  /// UsageError if the options contradict each other.  Called once, after they are set; registers parameters.
  virtual void check() {}
  /// True if the output is a PSP: the network's input is then low-pass filtered in the same way.
  bool emits_psp() const { return provides() & kPsp; }
  /// False if the output is analog: no spikes stand behind it.
  bool emits_events() const;
  virtual PspConstants psp_constants() const { return {}; }

  /// What one neuron costs, for the cost meter; bytes for floats.
  struct Footprint {
    int64_t state = 0;           ///< bytes of state
    int64_t kept = 0;            ///< bytes per step on the tape between forward and backward, output included
    int64_t events = 0;          ///< of these, the events
    bool keeps_current = false;  ///< of these, the input current
    double scratch = 0;          ///< bytes per step that the rule's credit holds beside delta and g,
                                 ///< over a window of the length asked for
    double ops = 0;              ///< elementwise operations per step, forward
  };
  /// The default describes the default run() and vjp(), by calling step() and vjp() on a few neurons.  A
  /// neuron that overrides run() says here what it stores.
  virtual Footprint footprint(const Rule& rule, int64_t window) const;
};

}  // namespace spiketrain
