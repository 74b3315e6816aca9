#include "spiketrain/core/watch.h"

namespace spiketrain {
namespace {

thread_local Watch* watching = nullptr;

}  // namespace

Watch::Watch() : before_(watching) { watching = this; }
Watch::~Watch() { watching = before_; }
Watch* Watch::now() { return watching; }

}  // namespace spiketrain
