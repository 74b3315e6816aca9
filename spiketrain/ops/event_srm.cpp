#include "spiketrain/ops/event_srm.h"

#include "spiketrain/ops/event_batch.h"

namespace spiketrain::ops {
namespace {

void check_srm(cpu::EventSrmParams& p, const SpikeTimes& in, const Tensor& W) {
  check_event_layer(in, W);
  ST_CHECK(p.tau_s > 0 && p.tau_refractory > 0 && p.weight_refractory > 0 && p.threshold > 0 &&
               p.min_slope >= 0 && p.max_spikes >= 1,
           "event layer: expected positive time constants, threshold and weight_refractory, min_slope >= 0 "
           "and max_spikes >= 1");
  p.end = static_cast<double>(in.steps);
}

}  // namespace

SrmSpikes event_srm_forward(cpu::EventSrmParams p, const SpikeTimes& in, const Tensor& W) {
  check_srm(p, in, W);
  const Tensor from_input = by_sender(W);
  const EventSamples samples(in);
  std::vector<cpu::SrmRecord> records(static_cast<size_t>(in.batch()));
  AT_DISPATCH_FLOATING_TYPES(W.scalar_type(), "event_srm_forward", [&] {
    const auto w = event_weights<scalar_t>(from_input, {});
    for_chunks(in.batch(), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        records[static_cast<size_t>(b)] = cpu::event_srm_forward(p, w, samples.arrivals(b));
    });
  });
  SrmSpikes out;
  out.sent = joined_spikes(records, W.size(0), in.steps, &cpu::SrmRecord::slope, out.slope);
  return out;
}

EventCredit event_srm_backward(cpu::EventSrmParams p, const SpikeTimes& in, const Tensor& W,
                               const SrmSpikes& spikes, const Tensor& g_time_in, bool want_time) {
  check_srm(p, in, W);
  const Tensor from_input = by_sender(W), g_time = checked_time_gradient(g_time_in, spikes.slope);
  const EventSamples samples(in), sent(spikes.sent);
  EventCredit credit;
  AT_DISPATCH_FLOATING_TYPES(W.scalar_type(), "event_srm_backward", [&] {
    const auto w = event_weights<scalar_t>(from_input, {});
    credit = gather_events(in, W, {}, want_time, [&](int64_t b, const cpu::EventGradients& g) {
      cpu::event_srm_backward(p, w, samples.arrivals(b),
                              record_of<cpu::SrmRecord>(spikes.sent, spikes.slope, b),
                              g_time.data_ptr<double>() + sent.begin(b), g);
    });
  });
  return credit;
}

}  // namespace spiketrain::ops
