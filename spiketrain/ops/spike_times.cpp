#include "spiketrain/ops/spike_times.h"

#include <algorithm>
#include <limits>

#include "spiketrain/ops/pointer.h"

namespace spiketrain {

void SpikeTimes::check() const {
  const auto fits = [](const Tensor& x, torch::ScalarType type) {
    return x.defined() && x.is_cpu() && x.dim() == 1 && x.scalar_type() == type && x.is_contiguous();
  };
  ST_CHECK(fits(time, torch::kDouble) && fits(index, torch::kInt64) && fits(offset, torch::kInt64) &&
               index.size(0) == time.size(0) && offset.size(0) >= 1,
           "spike times: expected times [n] double, indices [n] int64 and offsets [B+1] int64, on the CPU; "
           "event-driven layers have no other device");
  const auto* t = time.data_ptr<double>();
  const auto* i = index.data_ptr<int64_t>();
  const auto* from = offset.data_ptr<int64_t>();
  ST_CHECK(from[0] == 0 && from[batch()] == time.size(0), "spike times: expected offsets from 0 to ",
           time.size(0), ", got ", from[0], " to ", from[batch()]);
  for (int64_t b = 0; b < batch(); ++b) {
    ST_CHECK(from[b] <= from[b + 1], "spike times: offsets fall at sample ", b);
    double before = 0;
    for (int64_t k = from[b]; k < from[b + 1]; before = t[k++]) {
      ST_CHECK(t[k] >= before && t[k] < std::numeric_limits<double>::infinity(),
               "spike times: expected times from 0 on that rise, got ", t[k], " after ", before,
               " in sample ", b);
      ST_CHECK(i[k] >= 0 && i[k] < elements, "spike times: expected an index from 0 to ", elements - 1,
               ", got ", i[k], " in sample ", b);
    }
  }
}

SpikeTimes SpikeTimes::from_steps(const Tensor& bytes) {
  ST_CHECK(
      bytes.dim() >= 2 && bytes.scalar_type() == torch::kUInt8 && bytes.is_cpu(),
      "spike times: expected spikes [T,B,*] of one byte each on the CPU; event-driven layers have no other "
      "device");
  SpikeTimes s;
  s.steps = bytes.size(0);
  const int64_t B = bytes.size(1);
  s.elements = bytes.numel() / std::max<int64_t>(1, s.steps * B);
  const Tensor by_sample = bytes.reshape({s.steps, B, s.elements}).transpose(0, 1).contiguous();
  const Tensor at_once = torch::nonzero(by_sample);  // rows b, t, n in this order
  const Tensor flat = by_sample.view(-1);
  const Tensor at = at_once.repeat_interleave(flat.index({flat.ne(0)}).to(torch::kInt64), 0);
  s.time = at.select(1, 1).to(torch::kDouble).contiguous();
  s.index = at.select(1, 2).contiguous();
  s.offset = torch::zeros({B + 1}, torch::kInt64);
  s.offset.slice(0, 1).copy_(at.select(1, 0).bincount({}, B).cumsum(0));
  return s;
}

}  // namespace spiketrain
