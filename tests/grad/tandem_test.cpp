// Rule tandem: the gradient of a network of spiking layers is that of the analog network with the same weights in which each ReLU's value is
// replaced by the spike count, by autograd in float64.
#include <gtest/gtest.h>

#include "spiketrain/core/encoder.h"
#include "tests/support/engine.h"

namespace spiketrain::tandem_grad_test {

constexpr int64_t kSteps = 7, kBatch = 5;
constexpr double kTheta = 0.4;

/// The counts forward, the gradient of the analog value backward.
struct Replace : torch::autograd::Function<Replace> {
  static Tensor forward(torch::autograd::AutogradContext* /*ctx*/, const Tensor& /*a*/, const Tensor& count) {
    return count.clone();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* /*ctx*/,
                                                 torch::autograd::variable_list g) {
    return {g[0], Tensor()};
  }
};

struct Setting {
  std::string spec, norm = "none", fold = "batch";
  Shape input = {6};
  bool bias = false, analog_second = false;
};

std::shared_ptr<Network> network_of(const Setting& s) {
  NetworkContext context;
  context.input = s.input;
  context.output = {3};
  const auto made = std::make_shared<int>(0);
  context.neuron = [=] {
    if (++*made == 2 && s.analog_second) return make<Neuron>("count_relu");
    return make<Neuron>("if", {{"threshold", kTheta}});
  };
  context.readout = [] { return make<Neuron>("leaky_readout", {{"leak", 0.0}}); };
  Config options = {{"bias", s.bias}, {"norm", s.norm}, {"pool", "avg"}};
  if (s.norm == "count_bn") options["norm"] = {{"name", "count_bn"}, {"fold", s.fold}};
  const auto network = make_spec(s.spec, context, options);
  draw_weights(*network);
  const torch::NoGradGuard no_grad;
  for (auto& item : network->named_parameters())
    if (item.value().dim() == 1) item.value().uniform_(0.1, 0.6);
  for (auto& item : network->named_buffers())
    if (item.key().find("running_var") != std::string::npos) item.value().fill_(0.7);
  return network;
}

std::vector<int64_t> with_steps(const Tensor& x) {
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.insert(sizes.begin(), kSteps);
  return sizes;
}

/// What the analog branch makes of counts [B,*], in autograd, and what neurons get at each step [T,B,*].
struct Branches {
  Tensor S, z;
};

/// One value per channel, to broadcast over [B,*].
Tensor per_channel(const Tensor& value, const Tensor& like) {
  std::vector<int64_t> sizes(static_cast<size_t>(like.dim() - 1), 1);
  sizes[0] = -1;
  return value.view(sizes);
}

Branches normed(const Setting& s, const torch::OrderedDict<std::string, Tensor>& p, const Branches& in) {
  const auto T = static_cast<double>(kSteps);
  const Tensor& S = in.S;
  if (s.norm == "none") return in;
  const Tensor beta = per_channel(p["norm.bias"], S);
  if (s.norm == "count_bias") return {S + beta, in.z + beta.detach() / T};
  std::vector<int64_t> over = {0};
  for (int64_t d = 2; d < S.dim(); ++d) over.push_back(d);
  const Tensor mean = S.mean(over, true), var = (S - mean).square().mean(over, true);
  const Tensor gamma = per_channel(p["norm.weight"], S);
  const Tensor y = gamma * (S - mean) / (var + 1e-5).sqrt() + beta;
  Tensor r = gamma.detach() / (var.detach() + 1e-5).sqrt(), center = mean.detach();
  if (s.fold == "released") {
    const double n = static_cast<double>(S.numel()) / static_cast<double>(S.size(1));
    r = gamma.detach() / (0.9 * 0.7 + 0.1 * var.detach() * (n / (n - 1))).sqrt();
    center = 0.1 * center;
  }
  return {y, in.z * r + (beta.detach() - center * r) / T};
}

Branches multiplied(const torch::OrderedDict<std::string, Tensor>& p, const Tensor& count,
                    const Tensor& steps) {
  const Tensor W = p["synapse.weight"];
  const auto by = [&](const Tensor& x) {
    return W.dim() == 4 ? torch::conv2d(x, W) : x.flatten(1).mm(W.t());
  };
  Branches b = {by(count), {}};
  b.z = by(steps.flatten(0, 1)).detach().view(with_steps(b.S));
  if (!p.contains("synapse.bias")) return b;
  const Tensor bias = per_channel(p["synapse.bias"], b.S);
  return {b.S + kSteps * bias, b.z + bias.detach()};
}

/// Spikes of IF neurons on currents z, written out.
Tensor fired(const Tensor& z) {
  Tensor m = torch::zeros_like(z[0]), steps = torch::zeros_like(z);
  for (int64_t t = 0; t < kSteps; ++t) {
    m = m + z[t];
    steps[t].copy_(m >= kTheta);
    m = m - steps[t] * kTheta;
  }
  EXPECT_GT(steps.sum().item<double>(), 0);
  return steps;
}

/// The loss by the definition, layer by layer; the steps are there to know the counts by.
Tensor definition(const Setting& s, const Network& network, const Tensor& image, const Tensor& label) {
  Tensor count = image, steps = torch::zeros(with_steps(image), real());
  steps[0].copy_(image);
  int number = 0;
  for (const Network::Node& node : network.nodes()) {
    const auto layer = std::dynamic_pointer_cast<Layer>(node.stage);
    if (!layer) {
      count = torch::avg_pool2d(count, 2);
      steps = torch::avg_pool2d(steps.flatten(0, 1), 2).view(with_steps(count));
      continue;
    }
    const auto p = layer->named_parameters();
    const Branches now = multiplied(p, count, steps);
    if (&node == &network.nodes().back()) return torch::cross_entropy_loss(now.S, label);
    const Branches to_neurons = normed(s, p, now);
    if (++number == 2 && s.analog_second) {
      count = torch::relu(to_neurons.S);
      steps = torch::zeros(with_steps(count), real());
      steps[0].copy_(count.detach());
      continue;
    }
    steps = fired(to_neurons.z);
    // The mask is that of the current that neurons get.
    const Tensor passes = (to_neurons.z.sum(0) > 0).to(torch::kDouble);
    count = Replace::apply(to_neurons.S * passes, steps.sum(0));
  }
  throw UsageError("no output layer");
}

void check(const Setting& s) {
  SCOPED_TRACE(str(s.spec, " ", s.norm, " ", s.fold));
  const auto network = network_of(s);
  LearnerParts parts;
  parts.network = network;
  parts.method = {make<Rule>("tandem")};
  parts.objective = make<Objective>("rate_ce", {{"scale", static_cast<double>(kSteps)}});
  parts.encoder = make<Encoder>("zero_expand");
  parts.steps = kSteps;
  Batch batch;
  torch::manual_seed(3);
  std::vector<int64_t> sizes = s.input;
  sizes.insert(sizes.begin(), kBatch);
  batch.x = torch::rand(sizes, real()) * 3;
  batch.target = label_target(kBatch, 3);
  const Tensor loss = definition(s, *network, batch.x, batch.target.y);
  const NamedTensors all = named_parameters(*network);
  std::vector<Tensor> inputs;
  for (const auto& item : all) inputs.push_back(item.second);
  const auto wanted = torch::autograd::grad({loss}, inputs);
  const PassResult result = Learner(parts).pass(batch, 0);
  EXPECT_NEAR(result.loss.item<double>(), loss.item<double>(), 1e-10);
  for (size_t i = 0; i < all.size(); ++i) {
    const Tensor g = all[i].second.grad();
    ASSERT_TRUE(g.defined()) << all[i].first;
    const double size = wanted[i].abs().max().item<double>();
    EXPECT_GT(size, 0) << all[i].first;
    EXPECT_LE((g - wanted[i]).abs().max().item<double>(), 1e-11 * (1 + size)) << all[i].first;
  }
}

TEST(TandemGradient, IsThatOfTheAnalogNetworkReadingCounts) {
  check({"8-7-3"});
  check({"8-7-3", "none", "batch", {6}, /*bias=*/true});
  check({"8-7-6-3", "count_bias"});
  check({"8-7-3", "count_bn"});
  check({"8-7-3", "count_bn", "released"});
}

TEST(TandemGradient, OfAnAnalogLayerBetweenSpikingOnes) {
  check({"8-7-6-3", "count_bias", "batch", {6}, false, /*analog_second=*/true});
  check({"8-7-6-3", "count_bn", "batch", {6}, false, /*analog_second=*/true});
}

TEST(TandemGradient, OfConvolutions) {
  const Shape map = {2, 8, 8};
  check({"4C3-P2-5C2-3", "none", "batch", map});
  check({"4C3-P2-5C2-3", "count_bias", "batch", map});
  check({"4C3-P2-5C2-3", "count_bn", "batch", map});
  check({"4C3-P2-5C2-3", "count_bn", "released", map});
}

/// The reference by numbers that anybody can check: one weight, one neuron.
TEST(TandemGradient, OfOneNeuron) {
  auto neuron = make<Neuron>("if", {{"threshold", 1.0}});
  Connection c;
  c.synapse = make<Synapse>("linear", {{"features", 1}});
  Network network({1});
  network.add(std::make_shared<Layer>(std::vector<Connection>{c}, neuron), true);
  network.to(torch::kDouble);
  const Tensor W = network.parameters()[0];
  {
    const torch::NoGradGuard no_grad;
    Tensor(W).fill_(2.5);
  }
  Context context = train_context(0, 0, make<Rule>("tandem"));
  Carry carry = network.start();
  Tensor x = torch::zeros({4, 1, 1}, real());
  x[0] = 1.0;
  x[2] = 0.5;  // S = 3.75: spikes at steps 1, 2, 3
  const Tensor count = network.forward(Signal::dense(x), context, carry).values().sum();
  EXPECT_EQ(count.item<double>(), 3);
  count.backward();
  EXPECT_DOUBLE_EQ(W.grad().item<double>(), 1.5);  // the input's count
}

}  // namespace spiketrain::tandem_grad_test
