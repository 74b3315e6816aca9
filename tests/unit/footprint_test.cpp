// What one neuron is said to store and to do.
#include "spiketrain/cost/footprint.h"

#include <gtest/gtest.h>

#include "spiketrain/ops/chunks.h"
#include "tests/support/message.h"

namespace spiketrain::footprint_test {

NeuronFootprint of(const char* neuron, const Rule& rule, int64_t steps = 4,
                   const Config& options = Config::object(), const Shape& shape = {8}) {
  const auto made = make<Neuron>(neuron, options);
  made->build(shape);
  return neuron_footprint(*made, rule, steps, shape);
}

struct Stored {
  int64_t state;
  double spikes;
  int64_t values, slots, current;
};
bool operator==(const NeuronFootprint& f, const Stored& s) {
  return f.state == s.state && f.spikes == s.spikes && f.values == s.values && f.slots == s.slots &&
         f.current == s.current;
}
std::ostream& operator<<(std::ostream& out, const Stored& s) {
  return out << s.state << ' ' << s.spikes << ' ' << s.values << ' ' << s.slots << ' ' << s.current;
}

TEST(Footprint, StoresWhatRuleAndNeuronRead) {
  const auto bptt = make<Rule>("bptt"), tssl = make<Rule>("tssl_bp");
  EXPECT_EQ(of("lif", *bptt), (Stored{4, 0.125, 0, 4, 0}));  // spikes; the kernel reads the membrane
  EXPECT_EQ(of("lif", *bptt, 4, {{"learn_leak", true}}), (Stored{4, 0.125, 0, 4, 0}));
  EXPECT_EQ(of("lif", *bptt, 4, {{"learn_leak", true}, {"decay_input", true}}), (Stored{4, 0.125, 0, 4, 4}));
  EXPECT_EQ(of("cuba_lif", *bptt), (Stored{8, 0.125, 0, 0, 4}));  // by steps, from the current
  EXPECT_EQ(of("psp_lif", *tssl), (Stored{8, 0.125, 0, 4, 0}));   // the PSP leaves as its spikes
  EXPECT_EQ(of("psp_lif", *bptt), (Stored{8, 0.125, 0, 0, 4}));
  EXPECT_EQ(of("leaky_readout", *bptt), (Stored{4, 0, 4, 0, 4}));

  struct NeedsPsi : Rule {
    uint32_t needs() const override { return kPsi; }
    bool uses_vjp() const override { return false; }
  };
  EXPECT_EQ(of("lif", NeedsPsi()), (Stored{4, 0.125, 0, 4, 0}));
  EXPECT_EQ(of("lif", *bptt).kept(), 4.125);
}

TEST(Footprint, CountsOperations) {
  const auto bptt = make<Rule>("bptt");
  {
    const ops::GenericOnly no_kernels;
    EXPECT_EQ(of("lif", *bptt), (Stored{4, 0.125, 0, 0, 4}));
  }
  EXPECT_GT(of("lif", *bptt).ops, 3);
  EXPECT_GT(of("cuba_lif", *bptt).ops, of("lif", *bptt).ops);
}

TEST(Footprint, TakesNeuronsWithParametersOfTheirOwn) {
  const auto bptt = make<Rule>("bptt");
  const Config options = {{"learn_leak", true}, {"per", "neuron"}};
  const NeuronFootprint f = of("lif", *bptt, 4, options, {3, 5, 7});
  EXPECT_EQ(f, (Stored{4, 0.125, 0, 0, 4}));  // arrays have no kernel
  EXPECT_GT(f.ops, 3);
}

/// a[t] = sum over the whole sequence of I, so that T must be that of the sequence.
struct Total : Neuron {
  explicit Total(int64_t T) : T(T) {}
  Emission emits() const override { return Emission::analog_values(); }
  uint32_t provides() const override { return 0; }
  uint32_t vjp_reads(const Tensor&) const override { return 0; }
  bool whole_sequence() const override { return true; }
  State initial(at::IntArrayRef, const torch::TensorOptions&) const override { return {}; }
  void run(Record& record, Steps steps) const override {
    ST_CHECK(steps.begin == 0 && steps.end == T && record.I.size(0) == T, "the whole sequence");
    record.a.copy_(record.I.sum(0, /*keepdim=*/true).expand_as(record.I));
  }
  Credit vjp(const Record&, const Tensor& delta, const State&) const override {
    return {delta.sum(0, /*keepdim=*/true).expand_as(delta).contiguous()};
  }
  int64_t T;
};

TEST(Footprint, TakesNeuronsThatAreNotDefinedByAStep) {
  const auto bptt = make<Rule>("bptt");
  const NeuronFootprint f = neuron_footprint(Total(100), *bptt, 100, {8});
  EXPECT_EQ(f, (Stored{0, 0, 4, 0, 0}));
  EXPECT_GE(f.ops, 2);  // it reads a word and writes one
  EXPECT_THROW(neuron_footprint(Total(100), *bptt, 0, {8}), UsageError);
}

}  // namespace spiketrain::footprint_test
