// Residual units under exact BPTT, in float64, against the same unit written out step by step under autograd.
#include <gtest/gtest.h>

#include "spiketrain/core/layer.h"
#include "tests/support/network_fixture.h"

namespace spiketrain {
namespace {

constexpr int64_t kT = 5, kB = 2, kClasses = 3;

/// One layer's synapse weight and neuron, found by name.
struct Part {
  Tensor W;
  const Neuron* neuron = nullptr;
};

struct Parts {
  Part first, second, shortcut, output;
};

Parts parts_of(Network& network) {
  Parts parts;
  for (const auto& module : network.named_modules()) {
    auto* layer = dynamic_cast<Layer*>(module.value().get());
    if (layer == nullptr) continue;
    const Part part = {layer->synapse->weight(), layer->neuron.get()};
    const std::string& name = module.key();
    const auto ends = [&](const std::string& word) {
      return name.size() > word.size() && name.compare(name.size() - word.size(), word.size(), word) == 0;
    };
    (ends("first")      ? parts.first
     : ends("second")   ? parts.second
     : ends("shortcut") ? parts.shortcut
                        : parts.output) = part;
  }
  return parts;
}

/// Steps one neuron, starting from its initial state.
struct Cell {
  const Neuron* neuron;
  State state = {};
  Tensor operator()(const Tensor& I) {
    if (state.empty()) state = neuron->initial(I.sizes(), I.options().requires_grad(false));
    Neuron::Step now = neuron->step(I, state);
    state = now.next;
    return now.a;
  }
};

Tensor reference(const Parts& parts, const Tensor& x, bool sew, int64_t stride) {
  Cell first{parts.first.neuron}, second{parts.second.neuron}, shortcut{parts.shortcut.neuron},
      output{parts.output.neuron};
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < x.size(0); ++t) {
    const Tensor h = first(torch::conv2d(x[t], parts.first.W, {}, stride, 1));
    const Tensor I = torch::conv2d(h, parts.second.W, {}, 1, 1);
    Tensor side = parts.shortcut.W.defined() ? torch::conv2d(x[t], parts.shortcut.W, {}, stride) : x[t];
    if (sew && parts.shortcut.W.defined()) side = shortcut(side);
    const Tensor y = sew ? second(I) + side : second(I + side);
    steps.push_back(output(y.flatten(1).mm(parts.output.W.t())));
  }
  return torch::stack(steps);
}

void compare(const std::string& unit, const Config& neuron, int64_t stride) {
  const bool sew = unit[0] == 'S';
  const Shape in = {4, 6, 6};
  const auto network = make_spec(str(unit, '-', kClasses), make_context(neuron, in, kClasses));
  exact_weights(*network, 9);
  network->to(torch::kDouble);
  const Tensor x = binary_input(kT, kB, in, 9).to(torch::kDouble).requires_grad_();
  const Tensor weights = torch::rand({kT, kB, kClasses}, torch::kDouble);

  Pass pass = network->start(bptt(), true);
  const Tensor y = network->forward({x, {}, {}}, pass).dense();
  (y * weights).sum().backward();
  std::vector<Tensor> got = {x.grad().clone()};
  for (const Tensor& p : network->parameters()) got.push_back(p.grad().clone());

  network->zero_grad();
  x.mutable_grad() = Tensor();
  const Tensor z = reference(parts_of(*network), x, sew, stride);
  (z * weights).sum().backward();
  std::vector<Tensor> expected = {x.grad()};
  for (const Tensor& p : network->parameters()) expected.push_back(p.grad());

  EXPECT_GT(y.sum().item<double>(), 0);
  EXPECT_TRUE(torch::equal(y, z));
  for (size_t i = 0; i < got.size(); ++i) {
    const double scale = 1 + expected[i].abs().max().item<double>();
    EXPECT_GT(expected[i].abs().max().item<double>(), 0) << unit << " tensor " << i;
    EXPECT_LE((got[i] - expected[i]).abs().max().item<double>(), 1e-12 * scale) << unit << " tensor " << i;
  }
}

TEST(NetworkResidual, GradientsEqualAutogradOfTheSteps) {
  const Config lif = {{"name", "lif"}, {"leak", 0.5}};
  compare("RB4", lif, 1);
  compare("RB6s2", lif, 2);
  compare("SEW4", lif, 1);
  compare("SEW6s2", lif, 2);
}

/// Traces of a rule belong to each synapse: the shortcut's projection keeps its own from window to window.
struct TraceRule : Rule {
  void eligibility(Tape& tape) const override {
    EXPECT_TRUE(tape.I.defined() && tape.a.defined());  // the postsynaptic side is there for every synapse
    tape.q = tape.x;
    const Tensor sum = tape.x.dense().sum(0);
    tape.trace = {tape.trace.empty() ? sum : tape.trace[0] + sum};
  }
};

TEST(NetworkResidual, EverySynapseHasItsOwnTraces) {
  const Shape in = {4, 6, 6};
  const auto network = make_spec("RB6s2-3", make_context({{"name", "lif"}}, in, 3));
  exact_weights(*network, 9);
  const Tensor x = binary_input(4, 2, in, 3);
  Pass pass = network->start(std::make_shared<TraceRule>(), true);
  network->forward({x.slice(0, 0, 1), {}, {}}, pass);
  network->forward({x.slice(0, 1, 4), {}, {}}, pass);
  ASSERT_EQ(pass.state.size(), 4u);  // first, second, shortcut, output
  EXPECT_TRUE(torch::equal(pass.state[0].trace.at(0), x.sum(0)));
  EXPECT_TRUE(torch::equal(pass.state[2].trace.at(0), x.sum(0)));
  EXPECT_EQ(pass.state[1].trace.at(0).sizes().vec(), (std::vector<int64_t>{2, 6, 3, 3}));
  EXPECT_TRUE(pass.state[2].state.empty());  // a projection has no neuron
}

}  // namespace
}  // namespace spiketrain
