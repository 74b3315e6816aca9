// Poisson (Bernoulli) rate coding: at every step a spike with probability clamp(x * rate, 0, 1).
// Reads intensities from 0 to 1: data.mean = [0] and data.std = [1].
#include <limits>

#include "spiketrain/base/rng.h"
#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

struct Poisson final : Encoder {
  static constexpr const char* kDoc =
      "independent spikes with a probability proportional to the value; needs data.mean = [0], data.std = "
      "[1]";
  double rate = 1.0;
  template <class V>
  void visit(V& v) {
    v(rate, "rate", "spike probability per step of the value 1", Range{0, 1});
  }
  bool reads_intensities() const override { return true; }
  Signal encode(const Tensor& x, const Steps& steps, const Key& key) const override {
    const Tensor p = torch::clamp(x.cpu() * rate, 0, 1).to(torch::kFloat).contiguous();
    std::vector<int64_t> shape = {steps.t1 - steps.t0};
    shape.insert(shape.end(), x.sizes().begin(), x.sizes().end());
    Tensor s = torch::empty(shape, torch::kUInt8);
    uint8_t* out = s.data_ptr<uint8_t>();
    const float* probability = p.data_ptr<float>();
    Rng rng(key.seed, Purpose::encoder, key.epoch, key.batch);
    rng.skip(static_cast<uint64_t>(steps.t0 * p.numel()));
    int64_t count = 0;
    for (int64_t i = 0; i < s.numel(); ++i) {
      out[i] = static_cast<double>(rng.next()) * 0x1.0p-32 < static_cast<double>(probability[i % p.numel()]);
      count += out[i];
    }
    s = s.to(x.device());
    return {s.to(x.scalar_type()), {}, Events::from_bytes(s, count)};
  }
};
ST_REGISTER(Encoder, "poisson", Poisson);

}  // namespace
}  // namespace spiketrain
