// Layer = synapse -> (norm) -> neuron, recorded as two autograd nodes that share one Tape.  Autograd carries
// credit in space; the rule carries credit in time, inside the neuron's node.
#pragma once
#include "spiketrain/core/norm.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/stage.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {

class Layer : public Stage {
 public:
  /// `norm` may be null.  `in`: shape of one input sample.
  Layer(std::shared_ptr<Synapse> synapse, std::shared_ptr<Norm> norm, std::shared_ptr<Neuron> neuron,
        const Shape& in);

  Signal forward(const Signal& x, Pass& pass) override;
  Shape out_shape() const override { return out_; }
  std::string spec() const override { return synapse->spec(); }
  void initialise(uint64_t seed) override { synapse->initialise(seed, static_cast<uint64_t>(slot_)); }
  void describe(std::vector<StageInfo>& list) const override;

  std::shared_ptr<Synapse> synapse;
  std::shared_ptr<Norm> norm;
  std::shared_ptr<Neuron> neuron;

 private:
  Shape out_;
};

}  // namespace spiketrain
