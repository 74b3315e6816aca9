#include "spiketrain/core/head.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Head, "head")

}  // namespace spiketrain
