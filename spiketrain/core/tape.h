// All that one layer records in one window.  Holds detached tensors only, and owns what backward will call
// later.
#pragma once
#include <ATen/core/ivalue.h>

#include <memory>
#include <vector>

#include "spiketrain/core/signal.h"

namespace spiketrain {

struct Synapse;
struct Neuron;
struct Rule;

using State =
    std::vector<Tensor>;  ///< one layer's carried tensors, each [B,*]; explicit, never a hidden member

/// What a neuron can record for a rule (`provides`) and what a rule reads (`needs`).
enum Slot : uint32_t {
  kU = 1,    ///< membrane before reset
  kPsi = 2,  ///< psi[t] = da[t]/dI[t] through the surrogate, every time edge cut
  kPsp = 4,  ///< the output is a PSP of the spikes: `psp` holds its constants, and u, s describe the spike
             ///< timing
};

/// Constants of a current-based neuron whose output is a PSP, in steps and weight units.
struct PspConstants {
  double tau_m = 5, tau_s = 3, threshold = 1;
};

struct Tape : torch::CustomClassHolder {
  // Written by the layer before the neuron runs.
  Tensor I;  ///< [T,B,*out] input current; kept for credit() only if the rule uses vjp() and the neuron's
             ///< vjp() reads it
  State in;  ///< neuron state before the window
  uint32_t needs = 0;   ///< slots to record
  bool record = false;  ///< false: no backward will come, keep nothing but `a`, `s` and `out`
  // Written by Neuron::run.
  Tensor a;             ///< [T,B,*out] output value
  Events s;             ///< events behind `a`; undefined for an analog neuron
  Tensor u, psi;        ///< [T,B,*out], the slots
  State saved;          ///< whatever else the neuron wants to find again in its vjp
  State out;            ///< neuron state after the window
  bool reads_I = true;  ///< vjp() will look at I; run() clears it
  PspConstants psp;     ///< if the neuron provides kPsp
  // The presynaptic side.
  Signal x;     ///< [T,B,*in] what the synapse multiplied, detached
  Signal q;     ///< presynaptic factor of dW; the rule chooses it, usually x
  State trace;  ///< the rule's eligibility traces, carried from window to window
  // Backward runs after the forward call has returned: keep these alive.
  std::shared_ptr<const Synapse> synapse;
  std::shared_ptr<const Neuron> neuron;
  std::shared_ptr<const Rule> rule;
};

}  // namespace spiketrain
