// Memories of an exported network: weights and coefficients; and what they take.
#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/deploy/rtl_export.h"

namespace spiketrain::deploy {
namespace {

/// One number if all are the same.
RtlCoefficient coefficient(const char* name, const std::vector<int32_t>& x, int bits = 0) {
  const bool number = std::all_of(x.begin(), x.end(), [&](int32_t v) { return v == x[0]; });
  return {name, std::vector<int64_t>(x.begin(), number ? x.begin() + 1 : x.end()), bits};
}

/// Places of the kernel through which an event of `product` adds weights.
int64_t joined_places(const ProgramProduct<Fixed>& product, int64_t row, int64_t column) {
  const Product& s = product.shape;
  if (!s.conv) return 1;
  const auto count = [&](int64_t at, int64_t places) {
    int64_t n = 0;
    for (int64_t i = 0; i < s.kernel; ++i) {
      const int64_t to = at + s.padding - i;
      n += to >= 0 && to % s.stride == 0 && to / s.stride < places;
    }
    return n;
  };
  return count(row, product.out.height) * count(column, product.out.width);
}

/// Cycles that an event at a place of the source takes.
int64_t event_cycles(const ProgramProduct<Fixed>& product, int64_t row, int64_t column) {
  const Product& s = product.shape;
  const Map pooled = s.pooled();
  row /= s.window;
  column /= s.window;
  constexpr int64_t kTaken = 2;
  if (row >= pooled.height || column >= pooled.width) return kTaken;
  return kTaken + (s.conv ? s.kernel * s.kernel : 0) +
         joined_places(product, row, column) * product.out.channels;
}

/// Cycles of a step beside those of its events: every neuron, and the way through the pipeline.
int64_t step_cycles(const ProgramLayer<Fixed>& layer) { return layer.out.size() + 16; }

struct Work {
  int64_t events = 0, cycles = 0;
};

/// What the input of one sample takes.
Work input_work(const FixedProgram& program, const Recorded<Fixed>& sample) {
  Work work;
  const auto& product = program.layers.front().products[0];
  const Map in = program.input;
  for (size_t i = 0; i < sample.x.size(); ++i) {
    if (sample.x[i] == 0) continue;
    const int64_t site = static_cast<int64_t>(i) % in.size();
    const int64_t times = program.kind == Input::counts ? sample.x[i] : 1;
    work.events += times;
    work.cycles += times * event_cycles(product, site / in.width % in.height, site % in.width);
  }
  return work;
}

Work work_of(const FixedProgram& program, const Recorded<Fixed>& sample) {
  Work work = input_work(program, sample);
  for (const auto& step : sample.spikes) {
    for (size_t k = 0; k < program.layers.size(); ++k) {
      const auto& layer = program.layers[k];
      work.cycles += step_cycles(layer);
      std::vector<const ProgramProduct<Fixed>*> readers;
      if (k + 1 < program.layers.size()) readers.push_back(&program.layers[k + 1].products[0]);
      if (layer.recurrent()) readers.push_back(&layer.products[1]);
      for (const int32_t site : step[k]) {
        const int64_t at = site / layer.out.channels;
        for (const auto* reader : readers)
          work.cycles += event_cycles(*reader, at / layer.out.width, at % layer.out.width);
      }
      work.events += static_cast<int64_t>(step[k].size() * readers.size());
    }
  }
  return work;
}

}  // namespace

int count_bits(int64_t n) {
  int bits = 1;
  while ((int64_t{1} << bits) < n) ++bits;
  return bits;
}

RtlStream::RtlStream(const Map& map)
    : channel(count_bits(map.channels)), row(count_bits(map.height)), column(count_bits(map.width)) {}

int rtl_input_bits(const FixedProgram& program) {
  return program.kind == Input::counts ? 0 : bits_for(-program.input_max, program.input_max);
}

std::string rtl_words(const std::vector<int64_t>& x, int bits) {
  static const char* const kDigits = "0123456789abcdef";
  const int digits = (bits + 3) / 4;
  const uint64_t mask = bits >= 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
  std::string text;
  text.reserve(x.size() * static_cast<size_t>(digits + 1));
  for (const int64_t value : x) {
    const uint64_t word = static_cast<uint64_t>(value) & mask;
    for (int d = digits - 1; d >= 0; --d) text += kDigits[word >> (4 * d) & 15];
    text += '\n';
  }
  return text;
}

std::vector<RtlCoefficient> rtl_coefficients(const ProgramLayer<Fixed>& layer) {
  constexpr int kLeakBits = 17;
  std::vector<int32_t> start(std::max(layer.start.size(), layer.leak.size()));
  for (size_t i = 0; i < start.size(); ++i)
    start[i] = Fixed::decay(layer.leak[layer.at(layer.leak, i)], layer.start[layer.at(layer.start, i)]);
  std::vector<RtlCoefficient> all = {coefficient("leak", layer.leak, kLeakBits), coefficient("start", start)};
  if (!layer.bias.empty()) all.push_back(coefficient("bias", layer.bias));
  if (layer.spiking) {
    all.push_back(coefficient("threshold", layer.threshold));
    if (layer.reset == Reset::soft || layer.reset == Reset::soft_decayed)
      all.push_back(coefficient("drop", layer.drop));
    if (layer.reset == Reset::hard) all.push_back(coefficient("v_reset", layer.v_reset));
  }
  return all;
}

Files rtl_memories(const FixedProgram& program) {
  const std::vector<RtlLayerBits> bits = rtl_bits(program);
  Files files;
  for (size_t k = 0; k < program.layers.size(); ++k) {
    const auto& layer = program.layers[k];
    for (size_t c = 0; c < layer.products.size(); ++c) {
      files.emplace_back(str("mem/weights_", k, "_", c, ".mem"),
                         rtl_words(rtl_product(layer.products[c]).weight, bits[k].products[c].weight));
    }
    for (const RtlCoefficient& c : rtl_coefficients(layer))
      if (c.x.size() > 1)
        files.emplace_back(str("mem/", c.name, "_", k, ".mem"),
                           rtl_words(c.x, c.bits > 0 ? c.bits : bits[k].membrane));
  }
  return files;
}

RtlFootprint rtl_footprint(const RtlExport& from) {
  const FixedProgram& program = *from.program;
  const std::vector<RtlLayerBits> bits = rtl_bits(program);
  RtlFootprint f;
  for (size_t k = 0; k < program.layers.size(); ++k) {
    const auto& layer = program.layers[k];
    const int64_t n = layer.out.size();
    for (size_t c = 0; c < layer.products.size(); ++c) {
      f.weight_bits += static_cast<int64_t>(layer.products[c].weight.size()) * bits[k].products[c].weight;
      f.sum_bits += n * bits[k].products[c].sum;
    }
    f.state_bits += n * bits[k].membrane * (layer.filtered ? 2 : 1);
    if (layer.output_filtered) f.state_bits += n * bits[k].value;
    if (layer.recurrent()) f.state_bits += (n + 2) * (1 + RtlStream(layer.out).place());
    for (const RtlCoefficient& c : rtl_coefficients(layer))
      if (c.x.size() > 1)
        f.coefficient_bits += static_cast<int64_t>(c.x.size()) * (c.bits > 0 ? c.bits : bits[k].membrane);
  }
  if (from.reading.decides())
    f.state_bits += program.layers.back().out.size() *
                    (bits.back().value + (from.reading.prediction == Prediction::greatest_sum ? 32 : 0));
  for (const auto& sample : from.samples) {
    const Work work = work_of(program, sample);
    f.events += static_cast<double>(work.events);
    f.most_cycles += static_cast<double>(work.cycles);
    f.sample_cycles = std::max(f.sample_cycles, work.cycles);
  }
  const auto samples = static_cast<double>(std::max<size_t>(1, from.samples.size()));
  f.events /= samples;
  f.most_cycles /= samples;
  return f;
}

}  // namespace spiketrain::deploy
