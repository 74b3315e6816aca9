// Sum or average over windows of any sides, stride and zero padding; an average divides by the whole window, its zeros included, and
// what does not fill a window is left out.  For what pool, which is faster, cannot say.
// Deviation: none.  Tests: unit/nir_stage_test.cpp, golden/nir_test.cpp.
#include <string>

#include "spiketrain/parts/stages/one_input.h"

namespace spiketrain {
namespace {

struct PoolWindows final : Stage {
  static constexpr const char* kDoc =
      "sum or average over windows that may differ in their sides and overlap";
  std::string kind = "sum";
  std::vector<int64_t> window = {2, 2}, stride = {2, 2}, padding = {0, 0};
  template <class V>
  void visit(V& v) {
    v(kind, "kind", "sum or average of a window", Choices{{"sum", "avg"}});
    v(window, "window", "height and width of a window");
    v(stride, "stride", "rows and columns from one window to the next");
    v(padding, "padding", "rows and columns of zeros on each side, at most half a window");
  }
  void check() override {
    ST_CHECK(window.size() == 2 && stride.size() == 2 && padding.size() == 2,
             "stage pool_windows: expected two numbers each for window, stride and padding");
    for (size_t i = 0; i < 2; ++i)
      ST_CHECK(
          window[i] >= 1 && stride[i] >= 1 && padding[i] >= 0 && 2 * padding[i] <= window[i],
          "stage pool_windows: expected windows and strides of at least 1 and a padding of at most half a window, got ",
          window[i], ", ", stride[i], " and ", padding[i]);
  }

  Shape build(const std::vector<Shape>& inputs) override {
    const Shape& in = one_input(inputs, "pool_windows");
    ST_CHECK(in.size() == 3, "pool_windows: expected a map [C,H,W], got ", at::IntArrayRef(in));
    out_ = {in[0]};
    for (size_t i = 0; i < 2; ++i) {
      const int64_t room = in[i + 1] + 2 * padding[i] - window[i];
      ST_CHECK(room >= 0, "pool_windows: the window ", at::IntArrayRef(window), " does not fit the map ",
               at::IntArrayRef(in));
      out_.push_back(room / stride[i] + 1);
    }
    return out_;
  }
  Signal forward(const std::vector<Signal>& in, const Context& /*context*/, Carry& /*carry*/) override {
    return in[0].map_linear([&](const Tensor& a) {
      const int64_t divisor = kind == "sum" ? 1 : window[0] * window[1];
      return at::avg_pool2d(a.flatten(0, 1), window, stride, padding, /*ceil_mode=*/false,
                            /*count_include_pad=*/true, divisor)
          .unflatten(0, at::IntArrayRef({a.size(0), a.size(1)}));
    });
  }
  void assign_slots(int64_t& /*next*/) override {}

  std::string notation() const override {
    return str(kind == "sum" ? "SP" : "AP", window[0], "x", window[1]);
  }
  std::vector<StageInfo> describe() const override {
    StageInfo row;
    row.spec = notation();
    row.kind = kind == "sum" ? "sum pooling" : "average pooling";
    row.out = out_;
    row.linear = true;
    row.keeps_input = true;  // autograd's
    row.ops = numel(out_) * window[0] * window[1];
    return {row};
  }

 private:
  Shape out_;
};
ST_REGISTER(Stage, "pool_windows", PoolWindows);

}  // namespace
}  // namespace spiketrain
