// Averages to fewer features:
//   features  windows of h x w, with h, then w, doubled in turn until C*H*W <= features; rows and columns that do not fill
//             a window are ignored
//   grid      maps [C,H,W] to [C,grid,grid], vectors [N] to [grid]: output i of n is the mean over inputs
//             floor(i*N/n) to ceil((i+1)*N/n) - 1 (adaptive average pooling).  A side that is smaller stays as it is.
// Sources: Ma et al. 2022, the heads of ELL and BELL (features); Apolinario et al. 2025, TESS, and its code (grid).
// Deviation: none.  Tests: unit/head_test.cpp, golden/rules.
#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct AverageTo final : Stage {
  static constexpr const char* kDoc = "average pooling to at most `features` features";
  int64_t features = 1, grid = 0;
  template <class V>
  void visit(V& v) {
    v(features, "features", "maximum number of features", Range{1, 1e9});
    v(grid, "grid", "instead of features: maps to grid x grid, vectors to grid values; 0: as features says",
      Range{0, 1e6});
  }

  Shape build(const std::vector<Shape>& inputs) override {
    in_ = one_input(inputs, "average_to");
    ST_CHECK(in_.size() == 3 || (grid > 0 && in_.size() == 1), "average_to needs a map [C,H,W]",
             grid > 0 ? " or a vector [N]" : "", "; got ", at::IntArrayRef(in_));
    out_ = in_;
    if (grid > 0) {
      for (size_t side = in_.size() == 1 ? 0 : 1; side < in_.size(); ++side)
        out_[side] = std::min(grid, in_[side]);
    } else {
      double_windows();
    }
    return out_;
  }

  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    return in[0].map_linear([&](const Tensor& a) {
      std::vector<int64_t> shape = {a.size(0), a.size(1)};
      shape.insert(shape.end(), out_.begin(), out_.end());
      if (grid == 0) return torch::avg_pool2d(a.flatten(0, 1), {h_, w_}).view(shape);
      const Tensor maps = in_.size() == 1 ? a.flatten(0, 1).unsqueeze(1).unsqueeze(1) : a.flatten(0, 1);
      return torch::adaptive_avg_pool2d(maps, {in_.size() == 1 ? 1 : out_[1], out_.back()}).view(shape);
    });
  }

  std::string notation() const override {
    if (grid == 0) return str("AP", h_, "x", w_);
    return in_.size() == 1 ? str("A", out_[0]) : str("A", out_[1], "x", out_[2]);
  }

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = notation();
    row.kind = "average pooling";
    row.out = out_;
    row.linear = true;
    row.keeps_input = true;  // autograd's
    row.ops = grid == 0 ? numel(out_) * h_ * w_ : numel(in_);
    return {row};
  }

 private:
  void double_windows() {
    while (numel(out_) > features && (out_[1] > 1 || out_[2] > 1)) {
      const bool high = out_[2] == 1 || (out_[1] > 1 && h_ <= w_);
      (high ? h_ : w_) *= 2;
      out_ = {in_[0], std::max<int64_t>(1, in_[1] / h_), std::max<int64_t>(1, in_[2] / w_)};
    }
    ST_CHECK(numel(out_) <= features, "average_to: ", in_[0], " maps cannot be averaged to ", features,
             " features; the least is ", in_[0]);
    h_ = std::min(h_, in_[1]);
    w_ = std::min(w_, in_[2]);
  }

  Shape in_, out_;
  int64_t h_ = 1, w_ = 1;
};
ST_REGISTER(Stage, "average_to", AverageTo);

}  // namespace
}  // namespace spiketrain
