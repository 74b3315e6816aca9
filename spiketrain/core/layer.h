// Layer = synapse -> (norm) -> neuron, recorded as two autograd nodes that share one Tape.  Autograd carries
// credit in space; the rule carries credit in time, inside the neuron's node.  A neuron may be driven by
// several synapses (a residual unit's shortcut): each has a node and a tape of its own.
#pragma once
#include "spiketrain/core/norm.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/stage.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {

class Layer : public Stage {
 public:
  /// `norm` may be null.  `neuron` may be null: then the layer is a projection onto another layer's neuron,
  /// and only current() may be called.  `in`: shape of one input sample.  `notation`: what spec() says; "" =
  /// what the synapse says.
  Layer(std::shared_ptr<Synapse> synapse, std::shared_ptr<Norm> norm, std::shared_ptr<Neuron> neuron,
        const Shape& in, std::string notation = "");

  /// What drives a neuron over a window.  A drive without a tape is a plain current, as a shortcut gives it.
  struct Drive {
    Tensor I;                            ///< [T,B,*out] input current, in autograd
    c10::intrusive_ptr<Tape> tape = {};  ///< the presynaptic side; null for a plain current
    int64_t slot = -1;                   ///< of the rule's traces of this synapse
  };
  /// First half of forward(): synapse and norm.
  Drive current(const Signal& x, Pass& pass);
  /// Second half: the neuron, driven by the sum of the currents.  drives[0] is this layer's own; the rule
  /// sees each of the other synapses with its own presynaptic side and this neuron's postsynaptic one.
  Signal fire(const std::vector<Drive>& drives, Pass& pass);

  Signal forward(const Signal& x, Pass& pass) override { return fire({current(x, pass)}, pass); }
  Shape out_shape() const override { return out_; }
  std::string spec() const override { return notation_.empty() ? synapse->spec() : notation_; }
  void initialise(uint64_t seed) override { synapse->initialise(seed, static_cast<uint64_t>(slot_)); }
  void describe(std::vector<StageInfo>& list) const override;

  std::shared_ptr<Synapse> synapse;
  std::shared_ptr<Norm> norm;
  std::shared_ptr<Neuron> neuron;

 private:
  /// The current of a still image [1,B,*in], from the pass if it has it.
  Tensor still_current(const Tensor& x, Pass& pass);
  Shape out_;
  std::string notation_;
};

}  // namespace spiketrain
