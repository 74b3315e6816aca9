// Gaussian receptive fields: a value becomes the responses of M neurons, each of which answers most to a value of its own.
//   r_i = exp(-((x - mu_i)/sigma)^2 / 2);   mu_i = low + (2i - 3)/2 * (high - low)/(M - 2), i = 1..M
//   sigma = (high - low)/(beta*(M - 2))
// The first and the last centre lie outside of [low, high].
// Source: Bohte, Kok, La Poutre 2002, SpikeProp.  Deviation: none.
#pragma once
#include "spiketrain/core/encoder.h"
#include "spiketrain/core/extras.h"

namespace spiketrain {

struct GaussianFields {
  int64_t fields = 8;
  double low = 0, high = 1, beta = 1.5;

  template <class V>
  void visit(V& v) {
    v(fields, "fields", "neurons for each value", Range{3, 4096});
    v(low, "low", "least value that is told apart", Range{-1e9, 1e9});
    v(high, "high", "greatest value that is told apart", Range{-1e9, 1e9});
    v(beta, "beta", "distance of the centres in units of the width", Range{1e-3, 1e3});
  }
  void check(const std::string& encoder) const {
    ST_CHECK(low < high, "encoder ", encoder, ": expected low < high, got low = ", low, ", high = ", high);
  }
  /// Whether it is intensities from 0 to 1 that are coded.
  bool of_intensities() const { return low == 0 && high == 1; }
  double distance() const { return (high - low) / static_cast<double>(fields - 2); }
  double width() const { return distance() / beta; }
  /// [M] float64
  Tensor centres() const {
    return (torch::arange(1, fields + 1, torch::kDouble) * 2 - 3) / 2 * distance() + low;
  }
  /// [C,*] -> [C*M,*]: the fields of a value or map lie side by side.
  Shape step_shape(Shape in, const std::string& encoder) const {
    ST_CHECK(!in.empty(), "encoder ", encoder, ": expected samples of [N] or [C,H,W]");
    in[0] *= fields;
    return in;
  }
  /// x [B,C,*] -> [B,C*M,*] of the type of x
  Tensor responses(const Tensor& x) const {
    std::vector<int64_t> along(static_cast<size_t>(x.dim()) + 1, 1);
    along[2] = fields;
    const Tensor mean = centres().to(x.options()).view(along);
    return torch::exp(((x.unsqueeze(2) - mean) / width()).square() * -0.5).flatten(1, 2);
  }
};

/// Integrate-and-fire of a constant current x [B,*], soft reset, from the first step whatever the segment, so that segments join:
///   h = v + x;  s[t] = h >= threshold;  v = h - s[t]*threshold
inline Signal integrate_and_fire(const Tensor& x, double threshold, const Encoder::Request& request) {
  Tensor v = torch::zeros_like(x);
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < request.t1; ++t) {
    const Tensor h = v + x, s = h >= threshold;
    v = h - s.to(x.scalar_type()) * threshold;
    if (t >= request.t0) steps.push_back(s.to(torch::kUInt8));
  }
  return Signal::spikes(Spikes::from_bytes(torch::stack(steps)), x.scalar_type());
}

}  // namespace spiketrain
