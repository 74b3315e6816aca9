#include "spiketrain/core/signal.h"

#include "spiketrain/base/check.h"

namespace spiketrain {

Events Events::from_bytes(Tensor s, int64_t count) {
  ST_ASSERT(s.scalar_type() == torch::kUInt8);
  Events events;
  events.bytes_ = std::move(s);
  events.count_ = count;
  return events;
}

int64_t Events::count() const {
  if (count_ < 0) count_ = bytes_.sum(torch::kInt64).item<int64_t>();
  return count_;
}

Tensor spread(const Tensor& a, const Tensor& gain) {
  std::vector<int64_t> shape(a.dim(), 1);
  shape[0] = gain.size(0);
  return a * gain.view(shape);
}

Tensor Signal::dense() const { return stationary() ? spread(a, gain) : a; }

Signal Signal::slice(int64_t t0, int64_t t1) const {
  if (t0 == 0 && t1 == steps()) return *this;
  if (stationary()) return {a, gain.slice(0, t0, t1), {}};
  return {a.slice(0, t0, t1), {}, s.defined() ? Events::from_bytes(s.bytes().slice(0, t0, t1)) : Events{}};
}

}  // namespace spiketrain
