#include "spiketrain/core/tape.h"

namespace spiketrain {

GradientSink*& GradientSink::now() {
  thread_local GradientSink* sink = nullptr;
  return sink;
}

}  // namespace spiketrain
