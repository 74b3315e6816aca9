// Widths of an exported network's numbers, with the reasons why they are enough.
#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/deploy/rtl_export.h"

namespace spiketrain::deploy {
namespace {

struct Range {
  int64_t least = 0, most = 0;
  bool within(const Range& box) const { return least >= box.least && most <= box.most; }
};
Range operator+(const Range& a, const Range& b) { return {a.least + b.least, a.most + b.most}; }
/// What two's complement numbers of some bits hold.
Range box_of(int bits) { return {-(int64_t{1} << (bits - 1)), (int64_t{1} << (bits - 1)) - 1}; }
/// r(k v), which rises or falls with v.
Range decayed(int64_t k, const Range& v) {
  const int64_t a = Fixed::rounded(k * v.least, Fixed::kDecayBits),
                b = Fixed::rounded(k * v.most, Fixed::kDecayBits);
  return {std::min(a, b), std::max(a, b)};
}

/// Of one layer.
class Prover {
 public:
  Prover(const FixedProgram& program, const ProgramLayer<Fixed>& layer) : program_(program), layer_(layer) {}

  RtlLayerBits prove() {
    RtlLayerBits bits;
    for (const auto& product : layer_.products) {
      const RtlProduct kept = rtl_product(product);
      int64_t least = 0, most = 0;
      for (const int64_t w : kept.weight) least = std::min(least, w), most = std::max(most, w);
      const Range sum = sums(product, kept.weight);
      const int width = bits_for(sum.least, sum.most);
      ST_CHECK(
          width <= 32, place(), "its sums may reach ", std::max(-sum.least, sum.most),
          ", which does not fit 32 bits; export with type q7, or train with smaller weights or fewer inputs");
      bits.products.push_back({bits_for(least, most), width});
      // Without a cut: the program's exponents leave room.
      const Range current = scaled(sum, kept.shift);
      ST_CHECK(current.within(box_of(32)), place(), "its currents may reach ",
               std::max(-current.least, current.most), ", which does not fit 32 bits");
      currents_.push_back(current);
    }
    check_factors();
    if (layer_.filtered) filter();
    for (int width = 2; width <= 32 && bits.saturates; ++width) {
      bits.membrane = width;
      bits.saturates = !holds(box_of(width));
    }
    bits.value = value_bits(bits.membrane);
    return bits;
  }

 private:
  std::string place() const { return str("export rtl: layer ", layer_.name, " (", layer_.notation, "): "); }

  /// All sums that inputs can make, those on the way included: weights of one sign only add up.
  Range sums(const ProgramProduct<Fixed>& product, const std::vector<int64_t>& weight) const {
    const bool input = product.shape.source == Product::kInput;
    const bool signs = input && program_.kind == Input::real;
    const int64_t times = product.shape.window * product.shape.window * (input ? program_.input_max : 1);
    const auto features = static_cast<size_t>(product.out.channels);
    Range all;
    for (size_t f = 0; f < features; ++f) {
      int64_t positive = 0, negative = 0;
      for (size_t i = f; i < weight.size(); i += features) (weight[i] > 0 ? positive : negative) += weight[i];
      if (signs) positive -= negative, negative = -positive;
      all = {std::min(all.least, negative * times), std::max(all.most, positive * times)};
    }
    return all;
  }

  /// Of a sum that fits 32 bits.
  static Range scaled(const Range& sum, int shift) {
    constexpr int kMost = 30;  // any more is beyond 32 bits as well, unless the sum is zero
    const auto one = [&](int64_t x) {
      return shift < 0 ? Fixed::rounded(x, -shift) : x * (int64_t{1} << std::min(shift, kMost + 1));
    };
    return {one(sum.least), one(sum.most)};
  }

  void check_factors() const {
    std::vector<int64_t> factors = {layer_.current_decay, layer_.output_decay};
    factors.insert(factors.end(), layer_.leak.begin(), layer_.leak.end());
    for (const int64_t k : factors) {
      ST_CHECK(std::abs(k) <= 1 << Fixed::kDecayBits, place(), "expected leaks of at most one, got ", k,
               " / 2^", Fixed::kDecayBits);
    }
  }

  Range all_currents() const {
    Range all;
    for (const Range& from : currents_) all = all + from;
    return all;
  }

  /// What the filter makes of the currents takes their place: the smallest range that it cannot leave.
  void filter() {
    const Range current = all_currents();
    for (int width = 2; width <= 32; ++width) {
      const Range filtered = decayed(layer_.current_decay, box_of(width)) + current;
      if (!filtered.within(box_of(width))) continue;
      currents_.push_back(decayed(layer_.current_decay, box_of(width)));
      return;
    }
    currents_.push_back(box_of(33));  // more than any range to be proven
  }

  /// Whether a step that begins with all membranes in `box` ends so, without a cut on the way.
  bool holds(const Range& box) const {
    for (const Range& from : currents_)
      if (!from.within(box)) return false;
    const Range current = all_currents();
    if (!current.within(box)) return false;
    const auto size = static_cast<size_t>(layer_.out.size());
    for (size_t i = 0; i < size; ++i)
      if (!holds(box, current, i)) return false;
    return true;
  }

  bool holds(const Range& box, Range current, size_t i) const {
    const auto of = [&](const std::vector<int32_t>& x) -> int64_t { return x[layer_.at(x, i)]; };
    const auto inside = [&](int64_t x) { return x >= box.least && x <= box.most; };
    if (!layer_.bias.empty()) {
      if (!inside(of(layer_.bias))) return false;
      current = current + Range{of(layer_.bias), of(layer_.bias)};
    }
    const int64_t first = Fixed::rounded(of(layer_.leak) * of(layer_.start), Fixed::kDecayBits);
    const Range start{first, first};
    std::vector<Range> carried = {decayed(of(layer_.leak), box)};
    if (layer_.spiking) {
      const bool soft = layer_.reset == Reset::soft || layer_.reset == Reset::soft_decayed;
      if (!inside(of(layer_.threshold)) || (soft && !inside(of(layer_.drop)))) return false;
      if (layer_.reset == Reset::hard && !inside(of(layer_.v_reset))) return false;
      const Range fired{of(layer_.threshold), box.most};
      carried = {decayed(of(layer_.leak), {box.least, of(layer_.threshold)})};
      if (layer_.reset == Reset::soft_decayed && !lowered(fired, i).within(box)) return false;
      carried.push_back(after_spike(fired, i));
    }
    carried.push_back(start);
    if (!current.within(box)) return false;
    return std::all_of(carried.begin(), carried.end(),
                       [&](const Range& c) { return c.within(box) && (c + current).within(box); });
  }

  Range lowered(const Range& v, size_t i) const {
    const int64_t drop = layer_.drop[layer_.at(layer_.drop, i)];
    return {v.least - drop, v.most - drop};
  }

  /// What a neuron carries on that fired at a potential `u`.
  Range after_spike(const Range& u, size_t i) const {
    const int64_t k = layer_.leak[layer_.at(layer_.leak, i)];
    if (layer_.reset == Reset::soft_decayed) return decayed(k, lowered(u, i));
    if (layer_.reset == Reset::soft) return lowered(decayed(k, u), i);
    if (layer_.reset == Reset::none) return decayed(k, u);
    const int64_t v = layer_.v_reset[layer_.at(layer_.v_reset, i)];
    return decayed(k, {v, v});
  }

  /// Of what leaves the last layer.
  int value_bits(int membrane) const {
    if (!layer_.spiking) return membrane;
    if (!layer_.output_filtered) return 2;
    for (int width = 2; width <= 32; ++width) {
      const Range box = box_of(width);
      if (layer_.output_step <= box.most &&
          (decayed(layer_.output_decay, {0, box.most}) + Range{0, layer_.output_step}).within(box))
        return width;
    }
    throw UsageError(place() + "its filtered outputs have no bound; expected an output that decays");
  }

  const FixedProgram& program_;
  const ProgramLayer<Fixed>& layer_;
  std::vector<Range> currents_;  ///< [product]
};

}  // namespace

int bits_for(int64_t least, int64_t most) {
  int bits = 2;
  while (bits < 64 && !Range{least, most}.within(box_of(bits))) ++bits;
  return bits;
}

RtlProduct rtl_product(const ProgramProduct<Fixed>& product) {
  int any = 0;
  for (const int16_t w : product.weight) any |= w;
  int zeros = 0;
  while (any != 0 && (any >> zeros & 1) == 0) ++zeros;
  RtlProduct kept;
  for (const int16_t w : product.weight) kept.weight.push_back(w >> zeros);
  kept.exponent = product.exponent - zeros;
  kept.shift = product.shift + zeros;
  return kept;
}

std::vector<RtlLayerBits> rtl_bits(const FixedProgram& program) {
  std::vector<RtlLayerBits> all;
  for (const auto& layer : program.layers) all.push_back(Prover(program, layer).prove());
  return all;
}

}  // namespace spiketrain::deploy
