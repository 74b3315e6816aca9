// A Model in float32 or in integers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "spiketrain/base/check.h"
#include "spiketrain/deploy/program.h"

namespace spiketrain::deploy {
namespace {

/// C, H, W order to H, W, C.  A vector of one number, or one per channel, stays.
Coefficients channels_last(const Coefficients& x, const Map& map) {
  if (x.size() != static_cast<size_t>(map.size())) return x;
  const auto channels = static_cast<size_t>(map.channels), area = x.size() / channels;
  Coefficients y(x.size());
  for (size_t c = 0; c < channels; ++c)
    for (size_t p = 0; p < area; ++p) y[p * channels + c] = x[c * area + p];
  return y;
}

/// Weights [features, columns] as [columns, features], the inputs of a fully connected layer in H, W, C order.
std::vector<double> by_input(const Product& product, int64_t features) {
  const auto n = static_cast<size_t>(features), columns = static_cast<size_t>(product.columns());
  std::vector<double> y(product.weight.size());
  const Map in = product.pooled();
  const auto channels = static_cast<size_t>(in.channels), area = static_cast<size_t>(in.height * in.width);
  for (size_t f = 0; f < n; ++f) {
    for (size_t k = 0; k < columns; ++k) {
      const size_t column = product.conv ? k : k % area * channels + k / area;
      y[column * n + f] = product.weight[f * columns + k];
    }
  }
  return y;
}

double largest(const std::vector<double>& x) {
  double most = 0;
  for (const double value : x) most = std::max(most, std::abs(value));
  return most;
}

/// Greatest e with x 2^e <= limit; 0 for x = 0.
int exponent_for(double x, double limit) {
  if (x == 0) return 0;
  int e = 0;
  std::frexp(limit / x, &e);  // limit / x = m 2^e with 1/2 <= m < 1
  return e - 1;
}

/// To the nearest, halves away from zero.
int64_t nearest(double x) { return std::llround(x); }

template <class Math>
ProgramLayer<Math> begin_layer(const Layer& layer) {
  ProgramLayer<Math> made;
  made.name = layer.name;
  made.notation = layer.notation;
  made.out = layer.out;
  made.filtered = layer.current_decay > 0;
  made.spiking = layer.spiking;
  made.strict = layer.strict;
  made.reset = layer.reset;
  made.output_filtered = layer.output_tau > 0;
  for (const Product& product : layer.products) {
    ProgramProduct<Math> p;
    p.shape = product;
    p.shape.weight.clear();
    p.out = layer.out;
    made.products.push_back(std::move(p));
  }
  return made;
}

/// Every coefficient of a layer in H, W, C order, through f.
template <class Math, class F>
void convert(const Layer& from, ProgramLayer<Math>& to, F&& f) {
  const auto all = [&](const Coefficients& x) {
    std::vector<typename Math::Value> y;
    for (const double value : channels_last(x, from.out)) y.push_back(f(value));
    return y;
  };
  to.bias = all(from.bias);
  to.drop = all(from.drop);
  to.v_reset = all(from.v_reset);
  to.start = all(from.start);
}

/// Largest sum that inputs of size 1 can make for a neuron; `signs`: inputs may be negative.
int64_t worst_sum(const ProgramProduct<Fixed>& product, bool signs) {
  const auto features = static_cast<size_t>(product.out.channels);
  const int64_t times = product.shape.window * product.shape.window;
  int64_t worst = 0;
  for (size_t f = 0; f < features; ++f) {
    int64_t positive = 0, negative = 0;
    for (size_t i = f; i < product.weight.size(); i += features) {
      const int64_t w = product.weight[i];
      (w > 0 ? positive : negative) += std::abs(w);
    }
    worst = std::max(worst, signs ? positive + negative : std::max(positive, negative));
  }
  return worst * times;
}

class Quantiser {
 public:
  Quantiser(const Model& model, int bits, double input_range) : model_(model), range_(input_range) {
    program_.notation = model.notation;
    program_.input = model.input;
    program_.bits = bits;
    limit_ = bits == 8 ? 127 : 32767;
  }

  FixedProgram make(Input kind, std::vector<Rounding>* rounding) {
    program_.kind = kind;
    for (const Layer& layer : model_.layers) {
      Rounding lost;
      program_.layers.push_back(quantise(layer, lost));
      if (rounding) rounding->push_back(lost);
    }
    const ProgramLayer<Fixed>& last = program_.layers.back();
    program_.output_exponent = !last.spiking ? last.exponent : last.output_filtered ? Fixed::kDecayBits : 0;
    return std::move(program_);
  }

 private:
  static constexpr int kInputBits = 11;  ///< below, weights give bits to real inputs
  static constexpr int kLeastInputBits = 4;
  static constexpr int kHeadroom = 29;  ///< currents, thresholds and biases stay below 2^29

  /// Rounds the weights of a product to integers times 2^-exponent; returns the largest change.
  double round(const Layer& layer, const Product& from, int exponent, ProgramProduct<Fixed>& to) const {
    to.exponent = exponent;
    to.weight.clear();
    double change = 0;
    for (const double w : by_input(from, layer.out.channels)) {
      const int64_t q = nearest(std::ldexp(w, exponent));
      to.weight.push_back(static_cast<int16_t>(q));
      change = std::max(change, std::abs(std::ldexp(static_cast<double>(q), -exponent) - w));
    }
    return change;
  }

  /// The largest real inputs with which no sum leaves 32 bits.
  static int64_t largest_input(int64_t worst) {
    return std::min<int64_t>(32767, INT32_MAX / std::max<int64_t>(1, worst));
  }

  /// Rounds the weights of product k of a layer; returns the largest sum that inputs of size 1 can make.
  int64_t round_weights(const Layer& layer, size_t k, ProgramProduct<Fixed>& to, Rounding& lost) const {
    const Product& from = layer.products[k];
    const bool real = from.source == Product::kInput && program_.kind == Input::real;
    const double most = largest(from.weight);
    double change = round(layer, from, std::min(exponent_for(most, limit_), 60), to);
    if (real) {  // weights and inputs share the bits of a sum
      for (int bits = program_.bits - 1;
           whole_bits(largest_input(worst_sum(to, true))) < std::min(kInputBits, bits); --bits)
        change = round(layer, from, to.exponent - 1, to);
    }
    if (most > 0) lost.weight = std::max(lost.weight, change / most);
    return worst_sum(to, real);
  }

  /// The scale of the input, and how large it may become.
  void scale_input(const Layer& layer, int64_t worst) {
    if (program_.kind == Input::counts) {
      program_.input_max =
          static_cast<int32_t>(std::min<int64_t>(255, INT32_MAX / std::max<int64_t>(1, worst)));
      check_sum(layer, worst * std::max<int64_t>(1, static_cast<int64_t>(std::ceil(range_))));
      return;
    }
    program_.input_max = static_cast<int32_t>(largest_input(worst));
    const int bits = program_.input_bits();
    ST_CHECK(bits >= kLeastInputBits, "export: layer ", layer.name, " (", layer.notation,
             "): so many inputs are added up that in 32 bits ", bits,
             " are left for each, expected at least ", kLeastInputBits, "; use type f32");
    program_.input_exponent = exponent_for(range_, program_.input_max);
  }

  void check_sum(const Layer& layer, int64_t worst) const {
    ST_CHECK(worst <= INT32_MAX, "export: layer ", layer.name, " (", layer.notation, "): its sums may reach ",
             worst, ", which does not fit 32 bits; ", program_.bits == 16 ? "use type q7" : "use type f32");
  }

  ProgramLayer<Fixed> quantise(const Layer& layer, Rounding& lost) {
    ProgramLayer<Fixed> made = begin_layer<Fixed>(layer);
    lost.layer = str(layer.name, " ", layer.notation);
    double reach = 0;  // of the current
    for (size_t k = 0; k < made.products.size(); ++k) {
      ProgramProduct<Fixed>& product = made.products[k];
      const bool input = product.shape.source == Product::kInput;
      const int64_t worst = round_weights(layer, k, product, lost);
      if (input) {
        scale_input(layer, worst);
      } else {
        check_sum(layer, worst);
      }
      const double scaled = static_cast<double>(worst) * (input ? program_.input_max : 1);
      reach += std::ldexp(scaled, -exponent_of(product));
    }
    for (const Coefficients* x : {&layer.bias, &layer.threshold, &layer.drop, &layer.v_reset, &layer.start})
      reach = std::max(reach, largest(*x));
    made.exponent = exponent_for(reach, std::ldexp(1.0, kHeadroom));
    for (const ProgramProduct<Fixed>& product : made.products)
      made.exponent = std::min(made.exponent, exponent_of(product) + 30);
    for (ProgramProduct<Fixed>& product : made.products)
      product.shift = std::max(made.exponent - exponent_of(product), -62);
    round_neurons(layer, made, lost);
    return made;
  }

  /// Of a product's sums.
  int exponent_of(const ProgramProduct<Fixed>& product) const {
    return product.exponent + (product.shape.source == Product::kInput ? program_.input_exponent : 0);
  }

  void round_neurons(const Layer& layer, ProgramLayer<Fixed>& made, Rounding& lost) const {
    const auto grid = [&](double x) { return static_cast<int32_t>(nearest(std::ldexp(x, made.exponent))); };
    const auto factor = [&](double x) {
      const auto k = static_cast<int32_t>(nearest(std::ldexp(x, Fixed::kDecayBits)));
      lost.leak = std::max(lost.leak, std::abs(std::ldexp(k, -Fixed::kDecayBits) - x));
      return k;
    };
    convert(layer, made, grid);
    for (const double x : channels_last(layer.leak, layer.out)) made.leak.push_back(factor(x));
    // Rounded so that a membrane on the grid is compared as with the threshold itself.
    for (const double x : channels_last(layer.threshold, layer.out)) {
      const double scaled = std::ldexp(x, made.exponent);
      made.threshold.push_back(static_cast<int32_t>(made.strict ? std::floor(scaled) : std::ceil(scaled)));
    }
    if (made.filtered) made.current_decay = factor(layer.current_decay);
    if (made.output_filtered) {
      made.output_decay = factor(1 - 1 / layer.output_tau);
      made.output_step = static_cast<int32_t>(nearest(std::ldexp(1 / layer.output_tau, Fixed::kDecayBits)));
    }
    lost.weight_exponent = made.products[0].exponent;
    lost.membrane_exponent = made.exponent;
    const double unit =
        made.spiking ? largest(layer.threshold) : std::ldexp(limit_, -made.products[0].exponent);
    const auto change = [&](const Coefficients& x) {
      double most = 0;
      for (const double value : x)
        most = std::max(most, std::abs(std::ldexp(grid(value), -made.exponent) - value));
      return most / unit;
    };
    lost.bias = change(layer.bias);
    lost.drop = change(layer.drop);
  }

  const Model& model_;
  const double range_;
  int64_t limit_ = 127;
  FixedProgram program_;
};

}  // namespace

void check_finite(const Model& model) {
  for (const Layer& layer : model.layers) {
    std::vector<const std::vector<double>*> all = {&layer.bias, &layer.leak,    &layer.threshold,
                                                   &layer.drop, &layer.v_reset, &layer.start};
    for (const Product& product : layer.products) all.push_back(&product.weight);
    for (const std::vector<double>* x : all) {
      const bool finite =
          std::all_of(x->begin(), x->end(), [](double value) { return std::isfinite(value); });
      ST_CHECK(finite, "export: layer ", layer.name, " (", layer.notation,
               ") has numbers that are not finite; expected a network whose training did not diverge");
    }
  }
}

FloatProgram lower(const Model& model, Input kind) {
  check_finite(model);
  FloatProgram program;
  program.notation = model.notation;
  program.input = model.input;
  program.kind = kind;
  const auto single = [](double x) { return static_cast<float>(x); };
  for (const Layer& layer : model.layers) {
    ProgramLayer<Float> made = begin_layer<Float>(layer);
    for (size_t k = 0; k < made.products.size(); ++k) {
      for (const double w : by_input(layer.products[k], layer.out.channels))
        made.products[k].weight.push_back(single(w));
    }
    convert(layer, made, single);
    for (const double x : channels_last(layer.leak, layer.out)) made.leak.push_back(single(x));
    for (const double x : channels_last(layer.threshold, layer.out)) made.threshold.push_back(single(x));
    made.current_decay = single(layer.current_decay);
    if (made.output_filtered) {
      made.output_decay = single(1 - 1 / layer.output_tau);
      made.output_step = single(1 / layer.output_tau);
    }
    program.layers.push_back(std::move(made));
  }
  return program;
}

FixedProgram quantise(const Model& model, int bits, Input kind, double input_range,
                      std::vector<Rounding>* rounding) {
  ST_CHECK(bits == 8 || bits == 16, "export: expected weights of 8 or 16 bits, got ", bits);
  check_finite(model);
  ST_CHECK(std::isfinite(input_range), "export: the inputs are not finite");
  return Quantiser(model, bits, input_range).make(kind, rounding);
}

}  // namespace spiketrain::deploy
