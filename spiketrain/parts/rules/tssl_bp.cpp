// TSSL-BP: gradients through the timing of spikes.  Three released variants and the surrogate-only ablation.
//   A[t] = delta[t]/tau_s + (1 - 1/tau_s)*A[t+1];  du[t] = u[t] - m[t-1];  from the last step down:
//   dec2020          e = s ? min(8, 1/du)*(A + u/tau_m*theta) : (1 - 1/tau_m)*theta;   theta = e
//                    g = a < 1/(4 tau_s) ? A*sigma'(u) : e
//   jun2020          g = warm-up ? A*sigma'(u) : s*min(10, 1/du)*A
//                    warm-up while the layer fires in <= 10 % of places
//   sep2020          jun2020 with delta[t] + s*(u/tau_m)*(1 - 1/tau_m)^(p-t-1)*delta[p] for delta[t],
//                    p = next spike after t
//   surrogate        g = A*sigma'(u)
// Source: Zhang & Li 2020, "Temporal Spike Sequence Learning via Backpropagation for Deep Spiking Neural
// Networks", and the authors' code (stonezwr/TSSL-BP): variants are named by the date of its commits.
// Deviation from the paper: as in the code, +epsilon/du with all k >= m instead of the literal derivative;
// clipping of 1/du; the warm-up surrogate stays on for neurons (dec2020) or layers (the others) that hardly fire.
// Memory: u and s for all steps of the segment.  Time: one scan.  Unsupported: neurons that emit no PSP.
// Tests: golden/tssl, equiv/generic, equiv/tssl_scan.
#include "spiketrain/core/rule.h"
#include "spiketrain/ops/tssl_scan.h"

namespace spiketrain {
namespace {

/// Firing rate of a layer at and below which the 2020 variants use the surrogate.
constexpr double kWarmUpRate = 0.1;

cpu::TsslVariant variant_of(const std::string& name) {
  if (name == "sep2020") return cpu::TsslVariant::sep2020;
  if (name == "jun2020") return cpu::TsslVariant::jun2020;
  if (name == "surrogate") return cpu::TsslVariant::surrogate;
  ST_CHECK(name == "dec2020", "variant: '", name, "' is not known");
  return cpu::TsslVariant::dec2020;
}

struct TsslBp final : Rule {
  static constexpr const char* kDoc =
      "spike-timing backpropagation (Zhang & Li 2020), for neurons that emit a PSP";
  std::string variant = "dec2020";
  template <class V>
  void visit(V& v) {
    v(variant, "variant",
      "the authors' code at three dates (dec2020 is the latest), or a surrogate gradient at every neuron and step",
      Choices{{"dec2020", "sep2020", "jun2020", "surrogate"}});
  }
  void check() override { kernel_variant = variant_of(variant); }
  uint32_t needs() const override { return kU | kTiming; }
  bool uses_vjp() const override { return false; }
  bool q_is_input() const override { return true; }
  /// Some variants take the surrogate while the layer, over the batch, hardly fires.
  bool couples_samples() const override { return variant == "sep2020" || variant == "jun2020"; }

  bool is_done_with_membrane() const override { return true; }
  bool takes_map() const override { return true; }
  bool takes_windows(const Neuron&, const Record& record) const override { return record.by_pixel(); }
  Credit credit(const Neuron& neuron, const Record& record, const Tensor& delta,
                const State&) const override {
    ST_CHECK((record.u.defined() || record.map.defined()) && record.spiking() && record.before.size() == 2,
             "rule tssl_bp: expected a record of the membrane, of spikes and of two states {membrane, PSP}");
    const SpikeTiming p = neuron.timing();
    const Spikes s = record.spikes();
    const bool warm_up = static_cast<double>(s.total()) <= kWarmUpRate * static_cast<double>(s.sites());
    const ops::Membrane membrane = {record.u, record.I, record.map};
    return {ops::tssl_credit(kernel_variant, {p.tau_m, p.tau_s, p.threshold}, membrane, record.before[0],
                             record.before[1], delta, warm_up, record.last_read ? record.u : Tensor(),
                             record.windows)};
  }

 private:
  cpu::TsslVariant kernel_variant = cpu::TsslVariant::dec2020;
};
ST_REGISTER(Rule, "tssl_bp", TsslBp);

}  // namespace
}  // namespace spiketrain
