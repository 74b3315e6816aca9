// Current-based LIF whose output is the PSP of its spikes, as TSSL-BP uses it.
//   du = I[t] - m/tau_m;  u[t] = m + du;  s[t] = H(u[t] - threshold), strictly greater;  m = u[t]*(1 - s[t])
//   a[t] = a[t-1] + (s[t] - a[t-1])/tau_s
// Source: Zhang & Li 2020 (TSSL-BP) and the authors' released code, whose order of operations is kept bit for
// bit. Deviation: none.  Time in steps.  State: {m, a}, both [B,*].  Under rules other than TSSL-BP the
// spike's derivative is TSSL-BP's warm-up surrogate, sigma'(u) = f/(w(1+f)^2), f = exp(clamp((threshold-u)/w,
// -8, 8)), w = surrogate_width. Tests: golden/tssl, grad/neuron, equiv/tssl_scan.
#include "spiketrain/core/neuron.h"
#include "spiketrain/core/ops.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

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

struct PspLif final : Neuron {
  static constexpr const char* kDoc =
      "current-based LIF with hard reset that emits the PSP of its spikes (TSSL-BP)";
  double tau_m = 5, tau_s = 3, threshold = 1, surrogate_width = 0.2;
  template <class V>
  void visit(V& v) {
    v(tau_m, "tau_m", "membrane time constant, steps", Range{1, 1e9});
    v(tau_s, "tau_s", "time constant of the PSP, steps", Range{1, 1e9});
    v(threshold, "threshold", "firing threshold, unit of the weights", Range{1e-9, 1e9});
    v(surrogate_width, "surrogate_width", "width of the sigmoid surrogate under rules other than tssl_bp",
      Range{1e-6, 1e6});
  }

  uint32_t provides() const override { return kU | kPsi | kPsp; }
  PspConstants psp_constants() const override { return {tau_m, tau_s, threshold}; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& options) const override {
    return {torch::zeros(shape, options), torch::zeros(shape, options)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor u = state[0] + (I - state[0] * (1.0 / tau_m));
    const Tensor s = PspSpike::apply(u, threshold, surrogate_width);
    const Tensor a = state[1] + (s - state[1]) * (1.0 / tau_s);
    return {a, s, {u * (1 - s), a}};
  }

  Footprint footprint(const Rule& rule, int64_t window) const override {
    Footprint f = Neuron::footprint(rule, window);
    if (rule.needs() & kU) f.kept += 4;
    return f;
  }

  void run(Tape& tape) const override {
    tape.psp = psp_constants();
    const bool want_psi = tape.record && (tape.needs & kPsi);
    if (want_psi || !ops::has_kernel(tape.I)) {
      run_by_steps(tape);
      return;
    }
    const Tensor I = tape.I.contiguous(), m = tape.in[0].contiguous(), a = tape.in[1].contiguous();
    tape.a = torch::empty_like(I);
    Tensor s = torch::empty(I.sizes(), I.options().dtype(torch::kUInt8));
    if (tape.record && (tape.needs & kU)) tape.u = torch::empty_like(I);
    tape.out = {torch::empty_like(m), torch::empty_like(a)};
    const int64_t count = AT_DISPATCH_FLOATING_TYPES(I.scalar_type(), "psp_lif", [&] {
      cpu::TsslForwardArgs<scalar_t> args;
      args.T = I.size(0);
      args.N = m.numel();
      args.I = I.data_ptr<scalar_t>();
      args.m0 = m.data_ptr<scalar_t>();
      args.a0 = a.data_ptr<scalar_t>();
      args.s = s.data_ptr<uint8_t>();
      args.u = tape.u.defined() ? tape.u.data_ptr<scalar_t>() : nullptr;
      args.a = tape.a.data_ptr<scalar_t>();
      args.m1 = tape.out[0].data_ptr<scalar_t>();
      args.a1 = tape.out[1].data_ptr<scalar_t>();
      return cpu::tssl_forward({tau_m, tau_s, threshold}, args);
    });
    tape.s = Events::from_bytes(s, count);
  }

 private:
  /// The generic loop, and the membrane before reset with it.
  void run_by_steps(Tape& tape) const {
    const uint32_t needs = tape.needs;
    if (tape.record && (needs & kU)) {
      std::vector<Tensor> u;
      State state = tape.in;
      torch::NoGradGuard no_grad;
      for (int64_t t = 0; t < tape.I.size(0); ++t) {
        u.push_back(state[0] + (tape.I[t] - state[0] * (1.0 / tau_m)));
        state = step(tape.I[t], state).next;
      }
      tape.u = torch::stack(u);
    }
    tape.needs &= ~static_cast<uint32_t>(kU);
    Neuron::run(tape);
    tape.needs = needs;
  }
};
ST_REGISTER(Neuron, "psp_lif", PspLif);

}  // namespace
}  // namespace spiketrain
