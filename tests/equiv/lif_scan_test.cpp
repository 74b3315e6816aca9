// LIF scans beyond the cases of kernel_cases_test.cpp: every named surrogate; the fused neuron against its
// steps; segments against the whole.
#include <gtest/gtest.h>

#include "spiketrain/kernels/lif_scan/lif_scan_cases.h"
#include "spiketrain/ops/surrogate.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::lif_scan_test {

TEST(LifScan, EveryNamedSurrogate) {
  for (const std::string& name : surrogate_names()) {
    for (const cpu::LifReset reset :
         {cpu::LifReset::soft_decayed, cpu::LifReset::soft, cpu::LifReset::hard}) {
      cpu::LifParams p;
      p.leak = 0.9, p.gain = 0.75, p.rest = 0.0625, p.v_reset = -0.25;
      p.reset = reset;
      p.surrogate = surrogate_curve(name, 0, 1);
      for (const bool in_double : {false, true}) {
        const cpu::CaseSpec spec = {{7, 37}, 0, cpu::Numbers::any, in_double, 4};
        EXPECT_EQ(compare(*lif_forward_case(spec, p, cpu::LifArrays::all)), "") << name;
        EXPECT_EQ(compare(*lif_adjoint_case(spec, p, cpu::LifArrays::all)), "") << name;
      }
    }
  }
}

constexpr int64_t kNeurons = 37;

std::vector<Config> fused_neurons() {
  std::vector<Config> configs;
  for (Config config : lif_resets()) {
    for (const bool learn : {false, true}) {
      config["learn_leak"] = learn;
      config["leak"] = learn ? 0.9 : 0.5;
      configs.push_back(config);
    }
  }
  configs.push_back({{"name", "if"}, {"reset", "hard"}, {"v_reset", -0.5}});
  configs.push_back({{"name", "if"}});
  return configs;
}

std::shared_ptr<Neuron> built(const Config& config) {
  auto neuron = make<Neuron>(config);
  neuron->build({kNeurons});
  return neuron;
}

/// A record of all steps of I [T,B,kNeurons], with what the neuron's adjoint reads and the membrane.
c10::intrusive_ptr<Record> run(const Neuron& neuron, const Tensor& I, const State& before = {}) {
  const auto record = make_record(neuron, I, before, neuron.vjp_reads(I) | kU);
  neuron.run(*record, record->all());
  return record;
}

// Both have the same order of operations, so the bits are equal for any input.
TEST(LifNeuron, FusedEqualsSteps) {
  torch::manual_seed(1);
  for (const Config& config : fused_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = std::dynamic_pointer_cast<Stepped>(built(config));
    ASSERT_TRUE(neuron);
    for (const Tensor& I :
         {torch::randint(-32, 128, {6, 2, kNeurons}) / 64.0, torch::randn({11, 2, kNeurons}) + 0.4}) {
      const auto fused = run(*neuron, I), steps = make_record(*neuron, I, {}, kU);
      neuron->Stepped::run(*steps, steps->all());
      EXPECT_TRUE(torch::equal(fused->s, steps->s));
      EXPECT_TRUE(torch::equal(fused->u, steps->u));
      EXPECT_TRUE(torch::equal(fused->state[0], steps->state[0]));
      EXPECT_EQ(fused->total, steps->s.sum().item<int64_t>());
    }
  }
}

TEST(LifNeuron, SegmentsEqualTheWhole) {
  torch::manual_seed(2);
  for (const Config& config : fused_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = built(config);
    const Tensor I = torch::randn({12, 2, kNeurons}) + 0.4, delta = torch::randn({12, 2, kNeurons});
    const State g_after = {torch::randn({2, kNeurons})};
    const auto whole = run(*neuron, I);
    const Credit want = neuron->vjp(*whole, delta, g_after);

    const auto first = run(*neuron, I.slice(0, 0, 5)), second = run(*neuron, I.slice(0, 5), first->state);
    EXPECT_TRUE(torch::equal(torch::cat({first->s, second->s}), whole->s));
    EXPECT_TRUE(torch::equal(second->state[0], whole->state[0]));
    const Credit late = neuron->vjp(*second, delta.slice(0, 5), g_after);
    const Credit early = neuron->vjp(*first, delta.slice(0, 0, 5), late.g_before);
    EXPECT_TRUE(torch::equal(torch::cat({early.g, late.g}), want.g));
    EXPECT_TRUE(torch::equal(early.g_before[0], want.g_before[0]));
    ASSERT_EQ(want.g_params.size(), neuron->parameters().size());
    for (size_t k = 0; k < want.g_params.size(); ++k) {
      const double sum = (early.g_params[k] + late.g_params[k]).item<double>();
      EXPECT_NEAR(sum, want.g_params[k].item<double>(), 1e-4);
    }
  }
}

TEST(LifNeuron, StepsOfOneRecordEqualTheWhole) {
  torch::manual_seed(3);
  for (const Config& config : fused_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = built(config);
    const Tensor I = torch::randn({12, 2, kNeurons}) + 0.4;
    const auto whole = run(*neuron, I), parts = make_record(*neuron, I, {}, whole->slots);
    for (const Steps steps : {Steps{0, 1}, Steps{1, 8}, Steps{8, 12}}) neuron->run(*parts, steps);
    EXPECT_TRUE(torch::equal(parts->s, whole->s));
    EXPECT_TRUE(torch::equal(parts->u, whole->u));
    EXPECT_TRUE(torch::equal(parts->state[0], whole->state[0]));
    EXPECT_EQ(parts->total, whole->total);
  }
}

TEST(LifNeuron, WritesOnlyWhatIsWanted) {
  const auto neuron = built({{"name", "lif"}});
  const auto record = make_record(*neuron, torch::ones({3, 1, kNeurons}), {}, 0);
  neuron->run(*record, record->all());
  EXPECT_TRUE(record->s.defined());
  for (const Tensor& array : {record->a, record->u, record->psi}) EXPECT_FALSE(array.defined());
}

}  // namespace spiketrain::lif_scan_test
