// Learnt delays (stage taps, synapse delayed_linear): against the definition written out under autograd in float64, whole
// steps, segments, and rules.
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::delays_test {

constexpr int64_t kSteps = 9, kBatch = 3, kIn = 4, kHidden = 5, kClasses = 3, kLongest = 4;

Batch frames() { return frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses)); }

std::shared_ptr<Network> network(const Config& options = Config::object()) {
  auto net = std::make_shared<Network>(Shape{kIn});
  net->add(make<Stage>("taps", {{"longest", kLongest}}), true);
  Config synapse = {{"name", "delayed_linear"}, {"features", kHidden}, {"longest", kLongest}, {"unit", 2}};
  synapse.update(options);
  Connection c;
  c.synapse = make<Synapse>(synapse);
  net->add(std::make_shared<Layer>(std::vector<Connection>{c}, lif()), false);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  const torch::NoGradGuard no_grad;
  Tensor p = *net->named_parameters().find("1.synapse.delay");
  p.copy_(torch::rand(p.sizes(), real()) * (kLongest / 2.0));
  p[0][0] = 0;
  p[0][1] = kLongest / 2.0;
  p[0][2] = 1;  // a whole step
  return net;
}

/// Current of the delayed layer, synapse by synapse: delays d [features or 1, N] between whole steps.
Tensor delayed_current(const Tensor& x, const Tensor& W, const Tensor& d, int64_t t) {
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < W.size(0); ++i) {
    Tensor sum = torch::zeros({x.size(1)}, real());
    for (int64_t j = 0; j < W.size(1); ++j) {
      const Tensor delay = d[d.size(0) == 1 ? 0 : i][j];
      const auto n = std::min<int64_t>(static_cast<int64_t>(delay.item<double>()), kLongest - 1);
      const auto at = [&](int64_t s) {
        return s < 0 ? torch::zeros({x.size(1)}, real()) : x[s].select(1, j);
      };
      sum = sum + W[i][j] * ((n + 1 - delay) * at(t - n) + (delay - n) * at(t - n - 1));
    }
    rows.push_back(sum);
  }
  return torch::stack(rows, 1);
}

std::vector<Tensor> reference_gradients(const Network& net, const Batch& batch, bool rounded) {
  std::vector<Tensor> leaves;
  for (const auto& item : net.named_parameters())
    leaves.push_back(item.value().detach().clone().requires_grad_());
  const Tensor &W = leaves[0], &p = leaves[1], &V = leaves[2];
  const Tensor d = p * 2;
  Tensor v = torch::zeros({kBatch, kHidden}, real()), u = torch::zeros({kBatch, kClasses}, real());
  std::vector<Tensor> out;
  for (int64_t t = 0; t < kSteps; ++t) {
    Tensor I = delayed_current(batch.x, W, d, t);
    if (rounded) {  // the value of whole delays with the gradient of the others
      const Tensor whole = delayed_current(batch.x, W.detach(), d.detach().round(), t);
      const Tensor by_W = delayed_current(batch.x, W, d.detach().round(), t);
      const Tensor by_d = delayed_current(batch.x, W.detach(), d, t);
      I = whole + (by_W - by_W.detach()) + (by_d - by_d.detach());
    }
    out.push_back(readout_step(lif_step(I, v).mm(V.t()), u));
  }
  step_ce(torch::stack(out), batch.target.y).backward();
  return gradients_of(leaves);
}

TEST(Delays, GradientsOfWeightsAndDelays) {
  for (const char* per : {"synapse", "axon"}) {
    for (const char* whole : {"evaluation", "never", "always"}) {
      SCOPED_TRACE(str(per, ' ', whole));
      const auto net = network({{"per", per}, {"whole", whole}});
      const auto expected = reference_gradients(*net, frames(), whole == std::string("always"));
      Learner(learner_parts(net, kSteps)).pass(frames(), 0);
      expect_gradients(*net, expected);
    }
  }
}

TEST(Delays, EvaluationRoundsToWholeSteps) {
  const torch::NoGradGuard no_grad;
  const auto net = network();
  auto whole = network();
  Tensor p = *whole->named_parameters().find("1.synapse.delay");
  p.copy_((p * 2).round() / 2);
  Context training, evaluation;
  training.mode = Mode::train;
  training.method = {bptt()};
  const auto run = [](Network& n, const Context& context) {
    Carry carry = n.start();
    return n.forward(Signal::dense(frames().x), context, carry).values();
  };
  EXPECT_TRUE(torch::equal(run(*net, evaluation), run(*whole, evaluation)));
  EXPECT_FALSE(torch::equal(run(*net, training), run(*whole, training)));
  EXPECT_TRUE(torch::equal(run(*whole, training), run(*whole, evaluation)));
  const auto never = network({{"whole", "never"}});
  EXPECT_TRUE(torch::equal(run(*never, training), run(*never, evaluation)));
}

TEST(Delays, SegmentsCarryWhatIsOnItsWay) {
  for (const char* rule : {"sltt", "ottt", "rtrl"}) {  // their gradients do not depend on the segments
    std::vector<std::vector<Tensor>> all;
    for (const int64_t window : {kSteps, int64_t{1}, int64_t{2}, int64_t{5}}) {
      const auto net = network();
      LearnerParts parts = learner_parts(net, kSteps);
      parts.method = {make<Rule>(rule)};
      parts.schedule = make<Schedule>("truncated", {{"window", window}});
      Learner(parts).pass(frames(), 0);
      all.emplace_back();
      for (auto& item : take_gradients(*net)) all.back().push_back(item.second);
      for (size_t k = 0; k < all[0].size(); ++k) {
        EXPECT_GT(all[0][k].norm().item<double>(), 0);
        EXPECT_LE(relative(all.back()[k], all[0][k]), 1e-12) << rule << ' ' << window << ' ' << k;
      }
    }
  }
}

TEST(Delays, SegmentsThatAreComputedAgainHandTheirCreditOn) {
  const auto net = std::make_shared<Network>(Shape{kIn});  // a layer below, so that credit crosses the taps
  net->add(dense_layer(6, lif()), true);
  net->add(make<Stage>("taps", {{"longest", kLongest}}), true);
  Connection c;
  c.synapse = make<Synapse>("delayed_linear", {{"features", kHidden}, {"longest", kLongest}});
  net->add(std::make_shared<Layer>(std::vector<Connection>{c}, lif()), false);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  net->initialise(2);
  draw_weights(*net);
  Learner(learner_parts(net, kSteps)).pass(frames(), 0);
  std::vector<Tensor> exact;
  for (auto& item : take_gradients(*net)) exact.push_back(item.second);
  LearnerParts parts = learner_parts(net, kSteps);
  parts.schedule = make<Schedule>("checkpointed", {{"segment", 2}});
  Learner(parts).pass(frames(), 0);
  expect_gradients(*net, exact);
}

TEST(Delays, AreInTheNotationAndStayBetweenTheirEnds) {
  const auto net = make_spec("6-5-3", make_context({{"name", "lif"}}, {4}, 3), {{"longest_delay", 3}});
  net->initialise(1);
  EXPECT_EQ(net->notation(), "6-5-3");
  int64_t delays = 0;
  for (const auto& item : net->named_parameters()) {
    if (item.key().find("delay") == std::string::npos) continue;
    ++delays;
    const Tensor d = item.value() * 10;
    EXPECT_GE(d.min().item<double>(), 0);
    EXPECT_LE(d.max().item<double>(), 3);
    EXPECT_GT(d.std().item<double>(), 0.3);
  }
  EXPECT_EQ(delays, 2);
  EXPECT_NE(message_of<UsageError>([] {
              make_spec("6R-3", make_context({{"name", "lif"}}, {4}, 3), {{"longest_delay", 3}});
            }).find("longest_delay"),
            std::string::npos);
  EXPECT_NE(message_of<UsageError>([] {
              make<Synapse>("delayed_linear", {{"longest", 3}})->build({10});
            }).find("expected 4 taps of each input, got 10"),
            std::string::npos);
}

}  // namespace spiketrain::delays_test
