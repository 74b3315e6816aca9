// An image read column by column, from left to right: step t sends column t, and the network reads [C*H] values a step.
// After the last column come steps of zeros, if there are more steps than columns.
// Source: the sequential image tasks of Fang et al. 2023, "Parallel spiking neurons with high efficiency and ability to
// learn long-term dependencies" (T = width).  Deviation: there layers are convolutions along a column, here a column is
// one vector of channels and rows.
// Page: docs/methods/psn.md.  Tests: unit/columns_test.cpp.
#include <algorithm>

#include "spiketrain/core/encoder.h"

namespace spiketrain {
namespace {

struct Columns final : Encoder {
  static constexpr const char* kDoc = "one column of the image per step, left to right; steps = width";
  template <class V>
  void visit(V&) {}
  Shape step_shape(const Shape& sample) const override {
    ST_CHECK(sample.size() == 3, "encoder columns: expected images [C,H,W], got samples of shape ",
             at::IntArrayRef(sample));
    return {sample[0] * sample[1]};
  }
  Signal encode(const Batch& batch, const Request& request) const override {
    const Tensor& x = batch.x;
    ST_CHECK(x.dim() == 4, "encoder columns: expected images [B,C,H,W], got ", x.sizes());
    const int64_t width = x.size(3);
    ST_CHECK(request.T >= width, "encoder columns: the images are ", width,
             " columns wide, but steps = ", request.T,
             "; expected at least one step for each column: steps = ", width);
    const Tensor columns = x.slice(3, std::min(request.t0, width), std::min(request.t1, width))
                               .permute({3, 0, 1, 2})
                               .flatten(2)
                               .contiguous();
    const int64_t silent = request.t1 - request.t0 - columns.size(0);
    if (silent == 0) return Signal::dense(columns);
    return Signal::dense(
        torch::cat({columns, columns.new_zeros({silent, columns.size(1), columns.size(2)})}));
  }
};
ST_REGISTER(Encoder, "columns", Columns);

}  // namespace
}  // namespace spiketrain
