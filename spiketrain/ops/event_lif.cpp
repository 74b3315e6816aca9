#include "spiketrain/ops/event_lif.h"

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/event_samples.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {
namespace {

using cpu::Arrivals;
using cpu::EventGradients;
using cpu::EventLifParams;
using cpu::EventRecord;
using cpu::EventWeights;

void check(EventLifParams& p, const SpikeTimes& in, const Tensor& W, const Tensor& V) {
  in.check();
  ST_CHECK(W.is_cpu() && W.dim() == 2 && W.size(1) == in.elements &&
               (W.scalar_type() == torch::kFloat || W.scalar_type() == torch::kDouble),
           "event layer: expected weights [neurons, ", in.elements,
           "], float or double, on the CPU, got shape ", W.sizes(), " of type ", W.scalar_type(), " on ",
           W.device());
  ST_CHECK(!V.defined() || (V.dim() == 2 && V.size(0) == W.size(0) && V.size(1) == W.size(0) &&
                            V.options().type_equal(W.options())),
           "event layer: expected recurrent weights [", W.size(0), ", ", W.size(0),
           "] of the type of the others");
  ST_CHECK(p.tau_m > 0 && p.tau_s > 0 && p.threshold > 0 && p.min_slope >= 0 && p.max_spikes >= 1,
           "event layer: expected positive time constants and threshold, min_slope >= 0 and max_spikes >= 1");
  p.end = static_cast<double>(in.steps);
}

/// A row per sender.
Tensor by_sender(const Tensor& W) { return W.defined() ? W.detach().t().contiguous() : W; }

template <class R>
EventWeights<R> weights(const Tensor& W, const Tensor& V) {
  return {W.size(1), pointer<R>(W), pointer<R>(V)};
}

EventSpikes join(const std::vector<EventRecord>& records, int64_t elements, int64_t steps) {
  EventSpikes out;
  out.sent.elements = elements;
  out.sent.steps = steps;
  out.sent.offset = torch::zeros({static_cast<int64_t>(records.size()) + 1}, torch::kInt64);
  auto* offset = out.sent.offset.data_ptr<int64_t>();
  for (size_t b = 0; b < records.size(); ++b)
    offset[b + 1] = offset[b] + static_cast<int64_t>(records[b].time.size());
  const int64_t n = offset[records.size()];
  out.sent.time = torch::empty({n}, torch::kDouble);
  out.current = torch::empty({n}, torch::kDouble);
  out.sent.index = torch::empty({n}, torch::kInt64);
  for (size_t b = 0; b < records.size(); ++b) {
    const EventRecord& r = records[b];
    std::copy(r.time.begin(), r.time.end(), out.sent.time.data_ptr<double>() + offset[b]);
    std::copy(r.current.begin(), r.current.end(), out.current.data_ptr<double>() + offset[b]);
    std::copy(r.neuron.begin(), r.neuron.end(), out.sent.index.data_ptr<int64_t>() + offset[b]);
  }
  return out;
}

/// A sample's record again.
EventRecord record_of(const EventSpikes& spikes, const EventSamples& sent, int64_t b) {
  const Arrivals own = sent.arrivals(b);
  const auto* current = spikes.current.data_ptr<double>() + sent.begin(b);
  return {{own.time, own.time + own.n}, {current, current + own.n}, {own.source, own.source + own.n}};
}

/// Runs f(b, gradients) for each sample.  The samples of a chunk add up one after the other, the chunks in order.
template <class F>
EventCredit gather(const SpikeTimes& in, const Tensor& W, const Tensor& V, bool want_time, const F& f) {
  const int64_t B = in.batch(), size = chunk_size(B), chunks = (B + size - 1) / size;
  const auto sums = [&](const Tensor& like) {
    return like.defined() ? torch::zeros({chunks, like.size(1), like.size(0)}, torch::kDouble) : Tensor();
  };
  const Tensor g_W = sums(W), g_V = sums(V);
  EventCredit credit;
  if (want_time) credit.time = torch::zeros({in.time.size(0)}, torch::kDouble);
  const auto of_chunk = [](const Tensor& sum, int64_t k) {
    return sum.defined() ? sum.data_ptr<double>() + k * sum.size(1) * sum.size(2) : nullptr;
  };
  const EventSamples samples(in);
  for_chunks(B, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      f(b, EventGradients{of_chunk(g_W, begin / size), of_chunk(g_V, begin / size),
                          want_time ? credit.time.data_ptr<double>() + samples.begin(b) : nullptr});
  });
  const auto total = [&](const Tensor& sum, const Tensor& like) {
    if (!sum.defined()) return Tensor();
    Tensor all = torch::zeros({sum.size(1), sum.size(2)}, torch::kDouble);
    for (int64_t k = 0; k < chunks; ++k) all += sum[k];
    return all.t().to(like.scalar_type()).contiguous();
  };
  credit.in = total(g_W, W);
  credit.recurrent = total(g_V, V);
  return credit;
}

}  // namespace

EventSpikes event_lif_forward(EventLifParams p, const SpikeTimes& in, const Tensor& W, const Tensor& V) {
  check(p, in, W, V);
  const Tensor from_input = by_sender(W), from_layer = by_sender(V);
  const EventSamples samples(in);
  std::vector<EventRecord> records(static_cast<size_t>(in.batch()));
  AT_DISPATCH_FLOATING_TYPES(W.scalar_type(), "event_lif_forward", [&] {
    const auto w = weights<scalar_t>(from_input, from_layer);
    for_chunks(in.batch(), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b)
        records[static_cast<size_t>(b)] = cpu::event_lif_forward(p, w, samples.arrivals(b));
    });
  });
  return join(records, W.size(0), in.steps);
}

EventCredit event_lif_backward(EventLifParams p, const SpikeTimes& in, const Tensor& W, const Tensor& V,
                               const EventSpikes& spikes, const Tensor& g_time_in, bool want_time) {
  check(p, in, W, V);
  const Tensor from_input = by_sender(W), from_layer = by_sender(V), g_time = g_time_in.contiguous();
  ST_CHECK(g_time.sizes() == spikes.current.sizes() && g_time.scalar_type() == torch::kDouble,
           "event layer: expected a gradient for each of the ", spikes.current.size(0), " spikes, got ",
           g_time.sizes());
  const EventSamples samples(in), sent(spikes.sent);
  EventCredit credit;
  AT_DISPATCH_FLOATING_TYPES(W.scalar_type(), "event_lif_backward", [&] {
    const auto w = weights<scalar_t>(from_input, from_layer);
    credit = gather(in, W, V, want_time, [&](int64_t b, const EventGradients& g) {
      cpu::event_lif_backward(p, w, samples.arrivals(b), record_of(spikes, sent, b),
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
    const auto w = weights<scalar_t>(from_input, {});
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
    const auto w = weights<scalar_t>(from_input, {});
    credit = gather(in, W, {}, want_time, [&](int64_t b, const EventGradients& g) {
      cpu::event_membrane_backward(p, w, samples.arrivals(b), in.steps, in.batch() * w.neurons,
                                   g_a.data_ptr<scalar_t>() + b * w.neurons, g);
    });
  });
  return credit;
}

}  // namespace spiketrain::ops
