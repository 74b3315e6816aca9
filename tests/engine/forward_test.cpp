// A network as one function of autograd against the engine's pass and against the graph: the same bits.
#include "spiketrain/core/forward.h"

#include "spiketrain/core/watch.h"
#include "tests/support/engine.h"
#include "tests/support/message.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::forward_test {

constexpr int64_t kSteps = 6, kBatch = 4, kIn = 5, kClasses = 3;

std::shared_ptr<Layer> layer(int64_t features, const Config& neuron, const char* norm = nullptr) {
  Connection c;
  c.synapse = make<Synapse>("linear", {{"features", features}, {"bias", true}});
  if (norm) c.norm = make<Norm>(norm);
  return std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>(neuron));
}

std::shared_ptr<Network> network(const Config& neuron = {{"name", "lif"}}, const char* norm = nullptr,
                                 const Config& readout = {{"name", "leaky_readout"}}) {
  auto n = std::make_shared<Network>(Shape{kIn});
  n->add(layer(6, neuron, norm), /*new_unit=*/true);
  n->add(layer(5, neuron), /*new_unit=*/true);
  n->add(layer(kClasses, readout), /*new_unit=*/true);
  draw_weights(*n);
  n->to(torch::kFloat);
  return n;
}

Context training(const char* rule = "bptt") {
  Context context;
  context.method = {make<Rule>(rule)};
  context.mode = Mode::train;
  return context;
}

Tensor input() {
  torch::manual_seed(3);
  return torch::rand({kSteps, kBatch, kIn});
}

std::vector<Tensor> gradients(Network& n) {
  std::vector<Tensor> list;
  for (const Tensor& p : n.parameters()) list.push_back(p.grad().clone());
  n.zero_grad(/*set_to_none=*/true);
  return list;
}

void expect_same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  double size = 0;
  for (size_t k = 0; k < a.size(); ++k) {
    EXPECT_TRUE(torch::equal(a[k], b[k])) << k;
    size += a[k].norm().item<double>();
  }
  EXPECT_GT(size, 0);
}

/// Gradients of a loss of the values, and of x, by both ways.
void compare(const std::shared_ptr<Network>& n, const char* rule) {
  const Tensor x = input(), weights = torch::rand({kSteps, kBatch, kClasses});
  std::vector<Tensor> g_x;
  std::vector<std::vector<Tensor>> g;
  for (const States states : {States::cut, States::joined}) {
    const Tensor leaf = x.clone().requires_grad_();
    Carry carry = n->start();
    const Tensor y = forward_values(n, Signal::dense(leaf), training(rule), carry, states);
    (y * weights).sum().backward();
    g_x.push_back(leaf.grad());
    g.push_back(gradients(*n));
  }
  EXPECT_TRUE(torch::equal(g_x[0], g_x[1]));
  EXPECT_GT(g_x[0].norm().item<double>(), 0);
  expect_same(g[0], g[1]);
}

TEST(Forward, AChainIsTheGraph) {
  for (const char* rule : {"bptt", "sltt", "ottt"}) compare(network(), rule);
}
TEST(Forward, StagesOfAutogradAreStepsOfIt) { compare(network({{"name", "lif"}}, "bn"), "bptt"); }
TEST(Forward, APspIsFilteredOnTheEdge) {
  const Config neuron = {{"name", "psp_lif"}};
  compare(network(neuron, nullptr, neuron), "tssl_bp");
}

TEST(Forward, ConstantImagesGetTheirGradient) {
  const auto n = network();
  torch::manual_seed(5);
  const Tensor image = torch::rand({1, kBatch, kIn});
  std::vector<Tensor> g;
  for (const bool constant : {true, false}) {
    const Tensor leaf = image.clone().requires_grad_();
    Carry carry = n->start();
    const Signal x = constant ? Signal::constant(leaf, torch::ones({kSteps}))
                              : Signal::dense(leaf.expand({kSteps, kBatch, kIn}).contiguous());
    forward_values(n, x, training(), carry).pow(2).sum().backward();
    g.push_back(leaf.grad());
  }
  EXPECT_TRUE(torch::allclose(g[0], g[1], 1e-4, 1e-5));
}

TEST(Forward, GradientsAddUpAndAreGivenToWhoAsks) {
  const auto n = network();
  const auto loss = [&] {
    Carry carry = n->start();
    return forward_values(n, Signal::dense(input()), training(), carry).pow(2).sum();
  };
  loss().backward();
  const auto once = gradients(*n);
  loss().backward();
  loss().backward();
  std::vector<Tensor> twice = gradients(*n);
  for (Tensor& g : twice) g = g / 2;
  expect_same(once, twice);
  const auto asked = torch::autograd::grad({loss()}, n->parameters());
  for (const Tensor& p : n->parameters()) EXPECT_FALSE(p.grad().defined());
  expect_same(once, {asked.begin(), asked.end()});
}

TEST(Forward, JoinedWindowsLearnAsOne) {
  const auto n = network();
  const Tensor x = input();
  Carry whole = n->start();
  forward_values(n, Signal::dense(x), training(), whole, States::joined).pow(2).sum().backward();
  const auto at_once = gradients(*n);
  const auto windows = [&](States states) {
    Carry carry = n->start();
    Tensor loss = torch::zeros({});
    for (int64_t t = 0; t < kSteps; t += 2)
      loss = loss +
             forward_values(n, Signal::dense(x.slice(0, t, t + 2)), training(), carry, states).pow(2).sum();
    loss.backward();
    return gradients(*n);
  };
  const auto joined = windows(States::joined), cut = windows(States::cut);
  for (size_t k = 0; k < at_once.size(); ++k) EXPECT_TRUE(torch::allclose(at_once[k], joined[k], 1e-4, 1e-5));
  EXPECT_FALSE(torch::allclose(at_once[0], cut[0], 1e-4, 1e-5));
}

TEST(Forward, GoesBackOnceAndFirstDerivativesOnly) {
  const auto n = network();
  Carry carry = n->start();
  const Tensor loss = forward_values(n, Signal::dense(input()), training(), carry).sum();
  loss.backward({}, /*retain_graph=*/true);
  EXPECT_NE(message_of<std::exception>([&] { loss.backward(); }).find("goes back once"), std::string::npos);
  Carry other = n->start();
  const Tensor y = forward_values(n, Signal::dense(input()), training(), other).sum();
  EXPECT_NE(message_of<std::exception>([&] {
              torch::autograd::grad({y}, n->parameters(), {}, true, /*create_graph=*/true);
            }).find("first derivatives only"),
            std::string::npos);
}

TEST(Forward, TheWayBackOutlivesTheNetwork) {
  auto n = network();
  const std::vector<Tensor> parameters = n->parameters();
  Tensor loss;
  {
    Carry carry = n->start();
    loss = forward_values(n, Signal::dense(input()), training(), carry).pow(2).sum();
  }
  n.reset();
  loss.backward();
  EXPECT_TRUE(parameters[0].grad().defined());
}

TEST(Forward, EvaluationHasNoGraph) {
  const auto n = network();
  Context context = training();
  context.mode = Mode::evaluate;
  Carry carry = n->start();
  EXPECT_FALSE(forward_values(n, Signal::dense(input()), context, carry).requires_grad());
}

TEST(Forward, ARecorderSeesWhatLayersHad) {
  const auto n = network();
  for (const Mode mode : {Mode::evaluate, Mode::train}) {
    Recorder recorder;
    recorder.ask(0, kU | kI);
    recorder.ask(2, kU);
    Context context = training();
    context.mode = mode;
    Carry carry = n->start();
    const Tensor y = forward_values(n, Signal::dense(input()), context, carry);
    ASSERT_EQ(recorder.traces().size(), 2U);
    const Recorder::Trace& first = recorder.traces().at(0);
    ASSERT_EQ(first.u.size(), 1U);
    EXPECT_TRUE(torch::equal(first.output[0] > 0, first.u[0] >= 1));  // threshold 1
    EXPECT_GT(first.output[0].sum().item<int64_t>(), 0);
    EXPECT_EQ(first.I[0].sizes(), first.u[0].sizes());
    EXPECT_TRUE(torch::equal(recorder.traces().at(2).output[0], y.detach()));
  }
}

}  // namespace spiketrain::forward_test
