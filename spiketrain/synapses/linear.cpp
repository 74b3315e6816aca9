#include "spiketrain/synapses/linear.h"

namespace spiketrain {
namespace {

ST_REGISTER(Synapse, "linear", Linear);

}  // namespace
}  // namespace spiketrain
