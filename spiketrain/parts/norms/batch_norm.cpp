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
#include "spiketrain/core/tape.h"
#include "spiketrain/ops/channel_norm.h"
#include "spiketrain/ops/chunks.h"

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

  Tensor forward(const Tensor& I, const Context& context) override { return forward_once(I, 1, context); }

  bool taped() const override { return true; }
  Tensor forward_once(const Tensor& I, int64_t repeats, const Context& context) override {
    if (repeats == 1 && by_torch(I, context)) {          // it takes the running variance from I alone
      const bool replay = context.mode == Mode::replay;  // statistics stay
      return torch::batch_norm(I.flatten(0, 1), gain(), bias_, replay ? Tensor() : mean_,
                               replay ? Tensor() : var_, learns(context), momentum, eps,
                               /*cudnn_enabled=*/true)
          .view(I.sizes());
    }
    const ops::NormedChannels normed = ops::channel_norm(I, gain(), bias_, options(context));
    move(normed.mean, normed.var, normed.count * static_cast<double>(repeats), context);
    return normed.y;
  }
  Normed pass(const Tensor& I, int64_t repeats, bool as_map, const Context& context) override {
    if (by_torch(I, context)) return torch_pass(I, repeats, context);
    const auto held = std::make_shared<ops::ChannelNorm>(I, gain(), bias_, options(context));
    move(held->mean, held->var, held->count * static_cast<double>(repeats), context);
    const ops::ChannelMap map = as_map ? held->map() : ops::ChannelMap();
    return {map.defined() ? Tensor() : held->apply(), map, [this, held](Tensor g) {
              const ops::ChannelNorm::Gradients back = held->back(std::move(g));
              accumulate(weight_, scaling() == 1.0 ? back.gain : back.gain * scaling());
              accumulate(bias_, back.bias);
              return back.x;
            }};
  }

  bool couples_samples() const override { return !frozen; }

 private:
  virtual double scaling() const { return 1; }
  Tensor gain() const { return scaling() == 1.0 ? weight_ : weight_ * scaling(); }
  bool learns(const Context& context) const { return context.mode != Mode::evaluate && !frozen; }
  /// Statistics are those of all processes.
  bool shares(const Context& context) const {
    return learns(context) && context.group && context.group_norms;
  }
  ops::ChannelNormOptions options(const Context& context) const {
    ops::ChannelNormOptions o = {eps, eps_outside};
    if (!learns(context)) {
      o.mean = mean_;
      o.var = var_;
    }
    if (shares(context)) o.sum = [group = context.group](const Tensor& sums) { group->sum(sums); };
    return o;
  }
  void move(const Tensor& mean, const Tensor& var, double count, const Context& context) const {
    if (!learns(context) || context.mode != Mode::train) return;
    const torch::NoGradGuard no_grad;
    Tensor(mean_).lerp_(mean.to(mean_.scalar_type()), momentum);
    Tensor(var_).lerp_((var * (count / std::max(1.0, count - 1))).to(var_.scalar_type()), momentum);
  }
  /// Where there is no kernel LibTorch's own is faster than sums by operations.
  bool by_torch(const Tensor& I, const Context& context) const {
    return !ops::has_kernel(I) && !eps_outside && !shares(context);
  }
  Normed torch_pass(const Tensor& I, int64_t repeats, const Context& context) {
    const bool learns = this->learns(context);
    const Tensor maps = I.detach().flatten(0, 1), factors = gain().detach();
    const Tensor given_mean = learns ? Tensor() : mean_, given_var = learns ? Tensor() : var_;
    const auto out =
        at::native_batch_norm(maps, factors, bias_.detach(), given_mean, given_var, learns, momentum, eps);
    const Tensor mean = std::get<1>(out), inverse = std::get<2>(out);
    const double count = static_cast<double>(repeats * (I.numel() / I.size(2)));
    if (learns) move(mean, inverse.square().reciprocal() - eps, count, context);
    return {std::get<0>(out).view(I.sizes()), {}, [=](const Tensor& g) {
              const auto back =
                  at::native_batch_norm_backward(g.flatten(0, 1), maps, factors, given_mean, given_var, mean,
                                                 inverse, learns, eps, {true, true, true});
              const Tensor& g_gain = std::get<1>(back);
              accumulate(weight_, scaling() == 1.0 ? g_gain : g_gain * scaling());
              accumulate(bias_, std::get<2>(back));
              return std::get<0>(back).view(g.sizes());
            }};
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
