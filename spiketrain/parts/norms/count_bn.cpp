// Batch norm of the sum of the current over the steps, spread over them, per channel:
//   S = sum_t I[t];   y = weight * (S - mean) / sqrt(var + eps) + bias        mean, biased variance over batch and space
//   z[t] = I[t] * r + c/T,  r = weight / sqrt(var' + eps'),  c = bias - mean' * r
// A neuron gets z[t], so a layer of spikes runs with the norm folded into its weights and bias.  Backward: the gradient of y, which z adds up to, from
// an error that is the same at every step: dL/dI[t] = the adjoint of y at sum_t g[t]/T.
//   fold batch      mean', var', eps' are those of y: sum_t z[t] = y
//   fold released   they are the running ones, and eps' = 0, in training too, while the gradient is that of y with the batch's statistics, as
//                   the authors' code has it
// Running statistics move as those of bn, and stand in for the batch's in evaluation.
// Source: the hybrid layers of progressive tandem learning (deepspike/progressive_tandem_learning, 3c1cafa, which has eps = 1e-4).
// Deviation: fold batch is ours.
// Page: docs/methods/tandem.md.  Tests: golden/tandem_test.cpp, grad/tandem_test.cpp, unit/tandem_parts_test.cpp.
#include <algorithm>

#include "spiketrain/core/counts.h"
#include "spiketrain/core/norm.h"
#include "spiketrain/ops/channel_norm.h"
#include "spiketrain/ops/reduce.h"

namespace spiketrain {
namespace {

/// The sum over the steps, whose gradient goes to every one of them.
struct SumOfSteps : torch::autograd::Function<SumOfSteps> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& I) {
    ctx->saved_data["T"] = I.size(0);
    return ops::sum_steps(I, torch::ones({I.size(0)}, torch::kDouble));
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list g) {
    const int64_t T = ctx->saved_data["T"].toInt();
    return {ops::spread_steps(g[0].unsqueeze(0), torch::ones({T}, g[0].options()))};
  }
};

/// z forward; backward the mean over the steps of dL/dz to the sum y.
struct SpreadNorm : torch::autograd::Function<SpreadNorm> {
  static Tensor forward(torch::autograd::AutogradContext* /*ctx*/, const Tensor& /*y*/, const Tensor& z) {
    return z.alias();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* /*ctx*/,
                                                 torch::autograd::variable_list g) {
    const int64_t T = g[0].size(0);
    return {ops::sum_steps(g[0], torch::full({T}, 1.0 / static_cast<double>(T), torch::kDouble)), Tensor()};
  }
};

struct CountBn final : Norm, OfCounts {
  static constexpr const char* kDoc =
      "batch norm per channel of the sum over the steps, spread over them as a fold into weights and bias";
  double momentum = 0.1, eps = 1e-5;
  std::string fold = "batch";

  template <class V>
  void visit(V& v) {
    v(momentum, "momentum", "weight of a new batch in the running statistics, as in PyTorch", Range{0, 1});
    v(eps, "eps", "added to the variance", Range{1e-12, 1e6});
    v(fold, "fold",
      "what neurons get in training: batch: the norm with the batch's statistics; released: that with the running ones and without "
      "eps, as the authors' code, while gradients go by the batch's",
      Choices{{"batch", "released"}});
  }

  void build(const Shape& shape) override {
    const int64_t channels = shape.at(0);
    weight_ = register_parameter("weight", torch::ones({channels}));
    bias_ = register_parameter("bias", torch::zeros({channels}));
    mean_ = register_buffer("running_mean", torch::zeros({channels}));
    var_ = register_buffer("running_var", torch::ones({channels}));
    extent_ = Shape(shape.size(), 1);
    extent_[0] = channels;
  }

  Tensor forward(const Tensor& I, const Context& context) override {
    const bool fixed = context.mode == Mode::evaluate || frozen;
    const bool learns = I.requires_grad() || weight_.requires_grad();
    if (fixed && !(learns && torch::GradMode::is_enabled())) return folded(I, mean_, running_deviation());
    const bool moves = context.mode == Mode::train;
    const ops::NormedChannels normed = norm(SumOfSteps::apply(I), fixed, moves);
    const bool running = fixed || fold == "released";
    const Tensor z =
        running ? folded(I, mean_, running_deviation()) : folded(I, normed.mean, (normed.var + eps).rsqrt());
    return SpreadNorm::apply(normed.y, z);
  }

  bool couples_samples() const override { return !frozen; }

 private:
  /// Of S [B,C,*].
  ops::NormedChannels norm(const Tensor& S, bool fixed, bool moves) const {
    ops::ChannelNormOptions options;
    options.eps = eps;
    if (fixed) {
      options.mean = mean_;
      options.var = var_;
    }
    ops::NormedChannels normed = ops::channel_norm(S.unsqueeze(0), weight_, bias_, options);
    normed.y = normed.y.squeeze(0);
    if (fixed || !moves) return normed;
    const torch::NoGradGuard no_grad;
    Tensor(mean_).lerp_(normed.mean.to(mean_.scalar_type()), momentum);
    const Tensor unbiased = normed.var * (normed.count / std::max(1.0, normed.count - 1));
    Tensor(var_).lerp_(unbiased.to(var_.scalar_type()), momentum);
    return normed;
  }
  /// 1/sqrt of the running variance.
  Tensor running_deviation() const { return (var_ + (fold == "released" ? 0.0 : eps)).rsqrt(); }
  /// z, without gradient.
  Tensor folded(const Tensor& I, const Tensor& mean, const Tensor& inverse) const {
    const torch::NoGradGuard no_grad;
    const Tensor r = weight_.detach() * inverse.to(I.scalar_type()),
                 c = bias_.detach() - mean.to(I.scalar_type()) * r;
    return I.detach() * r.view(extent_) + (c / static_cast<double>(I.size(0))).view(extent_);
  }

  Tensor weight_, bias_, mean_, var_;
  Shape extent_;
};
ST_REGISTER(Norm, "count_bn", CountBn);

}  // namespace
}  // namespace spiketrain
