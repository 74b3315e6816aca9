// Neuron = state dynamics and their exact derivative.  Knows nothing of losses, rules, layers or segments.
#pragma once
#include "spiketrain/base/registry.h"
#include "spiketrain/core/record.h"

namespace spiketrain {

/// What leaves a neuron.
struct Emission {
  int64_t levels = 1;  ///< greatest value per step: 1 spikes, more: counts, 0: analog, any real number
  double tau_s = 0;    ///< > 0: the spikes leave as their PSP with this time constant

  bool analog() const { return levels == 0; }
  /// The values are the spikes (or counts) themselves.
  bool bare() const { return levels > 0 && tau_s == 0; }
  static Emission analog_values() { return {0, 0}; }
};

struct Neuron : Part, torch::nn::Module {
  /// For neurons of shape `shape` (of one sample): registers parameters and resolves options, once.
  virtual void build(const Shape& /*shape*/) {}
  /// Draws initial values after build(): the same bits for the same (seed, index), index: the layer's slot.
  virtual void initialise(uint64_t /*seed*/, uint64_t /*index*/) {}
  virtual Emission emits() const { return {}; }
  /// A stage that has to stand before every synapse onto this neuron; null: none.
  virtual Config input_filter() const { return nullptr; }
  /// Slots that run() can record, kI aside.
  virtual uint32_t provides() const { return kPsi; }
  /// Slots that vjp() reads, for a current of this type and place.
  virtual uint32_t vjp_reads(const Tensor& /*I*/) const { return kI; }
  /// Constants, if provides() has kTiming or kCurrentBased.
  virtual SpikeTiming timing() const { return {}; }
  /// Factor on the membrane per step, if provides() has kLeak: without reset, du[t]/dI[s] = leak^(t-s) du[s]/dI[s].
  virtual double leak() const { return 0; }
  /// True if what leaves at one step may depend on later steps: the sequence must then come in one segment.
  virtual bool whole_sequence() const { return false; }
  /// Whether run() on a current like this writes spikes as bits, may write the membrane over the current, and need not write a PSP.
  virtual bool scans(const Tensor& /*I*/, uint32_t /*slots*/) const { return false; }
  /// Whether run() and vjp() can read a current like this through a map, see Record::map.
  virtual bool takes_map(const Tensor& /*I*/) const { return false; }
  /// Whether vjp() of this record, maps that lie by pixel, can read a delta of windows, see Record::windows.
  virtual bool takes_windows(const Record& /*record*/) const { return false; }
  /// State before the first step; `shape` is [B,*].
  virtual State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const = 0;
  /// Runs these steps: reads record.I and record.state, writes the record's arrays at these steps and record.state.
  /// The steps of a record are run in order, in one call or in several.
  virtual void run(Record& record, Steps steps) const = 0;
  /// Exact adjoint of run() over all steps, from delta = dL/da [T,B,*] and dL/d(state after) (undefined entries
  /// count as zero): g, g_before, and g_params in the order of parameters().
  virtual Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const = 0;
};

/// A neuron defined by one step.  run() and vjp() loop over it under autograd: every neuron can be trained with them
/// at once, on any device, and a fused version is later compared with them.
struct Stepped : Neuron {
  struct Step {
    Tensor a;       ///< [B,*] output value
    Tensor s;       ///< [B,*] spikes or counts as floats; undefined for an analog neuron
    State next;     ///< state after the step
    Tensor u = {};  ///< [B,*] membrane before reset; needed if the neuron provides kU
  };
  /// The definition: one step in differentiable ATen; the surrogate is the derivative of the spike.
  virtual Step step(const Tensor& I, const State& state) const = 0;
  void run(Record& record, Steps steps) const override;
  Credit vjp(const Record& record, const Tensor& delta, const State& g_after) const override;
  /// The same from du = dL/d(membrane before reset) [T,B,*] alone, for a record with its current; `local`: every time
  /// edge cut, g[t] = du[t] * du[t]/dI[t], and nothing but that.
  Credit membrane_vjp(const Record& record, const Tensor& du, bool local) const;
};

/// Fills a coefficient that a built neuron holds as a buffer, one per channel or neuron (such as lif's with per =
/// "channel"): `values` are expanded to its shape.  UsageError, with the names there are, if there is no such buffer or
/// the shapes do not fit.
void set_coefficient(Neuron& neuron, const std::string& name, const Tensor& values);

/// How a record holds what the neuron writes.
enum class Storage {
  arrays,   ///< each an array of its own
  bits,     ///< spikes as bits if the neuron can write them, see Neuron::scans()
  in_place  ///< and the membrane over the current, which nobody else reads
};

/// A record with the arrays that `neuron` fills for a current I [T,B,*]; `before` empty: the initial state.
c10::intrusive_ptr<Record> make_record(const Neuron& neuron, Tensor I, State before, uint32_t slots,
                                       Storage storage = Storage::arrays);

}  // namespace spiketrain
