// Rules with a trace of each synapse (rtrl, e_prop): equal to BPTT where theory says so, in float64, whatever the neuron, its
// reset and the segments; and what they refuse.
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::eligibility_test {

constexpr int64_t kSteps = 9, kBatch = 4, kIn = 5, kClasses = 3;

std::vector<Tensor> gradients(const std::shared_ptr<Network>& net, const RuleP& rule, const Batch& batch,
                              std::shared_ptr<const Schedule> schedule = {}) {
  return spiketrain::gradients(net, rule, batch, kSteps, std::move(schedule));
}

Batch frames() { return frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses)); }

Connection synapse(const Config& config) {
  Connection c;
  c.synapse = make<Synapse>(config);
  return c;
}

/// One layer with a bias and a readout without memory.
std::shared_ptr<Network> one_layer(const Config& neuron, const Config& map, Shape in) {
  auto net = std::make_shared<Network>(std::move(in));
  net->add(std::make_shared<Layer>(std::vector<Connection>{synapse(map)}, make<Neuron>(neuron)), true);
  net->add(dense_layer(kClasses, make<Neuron>("leaky_readout", {{"leak", 0}})), true);
  draw_weights(*net);
  torch::NoGradGuard no_grad;
  for (auto& item : net->named_parameters()) {
    if (item.key() == "0.synapse.bias") item.value().copy_(torch::rand(item.value().sizes(), real()) * 0.3);
  }
  return net;
}

/// Every neuron whose steps can be differentiated and that learns nothing itself, in every reset that it has.
std::vector<Config> neurons() {
  std::vector<Config> list;
  for (const auto* entry : Registry<Neuron>::get().entries()) {
    const auto neuron = entry->make(Config::object());
    neuron->build({4});
    if ((neuron->provides() & kJacobian) && neuron->parameters().empty())
      list.push_back({{"name", entry->name}});
  }
  for (const char* reset : {"soft_decayed", "soft", "hard", "none"}) {
    for (const bool detach : {false, true}) {
      for (const char* name : {"lif", "alif"})
        list.push_back({{"name", name}, {"leak", kNetLeak}, {"reset", reset}, {"detach_reset", detach}});
    }
  }
  list.push_back(
      {{"name", "alif"}, {"beta", 0.7}, {"adaptive", 0.5}, {"refractory", 2}, {"leak_adaptation", 0.8}});
  list.push_back({{"name", "lif"}, {"per", "neuron"}, {"reset", "hard"}});
  return list;
}

TEST(Eligibility, DiagonalRtrlIsBpttForOneLayerOfAnyNeuronWhateverTheSegments) {
  EXPECT_GE(neurons().size(), 24U);
  for (const Config& neuron : neurons()) {
    SCOPED_TRACE(neuron.dump());
    const auto net = one_layer(neuron, {{"name", "linear"}, {"features", 6}, {"bias", true}}, {kIn});
    const auto exact = gradients(net, bptt(), frames());
    EXPECT_LE(distance(gradients(net, make<Rule>("rtrl"), frames()), exact), 1e-12);
    for (const int64_t window : {1, 2, 5})
      EXPECT_LE(distance(gradients(net, make<Rule>("rtrl"), frames(),
                                   make<Schedule>("truncated", {{"window", window}})),
                         exact),
                1e-12)
          << window;
    EXPECT_LE(distance(gradients(net, make<Rule>("rtrl"), frames(),
                                 make<Schedule>("checkpointed", {{"segment", 2}})),
                       exact),
              1e-12);
  }
}

TEST(Eligibility, OfConvolutionsAndStillImages) {
  const Config map = {{"name", "conv2d"}, {"channels", 3}, {"kernel", 3},
                      {"stride", 2},      {"padding", 1},  {"bias", true}};
  const auto net = one_layer({{"name", "lif"}, {"reset", "hard"}}, map, {2, 5, 4});
  Batch batch = frames();
  batch.x = torch::rand({kSteps, kBatch, 2, 5, 4}, real());
  Batch still = batch;
  still.form = Batch::Form::image;
  still.x = batch.x[0];
  for (const Batch& shown : {batch, still}) {
    const auto exact = gradients(net, bptt(), shown);
    for (const int64_t window : {1, 4, 9})
      EXPECT_LE(distance(gradients(net, make<Rule>("rtrl"), shown,
                                   make<Schedule>("truncated", {{"window", window}})),
                         exact),
                1e-12)
          << window;
  }
}

TEST(Eligibility, WhatItLeavesOut) {
  auto net = std::make_shared<Network>(Shape{kIn});
  for (const int64_t width : {6, 5}) net->add(dense_layer(width, lif()), true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  const auto exact = gradients(net, bptt(), frames()), rtrl = gradients(net, make<Rule>("rtrl"), frames());
  EXPECT_LE(relative(rtrl[2], exact[2]), 1e-12);  // the readout, which is leaky
  EXPECT_GT(relative(rtrl[0], exact[0]), 1e-2);   // credit of later steps of the layers above
  EXPECT_GT(relative(rtrl[1], exact[1]), 1e-2);
}

/// e-prop written out: BPTT in which no gradient passes recurrent spikes and the reset, that of the adaptation is kept.
struct Adaptive {
  double leak = 0.9, leak_adaptation = 0.95, beta = 0.375, kappa = 0.8;
  int64_t spikes = 0;
  /// Mean squared distance of the readout to `target` [T,B,out]; gradients of W.
  std::vector<Tensor> gradients(const std::vector<Tensor>& weights, const Tensor& x, const Tensor& target) {
    std::vector<Tensor> W;
    for (const Tensor& w : weights) W.push_back(w.detach().clone().requires_grad_());
    const SurrogateCurve curve = surrogate_curve("threshold_triangle", 0, 1);
    Tensor u = torch::zeros({x.size(1), W[0].size(0)}, real()), b = u, s = u,
           y = torch::zeros({x.size(1), W[2].size(0)}, real());
    std::vector<Tensor> out;
    for (int64_t t = 0; t < x.size(0); ++t) {
      u = leak * u - s.detach() + x[t].mm(W[0].t()) + s.detach().mm(W[1].t());
      s = spike(u - 1 - beta * b, curve, /*strict=*/false);
      b = leak_adaptation * b + s;
      y = kappa * y + s.mm(W[2].t());
      out.push_back(y);
      spikes += s.sum().item<int64_t>();
    }
    torch::mse_loss(torch::stack(out), target).backward();
    return gradients_of(W);
  }
};

TEST(Eligibility, EPropIsBpttWithRecurrentAndResetSpikesStopped) {
  Adaptive reference;
  auto net = std::make_shared<Network>(Shape{kIn});
  const Config neuron = {{"name", "alif"},
                         {"leak", reference.leak},
                         {"beta", reference.beta},
                         {"leak_adaptation", reference.leak_adaptation},
                         {"detach_reset", true}};
  net->add(std::make_shared<Layer>(std::vector<Connection>{linear(6), linear(6)}, make<Neuron>(neuron)),
           {{Network::kInput}, {0, 1}}, true);
  net->add(dense_layer(2, make<Neuron>("leaky_readout", {{"leak", reference.kappa}})), true);
  draw_weights(*net);
  torch::manual_seed(9);
  const Tensor target = torch::rand({kSteps, kBatch, 2}, real());
  const Batch batch = frames_batch(kSteps, kBatch, kIn, {Target::Kind::sequence, target});
  LearnerParts parts = learner_parts(net, kSteps, "mse");
  parts.target = Target::Kind::sequence;
  const auto learn = [&](double kappa, int64_t window) {
    parts.method = {make<Rule>("e_prop", {{"kappa", kappa}})};
    parts.method.layers[std::dynamic_pointer_cast<Layer>(net->nodes()[1].stage)->slot()] = make<Rule>("ottt");
    parts.schedule = make<Schedule>("truncated", {{"window", window}});
    Learner(parts).pass(batch, 0);
  };
  const auto exact = reference.gradients(net->parameters(), batch.x, target);
  ASSERT_GE(reference.spikes, 30);
  for (const int64_t window : {1, 4, 9}) {
    learn(reference.kappa, window);
    expect_gradients(*net, exact);
  }
  learn(0, kSteps);  // a filter that is left out costs something
  EXPECT_GT(relative(take_gradients(*net)[0].second, exact[0]), 1e-2);
}

TEST(Eligibility, AdaptiveFeedbackGetsTheGradientOfTheWeight) {
  for (const char* rule : {"bptt", "sltt"}) {
    auto net = std::make_shared<Network>(Shape{kIn});
    net->add(dense_layer(6, lif()), true);
    Connection out = linear(kClasses);
    out.feedback = make<Feedback>("adaptive");
    net->add(std::make_shared<Layer>(std::vector<Connection>{out}, leaky_readout()), true);
    net->initialise(3);
    draw_weights(*net);
    Tensor W, F, hidden;
    gradients(net, make<Rule>(rule), frames());  // in windows of any kind: twice adds up
    LearnerParts parts = learner_parts(net, kSteps);
    parts.method = {make<Rule>(rule)};
    parts.schedule = make<Schedule>("truncated", {{"window", 3}});
    Learner(parts).pass(frames(), 0);
    for (auto& item : net->named_parameters()) {
      if (item.key() == "1.synapse.weight") W = item.value().grad();
      if (item.key() == "1.feedback.feedback") F = item.value().grad();
      if (item.key() == "0.synapse.weight") hidden = item.value().grad();
    }
    ASSERT_TRUE(W.defined() && F.defined() && hidden.defined());
    EXPECT_GT(W.norm().item<double>(), 0);
    EXPECT_TRUE(torch::equal(W, F)) << rule;
    EXPECT_NE(W.data_ptr(), F.data_ptr());
  }
}

std::string refusal(const std::shared_ptr<Network>& net, const char* rule) {
  LearnerParts parts = learner_parts(net, kSteps);
  parts.method = {make<Rule>(rule)};
  return message_of<UsageError>([&] { const Learner learner(parts); });
}
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(Eligibility, WhatIsRefused) {
  for (const char* rule : {"rtrl", "e_prop"}) {
    const Config map = {{"name", "linear"}, {"features", 6}};
    const std::string learns = refusal(one_layer({{"name", "lif"}, {"learn_leak", true}}, map, {kIn}), rule);
    EXPECT_TRUE(has(learns, "learns w; use rule bptt")) << learns;
    const std::string timing = refusal(one_layer({{"name", "psp_lif"}}, map, {kIn}), rule);
    EXPECT_TRUE(has(timing, "the derivatives of its steps")) << timing;
    const auto normed = std::make_shared<Network>(Shape{kIn});
    Connection c = linear(6);
    c.norm = make<Norm>("bn");
    normed->add(std::make_shared<Layer>(std::vector<Connection>{c}, lif()), true);
    EXPECT_TRUE(has(refusal(normed, rule), "do not pass a norm"));
  }
}

}  // namespace spiketrain::eligibility_test
