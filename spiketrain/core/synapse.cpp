#include "spiketrain/core/synapse.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Synapse, "synapse")
ST_DEFINE_REGISTRY(Feedback, "feedback")
ST_DEFINE_REGISTRY(Quantizer, "quantizer")

Tensor Synapse::patches(const Tensor& /*x*/) const {
  throw UsageError(str("synapse ", part_name(), " does not say what each neuron reads"));
}

}  // namespace spiketrain
