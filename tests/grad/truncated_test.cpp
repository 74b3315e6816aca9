// Truncated, block-local credit against plain autograd of the definition with explicit detaching, in float64.
#include <gtest/gtest.h>

#include "spiketrain/train/toml.h"
#include "tests/support/blocks.h"

namespace spiketrain {
namespace {

const char* kNeuron = "{name=\"lif\", leak=0.75, reset=\"soft\"}";

/// The four weight matrices 36 -> 10 -> 8 -> 7 -> 4 of a recipe's network, and the heads of its blocks.
struct Weights {
  std::vector<Tensor> layers, heads;
};

Weights copy_weights(const Network& network) {
  Weights w;
  for (const auto& item : network.named_parameters()) {
    (item.key().rfind("head", 0) == 0 ? w.heads : w.layers)
        .push_back(item.value().detach().clone().requires_grad_());
  }
  return w;
}

/// The definition: one step after the other, layer after layer; states are detached every K steps and the
/// signal after the hidden layers in `cuts`.
void reference(const Weights& w, const PassInput& input, int64_t T, int64_t K,
               const std::vector<int64_t>& cuts) {
  const auto neuron = Registry<Neuron>::get().make(parse_toml_value(kNeuron));
  const auto readout = Registry<Neuron>::get().make({{"name", "leaky_readout"}, {"leak", 0.75}});
  std::vector<State> state(w.layers.size()), head(w.heads.size());
  const auto step = [&](const Neuron& n, const Tensor& I, State& z) {
    if (z.empty()) z = n.initial(I.sizes(), I.options().requires_grad(false));
    Neuron::Step next = n.step(I, z);
    z = next.next;
    return next.a;
  };
  for (int64_t t = 0; t < T; ++t) {
    if (t % K == 0) {
      for (auto* list : {&state, &head}) {
        for (State& z : *list) {
          for (Tensor& part : z) part = part.detach();
        }
      }
    }
    Tensor x = input.x.flatten(1), loss = torch::zeros({}, torch::kDouble);
    size_t h = 0;
    for (size_t l = 0; l < w.layers.size(); ++l) {
      const bool last = l + 1 == w.layers.size();
      x = step(last ? *readout : *neuron, x.mm(w.layers[l].t()), state[l]);
      if (last) loss = loss + torch::cross_entropy_loss(x, input.y) / static_cast<double>(T);
      if (std::find(cuts.begin(), cuts.end(), static_cast<int64_t>(l)) == cuts.end()) continue;
      const Tensor z = step(*readout, x.mm(w.heads[h].t()), head[h]);
      loss = loss + torch::cross_entropy_loss(z, input.y) / static_cast<double>(T);
      ++h;
      x = x.detach();
    }
    loss.backward({}, /*retain_graph=*/true);
  }
}

double relative(const Tensor& a, const Tensor& b) {
  return (a - b).norm().item<double>() / std::max(1e-300, b.norm().item<double>());
}

class Truncated : public ::testing::TestWithParam<std::tuple<int64_t, const char*>> {};

TEST_P(Truncated, EqualsAutogradWithExplicitDetaching) {
  const auto [K, blocks] = GetParam();
  Experiment e = build_experiment(
      tiny_recipe({"steps=6", "network.spec=10-8-7-4", std::string("neuron=") + kNeuron,
                   "rule={name=\"bptt\"}", "readout={name=\"leaky_readout\", leak=0.75}",
                   "objective={name=\"tet_ce\"}", "schedule={name=\"truncated\"}",
                   "schedule.window=" + std::to_string(K), std::string("blocks.partition=") + blocks}),
      tiny_data());
  e.network->to(torch::kDouble);
  PassInput input = first_input(e, 2);
  input.x = input.x.to(torch::kDouble);
  const Weights w = copy_weights(*e.network);
  std::vector<int64_t> cuts;
  int64_t end = -1;
  for (const int64_t size : e.recipe.blocks.partition) cuts.push_back(end += size);
  cuts.pop_back();  // the last block's head is the output layer
  reference(w, input, 6, K, cuts);

  Pass pass = e.network->start(e.rule, true, 1);
  run_pass(e, e.plan, input, pass, [](const Window&, const BlockLosses&) {});
  size_t layer = 0, head = 0, compared = 0;
  for (const auto& item : e.network->named_parameters()) {
    const Tensor& expected = item.key().rfind("head", 0) == 0 ? w.heads[head++] : w.layers[layer++];
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    ASSERT_GT(expected.grad().norm().item<double>(), 0) << item.key();
    EXPECT_LE(relative(item.value().grad(), expected.grad()), 1e-12) << item.key();
    ++compared;
  }
  EXPECT_EQ(compared, 4 + cuts.size());
}

INSTANTIATE_TEST_SUITE_P(Grid, Truncated,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4, 6),
                                            ::testing::Values("[3]", "[1,2]", "[2,1]", "[1,1,1]")));

}  // namespace
}  // namespace spiketrain
