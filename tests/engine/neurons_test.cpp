// Neurons and layers that ask something of the engine: one that reads the whole sequence at once, and recurrent layers.
// Against plain autograd in float64.
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::neurons_test {

constexpr int64_t kSteps = 5, kBatch = 4, kIn = 5, kHidden = 6, kClasses = 3;

/// u = W_time I over the sequence, with any W_time [T,T]: no state and no step.  It sends u, or H(u - 1).
struct TimeMix final : Neuron {
  static constexpr const char* kDoc = "test: a product over time";
  bool fires = false;
  int64_t steps = kSteps;
  template <class V>
  void visit(V& v) {
    v(fires, "fires", "send spikes");
    v(steps, "steps", "T", Range{1, 1e6});
  }
  void build(const Shape&) override { W_ = register_parameter("weight", torch::eye(steps)); }
  Emission emits() const override { return fires ? Emission{} : Emission::analog_values(); }
  uint32_t provides() const override { return 0; }
  bool whole_sequence() const override { return true; }
  State initial(at::IntArrayRef, const torch::TensorOptions&) const override { return {}; }
  void run(Record& record, Steps) const override {
    torch::NoGradGuard no_grad;
    const Tensor u = mixed(record.I);
    if (!fires) {
      record.a.copy_(u);
      return;
    }
    record.s.copy_(u >= 1);
    record.total = -1;
  }
  Credit vjp(const Record& record, const Tensor& delta, const State&) const override {
    torch::NoGradGuard no_grad;
    const Tensor g = (fires ? delta * surrogate_derivative(curve(), mixed(record.I) - 1) : delta).flatten(1);
    return {W_.t().mm(g).view(record.I.sizes()), {}, {g.mm(record.I.flatten(1).t())}};
  }
  static SurrogateCurve curve() { return surrogate_curve("triangle", 1, 1); }

 private:
  Tensor mixed(const Tensor& I) const { return W_.mm(I.flatten(1)).view(I.sizes()); }
  Tensor W_;
};
ST_REGISTER(Neuron, "test_time_mix", TimeMix);

std::shared_ptr<Network> mixing_network(bool fires) {
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(dense_layer(kHidden, make<Neuron>("test_time_mix", {{"fires", fires}})), true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  return net;
}

Batch frames() { return frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses)); }

TEST(EngineNeurons, WholeSequenceTrainsUnderWhole) {
  for (const bool fires : {false, true}) {
    for (const bool image : {false, true}) {
      const auto net = mixing_network(fires);
      Batch batch = frames();
      if (image) batch = image_batch(kBatch, kIn, batch.target);
      const auto parameters = net->named_parameters();
      std::vector<Tensor> leaves;
      for (const char* name : {"0.synapse.weight", "0.neuron.weight", "1.synapse.weight"})
        leaves.push_back(parameters[name].detach().clone().requires_grad_());
      std::vector<Tensor> x;
      for (int64_t t = 0; t < kSteps; ++t) x.push_back(step_of(batch, t));
      const Tensor I = torch::matmul(torch::stack(x), leaves[0].t());
      Tensor u = leaves[1].mm(I.flatten(1)).view(I.sizes());
      if (fires) u = spike(u - 1, TimeMix::curve(), false);
      Tensor z = torch::zeros({kBatch, kClasses}, real());
      std::vector<Tensor> a;
      for (int64_t t = 0; t < kSteps; ++t) a.push_back(readout_step(u[t].mm(leaves[2].t()), z));
      const Tensor loss = step_ce(torch::stack(a), batch.target.y);
      loss.backward();
      const Learner learner(learner_parts(net, kSteps));
      EXPECT_NEAR(learner.pass(batch, 0).loss.item<double>(), loss.item<double>(), 1e-12);
      std::vector<Tensor> want;
      for (const auto& item : parameters)
        want.push_back(leaves[item.key() == "0.synapse.weight"  ? 0
                              : item.key() == "0.neuron.weight" ? 1
                                                                : 2]
                           .grad());
      expect_gradients(*net, want);
      // Gradient descent on the batch.
      double last = loss.item<double>();
      for (int i = 0; i < 20; ++i) {
        last = learner.pass(batch, 0).loss.item<double>();
        torch::NoGradGuard no_grad;
        for (Tensor p : net->parameters()) p.sub_(0.01 * p.grad());
        take_gradients(*net);
      }
      EXPECT_LT(last, loss.item<double>());
    }
  }
}

TEST(EngineNeurons, WholeSequenceIsRefusedInParts) {
  const auto refusal = [](const LearnerParts& parts) {
    return message_of<UsageError>([&] { const Learner learner(parts); });
  };
  LearnerParts parts = learner_parts(mixing_network(true), kSteps);
  for (const char* schedule : {"truncated", "checkpointed", "random_steps"}) {
    parts.schedule = make<Schedule>(schedule);
    EXPECT_NE(refusal(parts).find("use schedule whole"), std::string::npos) << schedule;
  }
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(std::make_shared<Layer>(std::vector<Connection>{linear(kHidden), linear(kHidden)},
                                   make<Neuron>("test_time_mix")),
           {{Network::kInput}, {0, 1}}, true);
  EXPECT_NE(refusal(learner_parts(net, kSteps)).find("cannot be recurrent"), std::string::npos);
}

/// I[t] = W x[t] + R s[t-1], and a layer above that reads the spikes; every schedule, against autograd.
TEST(EngineNeurons, RecurrentLayers) {
  for (const int64_t K : {1, 2, 5}) {
    for (const bool image : {false, true}) {
      for (const bool replay : {false, true}) {
        const auto net = std::make_shared<Network>(Shape{kIn});
        net->add(dense_layer(4, lif()), true);
        net->add(std::make_shared<Layer>(std::vector<Connection>{linear(kHidden), linear(kHidden)}, lif()),
                 {{0}, {1, 1}}, true);
        net->add(dense_layer(kClasses, leaky_readout()), true);
        draw_weights(*net);
        Batch batch = frames();
        if (image) batch = image_batch(kBatch, kIn, batch.target);
        LearnerParts parts = learner_parts(net, kSteps);
        parts.schedule = replay ? make<Schedule>("checkpointed", {{"segment", K}})
                                : make<Schedule>("truncated", {{"window", K}});
        std::vector<Tensor> W;  // below, input, recurrent, readout
        for (const Tensor& p : net->parameters()) W.push_back(p.detach().clone().requires_grad_());
        Tensor v0 = torch::zeros({kBatch, 4}, real()), v = torch::zeros({kBatch, kHidden}, real()), s = v,
               u = torch::zeros({kBatch, kClasses}, real());
        Tensor loss = torch::zeros({}, real());
        for (int64_t t = 0; t < kSteps; ++t) {
          if (!replay && t % K == 0) {
            for (Tensor* z : {&v0, &v, &s, &u}) *z = z->detach();
          }
          const Tensor x = lif_step(step_of(batch, t).mm(W[0].t()), v0);
          s = lif_step(x.mm(W[1].t()) + s.mm(W[2].t()), v);
          const Tensor a = readout_step(s.mm(W[3].t()), u);
          loss = loss + torch::cross_entropy_loss(a, batch.target.y) / static_cast<double>(kSteps);
        }
        loss.backward();
        EXPECT_NEAR(Learner(parts).pass(batch, 0).loss.item<double>(), loss.item<double>(), 1e-12);
        expect_gradients(*net, gradients_of(W));
      }
    }
  }
}

/// A recurrent network in the notation is the same network.
TEST(EngineNeurons, RecurrentNotation) {
  NetworkContext context;
  context.input = {kIn};
  context.output = {kClasses};
  context.neuron = lif;
  context.readout = leaky_readout;
  const auto net = make<NetworkBuilder>("spec", {{"spec", "6R-3"}})->build(context);
  draw_weights(*net);
  std::vector<Tensor> W;
  for (const Tensor& p : net->parameters()) W.push_back(p.detach().clone().requires_grad_());
  ASSERT_EQ(W.size(), 3U);
  const Batch batch = frames();
  Tensor v = torch::zeros({kBatch, kHidden}, real()), s = v, u = torch::zeros({kBatch, kClasses}, real());
  std::vector<Tensor> a;
  for (int64_t t = 0; t < kSteps; ++t) {
    s = lif_step(batch.x[t].mm(W[0].t()) + s.mm(W[1].t()), v);
    a.push_back(readout_step(s.mm(W[2].t()), u));
  }
  step_ce(torch::stack(a), batch.target.y).backward();
  Learner(learner_parts(net, kSteps)).pass(batch, 0);
  expect_gradients(*net, gradients_of(W));
}

}  // namespace spiketrain::neurons_test
