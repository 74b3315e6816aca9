// What the ops of event-driven layers share: weights by sender, the samples of a batch one by one, and sums over them in
// fixed chunks.
#pragma once
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/event_lif.h"
#include "spiketrain/ops/event_samples.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {

/// UsageError unless the lists are what SpikeTimes says and W [neurons, elements] fits them.
inline void check_event_layer(const SpikeTimes& in, const Tensor& W) {
  in.check();
  ST_CHECK(W.is_cpu() && W.dim() == 2 && W.size(1) == in.elements &&
               (W.scalar_type() == torch::kFloat || W.scalar_type() == torch::kDouble),
           "event layer: expected weights [neurons, ", in.elements,
           "], float or double, on the CPU, got shape ", W.sizes(), " of type ", W.scalar_type(), " on ",
           W.device());
}

/// A row per sender.
inline Tensor by_sender(const Tensor& W) { return W.defined() ? W.detach().t().contiguous() : W; }

/// Of matrices by sender.
template <class R>
cpu::EventWeights<R> event_weights(const Tensor& W, const Tensor& V) {
  return {W.size(1), pointer<R>(W), pointer<R>(V)};
}

/// The spikes of all samples, and what each record keeps of them besides, in `kept` [n].
template <class Record>
SpikeTimes joined_spikes(const std::vector<Record>& records, int64_t elements, int64_t steps,
                         std::vector<double> Record::*of_spike, Tensor& kept) {
  SpikeTimes sent;
  sent.elements = elements;
  sent.steps = steps;
  sent.offset = torch::zeros({static_cast<int64_t>(records.size()) + 1}, torch::kInt64);
  auto* offset = sent.offset.data_ptr<int64_t>();
  for (size_t b = 0; b < records.size(); ++b)
    offset[b + 1] = offset[b] + static_cast<int64_t>(records[b].time.size());
  const int64_t n = offset[records.size()];
  sent.time = torch::empty({n}, torch::kDouble);
  sent.index = torch::empty({n}, torch::kInt64);
  kept = torch::empty({n}, torch::kDouble);
  for (size_t b = 0; b < records.size(); ++b) {
    const Record& r = records[b];
    std::copy(r.time.begin(), r.time.end(), sent.time.data_ptr<double>() + offset[b]);
    std::copy(r.neuron.begin(), r.neuron.end(), sent.index.data_ptr<int64_t>() + offset[b]);
    std::copy((r.*of_spike).begin(), (r.*of_spike).end(), kept.data_ptr<double>() + offset[b]);
  }
  return sent;
}

/// A sample's record again.
template <class Record>
Record record_of(const SpikeTimes& sent, const Tensor& kept, int64_t b) {
  const EventSamples samples(sent);
  const cpu::Arrivals own = samples.arrivals(b);
  const auto* of_spike = kept.data_ptr<double>() + samples.begin(b);
  return {{own.time, own.time + own.n}, {of_spike, of_spike + own.n}, {own.source, own.source + own.n}};
}

/// A contiguous gradient for each spike that was sent.  UsageError if it is none.
inline Tensor checked_time_gradient(const Tensor& g_time, const Tensor& kept) {
  ST_CHECK(g_time.sizes() == kept.sizes() && g_time.scalar_type() == torch::kDouble,
           "event layer: expected a gradient for each of the ", kept.size(0), " spikes, got ",
           g_time.sizes());
  return g_time.contiguous();
}

/// Runs f(b, gradients) for each sample.  The samples of a chunk add up one after the other, the chunks in order.
template <class F>
EventCredit gather_events(const SpikeTimes& in, const Tensor& W, const Tensor& V, bool want_time,
                          const F& f) {
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
      f(b, cpu::EventGradients{of_chunk(g_W, begin / size), of_chunk(g_V, begin / size),
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

}  // namespace spiketrain::ops
