// What every registered neuron has to satisfy, at its defaults and, for lif, with every reset.
#include <gtest/gtest.h>

#include "tests/support/neuron_cases.h"

namespace spiketrain {
namespace {

std::vector<Config> all_neurons() {
  std::vector<Config> configs = default_neurons();
  for (const Config& config : lif_resets()) configs.push_back(config);
  return configs;
}

c10::intrusive_ptr<Tape> run(const Neuron& neuron, const Tensor& I) {
  const auto tape = make_tape(I, neuron.initial(I.sizes().slice(1), I.options()), 0, I.size(0));
  neuron.run(*tape);
  return tape;
}

Tensor random_input() {
  torch::manual_seed(3);
  return torch::randn({10, 4, 2, 3, 3}) + 0.5;
}

TEST(NeuronProperty, ZeroInZeroOut) {
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    EXPECT_EQ(run(*make_neuron(config), torch::zeros({10, 2, 5}))->a.abs().max().item<float>(), 0);
  }
}

TEST(NeuronProperty, EventsAreZeroOrOne) {
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config);
    const auto tape = run(*neuron, random_input());
    if (!tape->s.defined()) continue;  // analog
    const Tensor s = tape->s.bytes();
    EXPECT_TRUE(((s == 0) | (s == 1)).all().item<bool>());
    EXPECT_GT(tape->s.count(), 0) << "the input should make it fire";
    EXPECT_TRUE(neuron->emits_psp() || torch::equal(tape->a, s.to(torch::kFloat)));
  }
}

TEST(NeuronProperty, Causal) {
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config);
    const Tensor I = random_input(), a = run(*neuron, I)->a;
    Tensor other = I.clone();
    other.slice(0, 6).add_(3);
    const Tensor b = run(*neuron, other)->a;
    EXPECT_TRUE(torch::equal(a.slice(0, 0, 6), b.slice(0, 0, 6)));
    EXPECT_FALSE(torch::equal(a, b));
  }
}

TEST(NeuronProperty, BatchPermutation) {
  const Tensor order = torch::tensor({2, 0, 3, 1}, torch::kLong);
  for (const Config& config : all_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config);
    const Tensor I = random_input();
    const Tensor a = run(*neuron, I)->a;
    EXPECT_TRUE(torch::equal(run(*neuron, I.index_select(1, order))->a, a.index_select(1, order)));
  }
}

}  // namespace
}  // namespace spiketrain
