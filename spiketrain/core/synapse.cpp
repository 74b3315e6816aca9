#include "spiketrain/core/synapse.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Synapse, "synapse")
ST_DEFINE_REGISTRY(Feedback, "feedback")
ST_DEFINE_REGISTRY(Quantizer, "quantizer")

}  // namespace spiketrain
