// Fully connected synapse whose connections have delays of their own, learned with the weights:
//   I[t] = sum_j W[i,j] * a_j[t - d[i,j]],   d between whole steps n and n + 1: (n+1-d)*a_j[t-n] + (d-n)*a_j[t-n-1]
// It reads the taps of stage `taps`, a_j[t], a_j[t-1], ..., a_j[t-longest], and multiplies them with the effective weight
//   V[i, k*N + j] = W[i,j] * max(0, 1 - |k - d[i,j]|)
// so that every rule teaches W and d through dV.  d = unit*p, p the learned parameter, kept between 0 and `longest`.
//   per: a delay for each synapse [features,N], or for each axon [1,N], the same for all neurons that it reaches
//   whole = "evaluation": between whole steps in training, rounded to whole steps in evaluation; "always": rounded in both, with
//   the gradient of the other; "never"
// Sources: Hammouamri, Khalfaoui-Hassani & Masquelier 2023, "Learning delays in spiking neural networks using dilated
// convolutions with learnable spacings", with their Gaussian replaced by linear interpolation; Shrestha & Orchard 2018,
// SLAYER, for delays of axons.  Deviation: as said.
// Memory: the taps, longest + 1 floats per input and step.  Tests: engine/delays_test.cpp.
#include <string>

#include "spiketrain/core/initialise.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {
namespace {

struct DelayedLinear final : Synapse {
  static constexpr const char* kDoc = "fully connected, with a learned delay for each synapse or axon";
  int64_t features = 10, longest = 10;
  std::string init = "kaiming_normal", bias_init = "zero", per = "synapse", whole = "evaluation";
  double unit = 10;
  bool has_bias = false;
  template <class V>
  void visit(V& v) {
    v(features, "features", "number of outputs", Range{1, 1 << 24});
    v(longest, "longest", "maximum delay in steps; stage taps before it has the same `longest`",
      Range{1, 1 << 16});
    v(per, "per",
      "one delay for each synapse, or one for each input neuron (axon), the same to all its targets",
      Choices{{"synapse", "axon"}});
    v(whole, "whole",
      "when delays are rounded to integer steps: in evaluation, always (training too), or never",
      Choices{{"evaluation", "always", "never"}});
    v(unit, "unit", "delay = unit * parameter; a larger unit makes delays learn faster than weights",
      Range{1e-6, 1e6});
    v(init, "init", "distribution of the initial weights", init_choices());
    v(weight_scale, "weight_scale", "factor on the initial weights");
    v(has_bias, "bias", "add a learnable bias");
    v(bias_init, "bias_init", "initial biases", bias_init_choices());
  }

  Shape build(const Shape& in) override {
    const int64_t taps = longest + 1, inputs = numel(in) / taps;
    ST_CHECK(numel(in) % taps == 0, "synapse delayed_linear: expected ", taps, " taps of each input, got ",
             numel(in), " values; stage taps with the same `longest` comes before");
    product_ = make<Synapse>("linear", {{"features", features}});
    product_->build(in);
    W_ = register_parameter("weight", torch::zeros({features, inputs}));
    p_ = register_parameter("delay", torch::zeros({per == "synapse" ? features : 1, inputs}));
    if (has_bias) b_ = register_parameter("bias", torch::zeros({features}));
    return {features};
  }
  void initialise(uint64_t seed, uint64_t index) override {
    initialise_bias(b_, W_, bias_init, seed, index);
    initialise_weight(W_, init, weight_scale, seed, index);
    const double half = static_cast<double>(longest) / (2 * unit);
    draw_uniform(p_, half, Rng(seed, Purpose::delay, index));
    p_.add_(half);
  }

  Tensor weight() override { return effective(whole == "always"); }
  Tensor deployed() override { return effective(whole != "never"); }
  Tensor bias() const override { return b_; }
  Tensor apply(const Signal& x, const Tensor& W) const override { return product().apply(x, W); }
  Tensor pull(const Tensor& g, const Tensor& W) const override { return product().pull(g, W); }
  Tensor outer(const Tensor& g, const Signal& q) const override { return product().outer(g, q); }
  bool has_patches() const override { return true; }
  Tensor patches(const Tensor& x) const override { return product_->patches(x); }
  int64_t macs() const override { return product_->macs(); }
  std::string notation() const override { return std::to_string(features); }

 private:
  const Synapse& product() const {
    product_->precision = precision;
    return *product_;
  }
  /// V [features, taps*N]
  Tensor effective(bool rounded) const {
    // The derivative at both ends is that of the inside; clamp() has another one there from one LibTorch to the next.
    const Tensor raw = p_ * unit, clamped = raw.detach().clamp(0, static_cast<double>(longest));
    const Tensor d = torch::where(clamped == raw.detach(), raw, clamped);
    Tensor share = shares(d);
    if (rounded) share = share + (shares(d.round()) - share).detach();
    return (share * W_).transpose(0, 1).flatten(1);
  }
  /// What a delay leaves to each tap: [taps, features or 1, N].  Its derivative is that between the neighbouring steps,
  /// at whole steps too.
  Tensor shares(const Tensor& d) const {
    const Tensor n = d.detach().floor().clamp_max(static_cast<double>(longest - 1)), late = d - n;
    const Tensor k = torch::arange(longest + 1, n.options()).view({-1, 1, 1});
    return (k == n) * (1 - late) + (k == n + 1) * late;
  }

  std::shared_ptr<Synapse> product_;
  Tensor W_, p_, b_;
};
ST_REGISTER(Synapse, "delayed_linear", DelayedLinear);

}  // namespace
}  // namespace spiketrain
