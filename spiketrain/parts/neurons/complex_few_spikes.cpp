// Few-spikes form of complex_shrink: complex numbers travel as a signed few-spikes code of their real and imaginary parts.
//   currents [4C,*]: x of real parts, of imaginary parts, and the same with the sign changed, of which only the first half is read
//   z = sum over a period of w_i*I[t], w_i = alpha*2^-(1+i), i = t mod K;   v = S(z), the complex shrinkage with its threshold
//   m = (v, -v);  in phases i = 0 ... K-1:  s = 1 where m >= w_i;  m -= s*w_i
// so that each part is sent as its sign and the K binary digits of its size below alpha, and what is shrunk to 0 sends nothing.
// Gradient passed straight through the digits, as in phase_if: dL/dm = sum_i w_i*dL/ds_i / sum_j w_j^2 where 0 <= m <= alpha, else 0;
// that of S is exact.
// complex_few_spikes_readout: currents [2C,*]; sends v itself, analog, at every step of a period.
// Source: our own construction.  Few-spikes code: Stoeckl & Maass 2021; that a neuron which couples real and imaginary parts does this
// is said in the abstract of arXiv 2412.04008, whose neuron was not available to us.
// Tests: unit/few_spikes_test.cpp, unit/slista_test.cpp.
#include "spiketrain/parts/neurons/complex_shrink.h"
#include "spiketrain/parts/neurons/few_spikes_tables.h"
#include "spiketrain/parts/neurons/period_neuron.h"

namespace spiketrain {
namespace {

/// What both share.
struct ComplexFewSpikesBase : PeriodNeuron {
  int64_t phases = 8;
  double alpha = 2, threshold = 0.05;

  template <class V>
  void visit_base(V& v) {
    v(phases, "phases", "K, steps of a period: the binary digits of a value", Range{1, 24});
    v(alpha, "alpha", "values are digits below it; as the encoder's", Range{1e-9, 1e9});
    v(threshold, "threshold", "initial threshold of the shrinkage", Range{0, 1e9});
    visit_form(v);
  }
  void build_base() {
    threshold_ = register_parameter("threshold", torch::full({1}, threshold, torch::kFloat));
    digits_ = torch::tensor(FewSpikesTables::relu(phases, alpha).d, torch::kDouble);
  }

 protected:
  int64_t period() const override { return phases; }
  Tensor reads(const Tensor& phase, const Tensor& like) const override {
    return at_phases(digits_, phase, like);
  }

  Tensor threshold_, digits_;
};

struct ComplexFewSpikes final : ComplexFewSpikesBase {
  static constexpr const char* kDoc =
      "complex_shrink whose output is sent as a signed few-spikes code of real and imaginary parts";
  template <class V>
  void visit(V& v) {
    visit_base(v);
  }
  void build(const Shape& shape) override {
    check_complex(shape, 4, part_name(), "real and imaginary parts for either sign, [4C,*]");
    build_base();
    squares_ = digits_.square().sum().item<double>();
  }

 protected:
  Tensor value(const Tensor& sum) const override {
    const Tensor v = complex_shrink(sum.chunk(2, 1)[0], threshold_);
    return torch::cat({v, -v}, 1);
  }
  Sent send(const Tensor& rest, const Tensor& value, const Tensor& phase) const override {
    const Tensor digit = at_phases(digits_, phase, rest), left = rest.detach();
    const Tensor s = left.ge(digit).to(left.scalar_type());
    const Tensor m = value.detach(), passes = (m.ge(0) & m.le(alpha)).to(m.scalar_type());
    const Tensor way_back = value * (passes * digit / squares_);
    return {s + (way_back - way_back.detach()), s, left - s * digit};
  }

 private:
  double squares_ = 1;  ///< sum of w_i^2
};
ST_REGISTER(Neuron, "complex_few_spikes", ComplexFewSpikes);

struct ComplexFewSpikesReadout final : ComplexFewSpikesBase {
  static constexpr const char* kDoc =
      "readout of complex_few_spikes: the shrunk complex number itself, analog";
  template <class V>
  void visit(V& v) {
    visit_base(v);
  }
  void build(const Shape& shape) override {
    check_complex(shape, 2, part_name(), "pairs of real and imaginary parts, [2C,*]");
    build_base();
  }
  Emission emits() const override { return Emission::analog_values(); }

 protected:
  Tensor value(const Tensor& sum) const override { return complex_shrink(sum, threshold_); }
  Sent send(const Tensor& rest, const Tensor& value, const Tensor& /*phase*/) const override {
    return {value, Tensor(), rest};
  }
};
ST_REGISTER(Neuron, "complex_few_spikes_readout", ComplexFewSpikesReadout);

}  // namespace
}  // namespace spiketrain
