// Dropout in training: a is multiplied by a mask of 0 and 1/(1-p).  One mask per sample and pass: the same at all
// steps and in all segments, replayed ones included.
//   stream of sample b:  (seed, dropout, (iteration << 20) | slot, id of b)
// so that what is drawn for a sample does not depend on its place in the batch, nor on the number of threads.
// Sources: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting"; one mask for
// all steps: the usual form for spiking networks; `row`: the code of Zhang and Li 2020 (TSSL-BP).
// Deviation: none.  Tests: unit/stage_test.cpp.
#include <cmath>
#include <cstdio>

#include "spiketrain/base/rng.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct Dropout final : Stage {
  static constexpr const char* kDoc = "sets values to zero in training, for the whole sequence";
  double probability = 0.5;
  std::string shared = "element";
  template <class V>
  void visit(V& v) {
    v(probability, "probability", "probability that a value is set to zero", Range{0, 1});
    v(shared, "shared",
      "what is dropped together: single values (element), rows of a map (row), whole maps (channel)",
      Choices{{"element", "row", "channel"}});
  }
  void check() override {
    ST_CHECK(probability >= 0 && probability < 1, "dropout: expected a probability in [0,1), got ",
             probability);
  }

  Shape build(const std::vector<Shape>& inputs) override {
    in_ = mask_ = one_input(inputs, "dropout");
    if (in_.size() == 3 && shared != "element") mask_[2] = 1;
    if (in_.size() == 3 && shared == "channel") mask_[1] = 1;
    return in_;
  }

  Signal forward(const std::vector<Signal>& in, const Context& context, Carry& carry) override {
    const Signal& x = in[0];
    if (!context.training() || probability == 0) return x;
    Tensor& mask = carry.mask.at(static_cast<size_t>(slot_));
    if (!mask.defined()) mask = draw(x.batch(), context).to(x.edge().options());
    return x.map_linear([&](const Tensor& a) { return a * mask; });
  }

  std::string notation() const override {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%.10f", probability);
    std::string text = digits;
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return 'D' + text;
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = notation();
    row.kind = "dropout";
    row.out = in_;
    row.values = Values::as_input;
    row.linear = true;
    if (probability > 0) row.ops = numel(in_);
    return {row};
  }

 private:
  /// [B,*mask] float
  Tensor draw(int64_t B, const Context& context) const {
    const int64_t n = numel(mask_);
    std::vector<int64_t> shape = {B};
    shape.insert(shape.end(), mask_.begin(), mask_.end());
    Tensor mask = torch::empty(shape, torch::kFloat);
    const uint64_t key = (context.iteration << 20) | static_cast<uint64_t>(slot_);
    const auto limit = static_cast<uint64_t>(std::llround(probability * 0x1.0p32));
    const auto keep = static_cast<float>(1.0 / (1.0 - probability));
    float* values = mask.data_ptr<float>();
    ops::for_chunks(B, [&](int64_t begin, int64_t end) {
      std::vector<uint32_t> words(static_cast<size_t>(n));
      for (int64_t b = begin; b < end; ++b) {
        Rng(context.seed, Purpose::dropout, key, context.id(b)).fill(words.data(), words.size());
        for (int64_t i = 0; i < n; ++i)
          values[b * n + i] = words[static_cast<size_t>(i)] < limit ? 0.0F : keep;
      }
    });
    return mask;
  }

  Shape in_;
  Shape mask_;  ///< of one sample, 1 where shared
};
ST_REGISTER(Stage, "dropout", Dropout);

}  // namespace
}  // namespace spiketrain
