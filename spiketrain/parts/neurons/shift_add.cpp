#include "spiketrain/parts/neurons/shift_add.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/ops/power_of_two.h"

namespace spiketrain {
namespace {

/// Bits that a sum may have, sign and carries of the sum aside.
constexpr int64_t kMostBits = 56, kCurrentBits = 15;

/// The smallest integers at least as large.
Tensor rounded_up(const Tensor& x) {
  const Tensor up = torch::ceil(x.to(torch::kDouble));
  ST_CHECK(up.abs().max().item<double>() < std::ldexp(1.0, kMostBits),
           "shift_add: a threshold is too large for integers of 64 bits; use fewer input_bits");
  return up.to(torch::kInt64);
}

}  // namespace

ShiftAdd ShiftAdd::of(const ChannelPsn& neuron, int64_t input_bits) {
  ST_CHECK(neuron.quantizer.is_object() && neuron.quantizer["name"] == "power_of_two",
           "shift_add: expected a cw_psn with quantizer = \"power_of_two\", whose products are shifts");
  const ops::PowersOfTwo p = ops::powers_of_two(neuron.deployed_weight());
  const Tensor used = p.exponent.masked_select(p.sign != 0);
  const int64_t low = used.numel() > 0 ? used.min().item<int64_t>() : 0;
  const int64_t high = used.numel() > 0 ? used.max().item<int64_t>() : 0;
  const int64_t raised = std::max<int64_t>(0, -low);
  ST_CHECK(high + raised + input_bits + kCurrentBits <= kMostBits, "shift_add: weights from 2^", low,
           " to 2^", high, " with currents of ", input_bits,
           " fraction bits are too far apart for integers of 64 bits");
  ShiftAdd result;
  result.sign = p.sign;
  result.shift = torch::where(p.sign != 0, p.exponent + raised, torch::zeros_like(p.exponent));
  result.threshold = rounded_up(-neuron.deployed_bias().to(torch::kCPU, torch::kDouble) *
                                std::ldexp(1.0, static_cast<int>(raised + input_bits)));
  result.dilation = neuron.dilation;
  return result;
}

ShiftAdd::Sent ShiftAdd::run(const Tensor& x) const {
  ST_CHECK(x.scalar_type() == torch::kInt64 && x.dim() >= 3 && x.size(2) == sign.size(0),
           "shift_add: expected currents [T,B,", sign.size(0), ",*] of type int64, got ", x.sizes(),
           " of type ", c10::toString(x.scalar_type()));
  const int64_t T = x.size(0), B = x.size(1), C = x.size(2), k = sign.size(1);
  const Tensor in = x.contiguous();
  Sent sent = {torch::zeros_like(in), torch::zeros_like(in)};
  const int64_t space = B * C > 0 ? in.numel() / std::max<int64_t>(1, T * B * C) : 0, step = B * C * space;
  const Tensor sign_ = sign.contiguous(), shift_ = shift.contiguous(), threshold_ = threshold.contiguous();
  const auto *from = in.data_ptr<int64_t>(), *signs = sign_.data_ptr<int64_t>(),
             *shifts = shift_.data_ptr<int64_t>(), *thresholds = threshold_.data_ptr<int64_t>();
  auto *h = sent.h.data_ptr<int64_t>(), *s = sent.s.data_ptr<int64_t>();
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t n = 0; n < step; ++n) {
      const int64_t c = n / space % C;
      int64_t sum = 0;
      for (int64_t i = 0; i < k; ++i) {
        const int64_t then = t - dilation * (k - 1 - i), at = c * k + i;
        if (then < 0 || signs[at] == 0) continue;
        // A left shift of a negative number, which C++17 does not define, as that of its bits.
        const auto shifted = static_cast<int64_t>(static_cast<uint64_t>(from[then * step + n])
                                                  << static_cast<uint64_t>(shifts[at]));
        sum = signs[at] > 0 ? sum + shifted : sum - shifted;
      }
      h[t * step + n] = sum;
      s[t * step + n] = sum >= thresholds[c] ? 1 : 0;
    }
  }
  return sent;
}

}  // namespace spiketrain
