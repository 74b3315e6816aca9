#include "spiketrain/ops/event_lif.h"

#include "spiketrain/ops/event_batch.h"

namespace spiketrain::ops {
namespace {

using cpu::EventGradients;
using cpu::EventLifParams;
using cpu::EventRecord;

void check(EventLifParams& p, const SpikeTimes& in, const Tensor& W, const Tensor& V) {
  check_event_layer(in, W);
  ST_CHECK(!V.defined() || (V.dim() == 2 && V.size(0) == W.size(0) && V.size(1) == W.size(0) &&
                            V.options().type_equal(W.options())),
           "event layer: expected recurrent weights [", W.size(0), ", ", W.size(0),
           "] of the type of the others");
  ST_CHECK(p.tau_m > 0 && p.tau_s > 0 && p.threshold > 0 && p.min_slope >= 0 && p.max_spikes >= 1,
           "event layer: expected positive time constants and threshold, min_slope >= 0 and max_spikes >= 1");
  p.end = static_cast<double>(in.steps);
}

}  // namespace

EventSpikes event_lif_forward(EventLifParams p, const SpikeTimes& in, const Tensor& W, const Tensor& V) {
  check(p, in, W, V);
  const Tensor from_input = by_sender(W), from_layer = by_sender(V);
  const EventSamples samples(in);
  std::vector<EventRecord> records(static_cast<size_t>(in.batch()));
  AT_DISPATCH_FLOATING_TYPES(W.scalar_type(), "event_lif_forward", [&] {
    const auto w = event_weights<scalar_t>(from_input, from_layer);
    for_chunks(in.batch(), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        records[static_cast<size_t>(b)] = cpu::event_lif_forward(p, w, samples.arrivals(b));
    });
  });
  EventSpikes out;
  out.sent = joined_spikes(records, W.size(0), in.steps, &EventRecord::current, out.current);
  return out;
}

EventCredit event_lif_backward(EventLifParams p, const SpikeTimes& in, const Tensor& W, const Tensor& V,
                               const EventSpikes& spikes, const Tensor& g_time_in, bool want_time) {
  check(p, in, W, V);
  const Tensor from_input = by_sender(W), from_layer = by_sender(V),
               g_time = checked_time_gradient(g_time_in, spikes.current);
  const EventSamples samples(in), sent(spikes.sent);
  EventCredit credit;
  AT_DISPATCH_FLOATING_TYPES(W.scalar_type(), "event_lif_backward", [&] {
    const auto w = event_weights<scalar_t>(from_input, from_layer);
    credit = gather_events(in, W, V, want_time, [&](int64_t b, const EventGradients& g) {
      cpu::event_lif_backward(p, w, samples.arrivals(b),
                              record_of<EventRecord>(spikes.sent, spikes.current, b),
                              g_time.data_ptr<double>() + sent.begin(b), g);
    });
  });
  return credit;
}

Tensor event_membrane_forward(EventLifParams p, const SpikeTimes& in, const Tensor& W) {
  check(p, in, W, {});
  const Tensor from_input = by_sender(W);
  Tensor a = torch::empty({in.steps, in.batch(), W.size(0)}, from_input.options());
  const EventSamples samples(in);
  AT_DISPATCH_FLOATING_TYPES(W.scalar_type(), "event_membrane_forward", [&] {
    const auto w = event_weights<scalar_t>(from_input, {});
    for_chunks(in.batch(), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        cpu::event_membrane_forward(p, w, samples.arrivals(b), in.steps, in.batch() * w.neurons,
                                    a.data_ptr<scalar_t>() + b * w.neurons);
    });
  });
  return a;
}

EventCredit event_membrane_backward(EventLifParams p, const SpikeTimes& in, const Tensor& W,
                                    const Tensor& g_a_in, bool want_time) {
  check(p, in, W, {});
  const Tensor from_input = by_sender(W), g_a = g_a_in.contiguous();
  ST_CHECK(g_a.sizes() == at::IntArrayRef({in.steps, in.batch(), W.size(0)}) &&
               g_a.scalar_type() == W.scalar_type(),
           "event membrane: expected a gradient [", in.steps, ", ", in.batch(), ", ", W.size(0), "], got ",
           g_a.sizes());
  const EventSamples samples(in);
  EventCredit credit;
  AT_DISPATCH_FLOATING_TYPES(W.scalar_type(), "event_membrane_backward", [&] {
    const auto w = event_weights<scalar_t>(from_input, {});
    credit = gather_events(in, W, {}, want_time, [&](int64_t b, const EventGradients& g) {
      cpu::event_membrane_backward(p, w, samples.arrivals(b), in.steps, in.batch() * w.neurons,
                                   g_a.data_ptr<scalar_t>() + b * w.neurons, g);
    });
  });
  return credit;
}

}  // namespace spiketrain::ops
