// A batch in shares of its samples: gradients, losses and predictions of the batch, at the memory of a share.
#include "spiketrain/engine/shares.h"

#include "spiketrain/ops/memory_tracker.h"
#include "tests/support/engine.h"

namespace spiketrain::shares_test {

constexpr int64_t kSteps = 6, kBatch = 7, kIn = 5, kClasses = 3;

std::shared_ptr<Layer> layer(int64_t features, const char* norm = nullptr) {
  Connection c;
  c.synapse = make<Synapse>("linear", {{"features", features}, {"bias", true}});
  if (norm) c.norm = make<Norm>(norm);
  return std::make_shared<Layer>(std::vector<Connection>{c}, make<Neuron>("lif"));
}

LearnerParts parts(const char* norm = nullptr) {
  auto network = std::make_shared<Network>(Shape{kIn});
  network->add(layer(8, norm), true);
  network->add(make<Stage>("dropout", {{"probability", 0.3}}), false);
  network->add(layer(6, norm), true);
  network->add(layer(kClasses, norm), true);
  draw_weights(*network);
  LearnerParts p;
  p.network = network;
  p.method.rule = make<Rule>("bptt");
  p.objective = make<Objective>("rate_ce");
  p.steps = kSteps;
  return p;
}

Batch padded_batch() {
  Batch b = frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses));
  b.lengths = torch::tensor({6, 3, 4, 6, 1, 5, 2});
  return b;
}

struct Outcome {
  PassResult result;
  std::vector<Tensor> gradients;
  std::vector<BlockLosses> updates;
  std::vector<int64_t> spikes;
};
Outcome run(LearnerParts p, int64_t at_once, const Batch& batch) {
  p.samples_at_once = at_once;
  const Learner learner(p);
  p.network->zero_grad(/*set_to_none=*/true);
  Outcome out;
  Tally tally;
  const auto on_update = [&](const Segment&, const BlockLosses& losses) {
    out.updates.push_back(losses);
    return true;
  };
  out.result = learner.pass(batch, 3, on_update, &tally);
  for (const Tensor& w : p.network->parameters()) out.gradients.push_back(w.grad().clone());
  for (const Tally::Count& count : tally.counts()) out.spikes.push_back(count.spikes);
  return out;
}

void expect_same(const Outcome& ours, const Outcome& whole) {
  ASSERT_EQ(ours.gradients.size(), whole.gradients.size());
  for (size_t i = 0; i < ours.gradients.size(); ++i)
    EXPECT_TRUE(torch::allclose(ours.gradients[i], whole.gradients[i], 1e-10, 1e-12));
  EXPECT_TRUE(torch::allclose(ours.result.prediction, whole.result.prediction, 1e-12, 1e-12));
  EXPECT_TRUE(torch::allclose(ours.result.loss, whole.result.loss, 1e-12, 1e-12));
  EXPECT_EQ(ours.spikes, whole.spikes);
  ASSERT_EQ(ours.updates.size(), 1U);
  ASSERT_EQ(whole.updates.size(), 1U);
  EXPECT_TRUE(torch::allclose(ours.updates[0].back(), whole.updates[0].back(), 1e-12, 1e-12));
}

TEST(Shares, GiveTheGradientOfTheBatch) {
  torch::manual_seed(1);
  for (const bool padded : {false, true}) {
    const Batch batch = padded ? padded_batch() : image_batch(kBatch, kIn, label_target(kBatch, kClasses));
    const LearnerParts p = parts();
    const Outcome whole = run(p, kBatch, batch);
    EXPECT_GT(whole.gradients[0].abs().max().item<double>(), 0);
    for (const int64_t at_once : {1, 2, 3, 6}) expect_same(run(p, at_once, batch), whole);
  }
}

/// Statistics over a batch are of all of it: such a network takes its batches whole.
TEST(Shares, AreNotMadeWhereSamplesAreCoupled) {
  torch::manual_seed(2);
  const Batch batch = image_batch(kBatch, kIn, label_target(kBatch, kClasses));
  const Plan plan = {{0, kSteps, Role::live, true}};
  const auto separate = [&](LearnerParts p) {
    const Learner learner(p);  // fills in what is left out
    return samples_are_separate(learner.parts(), plan);
  };
  EXPECT_TRUE(separate(parts()));
  EXPECT_TRUE(separate(parts("relu")));
  EXPECT_FALSE(separate(parts("bn")));
  LearnerParts regularized = parts();
  regularized.regularizers = {make<Regularizer>("rate")};
  EXPECT_FALSE(separate(regularized));
  EXPECT_FALSE(
      samples_are_separate(Learner(parts()).parts(), {{0, 3, Role::live, true}, {3, 6, Role::live, true}}));
  expect_same(run(parts("relu"), 2, batch), run(parts("relu"), kBatch, batch));
}

/// What the check of memory counts.
TEST(Shares, HeldSamplesFollowWhatTheLearnerDoes) {
  const Plan plan = {{0, kSteps, Role::live, true}};
  const auto held = [&](LearnerParts p, int64_t asked) {
    p.samples_at_once = asked;
    return samples_held(Learner(p).parts(), plan, kBatch);
  };
  EXPECT_EQ(held(parts(), 0), kBatch);
  EXPECT_EQ(held(parts(), 3), 3);
  EXPECT_EQ(held(parts(), 100), kBatch);
  EXPECT_EQ(held(parts("bn"), 3), kBatch);
  LearnerParts scored = parts();
  scored.schedule = make<Schedule>("top_steps", {{"live", 2}});
  EXPECT_EQ(held(scored, 3), kBatch);
  for (const char* variant : {"dec2020", "sep2020"}) {
    LearnerParts p = parts();
    p.method.rule = make<Rule>("tssl_bp", {{"variant", variant}});
    EXPECT_EQ(p.method.rule->couples_samples(), std::string(variant) == "sep2020");
  }
}

TEST(Shares, HoldTheMemoryOfAShare) {
  torch::manual_seed(3);
  LearnerParts p = parts();
  const Batch batch = frames_batch(kSteps, 64, kIn, label_target(64, kClasses));
  const auto peak = [&](int64_t at_once) {
    p.samples_at_once = at_once;
    const Learner learner(p);
    learner.pass(batch, 0);  // the gradients are there
    const MemoryTracker tracker;
    learner.pass(batch, 0);
    return tracker.peak();
  };
  EXPECT_LT(peak(4), peak(64) / 4);
}

}  // namespace spiketrain::shares_test
