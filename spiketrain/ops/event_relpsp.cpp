#include "spiketrain/ops/event_relpsp.h"

#include <cmath>

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/event_samples.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {
namespace {

using cpu::RelpspMap;
using cpu::RelpspParams;
using cpu::RelpspRecord;

void check(const RelpspParams& p, const RelpspMap& map, const SpikeTimes& in, const Tensor& W) {
  in.check();
  ST_CHECK(map.kernel >= 1 && map.stride >= 1 && map.padding >= 0 && map.maps >= 1 &&
               map.height + 2 * map.padding >= map.kernel && map.width + 2 * map.padding >= map.kernel,
           "event layer: a ", map.kernel, "x", map.kernel, " kernel does not fit maps of ", map.height, "x",
           map.width, " with padding ", map.padding);
  ST_CHECK(in.elements == map.inputs(), "event layer: expected spikes of ", map.inputs(), " inputs, got ",
           in.elements);
  ST_CHECK(W.is_cpu() && W.numel() == map.weights() && W.size(0) == map.maps &&
               (W.scalar_type() == torch::kFloat || W.scalar_type() == torch::kDouble),
           "event layer: expected weights [", map.maps, ", ", map.channels, ", ", map.kernel, ", ",
           map.kernel, "], float or double, on the CPU, got shape ", W.sizes(), " of type ", W.scalar_type(),
           " on ", W.device());
  ST_CHECK(p.threshold > 0 && p.clip >= 0 && p.late >= 0,
           "event layer: expected a positive threshold, clip >= 0 and late >= 0");
  ST_CHECK(std::isinf(p.threshold) || p.end == static_cast<double>(in.steps),
           "event layer: expected a window of the ", in.steps, " steps, got ", p.end);
}

/// A row per sender: [channels * kernel * kernel, maps], double.
Tensor rows_by_sender(const Tensor& W) { return W.detach().flatten(1).t().to(torch::kDouble).contiguous(); }

RelpspSpikes join(const std::vector<RelpspRecord>& records, const RelpspParams& p, int64_t elements,
                  int64_t steps) {
  RelpspSpikes out;
  const auto B = static_cast<int64_t>(records.size());
  out.sent.elements = elements;
  out.sent.steps = steps;
  out.sent.offset = torch::zeros({B + 1}, torch::kInt64);
  auto* offset = out.sent.offset.data_ptr<int64_t>();
  for (int64_t b = 0; b < B; ++b)
    offset[b + 1] = offset[b] + static_cast<int64_t>(records[static_cast<size_t>(b)].time.size());
  const int64_t n = offset[B];
  out.sent.time = torch::empty({n}, torch::kDouble);
  out.slope = torch::empty({n}, torch::kDouble);
  out.sent.index = torch::empty({n}, torch::kInt64);
  out.causal = torch::empty({n}, torch::kInt64);
  for (int64_t b = 0; b < B; ++b) {
    const RelpspRecord& r = records[static_cast<size_t>(b)];
    std::copy(r.time.begin(), r.time.end(), out.sent.time.data_ptr<double>() + offset[b]);
    std::copy(r.slope.begin(), r.slope.end(), out.slope.data_ptr<double>() + offset[b]);
    std::copy(r.neuron.begin(), r.neuron.end(), out.sent.index.data_ptr<int64_t>() + offset[b]);
    std::copy(r.causal.begin(), r.causal.end(), out.causal.data_ptr<int64_t>() + offset[b]);
    out.late += r.time.end() - std::lower_bound(r.time.begin(), r.time.end(), p.end);
  }
  return out;
}

/// A sample's record again.
RelpspRecord relpsp_record(const RelpspSpikes& spikes, const EventSamples& sent, int64_t b) {
  const cpu::Arrivals own = sent.arrivals(b);
  const auto* slope = spikes.slope.data_ptr<double>() + sent.begin(b);
  const auto* causal = spikes.causal.data_ptr<int64_t>() + sent.begin(b);
  return {{own.time, own.time + own.n},
          {slope, slope + own.n},
          {own.source, own.source + own.n},
          {causal, causal + own.n}};
}

/// A contiguous error of these sizes; undefined if there is none.
Tensor error_of(const Tensor& g, at::IntArrayRef sizes, const char* of) {
  if (!g.defined()) return g;
  ST_CHECK(g.sizes() == sizes && g.scalar_type() == torch::kDouble,
           "event layer: expected a gradient of the ", of, " of shape ", sizes, ", double, got ", g.sizes(),
           " of type ", g.scalar_type());
  return g.contiguous();
}

}  // namespace

RelpspSpikes event_relpsp_forward(const RelpspParams& p, const RelpspMap& map, const SpikeTimes& in,
                                  const Tensor& W) {
  check(p, map, in, W);
  const Tensor rows = rows_by_sender(W);
  const EventSamples samples(in);
  std::vector<RelpspRecord> records(static_cast<size_t>(in.batch()));
  const Tensor membrane = torch::empty({in.batch(), map.neurons()}, torch::kDouble);
  const auto* w = pointer<double>(rows);
  for_chunks(in.batch(), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      records[static_cast<size_t>(b)] = cpu::event_relpsp_forward(
          p, map, w, samples.arrivals(b), membrane.data_ptr<double>() + b * map.neurons());
  });
  RelpspSpikes out = join(records, p, map.neurons(), in.steps);
  out.membrane = membrane;
  return out;
}

RelpspCredit event_relpsp_backward(const RelpspParams& p, const RelpspMap& map, const SpikeTimes& in,
                                   const Tensor& W, const RelpspSpikes& spikes, const RelpspErrors& errors,
                                   bool want_time) {
  check(p, map, in, W);
  const Tensor rows = rows_by_sender(W), g_time = error_of(errors.time, spikes.slope.sizes(), "spikes"),
               g_membrane = error_of(errors.membrane, {in.batch(), map.neurons()}, "membranes");
  const int64_t B = in.batch(), size = chunk_size(B), chunks = (B + size - 1) / size;
  const Tensor sums = torch::zeros({chunks, rows.size(0), rows.size(1)}, torch::kDouble);
  RelpspCredit credit;
  if (want_time) credit.time = torch::zeros({in.time.size(0)}, torch::kDouble);
  const EventSamples samples(in), sent(spikes.sent);
  const auto* w = pointer<double>(rows);
  for_chunks(B, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      const cpu::RelpspErrors of_sample = {
          g_time.defined() ? g_time.data_ptr<double>() + sent.begin(b) : nullptr,
          g_membrane.defined() ? g_membrane.data_ptr<double>() + b * map.neurons() : nullptr};
      const cpu::RelpspGradients g = {
          sums.data_ptr<double>() + begin / size * rows.numel(),
          want_time ? credit.time.data_ptr<double>() + samples.begin(b) : nullptr};
      cpu::event_relpsp_backward(p, map, w, samples.arrivals(b), relpsp_record(spikes, sent, b), of_sample,
                                 g);
    }
  });
  Tensor all = torch::zeros({rows.size(0), rows.size(1)}, torch::kDouble);
  for (int64_t k = 0; k < chunks; ++k) all += sums[k];
  credit.weight = all.t().to(W.scalar_type()).contiguous().view(W.sizes());
  return credit;
}

EarliestSpikes earliest_spikes(const SpikeTimes& in, int64_t channels, int64_t height, int64_t width,
                               int64_t window) {
  in.check();
  ST_CHECK(in.elements == channels * height * width && window >= 1 && height >= window && width >= window,
           "earliest spikes: expected spikes of ", channels, " maps of ", height, "x", width,
           " and a window that fits, got ", in.elements, " elements and a side of ", window);
  const int64_t rows = height / window, columns = width / window, area = height * width;
  EarliestSpikes out;
  out.sent.elements = channels * rows * columns;
  out.sent.steps = in.steps;
  const EventSamples samples(in);
  std::vector<int64_t> kept, index, offset = {0};
  for (int64_t b = 0; b < in.batch(); ++b) {
    std::vector<bool> seen(static_cast<size_t>(out.sent.elements));
    const cpu::Arrivals arrivals = samples.arrivals(b);
    for (int64_t i = 0; i < arrivals.n; ++i) {
      const int64_t c = arrivals.source[i] / area, rest = arrivals.source[i] % area;
      const int64_t row = rest / width / window, column = rest % width / window;
      if (row >= rows || column >= columns) continue;
      const int64_t to = (c * rows + row) * columns + column;
      if (seen[static_cast<size_t>(to)]) continue;
      seen[static_cast<size_t>(to)] = true;
      kept.push_back(samples.begin(b) + i);
      index.push_back(to);
    }
    offset.push_back(static_cast<int64_t>(kept.size()));
  }
  out.kept = torch::tensor(kept, torch::kInt64);
  out.sent.index = torch::tensor(index, torch::kInt64);
  out.sent.offset = torch::tensor(offset, torch::kInt64);
  out.sent.time = in.time.detach().index_select(0, out.kept);
  return out;
}

}  // namespace spiketrain::ops
