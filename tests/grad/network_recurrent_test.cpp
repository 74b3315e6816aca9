// Recurrent layers under exact BPTT, in float64, against the unrolled definition under autograd:
//   I[t] = W x[t] + b + V a[t-1],   a[-1] = 0
#include <gtest/gtest.h>

#include "spiketrain/engine/learner.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::network_recurrent_test {

constexpr int64_t kT = 7, kB = 3, kIn = 5, kOut = 4;

struct Result {
  Tensor y;
  std::vector<Tensor> gradients;  ///< of the input, then of the parameters
};

Tensor recurrent(const Layer& layer, const Tensor& x) {
  const auto& in = layer.connections().at(0).synapse;
  const Tensor W = in->weight(), V = layer.connections().at(1).synapse->weight();
  Cell cell(layer);
  Tensor a = torch::zeros({x.size(1), W.size(0)}, x.options().requires_grad(false));
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < x.size(0); ++t) {
    a = cell(x[t].mm(W.t()) + in->bias() + a.mm(V.t()));
    steps.push_back(a);
  }
  return torch::stack(steps);
}

Tensor feedforward(const Layer& layer, const Tensor& x) {
  const auto& in = layer.connections().at(0).synapse;
  Cell cell(layer);
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < x.size(0); ++t) steps.push_back(cell(x[t].mm(in->weight().t()) + in->bias()));
  return torch::stack(steps);
}

std::shared_ptr<Network> build(const Config& neuron) {
  const Config options = {{"bias", true}};
  auto network = make_spec("6R-6R-4", make_context(neuron, {kIn}, kOut), options);
  exact_weights(*network, 3);
  network->to(torch::kDouble);
  return network;
}

Result take(Network& network, const Tensor& x, const Tensor& y, const Tensor& weights) {
  (y * weights).sum().backward();
  Result run = {y.detach(), {x.grad().clone()}};
  for (const Tensor& p : network.parameters()) run.gradients.push_back(p.grad().clone());
  network.zero_grad();
  x.mutable_grad() = Tensor();
  return run;
}

void expect_equal(const Result& got, const Result& want) {
  EXPECT_GT(want.y.abs().sum().item<double>(), 0) << "silent, the test says nothing";
  EXPECT_TRUE(torch::equal(got.y, want.y));
  ASSERT_EQ(got.gradients.size(), want.gradients.size());
  for (size_t i = 0; i < want.gradients.size(); ++i) {
    const double size = want.gradients[i].abs().max().item<double>();
    EXPECT_GT(size, 0) << "tensor " << i;
    EXPECT_LE((got.gradients[i] - want.gradients[i]).abs().max().item<double>(), 1e-12 * (1 + size))
        << "tensor " << i;
  }
}

TEST(NetworkRecurrent, GradientsEqualAutogradOfTheUnrolledDefinition) {
  for (const Config& neuron : {Config{{"name", "lif"}, {"leak", 0.5}, {"reset", "soft"}},
                               Config{{"name", "lif"}, {"leak", 0.5}, {"learn_leak", true}}}) {
    SCOPED_TRACE(neuron.dump());
    const auto network = build(neuron);
    const Tensor x = binary_input(kT, kB, {kIn}, 4).to(torch::kDouble).requires_grad_();
    const Tensor weights = torch::rand({kT, kB, kOut}, torch::kDouble);
    Carry carry = network->start();
    const Tensor y = network->forward(Signal::dense(x), train_context(), carry).values();
    const Result got = take(*network, x, y, weights);
    const Tensor first = recurrent(layer_of(*network, "0"), x),
                 second = recurrent(layer_of(*network, "1"), first);
    expect_equal(got, take(*network, x, feedforward(layer_of(*network, "2"), second), weights));
  }
}

/// A convolution with a recurrent one, and neurons that read themselves alone.
TEST(NetworkRecurrent, ConvolutionsAndOneToOne) {
  const Config neuron = {{"name", "lif"}, {"leak", 0.5}, {"reset", "soft"}};
  const auto network = make_spec("4C3s2R3-6R1-4", make_context(neuron, {2, 7, 6}, kOut), {{"bias", true}});
  exact_weights(*network, 3);
  network->to(torch::kDouble);
  {
    const torch::NoGradGuard no_grad;
    for (const auto& item : network->named_parameters())
      if (item.key() == "1.synapse1.weight") item.value().copy_(torch::rand({6}, torch::kDouble) - 0.4);
  }
  const Tensor x = binary_input(kT, kB, {2, 7, 6}, 4).to(torch::kDouble).requires_grad_();
  const Tensor weights = torch::rand({kT, kB, kOut}, torch::kDouble);
  Carry carry = network->start();
  const Result got =
      take(*network, x, network->forward(Signal::dense(x), train_context(), carry).values(), weights);
  const Layer &map = layer_of(*network, "0"), &row = layer_of(*network, "1");
  const auto W = [](const Layer& layer, size_t k) { return layer.connections().at(k).synapse->weight(); };
  Cell maps(map), neurons(row);
  Tensor a = torch::zeros({kB, 4, 3, 2}, torch::kDouble), b = torch::zeros({kB, 6}, torch::kDouble);
  std::vector<Tensor> steps;
  for (int64_t t = 0; t < kT; ++t) {
    a = maps(torch::conv2d(x[t], W(map, 0), {}, 2) + map.connections()[0].synapse->bias() +
             torch::conv2d(a, W(map, 1), {}, 1, 1));
    b = neurons(a.flatten(1).mm(W(row, 0).t()) + row.connections()[0].synapse->bias() + b * W(row, 1));
    steps.push_back(b);
  }
  expect_equal(got, take(*network, x, feedforward(layer_of(*network, "2"), torch::stack(steps)), weights));
  for (const char* rule : {"sltt", "ottt", "s_tllr", "rtrl", "e_prop"}) {  // they take such connections, too
    LearnerParts parts;
    parts.network = network;
    parts.method = {make<Rule>(rule)};
    parts.objective = make<Objective>("tet_ce");
    parts.steps = kT;
    Batch batch;
    batch.form = Batch::Form::frames;
    batch.x = x.detach();
    batch.target.y = torch::arange(kB);
    Learner(parts).pass(batch, 0);
    for (const Tensor& p : network->parameters()) EXPECT_GT(p.grad().abs().max().item<double>(), 0) << rule;
    network->zero_grad();
  }
}

/// Two segments in one graph: credit passes the delayed edge and the states.
TEST(NetworkRecurrent, SegmentsOfOneGraphGiveTheSameGradient) {
  const auto network = build({{"name", "lif"}, {"leak", 0.5}, {"reset", "soft"}});
  const Tensor x = binary_input(kT, kB, {kIn}, 6).to(torch::kDouble).requires_grad_();
  const Tensor weights = torch::rand({kT, kB, kOut}, torch::kDouble);
  Carry whole = network->start(), carry = network->start();
  const Result want =
      take(*network, x, network->forward(Signal::dense(x), train_context(), whole).values(), weights);
  std::vector<Tensor> parts;
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 3}, {3, kT}})
    parts.push_back(network->forward(Signal::dense(x.slice(0, begin, end)), train_context(), carry).values());
  expect_equal(take(*network, x, torch::cat(parts), weights), want);
}

}  // namespace spiketrain::network_recurrent_test
