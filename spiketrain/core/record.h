// What one layer records in one segment, apart: Record, the postsynaptic side, one per neuron; Presynaptic, one per
// synapse; Credit, what a rule makes of a record.  All tensors are detached.
#pragma once
#include <ATen/core/ivalue.h>

#include <memory>
#include <vector>

#include "spiketrain/core/signal.h"
#include "spiketrain/ops/channel_map.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/windows.h"

namespace spiketrain {

class LayerPenalty;
struct Neuron;
struct Rule;
struct Synapse;

/// One layer's carried tensors, each [B,*]; explicit, never a hidden member.
using State = std::vector<Tensor>;

/// Steps [begin, end) of a segment.
struct Steps {
  int64_t begin = 0, end = 0;
  int64_t size() const { return end - begin; }
};

/// What a neuron can record (`provides`) and what a rule or the neuron's own adjoint reads.
enum Slot : uint32_t {
  kI = 1,       ///< the input current; every neuron provides it
  kU = 2,       ///< membrane before reset
  kPsi = 4,     ///< psi[t] = da[t]/dI[t] through the surrogate, every time edge cut
  kTiming = 8,  ///< the neuron is a SpikeTiming: `before` is {membrane after reset, PSP}
  kLeak = 16,   ///< du[t]/du[t-1] is Neuron::leak() for every neuron of the layer, whether it spiked or not
  kJacobian = 32,      ///< derivatives of each step of each neuron by itself, see Record::jacobian
  kCurrentBased = 64,  ///< the neuron is a SpikeTiming: `before` is {synaptic current, membrane after reset}
  kPsp =
      128  ///< the PSP that leaves a neuron, as numbers (`a`); unasked for, they may be left out, see Signal::psp()
};

/// Constants of a neuron with two of them in time, in steps and weight units.  Its output is a PSP (kTiming, states {m, a}):
///   u[t] = m[t-1]*(1 - 1/tau_m) + I[t];  s[t] = u[t] > threshold;  m[t] = u[t]*(1 - s[t]);  a = PSP of s with tau_s
/// or it has a synaptic current (kCurrentBased, states {j, v}) and sends spikes:
///   j[t] = j[t-1]*(1 - 1/tau_s) + I[t];  u[t] = v[t-1]*(1 - 1/tau_m) + j[t]/tau_m;  v[t] = u[t]*(1 - s[t])
struct SpikeTiming {
  double tau_m = 5, tau_s = 3, threshold = 1;
};

/// The postsynaptic side.  The layer allocates the arrays, [T,B,*] each; Neuron::run fills them.
struct Record : torch::CustomClassHolder {
  // Before the neuron runs.
  uint32_t slots = 0;                      ///< which of I, u, psi are kept or recorded
  torch::ScalarType type = torch::kFloat;  ///< of the current and of everything but s
  ops::ChannelMap
      map;   ///< what the neuron reads is this of I, which is kept in place of u; undefined: I itself
  Tensor I;  ///< input current; unless slots has kI it is dropped after the run, which may write u over it
  State before;             ///< state before the segment
  bool from_start = false;  ///< that is the initial state
  // While it runs; an array that is not wanted is undefined.
  State state;  ///< state after the steps run so far; begins as `before`
  Tensor
      a;  ///< output values; undefined if the neuron sends bare spikes, or a PSP that nobody needs as numbers yet
  Tensor s;     ///< uint8 spikes or counts; undefined if the neuron is analog, or writes bits
  Spikes sent;  ///< where a neuron that does writes its spikes; in any case they are here when it has run
  int64_t total = 0;  ///< their sum over the steps run so far; -1: unknown
  Tensor u, psi;
  /// d(states after step t, a[t]) / d(states before it, I[t]) of each neuron, for n states: rows are the n states, then
  /// the output, columns the n states, then the current.  [T,B,*] each, row by row; undefined: zero at every step, but for the
  /// last, which is psi.
  std::vector<Tensor> jacobian;
  // The rule's: left by trace_post() for credit(), and by credit() for the synapses of this neuron.
  State trace;               ///< traces of the neuron, carried from segment to segment; any shape
  std::vector<Tensor> post;  ///< postsynaptic factors of further (post, pre) pairs, [T,B,*] each
  Tensor g_bias;             ///< error signal at biases [T,B,*], where it differs from that at the current
  bool went_back = false;    ///< credit() has run: once only, as it stores what synapses read
  bool cut = false;          ///< nobody takes the credit on the state before, which may be left out
  bool last_read = false;    ///< the membrane potential is not read after credit(), which may overwrite it
  ops::Windows windows;      ///< delta is that of windows: only where Rule::takes_windows() says so
  Tensor g_membrane;         ///< part of the error signal due to a penalty on the membrane potential [T,B,*]

  // Regularizers, in a segment that learns.
  std::shared_ptr<const LayerPenalty> penalty;  ///< null: none
  Tensor valid;                                 ///< [T,B] bool: steps that are no padding; undefined: all

  // Backward runs after the forward call has returned: keep these alive.
  std::shared_ptr<const Neuron> neuron;
  std::shared_ptr<const Rule> rule;

  /// Whether the membrane is that of maps on the CPU that lie pixel by pixel, so that kernels can read a delta of windows.
  bool by_pixel() const {
    const Tensor& kept = map.defined() ? I : u;
    return kept.defined() && kept.dim() == 5 && ops::has_kernel(kept) && ops::channels_last(kept);
  }
  bool spiking() const { return s.defined() || sent.defined(); }
  /// [T,B,*]
  at::IntArrayRef sizes() const {
    return s.defined() ? s.sizes() : sent.defined() ? sent.sizes() : a.sizes();
  }
  torch::Device device() const {
    return s.defined() ? s.device() : sent.defined() ? sent.device() : a.device();
  }
  Steps all() const { return {0, sizes()[0]}; }
  /// What it sent, each at most `levels`; undefined if the neuron is analog.
  Spikes spikes(int64_t levels = 1) const {
    return sent.defined() || !s.defined() ? sent : Spikes::from_bytes(s, total, levels);
  }
  /// When the neuron has run: keeps the spikes in their own form, in place of an array.
  void keep_spikes(int64_t levels) {
    sent = sent.defined() ? Spikes::from_bits(sent.bits(), total, levels) : spikes(levels);
    s.reset();
  }
};

/// These steps of an array of a record; the array itself for all of them; undefined if it is.
inline Tensor at_steps(const Tensor& array, Steps steps) {
  if (!array.defined() || (steps.begin == 0 && steps.end == array.size(0))) return array;
  return array.slice(0, steps.begin, steps.end);
}

/// Where a scan over these steps of a record leaves its spikes.
inline ops::SpikesOut spikes_out(const Record& record, Steps steps) {
  if (record.s.defined()) return {at_steps(record.s, steps)};
  return {{}, record.sent.bits().slice(steps.begin, steps.end)};
}

/// The presynaptic side of one synapse.  A rule chooses q and the extra factors and advances the trace.
struct Presynaptic {
  std::shared_ptr<const Synapse> synapse;
  Signal x;  ///< what the synapse multiplied
  Signal q;  ///< presynaptic factor of dW = sum_t g[t] (x) q[t]; undefined until the rule chose it
  std::vector<Signal>
      extra;    ///< presynaptic factors of further pairs: dW += sum_t post[k][t] (x) extra[k][t]
  State trace;  ///< the rule's traces, carried from segment to segment; any shape; gone when trace() is done
  State kept;   ///< what trace() leaves for weight_gradient(); any shape
};

/// What a rule computes from a record and delta = dL/da: the error signal and what belongs to it.
struct Credit {
  Tensor g;                           ///< dL/dI [T,B,*]: error signal at the input current
  State g_before = {};                ///< dL/d(state before the segment); undefined entries: none
  std::vector<Tensor> g_params = {};  ///< dL/d(the neuron's parameter); undefined entries: none
  std::vector<Tensor> post = {};      ///< further postsynaptic factors, [T,B,*] each
  Tensor g_bias = {};                 ///< error signal at biases [T,B,*]; undefined: g
};

}  // namespace spiketrain
