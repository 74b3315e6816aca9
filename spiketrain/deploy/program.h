// Program = a Model as a small machine runs it: weights by input, so that an event adds a contiguous column, maps channels last, and every
// number in the type that the machine computes with.  Two arithmetics:
//   Float  float32; no fused multiply-add
//   Fixed  weights of 8 or 16 bits, membranes and sums of 32; each product and each layer has a scale 2^-exponent.  Decay is
//          (k v) / 2^15, rounded to the nearest, halves away from zero; what exceeds 32 bits saturates.  See docs/deploy.md.
// Without LibTorch.  Tests: deploy/program_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/deploy/model.h"

namespace spiketrain::deploy {

/// What the network reads: real numbers, or small whole ones, such as spikes and numbers of events.
enum class Input { real, counts };

struct Float {
  using Weight = float;
  using Value = float;
  static constexpr bool kFixed = false;
  static Value decay(Value k, Value v) { return k * v; }
  static Value add(Value a, Value b) { return a + b; }
  static Value subtract(Value a, Value b) { return a - b; }
  /// A sum of products on the scale of the membrane.
  static Value current(Value sum, int /*shift*/) { return sum; }
};

struct Fixed {
  using Weight = int16_t;
  using Value = int32_t;
  static constexpr bool kFixed = true;
  static constexpr int kDecayBits = 15;
  /// x / 2^bits to the nearest, halves away from zero.
  static int64_t rounded(int64_t x, int bits) {
    if (bits == 0) return x;
    const int64_t half = int64_t{1} << (bits - 1);
    return x >= 0 ? (x + half) >> bits : -((half - x) >> bits);
  }
  static Value saturated(int64_t x) {
    return static_cast<Value>(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x);
  }
  static Value decay(Value k, Value v) { return static_cast<Value>(rounded(int64_t{k} * v, kDecayBits)); }
  static Value add(Value a, Value b) { return saturated(int64_t{a} + b); }
  static Value subtract(Value a, Value b) { return saturated(int64_t{a} - b); }
  static Value current(Value sum, int shift) {
    return static_cast<Value>(shift >= 0 ? int64_t{sum} * (int64_t{1} << shift) : rounded(sum, -shift));
  }
};

template <class Math>
struct ProgramProduct {
  Product shape;  ///< without its weights
  Map out;        ///< of the layer
  /// conv: [C, kernel, kernel, features]; else [inputs, features], inputs in H, W, C order.
  std::vector<typename Math::Weight> weight;
  int exponent = 0;  ///< Fixed: a weight w stands for w 2^-exponent
  int shift = 0;     ///< Fixed: from a sum to the membrane's scale, to the left if positive
};

template <class Math>
struct ProgramLayer {
  using Value = typename Math::Value;
  std::string name, notation;
  Map out;
  std::vector<ProgramProduct<Math>> products;  ///< one, or a second that reads the layer itself
  bool filtered = false, spiking = true, strict = false;
  Reset reset = Reset::none;
  Value current_decay = 0;
  /// One, one per channel, or one per neuron in H, W, C order; bias may be empty.
  std::vector<Value> bias, leak, threshold, drop, v_reset, start;
  bool output_filtered = false;
  Value output_decay = 0, output_step = 0;  ///< y[t] = output_decay y[t-1] + output_step s[t]
  int exponent = 0;                         ///< Fixed: of the membrane and of what it is compared with
  bool recurrent() const { return products.size() > 1; }
  /// Element of a coefficient for neuron i.
  size_t at(const std::vector<Value>& x, size_t i) const { return x.size() == 1 ? 0 : i % x.size(); }
};

/// The most bits of which every number is within `most`.
inline int whole_bits(int64_t most) {
  int bits = 0;
  while ((int64_t{2} << bits) - 1 <= most) ++bits;
  return bits;
}

template <class Math>
struct Program {
  std::string notation;
  Map input;
  Input kind = Input::real;
  int input_exponent = 0;  ///< Fixed: an input x stands for x 2^-input_exponent
  int32_t input_max = 0;   ///< Fixed: inputs are kept in [-input_max, input_max]
  /// Bits that inputs can use.
  int input_bits() const { return whole_bits(input_max); }
  /// Whether all that the type of an input can hold is within input_max.
  bool takes_all() const { return !Math::kFixed || (kind == Input::counts && input_max >= 255); }
  int bits = 32;            ///< of a weight
  int output_exponent = 0;  ///< Fixed: of what leaves the last layer
  std::vector<ProgramLayer<Math>> layers;
};

using FloatProgram = Program<Float>;
using FixedProgram = Program<Fixed>;

/// What rounding did to a layer.
struct Rounding {
  std::string layer;
  int weight_exponent = 0, membrane_exponent = 0;
  double weight = 0;  ///< largest change of a weight, in parts of the largest
  double leak = 0;    ///< largest change of a leak
  double
      bias = 0,
      drop =
          0;  ///< largest change of these, in parts of the threshold (of the largest weight where nothing spikes)
};

/// UsageError if a number of the model is not finite.
void check_finite(const Model& model);

/// UsageError of check_finite().
FloatProgram lower(const Model& model, Input kind);

/// bits: 8 or 16.  input_range: the largest size of an input; larger ones may be cut.  `rounding` may be null.  Real inputs have up to 15 bits:
/// as many as no sum of theirs leaves 32 bits with.  Where these are fewer than 11, the weights that they meet give bits to them, until both
/// have as many.  UsageError if a sum would not fit 32 bits, and of check_finite().
FixedProgram quantise(const Model& model, int bits, Input kind, double input_range,
                      std::vector<Rounding>* rounding = nullptr);

}  // namespace spiketrain::deploy
