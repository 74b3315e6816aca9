// Every schedule through Learner against plain autograd of the definition, in float64: which steps see error, where
// credit is cut, and that replayed segments give the credit of the whole sequence.
#include "tests/support/engine.h"

namespace spiketrain::schedules_test {

constexpr int64_t kSteps = 7, kBatch = 4, kIn = 5, kClasses = 3;

std::shared_ptr<Network> network() { return dense_network(kIn, {6, 5, kClasses}); }
Batch frames() { return frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses)); }
Batch image() { return image_batch(kBatch, kIn, label_target(kBatch, kClasses)); }

/// The definition: credit is cut where a segment begins, but not between replay segments; the loss is the mean over
/// the steps of all segments with error.  Returns it.
double reference_pass(DenseReference& reference, const Batch& batch, const Plan& plan) {
  double scored = 0, sum = 0;
  for (const Segment& s : plan) scored += s.role == Role::burn_in ? 0 : static_cast<double>(s.steps());
  std::vector<Tensor> replayed;
  for (size_t i = 0; i < plan.size(); ++i) {
    const Segment& s = plan[i];
    const bool joined = s.role == Role::replay && !replayed.empty();
    if (!joined) reference.cut();
    const Tensor a = reference.run(batch, s.t0, s.t1);
    if (s.role == Role::burn_in) continue;
    const Tensor loss = step_ce(a, batch.target.y) * (static_cast<double>(s.steps()) / scored);
    sum += loss.item<double>();
    replayed.push_back(loss);
    if (s.role == Role::replay && !s.update && plan[i + 1].role == Role::replay) continue;
    Tensor together = torch::zeros({}, real());
    for (const Tensor& part : replayed) together = together + part;
    together.backward();
    replayed.clear();
  }
  return sum;
}

void check(const std::shared_ptr<const Schedule>& schedule, const Batch& batch, uint64_t iteration = 0) {
  const auto net = network();
  LearnerParts parts = learner_parts(net, kSteps);
  parts.schedule = schedule;
  const Learner learner(parts);
  DenseReference reference(*net), forward(*net);
  const Plan plan = learner.plan(iteration);
  const double loss = reference_pass(reference, batch, plan);
  int64_t calls = 0;
  const PassResult result =
      learner.pass(batch, iteration, [&](const Segment&, const BlockLosses&) { return ++calls > 0; });
  EXPECT_EQ(calls, updates(plan));
  EXPECT_NEAR(result.loss.item<double>(), loss, 1e-12);
  EXPECT_LE(relative(result.prediction, forward.run(batch, 0, kSteps).sum(0).detach()), 1e-12);
  expect_gradients(*net, gradients_of(reference.W));
}

void check(const Config& config) {
  for (const Batch& batch : {frames(), image()}) {
    SCOPED_TRACE(config.dump());
    for (const uint64_t iteration : {0U, 1U, 2U}) check(make<Schedule>(config), batch, iteration);
  }
}

TEST(EngineSchedules, Whole) { check({{"name", "whole"}}); }

TEST(EngineSchedules, Truncated) {
  for (const int64_t K : {1, 2, 3, 7}) check({{"name", "truncated"}, {"window", K}});
  check({{"name", "truncated"}, {"window", 2}, {"update", "window"}});
}

TEST(EngineSchedules, LossInTheLastWindow) {
  for (const int64_t K : {1, 2, 4}) check({{"name", "truncated"}, {"window", K}, {"loss", "last"}});
}

TEST(EngineSchedules, BurnIn) {
  for (const int64_t n : {1, 3, 6}) check({{"name", "truncated"}, {"window", 2}, {"burn_in", n}});
}

TEST(EngineSchedules, Checkpointed) {
  for (const int64_t K : {0, 1, 2, 3, 7}) check({{"name", "checkpointed"}, {"segment", K}});
}

TEST(EngineSchedules, RandomSteps) {
  for (const int64_t K : {1, 3, 7}) check({{"name", "random_steps"}, {"live", K}});
}

TEST(EngineSchedules, MixedPlans) {
  const Role live = Role::live, silent = Role::burn_in, replay = Role::replay;
  for (const Plan& plan :
       {Plan{{0, 1, silent, false}, {1, 2, live, false}, {2, 4, replay, false}, {4, 6, replay, true}, {6, 7}},
        Plan{{0, 2, replay, false}, {2, 3, replay, false}, {3, 4, silent, false}, {4, 7, replay, true}},
        Plan{{0, 2, replay, false}, {2, 4, live, true}, {4, 5, silent, false}, {5, 6, replay, false}, {6, 7}},
        Plan{{0, 2, replay, true}, {2, 4, live, false}, {4, 7, silent, true}}}) {
    for (const Batch& batch : {frames(), image()}) check(std::make_shared<FixedPlan>(plan), batch);
  }
}

/// Replay and what goes with a layer: the whole sequence's gradient, to rounding, whatever the segment.
void checkpoints_change_nothing(const std::shared_ptr<Network>& net, const Batch& batch) {
  LearnerParts parts = learner_parts(net, kSteps);
  Tally once;
  const Learner whole(parts);
  const PassResult expected = whole.pass(batch, 3, {}, &once);
  std::vector<Tensor> want;
  for (const auto& item : take_gradients(*net)) want.push_back(item.second);
  for (const int64_t K : {1, 2, 5}) {
    parts.schedule = make<Schedule>("checkpointed", {{"segment", K}});
    Tally tally;
    const PassResult got = Learner(parts).pass(batch, 3, {}, &tally);
    EXPECT_NEAR(got.loss.item<double>(), expected.loss.item<double>(), 1e-12);
    EXPECT_LE(relative(got.prediction, expected.prediction), 1e-12);
    ASSERT_EQ(tally.counts().size(), once.counts().size());
    for (size_t slot = 0; slot < once.counts().size(); ++slot) {
      EXPECT_EQ(tally.counts()[slot].spikes, once.counts()[slot].spikes);
      EXPECT_EQ(tally.counts()[slot].sites, once.counts()[slot].sites);
    }
    expect_gradients(*net, want);
  }
}

TEST(EngineSchedules, CheckpointsOfResidualUnits) {
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(dense_layer(6, lif()), true);
  net->add(dense_layer(6, lif()), true);
  net->add(std::make_shared<Layer>(std::vector<Connection>{linear(6), Connection{}}, lif()), {{1}, {0}},
           true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  checkpoints_change_nothing(net, frames());
  checkpoints_change_nothing(net, image());
}

TEST(EngineSchedules, CheckpointsOfDropout) {
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(dense_layer(12, lif()), true);
  net->add(make<Stage>("dropout", {{"probability", 0.5}}), false);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  checkpoints_change_nothing(net, frames());
}

TEST(EngineSchedules, CheckpointsOfRecurrentLayers) {
  const auto net = std::make_shared<Network>(Shape{kIn});
  net->add(std::make_shared<Layer>(std::vector<Connection>{linear(6), linear(6)}, lif()),
           {{Network::kInput}, {0, 1}}, true);
  net->add(dense_layer(kClasses, leaky_readout()), true);
  draw_weights(*net);
  checkpoints_change_nothing(net, frames());
  checkpoints_change_nothing(net, image());
}

TEST(EngineSchedules, CheckpointsOfBlocks) {
  const auto net = network();
  net->partition({1, 1});
  net->attach_head(0, {dense_layer(kClasses, leaky_readout())});
  draw_weights(*net);
  checkpoints_change_nothing(net, frames());
}

/// Statistics of a norm are those of a segment; the running ones move once for each.
TEST(EngineSchedules, CheckpointsOfBatchNorm) {
  constexpr int64_t K = 3;
  const auto make_net = [] {
    const auto net = std::make_shared<Network>(Shape{kIn});
    Connection c = linear(6);
    c.norm = make<Norm>("bn");
    net->add(std::make_shared<Layer>(std::vector<Connection>{c}, lif()), true);
    net->add(dense_layer(kClasses, leaky_readout()), true);
    draw_weights(*net);
    return net;
  };
  const Batch batch = frames();
  const auto run = [&](const Config& schedule) {
    const auto net = make_net();
    LearnerParts parts = learner_parts(net, kSteps);
    parts.schedule = make<Schedule>(schedule);
    Learner(parts).pass(batch, 0);
    return net;
  };
  const auto windows = run({{"name", "truncated"}, {"window", K}});
  const auto net = run({{"name", "checkpointed"}, {"segment", K}});
  const auto moved = windows->named_buffers(), got = net->named_buffers();
  ASSERT_EQ(got.size(), moved.size());
  ASSERT_GE(got.size(), 2U);
  for (const auto& item : moved) EXPECT_TRUE(torch::equal(got[item.key()], item.value())) << item.key();

  const auto parameters = make_net()->named_parameters();
  std::vector<Tensor> leaves;  // W, gamma, beta, readout
  for (const char* name : {"0.synapse.weight", "0.norm.weight", "0.norm.bias", "1.synapse.weight"})
    leaves.push_back(parameters[name].detach().clone().requires_grad_());
  Tensor v = torch::zeros({kBatch, 6}, real()), u = torch::zeros({kBatch, kClasses}, real());
  std::vector<Tensor> out;
  for (int64_t t0 = 0; t0 < kSteps; t0 += K) {
    const Tensor I = torch::matmul(batch.x.slice(0, t0, std::min(kSteps, t0 + K)), leaves[0].t());
    const Tensor d = I - I.mean(std::vector<int64_t>{0, 1});
    const Tensor variance = d.square().mean(std::vector<int64_t>{0, 1});
    const Tensor y = leaves[1] * d / (variance + 1e-5).sqrt() + leaves[2];
    for (int64_t t = 0; t < y.size(0); ++t)
      out.push_back(readout_step(lif_step(y[t], v).mm(leaves[3].t()), u));
  }
  step_ce(torch::stack(out), batch.target.y).backward();
  std::vector<Tensor> want;
  for (const auto& item : net->named_parameters()) {
    const size_t k = item.key() == "0.synapse.weight" ? 0
                     : item.key() == "0.norm.weight"  ? 1
                     : item.key() == "0.norm.bias"    ? 2
                                                      : 3;
    want.push_back(leaves[k].grad());
  }
  expect_gradients(*net, want);
}

/// Weights that change between segments reach the current of a still image.
TEST(EngineSchedules, UpdatesBetweenSegments) {
  const Role live = Role::live;
  const Plan plan = {{0, 2, live, false}, {2, 4, live, true}, {4, 6, live, false}, {6, 7, live, true}};
  for (const Batch& batch : {frames(), image()}) {
    const auto net = network();
    LearnerParts parts = learner_parts(net, kSteps);
    parts.schedule = std::make_shared<FixedPlan>(plan);
    DenseReference reference(*net);
    int64_t last = -1;
    Learner(parts).pass(batch, 0, [&](const Segment& segment, const BlockLosses& losses) {
      for (int64_t t0 = last < 0 ? 0 : 4; t0 < segment.t1; t0 += 2) {
        reference.cut();
        const int64_t t1 = std::min(segment.t1, t0 + 2);
        (step_ce(reference.run(batch, t0, t1), batch.target.y) * (static_cast<double>(t1 - t0) / kSteps))
            .backward();
      }
      last = segment.t1;
      EXPECT_EQ(losses.size(), 1U);
      const auto gradients = take_gradients(*net);
      const auto parameters = net->parameters();
      torch::NoGradGuard no_grad;
      for (size_t l = 0; l < gradients.size(); ++l) {
        EXPECT_LE(relative(gradients[l].second, reference.W[l].grad()), kGradientTolerance)
            << gradients[l].first;
        Tensor ours = parameters[l], theirs = reference.W[l];
        ours.sub_(0.1 * gradients[l].second);
        theirs.sub_(0.1 * theirs.grad());
        theirs.mutable_grad() = Tensor();
      }
      return true;
    });
    EXPECT_EQ(last, kSteps);
  }
}

/// A refused update: the rest of the sequence begins with fresh states.
TEST(EngineSchedules, RefusedUpdateResetsTheStates) {
  const auto net = network();
  LearnerParts parts = learner_parts(net, 6);
  parts.schedule = make<Schedule>("truncated", {{"window", 3}, {"update", "window"}});
  const Batch batch = frames_batch(6, kBatch, kIn, label_target(kBatch, kClasses));
  const auto second_loss = [&](bool accept) {
    double loss = 0;
    Learner(parts).pass(batch, 0, [&](const Segment& segment, const BlockLosses& losses) {
      take_gradients(*net);
      loss = losses.back().item<double>();
      return accept || segment.t0 > 0;
    });
    return loss;
  };
  DenseReference reference(*net);
  reference.run(batch, 0, 3);
  EXPECT_NEAR(second_loss(true), step_ce(reference.run(batch, 3, 6), batch.target.y).item<double>() / 2,
              1e-12);
  reference.start();
  EXPECT_NEAR(second_loss(false), step_ce(reference.run(batch, 3, 6), batch.target.y).item<double>() / 2,
              1e-12);
}

/// Neither gradients nor running statistics know what a segment was for: inference is one forward pass.
TEST(EngineSchedules, InferenceLearnsNothing) {
  const auto net = network();
  for (const char* name : {"whole", "truncated", "checkpointed", "random_steps"}) {
    LearnerParts parts = learner_parts(net, kSteps);
    parts.schedule = make<Schedule>(name);
    DenseReference reference(*net);
    const PassResult result = Learner(parts).infer(frames());
    EXPECT_LE(relative(result.prediction, reference.run(frames(), 0, kSteps).sum(0).detach()), 1e-12) << name;
    EXPECT_FALSE(result.loss.requires_grad());
    for (const auto& item : take_gradients(*net)) EXPECT_FALSE(item.second.defined());
  }
}

/// Exact credit through all steps, whatever the schedule says; the loss is that of its last steps if it has no other.
TEST(EngineSchedules, ExactGradient) {
  const auto net = network();
  for (const auto& [options, first] :
       {std::pair{Config{{"window", 2}}, 0},
        {Config{{"window", 2}, {"burn_in", 2}}, 2},
        {Config{{"window", 3}, {"loss", "last"}}, static_cast<int>(kSteps - 1)}}) {  // 3 + 3 + 1
    SCOPED_TRACE(options.dump());
    LearnerParts parts = learner_parts(net, kSteps);
    parts.schedule = make<Schedule>("truncated", options);
    DenseReference reference(*net);
    const Tensor loss = step_ce(reference.run(frames(), 0, kSteps).slice(0, first), frames().target.y);
    loss.backward();
    EXPECT_NEAR(Learner(parts).exact_gradient(frames(), bptt()).item<double>(), loss.item<double>(), 1e-12);
    expect_gradients(*net, gradients_of(reference.W));
  }
}

}  // namespace spiketrain::schedules_test
