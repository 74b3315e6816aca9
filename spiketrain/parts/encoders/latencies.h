// One spike for each value of [0,1], the earlier the greater: at time (1 - x)*(T - 1).
#pragma once
#include "spiketrain/core/encoder.h"

namespace spiketrain {

/// x [B,*] in [0,1], `sends` [B,*] bool: which of them spike -> a spike in the step nearest to its time.
inline Signal latency_steps(const Tensor& x, const Tensor& sends, const Encoder::Request& request) {
  const Tensor time =
      torch::round((1 - torch::clamp(x, 0, 1)) * static_cast<double>(request.T - 1)).unsqueeze(0);
  std::vector<int64_t> shape(static_cast<size_t>(time.dim()), 1);
  shape[0] = request.t1 - request.t0;
  const Tensor step = torch::arange(request.t0, request.t1, x.options()).view(shape);
  const Tensor s = ((time == step) & sends.unsqueeze(0)).to(torch::kUInt8);
  return Signal::spikes(Spikes::from_bytes(s), x.scalar_type());
}

/// The same as exact times of the whole sequence; `encoder`: whose, for the error.
inline Signal latency_times(const Tensor& values, const Tensor& sending, const Encoder::Request& request,
                            const std::string& encoder) {
  ST_CHECK(request.t0 == 0 && request.t1 == request.T, "encoder ", encoder,
           ": exact times are of the whole sequence; use schedule whole");
  const Tensor x = values.flatten(1).to(torch::kCPU), above = sending.flatten(1).to(torch::kCPU);
  const Tensor time = (1 - torch::clamp(x.to(torch::kDouble), 0, 1)) * static_cast<double>(request.T - 1);
  // The silent ones last.
  const Tensor order = std::get<1>(torch::where(above, time, torch::full_like(time, request.T))
                                       .sort(/*stable=*/true, /*dim=*/1, /*descending=*/false));
  const Tensor sends = above.gather(1, order);
  SpikeTimes s;
  s.elements = x.size(1);
  s.steps = request.T;
  s.time = time.gather(1, order).index({sends});
  s.index = order.index({sends});
  s.offset = torch::zeros({x.size(0) + 1}, torch::kInt64);
  s.offset.slice(0, 1).copy_(sends.sum(1).cumsum(0));
  return Signal::times(std::move(s));
}

}  // namespace spiketrain
