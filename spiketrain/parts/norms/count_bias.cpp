// A bias of the sum of the current over the steps, b/T at each of T, per channel:  y[t] = I[t] + b/T
// In place of a synapse's bias, which is added at every step, where layers are judged by what they sum up over a sequence: the same b serves
// any number of steps.
// Source: the released code of tandem learning (deepspike/tandem_learning, 006feb1) spreads biases so.  Deviation: none.
// Page: docs/methods/tandem.md.  Tests: unit/tandem_parts_test.cpp, golden/tandem_test.cpp.
#include "spiketrain/core/counts.h"
#include "spiketrain/core/norm.h"
#include "spiketrain/ops/reduce.h"

namespace spiketrain {
namespace {

/// I + b/T; b broadcasts over [T,B,*].
struct AddShare : torch::autograd::Function<AddShare> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& I, const Tensor& b) {
    ctx->saved_data["shape"] = b.sizes().vec();
    return I + b / static_cast<double>(I.size(0));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list g) {
    const auto T = static_cast<double>(g[0].size(0));
    return {g[0], ops::sum_to(g[0], ctx->saved_data["shape"].toIntVector()) / T};
  }
};

struct CountBias final : Norm, OfCounts {
  static constexpr const char* kDoc = "a bias of the sum over the steps, b/T at each of them, no statistics";
  template <class V>
  void visit(V&) {}
  void build(const Shape& shape) override {
    bias_ = register_parameter("bias", torch::zeros({shape.at(0)}));
    extent_ = Shape(shape.size(), 1);
    extent_[0] = shape[0];
  }
  Tensor forward(const Tensor& I, const Context& /*context*/) override {
    return AddShare::apply(I, bias_.view(extent_));
  }
  bool couples_samples() const override { return false; }

 private:
  Tensor bias_;
  Shape extent_;
};
ST_REGISTER(Norm, "count_bias", CountBias);

}  // namespace
}  // namespace spiketrain
