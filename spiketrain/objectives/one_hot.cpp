// Distance of the output to the one-hot label, at every step or of the mean over the window.
//   mse        L = mean (a - y)^2
//   smooth_l1  L = mean h(a - y), h(d) = d^2/2 if |d| < 1, else |d| - 1/2   (Huber, beta = 1)
// y = value for the label's output, 0 for the others; mean over steps, batch and classes.
// Sources: Ma et al. 2022 (mse at every step, on spikes); Kaiser et al. 2020, DECOLLE (smooth_l1 at every
// step).
#include "spiketrain/core/objective.h"

namespace spiketrain {
namespace {

struct OneHot : Objective {
  std::string over = "step";
  double value = 1.0;
  template <class V>
  void visit(V& v) {
    v(over, "over", "the output is compared at every step, or its mean over the window",
      Choices{{"step", "window"}});
    v(value, "value", "wanted output of the label", Range{-1e6, 1e6});
  }
  Tensor loss(const Tensor& a, const Tensor& label, const Window& window) const override {
    const Tensor wanted = torch::one_hot(label, context_.classes).to(a.scalar_type()) * value;
    const Tensor z = over == "step" ? a : a.mean(0, /*keepdim=*/true);
    return share(distance(z, wanted.expand_as(z)), window);
  }
  virtual Tensor distance(const Tensor& a, const Tensor& wanted) const = 0;
};

struct Mse final : OneHot {
  static constexpr const char* kDoc = "mean squared distance to the one-hot label";
  Tensor distance(const Tensor& a, const Tensor& wanted) const override { return torch::mse_loss(a, wanted); }
};
ST_REGISTER(Objective, "mse", Mse);

struct SmoothL1 final : OneHot {
  static constexpr const char* kDoc = "smooth L1 (Huber) distance to the one-hot label";
  Tensor distance(const Tensor& a, const Tensor& wanted) const override {
    return torch::smooth_l1_loss(a, wanted);
  }
};
ST_REGISTER(Objective, "smooth_l1", SmoothL1);

}  // namespace
}  // namespace spiketrain
