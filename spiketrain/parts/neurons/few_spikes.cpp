// Few-spikes (FS) neuron: a value is sent in K steps as a few spikes, of which each phase has a weight of its own.
//   x = sum over a period of d_i*I[t], i = t mod K, the spikes that come in weighed as those that are sent
//   v = x;  in phases i = 0 ... K-1:  s = 1 where v > T_i (strict) or v >= T_i;  v -= s*h_i
// so that f(x) = sum_i d_i*s_i is the value that the next layer reads: with the tables of few_spikes_tables.h the ReLU cut to K binary
// digits, a sigmoid or a swish.  With learn = true h, d and T of each layer are learned.
// Gradient, the authors': ds/dw = max(1 - |w|, 0) at w = (v - T_i)/(|v| + 1), which is differentiated in full, as are s*h_i and s*d_i.
// few_spikes_readout reads such spikes: a[t] = K*d_i*I[t], whose mean over a period is the value.  A bias of the synapse comes at every
// step and counts sum_i d_i times.
// Source: Stoeckl & Maass 2021, see few_spikes_tables.h.  Deviation: their neurons are computed at once, ours a step a phase
// (period_neuron.h); their loop compares strictly, but their fast form of the ReLU floors, which is strict = false; their
// penalties on v and on the number of spikes are left out.
// Tests: golden/few_spikes_test.cpp, unit/few_spikes_test.cpp.
#include "spiketrain/ops/surrogate.h"
#include "spiketrain/parts/neurons/few_spikes_tables.h"
#include "spiketrain/parts/neurons/period_neuron.h"

namespace spiketrain {
namespace {

Tensor table_of(const std::vector<double>& values) { return torch::tensor(values, torch::kDouble); }

struct FewSpikes final : PeriodNeuron {
  static constexpr const char* kDoc =
      "few-spikes neuron: a value in K steps, each phase with a weight of its own";
  FewSpikesOptions options;
  bool strict = true, learn = false;
  template <class V>
  void visit(V& v) {
    options.visit(v);
    v(strict, "strict", "fires above a threshold only, not at it");
    v(learn, "learn", "the tables h, d and T are learned, one of each per layer");
    visit_form(v);
  }
  void check() override { options.check("few_spikes"); }
  void build(const Shape& /*shape*/) override {
    curve_ = surrogate_curve("triangle", 1, 1);
    const FewSpikesTables tables = options.tables();
    h_ = table_of(tables.h), d_ = table_of(tables.d), T_ = table_of(tables.T);
    if (!learn) return;
    h_ = register_parameter("h", h_.to(torch::kFloat));
    d_ = register_parameter("d", d_.to(torch::kFloat));
    T_ = register_parameter("T", T_.to(torch::kFloat));
  }

 protected:
  int64_t period() const override { return options.phases; }
  Tensor reads(const Tensor& phase, const Tensor& like) const override { return at_phases(d_, phase, like); }
  Sent send(const Tensor& rest, const Tensor& /*value*/, const Tensor& phase) const override {
    const Tensor scaled = (rest - at_phases(T_, phase, rest)) / (rest.abs() + 1);
    const Tensor s = spike(scaled, curve_, strict);
    return {s, s, rest - s * at_phases(h_, phase, rest)};
  }

 private:
  SurrogateCurve curve_;
  Tensor h_, d_, T_;
};
ST_REGISTER(Neuron, "few_spikes", FewSpikes);

struct FewSpikesReadout final : Stepped {
  static constexpr const char* kDoc =
      "readout of few-spikes neurons: its mean over a period is the value that was sent";
  FewSpikesOptions options;
  bool learn = false;
  template <class V>
  void visit(V& v) {
    options.visit(v);
    v(learn, "learn", "the weights of the phases are learned");
  }
  void check() override { options.check("few_spikes_readout"); }
  void build(const Shape& /*shape*/) override {
    d_ = table_of(options.tables().d);
    if (learn) d_ = register_parameter("d", d_.to(torch::kFloat));
  }
  Emission emits() const override { return Emission::analog_values(); }
  uint32_t provides() const override { return kU | kPsi | kJacobian; }
  State initial(at::IntArrayRef shape, const torch::TensorOptions& like) const override {
    return {torch::zeros({}, like).expand(shape)};
  }
  Step step(const Tensor& I, const State& state) const override {
    const Tensor a =
        I * (at_phases(d_, phase_of(state[0], options.phases), I) * static_cast<double>(options.phases));
    return {a, Tensor(), {torch::remainder(state[0] + 1, options.phases)}, a};
  }

 private:
  Tensor d_;
};
ST_REGISTER(Neuron, "few_spikes_readout", FewSpikesReadout);

}  // namespace
}  // namespace spiketrain
