// Residual units under exact BPTT, in float64, against the same unit written out step by step under autograd.
#include <gtest/gtest.h>

#include "tests/support/network_fixture.h"

namespace spiketrain::network_residual_test {

constexpr int64_t kT = 5, kB = 2, kClasses = 3;

Tensor weight(const Layer& layer, size_t connection = 0) {
  return layer.connections()[connection].synapse->weight();
}

/// The unit by its definition; its nodes are looked up by name.
Tensor reference(const Network& network, const Tensor& x, bool sew, int64_t stride) {
  const Layer &one = layer_of(network, "0_first"), &two = layer_of(network, "0_second"),
              &out = layer_of(network, "1");
  Cell first(one), second(two), output(out);
  Tensor projection;  // undefined: the shortcut is an identity
  std::unique_ptr<Cell> shortcut;
  if (stride != 1 && sew) {
    const Layer& side = layer_of(network, "0_shortcut");
    projection = weight(side);
    shortcut = std::make_unique<Cell>(side);
  } else if (stride != 1) {
    projection = weight(two, 1);
  }
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < x.size(0); ++t) {
    const Tensor h = first(torch::conv2d(x[t], weight(one), {}, stride, 1));
    const Tensor I = torch::conv2d(h, weight(two), {}, 1, 1);
    Tensor side = projection.defined() ? torch::conv2d(x[t], projection, {}, stride) : x[t];
    if (shortcut) side = (*shortcut)(side);
    const Tensor y = sew ? second(I) + side : second(I + side);
    steps.push_back(output(y.flatten(1).mm(weight(out).t())));
  }
  return torch::stack(steps);
}

void compare(const std::string& unit, const Config& neuron, int64_t stride) {
  SCOPED_TRACE(unit);
  const bool sew = unit[0] == 'S';
  const Shape in = {4, 6, 6};
  const auto network = make_spec(str(unit, '-', kClasses), make_context(neuron, in, kClasses));
  exact_weights(*network, 9);
  network->to(torch::kDouble);
  const Tensor x = binary_input(kT, kB, in, 9).to(torch::kDouble).requires_grad_();
  const Tensor weights = torch::rand({kT, kB, kClasses}, torch::kDouble);

  Carry carry = network->start();
  const Tensor y = network->forward(Signal::dense(x), train_context(), carry).values();
  (y * weights).sum().backward();
  std::vector<Tensor> got = {x.grad().clone()};
  for (const Tensor& p : network->parameters()) got.push_back(p.grad().clone());

  network->zero_grad();
  x.mutable_grad() = Tensor();
  const Tensor z = reference(*network, x, sew, stride);
  (z * weights).sum().backward();
  std::vector<Tensor> expected = {x.grad()};
  for (const Tensor& p : network->parameters()) expected.push_back(p.grad());

  EXPECT_GT(y.sum().item<double>(), 0);
  EXPECT_TRUE(torch::equal(y, z));
  for (size_t i = 0; i < got.size(); ++i) {
    const double scale = 1 + expected[i].abs().max().item<double>();
    EXPECT_GT(expected[i].abs().max().item<double>(), 0) << "tensor " << i;
    EXPECT_LE((got[i] - expected[i]).abs().max().item<double>(), 1e-12 * scale) << "tensor " << i;
  }
}

TEST(NetworkResidual, GradientsEqualAutogradOfTheSteps) {
  const Config lif = {{"name", "lif"}, {"leak", 0.5}};
  compare("RB4", lif, 1);
  compare("RB6s2", lif, 2);
  compare("SEW4", lif, 1);
  compare("SEW6s2", lif, 2);
}

/// Traces of a rule belong to each synapse: the shortcut's projection keeps its own from segment to segment.
struct TraceRule : Rule {
  void trace(const Record& record, Presynaptic& pre) const override {
    EXPECT_TRUE(record.I.defined() && record.spiking());  // the postsynaptic side is there for every synapse
    pre.q = pre.x;
    const Tensor sum = pre.x.values().sum(0);
    pre.trace = {pre.trace.empty() ? sum : pre.trace[0] + sum};
  }
};

TEST(NetworkResidual, EverySynapseHasItsOwnTraces) {
  const Shape in = {4, 6, 6};
  const auto network = make_spec("RB6s2-3", make_context({{"name", "lif"}}, in, 3));
  exact_weights(*network, 9);
  const Tensor x = binary_input(4, 2, in, 3);
  const Context context = train_context(0, 0, std::make_shared<TraceRule>());
  Carry carry = network->start();
  network->forward(Signal::dense(x.slice(0, 0, 1)), context, carry);
  network->forward(Signal::dense(x.slice(0, 1, 4)), context, carry);
  ASSERT_EQ(carry.state.size(), 4u);  // first, second, projection, output
  EXPECT_TRUE(torch::equal(carry.trace[0].at(0), x.sum(0)));
  EXPECT_TRUE(torch::equal(carry.trace[2].at(0), x.sum(0)));
  EXPECT_EQ(carry.trace[1].at(0).sizes().vec(), (std::vector<int64_t>{2, 6, 3, 3}));
  EXPECT_TRUE(carry.state[2].empty());  // a projection has no neuron
}

}  // namespace spiketrain::network_residual_test
