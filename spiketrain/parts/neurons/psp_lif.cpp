// Current-based LIF whose output is the PSP of its spikes, as TSSL-BP uses it.
//   du = I[t] - m/tau_m;  u[t] = m + du;  s[t] = H(u[t] - threshold), strictly greater;  m = u[t]*(1 - s[t])
//   a[t] = a[t-1] + (s[t] - a[t-1])/tau_s
// Under rules other than TSSL-BP the spike's derivative is TSSL-BP's warm-up surrogate,
//   sigma'(u) = f/(w(1+f)^2), f = exp(clamp((threshold-u)/w, -8, 8)), w = surrogate_width
// Source: Zhang & Li 2020 (TSSL-BP) and the authors' released code, whose order of operations is kept bit for bit.
// Deviation: none.  Time in steps.  State: {m, a}, both [B,*].  Forward by a kernel, adjoint by steps.
// Tests: golden/tssl, grad/neuron, equiv/generic, equiv/tssl_scan.
#include "spiketrain/core/neuron.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/tssl_scan.h"

namespace spiketrain {
namespace {

struct PspSpike : torch::autograd::Function<PspSpike> {
  static Tensor forward(torch::autograd::AutogradContext* ctx, const Tensor& u, double threshold,
                        double width) {
    ctx->save_for_backward({u});
    ctx->saved_data["threshold"] = threshold;
    ctx->saved_data["width"] = width;
    return (u > threshold).to(u.scalar_type());
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list g) {
    const double width = ctx->saved_data["width"].toDouble();
    const Tensor u = ctx->get_saved_variables()[0];
    const Tensor f = torch::exp(torch::clamp((ctx->saved_data["threshold"].toDouble() - u) / width, -8, 8));
    return {g[0] * f / (width * (1 + f).square()), Tensor(), Tensor()};
  }
};

struct PspLif final : Stepped {
  static constexpr const char* kDoc =
      "LIF with hard reset whose output is the postsynaptic potential (PSP) of its spikes: a low-pass filter of them (TSSL-BP)";
  double tau_m = 5, tau_s = 3, threshold = 1, surrogate_width = 0.2;
  template <class V>
  void visit(V& v) {
    v(tau_m, "tau_m", "membrane time constant, steps", Range{1, 1e9});
    v(tau_s, "tau_s", "time constant of the PSP, steps", Range{1, 1e9});
    v(threshold, "threshold", "firing threshold, unit of the weights", Range{1e-9, 1e9});
    v(surrogate_width, "surrogate_width", "width of the sigmoid surrogate under rules other than tssl_bp",
      Range{1e-6, 1e6});
  }

  Emission emits() const override { return {1, tau_s}; }
  uint32_t provides() const override { return kU | kPsi | kTiming | kPsp; }
  SpikeTiming timing() const override { return {tau_m, tau_s, threshold}; }
  bool scans(const Tensor& I, uint32_t slots) const override {
    return ops::has_kernel(I) && !(slots & (kPsi | kJacobian));
  }
  bool takes_map(const Tensor& I) const override { return ops::has_kernel(I) && ops::ChannelMap::fits(I); }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    const Tensor zero = torch::zeros({}, options).expand(shape);
    return {zero, zero};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor u = state[0] + (I - state[0] * (1.0 / tau_m));
    const Tensor s = PspSpike::apply(u, threshold, surrogate_width);
    const Tensor a = state[1] + (s - state[1]) * (1.0 / tau_s);
    return {a, s, {u * (1 - s), a}, u};
  }
  void run(Record& record, Steps steps) const override {
    if (!scans(record.I, record.slots)) return Stepped::run(record, steps);
    const int64_t spikes = ops::psp_lif_forward(
        {tau_m, tau_s, threshold}, at_steps(record.I, steps), record.state[0], record.state[1],
        spikes_out(record, steps), at_steps(record.u, steps), at_steps(record.a, steps), record.map);
    if (record.total >= 0) record.total += spikes;
  }
};
ST_REGISTER(Neuron, "psp_lif", PspLif);

}  // namespace
}  // namespace spiketrain
