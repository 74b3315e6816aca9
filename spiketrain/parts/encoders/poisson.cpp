// Poisson (Bernoulli) rate coding: at every step a spike with probability clamp(x * rate, 0, 1).
// Reads intensities from 0 to 1: data.mean = [0] and data.std = [1].
// The stream is keyed by (seed, epoch, sample) and read step by step, so that a sample's spikes depend neither on the
// batch it is in nor on the segments of the sequence.  Tests: unit/encoder_test.cpp.
#include <atomic>

#include "spiketrain/base/rng.h"
#include "spiketrain/core/encoder.h"
#include "spiketrain/ops/chunks.h"

namespace spiketrain {
namespace {

struct Poisson final : Encoder {
  static constexpr const char* kDoc =
      "independent spikes with a probability proportional to the value; needs data.mean = [0], data.std = [1]";
  double rate = 1.0;
  template <class V>
  void visit(V& v) {
    v(rate, "rate", "spike probability per step of a pixel of value 1", Range{0, 1});
  }
  bool reads_intensities() const override { return true; }
  Signal encode(const Batch& batch, const Request& request) const override {
    const Tensor p = torch::clamp(batch.x.cpu() * rate, 0, 1).to(torch::kFloat).contiguous();
    const int64_t B = p.size(0), K = request.t1 - request.t0;
    std::vector<int64_t> shape = {K};
    shape.insert(shape.end(), p.sizes().begin(), p.sizes().end());
    const Tensor s = torch::empty(shape, torch::kUInt8);
    const float* probability = p.data_ptr<float>();
    uint8_t* out = s.data_ptr<uint8_t>();
    const Sample sample = {K, B, p.numel() / B};
    std::atomic<int64_t> total{0};
    ops::for_chunks(B, [&](int64_t begin, int64_t end) {
      int64_t count = 0;
      for (int64_t b = begin; b < end; ++b) {
        const auto id = static_cast<uint64_t>(batch.ids.defined() ? batch.ids.data_ptr<int64_t>()[b] : b);
        Rng rng(request.seed, Purpose::encoder, static_cast<uint64_t>(batch.epoch), id);
        rng.skip(static_cast<uint64_t>(request.t0 * sample.n));
        count += draw(rng, sample, probability + b * sample.n, out + b * sample.n);
      }
      total += count;
    });
    return Signal::spikes(Spikes::from_bytes(s.to(batch.x.device()), total), batch.x.scalar_type());
  }

 private:
  /// K steps of n values in a batch of B.
  struct Sample {
    int64_t K, B, n;
  };
  /// Spikes of one sample, from its first value at the first step on; returns their number.
  static int64_t draw(Rng& rng, const Sample& sample, const float* probability, uint8_t* out) {
    constexpr int64_t kWords = 512;
    uint32_t words[kWords];
    int64_t count = 0;
    for (int64_t t = 0; t < sample.K; ++t, out += sample.B * sample.n) {
      for (int64_t i = 0; i < sample.n; i += kWords) {
        const int64_t some = std::min(kWords, sample.n - i);
        rng.fill(words, static_cast<size_t>(some));
        for (int64_t j = 0; j < some; ++j) {
          out[i + j] = static_cast<double>(words[j]) * 0x1.0p-32 < static_cast<double>(probability[i + j]);
          count += out[i + j];
        }
      }
    }
    return count;
  }
};
ST_REGISTER(Encoder, "poisson", Poisson);

}  // namespace
}  // namespace spiketrain
