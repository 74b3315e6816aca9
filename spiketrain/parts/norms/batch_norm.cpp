// Batch norm of the current, per channel:
//   y = scale * weight * (I - mean) / sqrt(var + eps) + bias
//   y = scale * weight * (I - mean) / (sqrt(var) + eps) + bias      with eps_outside
// mean and biased variance over time, batch and space.  Running statistics, r += momentum * (batch - r) with the
// unbiased variance, stand in for them in evaluation.
//   bn    scale = 1
//   tdbn  scale = alpha * threshold, which aims at currents of the size of the threshold
// Source of tdbn: Zheng et al. 2021, "Going deeper with directly-trained larger spiking neural networks", eq. 4.
// eps_outside is what the code of MLF (Feng et al. 2022, langfengQ/MLF-DSResNet, a49bdc3) computes.
// Deviation: none.  Tests: unit/norm_test.cpp, unit/norm_eps_test.cpp, golden/mlf_test.cpp, property/threads_test.cpp.
#include <algorithm>

#include "spiketrain/core/group.h"
#include "spiketrain/core/norm.h"
#include "spiketrain/ops/deviation_norm.h"
#include "spiketrain/parts/norms/laid.h"

namespace spiketrain {
namespace {

struct BatchNorm : Norm {
  double momentum = 0.1, eps = 1e-5;
  bool eps_outside = false;

  template <class V>
  void visit(V& v) {
    v(momentum, "momentum", "weight of a new batch in the running statistics, as in PyTorch", Range{0, 1});
    v(eps, "eps", "added to the variance", Range{1e-12, 1e6});
    v(eps_outside, "eps_outside", "eps is added to the standard deviation instead, the root of the variance");
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
    if (context.mode == Mode::evaluate || frozen)
      return normalise(I.flatten(0, 1), gain, context).view(I.sizes());
    const Tensor maps = I.flatten(0, 1);
    const bool turn = one_per_channel(maps);
    const Tensor laid = turn ? Laid::apply(maps.flatten(1), true).unsqueeze(0) : Laid::apply(maps, false);
    const Tensor y = normalise(laid, gain, context);
    return (turn ? Laid::apply(y.squeeze(0), true) : Laid::apply(y, false)).view(I.sizes());
  }

  bool couples_samples() const override { return !frozen; }

 private:
  virtual double scaling() const { return 1; }
  Tensor normalise(const Tensor& x, const Tensor& gain, const Context& context) const {
    const bool learns = context.mode != Mode::evaluate && !frozen;
    if (!learns && eps_outside) {
      const Tensor deviation = var_.sqrt() + eps;
      return torch::batch_norm(x, gain, bias_, mean_, deviation * deviation, /*training=*/false, 0, 0,
                               /*cudnn_enabled=*/true);
    }
    const bool together = context.group && context.group_norms;
    if (learns && (eps_outside || together))
      return normalise_ours(x, gain, together ? context.group : nullptr, context.mode == Mode::train);
    const bool replay = context.mode == Mode::replay;
    return torch::batch_norm(x, gain, bias_, replay ? Tensor() : mean_, replay ? Tensor() : var_,
                             /*training=*/learns, momentum, eps, /*cudnn_enabled=*/true);
  }
  Tensor normalise_ours(const Tensor& x, const Tensor& gain, Group* group, bool moves) const {
    ops::DeviationOptions options = {eps, eps_outside};
    if (group) options.sum = [group](const Tensor& sums) { group->sum(sums); };
    const ops::DeviationNorm normed = ops::deviation_norm(x, gain, bias_, options);
    if (!moves) return normed.y;
    const torch::NoGradGuard no_grad;
    Tensor(mean_).lerp_(normed.mean, momentum);
    Tensor(var_).lerp_(normed.var * (normed.count / std::max(1.0, normed.count - 1)), momentum);
    return normed.y;
  }

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
