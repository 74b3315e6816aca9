// Batch norm of the current, per channel:
//   y = scale * weight * (I - mean) / sqrt(var + eps) + bias
// mean and biased variance over time, batch and space.  Running statistics, r += momentum * (batch - r) with the
// unbiased variance, stand in for them in evaluation.
//   bn    scale = 1
//   tdbn  scale = alpha * threshold, which aims at currents of the size of the threshold
// Source of tdbn: Zheng et al. 2021, "Going deeper with directly-trained larger spiking neural networks", eq. 4.
// Deviation: none.  Tests: unit/norm_test.cpp.
#include "spiketrain/core/norm.h"

namespace spiketrain {
namespace {

struct BatchNorm : Norm {
  double momentum = 0.1, eps = 1e-5;

  template <class V>
  void visit(V& v) {
    v(momentum, "momentum", "weight of a batch in the running statistics", Range{0, 1});
    v(eps, "eps", "added to the variance", Range{1e-12, 1e6});
  }

  void build(const Shape& shape) override {
    const int64_t channels = shape.at(0);
    weight_ = register_parameter("weight", torch::ones({channels}));
    bias_ = register_parameter("bias", torch::zeros({channels}));
    mean_ = register_buffer("running_mean", torch::zeros({channels}));
    var_ = register_buffer("running_var", torch::ones({channels}));
  }

  Tensor forward(const Tensor& I, const Context& context) override {
    const double factor = scaling();
    const Tensor gain = factor == 1.0 ? weight_ : weight_ * factor;
    const bool evaluate = context.mode == Mode::evaluate, replay = context.mode == Mode::replay;
    return torch::batch_norm(I.flatten(0, 1), gain, bias_, replay ? Tensor() : mean_,
                             replay ? Tensor() : var_,
                             /*training=*/!evaluate, momentum, eps, /*cudnn_enabled=*/true)
        .view(I.sizes());
  }

 private:
  virtual double scaling() const { return 1; }

  Tensor weight_, bias_, mean_, var_;
};

struct Bn final : BatchNorm {
  static constexpr const char* kDoc = "batch norm per channel";
};
ST_REGISTER(Norm, "bn", Bn);

struct Tdbn final : BatchNorm {
  static constexpr const char* kDoc = "threshold-dependent batch norm (tdBN)";
  double scale = 1;
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "factor on the normalised current, alpha times the neuron's threshold", Range{0, 1e6});
    BatchNorm::visit(v);
  }

 private:
  double scaling() const override { return scale; }
};
ST_REGISTER(Norm, "tdbn", Tdbn);

}  // namespace
}  // namespace spiketrain
