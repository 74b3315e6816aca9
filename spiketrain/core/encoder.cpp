#include "spiketrain/core/encoder.h"

namespace spiketrain {

ST_DEFINE_REGISTRY(Encoder, "encoder")

void Encoder::check_frames() const {
  throw UsageError("encoder: the data set gives a frame for each step; set encoder.name = \"direct\"");
}

Signal Encoder::frames(const Batch&, const Request&) const {
  check_frames();
  return {};
}

}  // namespace spiketrain
