// Sigma-delta modulation: a signal that lies along the last dimension of a sample, such as I and Q of a radio signal [2,1,L], is oversampled
// T times and sent as the bits of a modulator.  Slot n = l*T + t, of sample l, is element l of step t: the steps of the network
// are the slots of a sample, and every step is a map of the sample's shape.
//   x' = min(max(gain*x, -limit), limit);   up[l*T + t] = x'[l] (hold), or x'[l] + (x'[l+1] - x'[l])*t/T (linear; the last is held)
//   order 1:  v += up[n] - y[n-1]
//   order 2:  v1 += up[n] - y[n-1];  v += v1 - y[n-1]
//   y[n] = 1 if v >= 0, else -1;  the spike is y[n] > 0;  y before the first slot is 0, and v starts at 0
// The sum of y differs from that of up by at most 1 with order 1, so that the mean of the spikes is (1 + x)/2 but for 1/(2n); order 2
// shapes the noise twice, and its states grow steeply with the amplitude: to 6, 7, 13, 26 at 0.7, 0.8, 0.9, 0.95.
// Source: the textbook's modulators; that a receiver's own makes the spikes: Guo et al., IEEE TAI 2024.  Deviation: order, oversampling and layout
// of that paper are not known to us, these are our choice.  Tests: golden/encoders_test.cpp, unit/encoder_test.cpp.
#include <algorithm>

#include "spiketrain/core/encoder.h"
#include "spiketrain/ops/chunks.h"

namespace spiketrain {
namespace {

struct SigmaDelta final : Encoder {
  static constexpr const char* kDoc =
      "bits of a sigma-delta modulator along the last dimension, oversampled by the number of steps";
  int64_t order = 1;
  std::string interpolation = "hold";
  double gain = 1, limit = 1;
  template <class V>
  void visit(V& v) {
    v(order, "order", "integrators of the modulator", Range{1, 2});
    v(interpolation, "interpolation", "between two samples: the first is held, or a line",
      Choices{{"hold", "linear"}});
    v(gain, "gain", "factor on the values", Range{-1e9, 1e9});
    v(limit, "limit", "greatest size of what the modulator reads; 0.7 suits order 2", Range{1e-6, 1});
  }
  Signal encode(const Batch& batch, const Request& request) const override {
    const Tensor x = (batch.x.cpu().to(torch::kDouble) * gain).clamp(-limit, limit).contiguous();
    ST_CHECK(x.dim() > 1, "encoder sigma_delta: expected samples with a dimension of time, the last one");
    const int64_t L = x.size(-1), rows = x.numel() / std::max<int64_t>(L, 1), K = request.t1 - request.t0;
    std::vector<int64_t> shape = {K};
    shape.insert(shape.end(), x.sizes().begin(), x.sizes().end());
    const Tensor s = torch::empty(shape, torch::kUInt8);
    const auto* from = x.data_ptr<double>();
    auto* to = s.data_ptr<uint8_t>();
    ops::for_chunks(rows, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        modulate({L, request.t0, request.t1, request.T, rows * L}, from + row * L, to + row * L);
    });
    return Signal::spikes(Spikes::from_bytes(s.to(batch.x.device())), batch.x.scalar_type());
  }

 private:
  /// L samples, steps [t0, t1) of T slots each; `step` elements from a step to the next.
  struct Row {
    int64_t L, t0, t1, T, step;
  };
  void modulate(const Row& row, const double* x, uint8_t* out) const {
    const bool linear = interpolation == "linear";
    double v1 = 0, v = 0, y = 0;
    for (int64_t l = 0; l < row.L; ++l) {
      const double slope = linear && l + 1 < row.L ? x[l + 1] - x[l] : 0;
      for (int64_t t = 0; t < row.T; ++t) {
        const double up = x[l] + slope * (static_cast<double>(t) / static_cast<double>(row.T));
        if (order == 1) {
          v += up - y;
        } else {
          v1 += up - y;
          v += v1 - y;
        }
        y = v >= 0 ? 1 : -1;
        if (t >= row.t0 && t < row.t1) out[(t - row.t0) * row.step + l] = y > 0;
      }
    }
  }
};
ST_REGISTER(Encoder, "sigma_delta", SigmaDelta);

}  // namespace
}  // namespace spiketrain
