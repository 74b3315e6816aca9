// Binary weights, one scale for each output row (a neuron, or a map of a convolution), straight through in the backward direction:
//   B = alpha sign(W),  alpha = mean |W| over the row, sign(0) = +1;  no other alpha makes sum (W - B)^2 smaller
//   backward = "identity": dL/dW = dL/dB
//              "full":     dL/dW = sign(W)/n sum dL/dB sign(W)  +  alpha dL/dB [|W| <= 1],  n weights in the row
// The full-precision weight stays what the optimizer updates.  Stored are a bit for each weight and 32 for each alpha.
// Source: Rastegari et al. 2016, "XNOR-Net", whose gradient "full" is; Courbariaux et al. 2015, "BinaryConnect" (identity).
// Deviation: none.  Tests: golden/albsnn_test.cpp, unit/binary_quantizer_test.cpp.
#include <numeric>

#include "spiketrain/core/switched_quantizer.h"
#include "spiketrain/ops/one_thread.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::vector<int64_t> within_rows(const Tensor& W) {
  std::vector<int64_t> dims(static_cast<size_t>(W.dim() - 1));
  std::iota(dims.begin(), dims.end(), 1);
  return dims;
}

Tensor signs_of(const Tensor& W) { return torch::where(W >= 0, torch::ones_like(W), -torch::ones_like(W)); }

struct BinaryRows : torch::autograd::Function<BinaryRows> {
  static Tensor forward(AutogradContext* ctx, const Tensor& W, bool full) {
    const ops::OneThread one_thread;
    ctx->save_for_backward({W});
    ctx->saved_data["full"] = full;
    return signs_of(W) * W.abs().mean(within_rows(W), /*keepdim=*/true);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    if (!ctx->saved_data["full"].toBool()) return {grads[0], Tensor()};
    const ops::OneThread one_thread;
    const Tensor W = ctx->get_saved_variables()[0], g = grads[0], s = signs_of(W);
    const std::vector<int64_t> row = within_rows(W);
    const Tensor alpha = W.abs().mean(row, /*keepdim=*/true);
    return {s * (g * s).mean(row, /*keepdim=*/true) + alpha * g * (W.abs() <= 1), Tensor()};
  }
};

struct Binary final : SwitchedQuantizer {
  static constexpr const char* kDoc =
      "two values for each output row, its mean size with either sign; section [binarize] chooses the layers";
  std::string backward = "identity";
  template <class V>
  void visit(V& v) {
    v(backward, "backward",
      "gradient of the weight: identity: that of the binary weight; full: through the scale, too, and through the sign where "
      "|W| <= 1 (XNOR-Net)",
      Choices{{"identity", "full"}});
  }
  Tensor quantize(const Tensor& W) const override {
    ST_CHECK(W.dim() >= 2,
             "quantizer binary: expected weights in rows of several, one row for each output; got shape ",
             W.sizes());
    return BinaryRows::apply(W, backward == "full");
  }
  int64_t stored_bits(const Tensor& W) const override { return W.numel() + 32 * W.size(0); }
  bool passes_gradient() const override { return backward == "identity"; }
};
ST_REGISTER(Quantizer, "binary", Binary);

}  // namespace
}  // namespace spiketrain
