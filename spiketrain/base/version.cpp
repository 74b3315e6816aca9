#include "spiketrain/version.h"

namespace spiketrain {

const char* version() { return ST_VERSION; }

}  // namespace spiketrain
