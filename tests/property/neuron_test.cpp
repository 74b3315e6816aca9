// What every registered neuron has to satisfy, at its defaults, with coefficients per channel or neuron and, for lif,
// with every reset.
#include <gtest/gtest.h>

#include <limits>

#include "spiketrain/ops/tssl_scan.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::neuron_test {

const Shape kShape = {2, 3, 3};

std::vector<Config> all_neurons() {
  std::vector<Config> configs = default_neurons();
  for (const auto& more : {lif_resets(), heterogeneous_neurons()}) {
    for (const Config& config : more) configs.push_back(config);
  }
  return configs;
}

Tensor random_input() {
  torch::manual_seed(3);
  return torch::randn({10, 4, 2, 3, 3}) + 0.5;
}

Tensor output(const Neuron& neuron, const Tensor& I) { return output_of(*run_all(neuron, I)); }

TEST(NeuronProperty, ZeroInZeroOut) {
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config, kShape);
    EXPECT_EQ(output(*neuron, torch::zeros({10, 4, 2, 3, 3})).abs().max().item<float>(), 0);
  }
}

TEST(NeuronProperty, SendsWhatItDeclares) {
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config, kShape);
    const Emission emission = neuron->emits();
    const auto record = run_all(*neuron, random_input());
    EXPECT_EQ(record->s.defined(), !emission.analog());
    EXPECT_EQ(record->a.defined(), !emission.bare());
    if (emission.analog()) continue;
    const Spikes s = record->spikes(emission.levels);
    EXPECT_LE(s.bytes().max().item<int64_t>(), emission.levels);
    EXPECT_GT(s.total(), 0) << "the input should make it fire";
    EXPECT_EQ(s.total(), s.bytes().sum().item<int64_t>());
    if (emission.bare()) continue;
    Tensor carried;
    EXPECT_TRUE(torch::equal(record->a, ops::psp_scan(s.dense(torch::kFloat), emission.tau_s, carried)));
  }
}

TEST(NeuronProperty, RecordsWhatItProvides) {
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config, kShape);
    const Tensor I = random_input();
    for (const uint32_t slots : {uint32_t{kU}, uint32_t{kPsi}, uint32_t{kU | kPsi}}) {
      const auto record = make_record(*neuron, I, {}, slots & neuron->provides());
      for (Tensor* array : {&record->u, &record->psi}) {
        if (array->defined()) array->fill_(std::numeric_limits<float>::quiet_NaN());
      }
      neuron->run(*record, record->all());
      for (const Tensor& array : {record->u, record->psi})
        EXPECT_TRUE(!array.defined() || torch::isfinite(array).all().item<bool>());
    }
  }
}

TEST(NeuronProperty, SegmentsAndRangesAreTheWhole) {
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config, kShape);
    const Tensor I = random_input();
    const auto whole = run_all(*neuron, I, {}, kU | kPsi), ranges = record_of(*neuron, I, {}, kU | kPsi);
    for (const Steps steps : {Steps{0, 1}, Steps{1, 6}, Steps{6, 10}}) neuron->run(*ranges, steps);
    const auto first = run_all(*neuron, I.slice(0, 0, 4)),
               second = run_all(*neuron, I.slice(0, 4, 10), first->state);
    EXPECT_TRUE(torch::equal(output_of(*ranges), output_of(*whole)));
    EXPECT_TRUE(torch::equal(torch::cat({output_of(*first), output_of(*second)}), output_of(*whole)));
    for (size_t k = 0; k < whole->state.size(); ++k) {
      EXPECT_TRUE(torch::equal(ranges->state[k], whole->state[k])) << k;
      EXPECT_TRUE(torch::equal(second->state[k], whole->state[k])) << k;
    }
    EXPECT_TRUE(!whole->u.defined() || torch::equal(ranges->u, whole->u));
    EXPECT_TRUE(!whole->psi.defined() || torch::equal(ranges->psi, whole->psi));
    EXPECT_TRUE(!whole->s.defined() || ranges->spikes().total() == whole->spikes().total());
  }
}

TEST(NeuronProperty, RunLeavesTheStateBeforeAlone) {
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config, kShape);
    const Tensor I = random_input();
    State before = neuron->initial(I.sizes().slice(1), I.options()), copies;
    for (const Tensor& z : before) copies.push_back(z.clone());
    const auto record = run_all(*neuron, I, before);
    for (size_t k = 0; k < before.size(); ++k) {
      EXPECT_TRUE(torch::equal(record->before[k], copies[k]));
      EXPECT_FALSE(record->state[k].is_same(before[k]));
    }
  }
}

TEST(NeuronProperty, Causal) {
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config, kShape);
    const Tensor I = random_input(), a = output(*neuron, I);
    Tensor other = I.clone();
    other.slice(0, 6).add_(3);
    const Tensor b = output(*neuron, other);
    EXPECT_TRUE(torch::equal(a.slice(0, 0, 6), b.slice(0, 0, 6)));
    EXPECT_FALSE(torch::equal(a, b));
  }
}

TEST(NeuronProperty, BatchPermutation) {
  const Tensor order = torch::tensor({2, 0, 3, 1}, torch::kLong);
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config, kShape);
    const Tensor I = random_input(), a = output(*neuron, I);
    EXPECT_TRUE(torch::equal(output(*neuron, I.index_select(1, order)), a.index_select(1, order)));
  }
}

TEST(NeuronProperty, BuildComesFirst) {
  for (const char* name : {"lif", "if", "cuba_lif", "eif", "qif", "klif", "liaf", "leaky_readout"})
    EXPECT_THROW(make<Neuron>(name)->initial({1, 1}, torch::kFloat), UsageError) << name;
}

}  // namespace spiketrain::neuron_test
