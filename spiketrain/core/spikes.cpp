#include "spiketrain/core/spikes.h"

#include "spiketrain/base/check.h"

namespace spiketrain {

Spikes Spikes::from_bytes(Tensor s, int64_t total, int64_t levels) {
  ST_CHECK(s.defined() && s.scalar_type() == torch::kUInt8, "spikes: expected a tensor of uint8");
  ST_CHECK(levels >= 1 && levels <= 255, "spikes: expected 1 to 255 levels, got ", levels);
  Spikes spikes;
  spikes.bytes_ = s.contiguous();
  spikes.total_ = total;
  spikes.levels_ = levels;
  return spikes;
}

int64_t Spikes::total() const { return total_ >= 0 ? total_ : bytes_.sum(torch::kInt64).item<int64_t>(); }

Spikes Spikes::slice(int64_t begin, int64_t end) const {
  return begin == 0 && end == bytes_.size(0) ? *this : from_bytes(bytes_.slice(0, begin, end), -1, levels_);
}

}  // namespace spiketrain
