// TSSL-BP: credit through the timing of spikes.  Three released variants and the surrogate-only ablation.
//   A[t] = delta[t]/tau_s + (1 - 1/tau_s)*A[t+1];  du[t] = u[t] - m[t-1]
//   head (Dec 2020), from the last step down:  e = s ? min(8, 1/du)*(A + u/tau_m*theta) : (1 -
//   1/tau_m)*theta;
//     theta = e;  g = a < 1/(4 tau_s) ? A*sigma'(u) : e
//   jun2020:  g = warm-up ? A*sigma'(u) : s*min(10, 1/du)*A, warm-up while the layer fires in <= 10 % of
//   places sep2020:  jun2020 with delta[t] + s*(u/tau_m)*(1 - 1/tau_m)^(p-t-1)*delta[p] for delta, p = next
//   spike after t surrogate:  g = A*sigma'(u)
// Source: Zhang & Li 2020, "Temporal Spike Sequence Learning via Backpropagation for Deep Spiking Neural
// Networks", and the authors' code (stonezwr/TSSL-BP): variants are named by the date of its commits.
// Deviation from the paper: as in the code, +epsilon/du with all k >= m instead of the literal derivative;
// clipping of 1/du; the warm-up surrogate stays on for neurons (head) or layers (2020) that hardly fire.
// Memory: u and s for all T steps of the window; time: one scan.  Unsupported: neurons that emit no PSP.
// Tests: golden/tssl, equiv/generic, equiv/tssl_scan.
#include "spiketrain/core/ops.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

namespace spiketrain {
namespace {

/// Firing rate of a layer at and below which the 2020 variants use the surrogate.
constexpr double kWarmUpRate = 0.1;

struct TsslBp final : Rule {
  static constexpr const char* kDoc =
      "spike-timing backpropagation (Zhang & Li 2020), for neurons that emit a PSP";
  std::string variant = "head";
  template <class V>
  void visit(V& v) {
    v(variant, "variant", "released version of the rule, or the warm-up surrogate everywhere",
      Choices{{"head", "sep2020", "jun2020", "surrogate"}});
  }
  uint32_t needs() const override { return kU | kPsp; }
  bool uses_vjp() const override { return false; }

  Neuron::Adjoint credit(const Neuron&, const Tape& tape, const Tensor& delta, const State&) const override {
    const bool warm_up =
        static_cast<double>(tape.s.count()) <= kWarmUpRate * static_cast<double>(tape.s.numel());
    if (!ops::has_kernel(delta)) return {credit_by_steps(tape, delta, warm_up), {}, {}};
    Tensor g = torch::empty_like(delta);
    const Tensor m = tape.in[0].contiguous(), a = tape.in[1].contiguous();
    AT_DISPATCH_FLOATING_TYPES(delta.scalar_type(), "tssl_bp", [&] {
      cpu::TsslCreditArgs<scalar_t> args;
      args.T = delta.size(0);
      args.N = m.numel();
      args.u = tape.u.data_ptr<scalar_t>();
      args.s = tape.s.bytes().data_ptr<uint8_t>();
      args.m0 = m.data_ptr<scalar_t>();
      args.a0 = a.data_ptr<scalar_t>();
      args.delta = delta.data_ptr<scalar_t>();
      args.g = g.data_ptr<scalar_t>();
      args.warm_up = warm_up;
      cpu::tssl_credit(kernel_variant(), {tape.psp.tau_m, tape.psp.tau_s, tape.psp.threshold}, args);
    });
    return {g, {}, {}};
  }

 private:
  cpu::TsslVariant kernel_variant() const {
    if (variant == "sep2020") return cpu::TsslVariant::sep2020;
    if (variant == "jun2020") return cpu::TsslVariant::jun2020;
    if (variant == "surrogate") return cpu::TsslVariant::surrogate;
    return cpu::TsslVariant::head;
  }

  /// The definition in plain ATen, on any device.
  Tensor credit_by_steps(const Tape& tape, const Tensor& delta, bool warm_up) const {
    const double tau_m = tape.psp.tau_m, tau_s = tape.psp.tau_s, width = 0.2;
    const double clip = variant == "head" ? 8.0 : 10.0, leak = 1.0 - 1.0 / tau_m;
    const int64_t T = delta.size(0);
    const Tensor s = tape.s.dense(delta.scalar_type()), &u = tape.u;
    const Tensor u_after = torch::cat({tape.in[0].unsqueeze(0), (u * (1 - s)).slice(0, 0, T - 1)});
    const Tensor r =
        torch::where(s > 0, torch::clamp((u - u_after).reciprocal(), 0, clip), torch::zeros_like(u));
    const Tensor f = torch::exp(torch::clamp((tape.psp.threshold - u) / width, -8, 8));
    const Tensor psi = f / (width * (1 + f).square());
    const Tensor d = variant == "sep2020" ? delta + to_next_spike(s, u, delta, tau_m) : delta;
    std::vector<Tensor> A(T), g(T);
    for (int64_t t = T - 1; t >= 0; --t)
      A[t] = t + 1 < T ? d[t] / tau_s + (1 - 1 / tau_s) * A[t + 1] : d[t] / tau_s;
    Tensor theta = torch::zeros_like(delta[0]);
    for (int64_t t = T - 1; t >= 0; --t) {
      if (variant == "head") {
        theta = torch::where(s[t] > 0, r[t] * (A[t] + u[t] / tau_m * theta), leak * theta);
        g[t] = torch::where(tape.a[t] < 1.0 / (4.0 * tau_s), A[t] * psi[t], theta);
      } else {
        g[t] = variant == "surrogate" || warm_up ? A[t] * psi[t] : r[t] * A[t];
      }
    }
    return torch::stack(g);
  }

  /// s[t]*(u[t]/tau_m)*leak^(p-t-1)*delta[p], p the next spike of the neuron after t.
  static Tensor to_next_spike(const Tensor& s, const Tensor& u, const Tensor& delta, double tau_m) {
    Tensor reach = torch::zeros_like(delta[0]);  // leak^(p-t-1)*delta[p]
    std::vector<Tensor> terms(delta.size(0));
    for (int64_t t = delta.size(0) - 1; t >= 0; --t) {
      terms[t] = s[t] * u[t] / tau_m * reach;
      reach = torch::where(s[t] > 0, delta[t], (1.0 - 1.0 / tau_m) * reach);
    }
    return torch::stack(terms);
  }
};
ST_REGISTER(Rule, "tssl_bp", TsslBp);

}  // namespace
}  // namespace spiketrain
