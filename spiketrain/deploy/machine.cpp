// See machine.h.  Compiled without fused multiply-adds.
#include "spiketrain/deploy/machine.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/check.h"

namespace spiketrain::deploy {
namespace {

/// A place of the maps behind the windows.
struct Place {
  int64_t channel, row, column;
};

/// Site of the source, in C, H, W order if `maps_first`, to the place of its window; false if none holds it.
bool locate(const Product& shape, const Map& pooled, bool maps_first, int64_t site, Place& at) {
  const Map& in = shape.in;
  if (maps_first) {
    at = {site / (in.height * in.width), site / in.width % in.height, site % in.width};
  } else {
    at = {site % in.channels, site / in.channels / in.width, site / in.channels % in.width};
  }
  at.row /= shape.window;
  at.column /= shape.window;
  return at.row < pooled.height && at.column < pooled.width;
}

/// sum += column, times `value` if kScaled.
template <bool kScaled, class Weight, class Value>
void add_column(Value* sum, const Weight* column, int64_t n, Value value) {
  for (int64_t f = 0; f < n; ++f) {
    const auto w = static_cast<Value>(column[f]);
    sum[f] += kScaled ? w * value : w;
  }
}

/// Adds what one place sends; the number of weights that were added.
template <bool kScaled, class Math>
int64_t add_place(const ProgramProduct<Math>& product, const Map& pooled, const Place& at,
                  typename Math::Value value, typename Math::Value* sum) {
  const Product& shape = product.shape;
  const int64_t n = product.out.channels;
  const auto* weight = product.weight.data();
  if (!shape.conv) {
    const int64_t input = (at.row * pooled.width + at.column) * pooled.channels + at.channel;
    add_column<kScaled>(sum, weight + input * n, n, value);
    return n;
  }
  int64_t added = 0;
  for (int64_t i = 0; i < shape.kernel; ++i) {
    const int64_t y = at.row + shape.padding - i;
    if (y < 0 || y % shape.stride != 0 || y / shape.stride >= product.out.height) continue;
    for (int64_t j = 0; j < shape.kernel; ++j) {
      const int64_t x = at.column + shape.padding - j;
      if (x < 0 || x % shape.stride != 0 || x / shape.stride >= product.out.width) continue;
      const int64_t to = y / shape.stride * product.out.width + x / shape.stride;
      const int64_t from = (at.channel * shape.kernel + i) * shape.kernel + j;
      add_column<kScaled>(sum + to * n, weight + from * n, n, value);
      added += n;
    }
  }
  return added;
}

}  // namespace

template <class Math>
Machine<Math>::Machine(const Program<Math>& program) : program_(program) {
  size_t widest = 0;
  for (const auto& layer : program.layers) {
    const auto n = static_cast<size_t>(layer.out.size());
    const auto take = [&](bool wanted) {
      const size_t place = state_size_;
      if (wanted) state_size_ += n;
      return place;
    };
    Places p;
    p.carried = take(true);
    p.current = take(layer.filtered);
    p.fired = take(layer.recurrent());
    p.output = take(layer.output_filtered);
    places_.push_back(p);
    widest = std::max(widest, n);
  }
  held_.resize(static_cast<size_t>(program.layers.front().out.size()));
  for (auto& sums : sums_) sums.resize(widest);
}

template <class Math>
void Machine<Math>::start(Value* state) const {
  std::fill(state, state + state_size_, Value(0));
  for (size_t k = 0; k < places_.size(); ++k) {
    const auto& layer = program_.layers[k];
    for (size_t i = 0; i < static_cast<size_t>(layer.out.size()); ++i) {
      state[places_[k].carried + i] =
          Math::decay(layer.leak[layer.at(layer.leak, i)], layer.start[layer.at(layer.start, i)]);
    }
  }
}

template <class Math>
int64_t Machine<Math>::run_product(const ProgramProduct<Math>& product, const std::vector<int32_t>& sites,
                                   Value* sum) const {
  std::fill(sum, sum + product.out.size(), Value(0));
  const Map pooled = product.shape.pooled();
  int64_t added = 0;
  Place at{};
  for (const int32_t site : sites) {
    if (locate(product.shape, pooled, false, site, at))
      added += add_place<false>(product, pooled, at, Value(1), sum);
  }
  return added;
}

template <class Math>
int64_t Machine<Math>::run_input(const ProgramProduct<Math>& product, const Value* x, Value* sum) const {
  std::fill(sum, sum + product.out.size(), Value(0));
  const Map pooled = product.shape.pooled();
  int64_t added = 0;
  Place at{};
  for (int64_t site = 0; site < inputs(); ++site) {
    Value value = x[site];
    if (Math::kFixed) {
      const auto most = static_cast<Value>(program_.input_max);
      value = std::max<Value>(-most, std::min<Value>(most, value));
    }
    if (value == Value(0) || !locate(product.shape, pooled, true, site, at)) continue;
    added += add_place<true>(product, pooled, at, value, sum);
  }
  return added;
}

template <class Math>
void Machine<Math>::fire(size_t k, Value* state, Value* y, Trace& trace) const {
  const auto& layer = program_.layers[k];
  Value* carried = state + places_[k].carried;
  std::vector<int32_t>& spikes = trace.spikes[k];
  spikes.clear();
  const auto n = static_cast<size_t>(layer.out.size());
  for (size_t i = 0; i < n; ++i) {
    const auto of = [&](const std::vector<Value>& x) { return x[layer.at(x, i)]; };
    const Value* sum = layer.products[0].shape.source == Product::kInput ? held_.data() : sums_[0].data();
    Value current = Math::current(sum[i], layer.products[0].shift);
    if (layer.recurrent()) {
      current = Math::add(current, Math::current(sums_[1][i], layer.products[1].shift));
      state[places_[k].fired + i] = Value(0);
    }
    if (layer.filtered) {
      Value& filtered = state[places_[k].current + i];
      filtered = Math::add(Math::decay(layer.current_decay, filtered), current);
      current = filtered;
    }
    if (!layer.bias.empty()) current = Math::add(current, of(layer.bias));
    const Value u = Math::add(carried[i], current);
    if (!layer.spiking) {
      if (y) y[i] = u;
      carried[i] = Math::decay(of(layer.leak), u);
      continue;
    }
    const Value threshold = of(layer.threshold);
    const bool fired = layer.strict ? u > threshold : u >= threshold;
    Value v = u;
    if (fired) {
      spikes.push_back(static_cast<int32_t>(i));
      if (layer.reset == Reset::soft_decayed) v = Math::subtract(u, of(layer.drop));
      if (layer.reset == Reset::hard) v = of(layer.v_reset);
      if (layer.recurrent()) state[places_[k].fired + i] = Value(1);
    }
    carried[i] = Math::decay(of(layer.leak), v);
    if (fired && layer.reset == Reset::soft) carried[i] = Math::subtract(carried[i], of(layer.drop));
    if (!y) continue;
    if (!layer.output_filtered) {
      y[i] = fired ? Value(1) : Value(0);
      continue;
    }
    Value& output = state[places_[k].output + i];
    output = Math::decay(layer.output_decay, output);
    if (fired) output = Math::add(output, layer.output_step);
    y[i] = output;
  }
}

template <class Math>
void Machine<Math>::step(const Value* x, Value* state, Value* y, Trace& trace) {
  const size_t layers = program_.layers.size();
  trace.spikes.resize(layers);
  trace.additions.assign(layers, 0);
  for (size_t k = 0; k < layers; ++k) {
    const auto& layer = program_.layers[k];
    const auto& product = layer.products[0];
    if (product.shape.source == Product::kInput) {
      if (x) held_additions_ = run_input(product, x, held_.data());
      trace.additions[k] = x ? held_additions_ : 0;
    } else {
      trace.additions[k] = run_product(product, trace.spikes[k - 1], sums_[0].data());
    }
    if (layer.recurrent()) {
      before_.clear();
      for (int64_t i = 0; i < layer.out.size(); ++i) {
        if (state[places_[k].fired + static_cast<size_t>(i)] != Value(0))
          before_.push_back(static_cast<int32_t>(i));
      }
      trace.additions[k] += run_product(layer.products[1], before_, sums_[1].data());
    }
    fire(k, state, k + 1 == layers ? y : nullptr, trace);
  }
}

template class Machine<Float>;
template class Machine<Fixed>;

void scale_inputs(const FixedProgram& program, const float* x, int64_t n, int32_t* to) {
  for (int64_t i = 0; i < n; ++i) {
    const double scaled = std::round(std::ldexp(static_cast<double>(x[i]), program.input_exponent));
    ST_CHECK(!std::isnan(scaled), "export: an input is not a number");
    to[i] = static_cast<int32_t>(
        std::clamp(scaled, -static_cast<double>(program.input_max), static_cast<double>(program.input_max)));
  }
}

void scale_inputs(const FloatProgram& /*program*/, const float* x, int64_t n, float* to) {
  std::copy(x, x + n, to);
}

}  // namespace spiketrain::deploy
