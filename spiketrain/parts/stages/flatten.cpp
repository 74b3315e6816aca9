// Joins neighbouring dimensions of a sample, counted without time and batch: [C,H,W] to [C*H*W], or [C,H,W] to [C,H*W] with first =
// 1.  The order of the values is that of C, H, W, however they lie in memory.
// Deviation: none.  Tests: unit/nir_stage_test.cpp, golden/nir_test.cpp.
#include <functional>
#include <numeric>

#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct Flatten final : Stage {
  static constexpr const char* kDoc = "joins neighbouring dimensions of its input";
  int64_t first = 0, last = -1;
  template <class V>
  void visit(V& v) {
    v(first, "first", "first dimension that is joined, without time and batch; negative: from the end",
      Range{-8, 7});
    v(last, "last", "last dimension that is joined; -1: the last of all", Range{-8, 7});
  }

  Shape build(const std::vector<Shape>& inputs) override {
    const Shape& in = one_input(inputs, "flatten");
    const auto rank = static_cast<int64_t>(in.size());
    const int64_t from = first < 0 ? first + rank : first, to = last < 0 ? last + rank : last;
    ST_CHECK(from >= 0 && from <= to && to < rank, "flatten: expected dimensions of ", at::IntArrayRef(in),
             ", got first = ", first, ", last = ", last);
    out_.assign(in.begin(), in.begin() + from);
    out_.push_back(std::accumulate(in.begin() + from, in.begin() + to + 1, int64_t{1}, std::multiplies<>()));
    out_.insert(out_.end(), in.begin() + to + 1, in.end());
    return out_;
  }
  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    return in[0].map_linear([&](const Tensor& a) {
      std::vector<int64_t> sizes = {a.size(0), a.size(1)};
      sizes.insert(sizes.end(), out_.begin(), out_.end());
      return a.reshape(sizes);
    });
  }
  /// None: it carries nothing.
  void assign_slots(int64_t& /*next*/) override {}

  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = "flatten";
    row.kind = "flatten";
    row.out = out_;
    row.values = Values::as_input;
    row.linear = true;
    return {row};
  }

 private:
  Shape out_;
};
ST_REGISTER(Stage, "flatten", Flatten);

}  // namespace
}  // namespace spiketrain
