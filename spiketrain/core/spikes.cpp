#include "spiketrain/core/spikes.h"

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

int64_t planes_for(int64_t levels) {
  int64_t planes = 1;
  while (levels >> planes != 0) ++planes;
  return planes;
}

}  // namespace

Spikes Spikes::from_bytes(const Tensor& s, int64_t total, int64_t levels) {
  ST_CHECK(s.defined() && s.scalar_type() == torch::kUInt8 && s.dim() >= 2,
           "spikes: expected a tensor [T,B,*] of uint8");
  ST_CHECK(levels >= 1 && levels <= 255, "spikes: expected 1 to 255 levels, got ", levels);
  Spikes spikes;
  spikes.total_ = total;
  spikes.levels_ = levels;
  if (s.is_cpu()) {
    spikes.bits_ = ops::pack(s, planes_for(levels), &spikes.total_);
  } else {
    spikes.bytes_ = s.contiguous();
  }
  return spikes;
}

Spikes Spikes::from_bits(ops::Bits bits, int64_t total, int64_t levels) {
  Spikes spikes;
  spikes.bits_ = std::move(bits);
  spikes.total_ = total;
  spikes.levels_ = levels;
  return spikes;
}

Tensor Spikes::bytes() const {
  if (!bits_.defined()) return bytes_;
  return ops::unpack(bits_, 0, bits_.images(), torch::kUInt8).unflatten(0, {bits_.sizes[0], bits_.sizes[1]});
}

Tensor Spikes::dense(torch::ScalarType type) const {
  if (!bits_.defined()) return bytes_.to(type);
  return ops::unpack(bits_, 0, bits_.images(), type).unflatten(0, {bits_.sizes[0], bits_.sizes[1]});
}

Tensor Spikes::rows(int64_t begin, int64_t end, torch::ScalarType type, double scale) const {
  if (bits_.defined()) return ops::unpack(bits_, begin, end, type, scale);
  const Tensor rows = bytes_.flatten(0, 1).slice(0, begin, end).to(type);
  return scale == 1 ? rows : rows * scale;
}

int64_t Spikes::total() const {
  if (total_ >= 0) return total_;
  return bits_.defined() ? ops::count(bits_) : bytes_.sum(torch::kInt64).item<int64_t>();
}

Spikes Spikes::slice(int64_t begin, int64_t end) const {
  if (begin == 0 && end == sizes()[0]) return *this;
  if (!bits_.defined()) return from_bytes(bytes_.slice(0, begin, end), -1, levels_);
  const ops::Bits part = bits_.slice(begin, end);
  return from_bits(part, ops::count(part), levels_);
}

}  // namespace spiketrain
