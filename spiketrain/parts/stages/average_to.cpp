// Averages windows of h x w, with h, then w, doubled in turn until C*H*W <= features.  Rows and columns that do not
// fill a window are ignored.
// Source: Ma et al. 2022, the heads of ELL and BELL.  Deviation: none.  Tests: unit/head_test.cpp.
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct AverageTo final : Stage {
  static constexpr const char* kDoc = "average pooling to at most so many features";
  int64_t features = 1;
  template <class V>
  void visit(V& v) {
    v(features, "features", "greatest number of features", Range{1, 1e9});
  }

  Shape build(const std::vector<Shape>& inputs) override {
    const Shape& in = one_input(inputs, "average_to");
    ST_CHECK(in.size() == 3, "average_to needs a map [C,H,W]; got ", at::IntArrayRef(in));
    out_ = in;
    while (numel(out_) > features && (out_[1] > 1 || out_[2] > 1)) {
      const bool high = out_[2] == 1 || (out_[1] > 1 && h_ <= w_);
      (high ? h_ : w_) *= 2;
      out_ = {in[0], std::max<int64_t>(1, in[1] / h_), std::max<int64_t>(1, in[2] / w_)};
    }
    ST_CHECK(numel(out_) <= features, "average_to: ", in[0], " maps cannot be averaged to ", features,
             " features; the least is ", in[0]);
    h_ = std::min(h_, in[1]);
    w_ = std::min(w_, in[2]);
    return out_;
  }

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    return in[0].map_linear([&](const Tensor& a) {
      const Tensor y = torch::avg_pool2d(a.flatten(0, 1), {h_, w_});
      return y.view({a.size(0), a.size(1), out_[0], out_[1], out_[2]});
    });
  }

  std::string notation() const override { return str("AP", h_, "x", w_); }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = notation();
    row.kind = "average pooling";
    row.out = out_;
    row.linear = true;
    row.keeps_input = true;  // autograd's
    row.ops = numel(out_) * h_ * w_;
    return {row};
  }

 private:
  Shape out_;
  int64_t h_ = 1, w_ = 1;
};
ST_REGISTER(Stage, "average_to", AverageTo);

}  // namespace
}  // namespace spiketrain
