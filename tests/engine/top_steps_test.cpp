// Schedule top_steps, in float64: scores against per-step gradients of autograd, passes against plans with the same steps.
#include "spiketrain/engine/step_scores.h"
#include "tests/support/chosen_steps.h"

namespace spiketrain::top_steps_test {

using namespace chosen_steps;

Tensor scores_of(const LearnerParts& parts, const Batch& batch, uint64_t iteration) {
  return step_scores(Learner(parts).parts(), batch, iteration);
}

/// Per-step gradients by autograd, each step with weights of its own.
Tensor reference_scores(const Network& network, const Batch& batch) {
  Written reference(network);
  const std::vector<Tensor> W = reference.W;
  std::vector<std::vector<Tensor>> copies(kSteps);
  std::vector<Tensor> out;
  for (auto& of_step : copies) {
    for (size_t k = 0; k < W.size(); ++k)
      of_step.push_back(reference.W[k] = W[k].detach().clone().requires_grad_());
    out.push_back(reference.step(step_of(batch, static_cast<int64_t>(out.size()))));
  }
  step_ce(torch::stack(out), batch.target.y).backward();
  Tensor scores = torch::zeros({kSteps}, torch::kDouble);
  for (int64_t t = 0; t < kSteps; ++t) {
    const std::vector<Tensor>& of_step = copies[static_cast<size_t>(t)];
    for (size_t k = 0; k + 1 < of_step.size(); ++k)  // without the readout
      if (of_step[k].grad().defined()) scores[t] += of_step[k].grad().norm();
  }
  return scores;
}

TEST(TopSteps, ScoresAreNormsOfTheGradientsOfSteps) {
  for (const auto& make_net : {dense, recurrent}) {
    for (const Batch& batch : {frames(), image()}) {
      LearnerParts parts = learner_parts(make_net(), kSteps);
      const Tensor wanted = reference_scores(*parts.network, batch);
      EXPECT_LE(relative(scores_of(parts, batch, 0), wanted), 1e-12);
      parts.method = {make<Rule>("sltt")};  // whatever the rule
      EXPECT_LE(relative(scores_of(parts, batch, 0), wanted), 1e-12);
    }
  }
  LearnerParts parts = learner_parts(blocks(/*heads=*/true), kSteps);  // whatever the blocks
  EXPECT_LE(relative(scores_of(parts, frames(), 0), reference_scores(*dense(), frames())), 1e-12);
}

/// Neither gradients that were there, nor statistics, nor the pass that follows.
TEST(TopSteps, ScoringLeavesNoTrace) {
  for (const auto& make_net : {with_norm, with_dropout, recurrent}) {
    const auto net = make_net();
    LearnerParts parts = learner_parts(net, kSteps);
    for (Tensor p : net->parameters()) p.mutable_grad() = torch::full_like(p, 0.5);
    const auto before = net->named_buffers();
    std::vector<Tensor> buffers;
    for (const auto& item : before) buffers.push_back(item.value().clone());
    const Tensor scores = scores_of(parts, frames(), 3);
    EXPECT_GT(scores.min().item<double>(), 0);
    for (const Tensor& p : net->parameters()) EXPECT_TRUE(torch::equal(p.grad(), torch::full_like(p, 0.5)));
    for (size_t k = 0; k < buffers.size(); ++k)
      EXPECT_TRUE(torch::equal(buffers[k], net->named_buffers()[k].value()));
    take_gradients(*net);
  }
}

/// Live runs of the best steps.
Plan plan_of_best(const Tensor& scores, int64_t live) {
  std::vector<bool> kept(kSteps);
  const Tensor order = scores.argsort(/*dim=*/0, /*descending=*/true);
  for (int64_t k = 0; k < live; ++k) kept[static_cast<size_t>(order[k].item<int64_t>())] = true;
  Plan plan;
  for (int64_t t = 0; t < kSteps; ++t) {
    const Role role = kept[static_cast<size_t>(t)] ? Role::live : Role::burn_in;
    if (!plan.empty() && role == Role::live && plan.back().role == role) {
      plan.back().t1 = t + 1;
    } else {
      plan.push_back({t, t + 1, role, false});
    }
  }
  plan.back().update = true;
  return plan;
}

TEST(TopSteps, LearnsAtTheBestSteps) {
  for (const auto& make_net : {dense, recurrent, residual, with_dropout}) {
    for (const Batch& batch : {frames(), image()}) {
      for (const int64_t live : {1, 4, 8}) {
        LearnerParts parts = learner_parts(make_net(), kSteps);
        parts.schedule = std::make_shared<FixedPlan>(plan_of_best(scores_of(parts, batch, 3), live));
        const Outcome planned = run(parts, batch);
        parts.schedule = make<Schedule>("top_steps", {{"live", live}});
        expect_near(run(parts, batch), planned);
      }
    }
  }
  LearnerParts parts = learner_parts(dense(), kSteps);
  const Outcome exact = run(parts, frames());
  parts.schedule = make<Schedule>("top_steps", {{"live", kSteps}});
  EXPECT_TRUE(Learner(parts).state().empty());  // nothing to choose
  expect_same(run(parts, frames()), exact);
}

TEST(TopSteps, ScoresAreRefreshedAndSmoothed) {
  LearnerParts parts = learner_parts(dense(), kSteps);
  std::vector<Batch> batches;
  std::vector<Tensor> scores;
  for (const uint64_t seed : {11U, 12U, 13U}) {
    batches.push_back(frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses), seed));
    scores.push_back(scores_of(parts, batches.back(), 0));
  }
  parts.schedule = make<Schedule>("top_steps", {{"live", 3}, {"refresh", 2}, {"smoothing", 0.75}});
  const Learner learner(parts);
  ASSERT_EQ(learner.state().size(), 1U);
  const auto state = [&] { return learner.state()[0].second.clone(); };
  EXPECT_EQ(state().max().item<double>(), -1);
  learner.infer(batches[0]);
  EXPECT_EQ(state().max().item<double>(), -1);
  learner.pass(batches[0], 1);  // the first, though no second iteration
  EXPECT_LE(relative(state(), scores[0]), 1e-12);
  learner.pass(batches[1], 2);
  const Tensor mean = 0.75 * scores[0] + 0.25 * scores[1];
  EXPECT_LE(relative(state(), mean), 1e-12);
  const Tensor held = state();
  learner.pass(batches[2], 3);
  EXPECT_TRUE(torch::equal(state(), held));
  learner.exact_gradient(batches[2], bptt());
  learner.infer(batches[2]);
  EXPECT_TRUE(torch::equal(state(), held));
  Batch bad = batches[2];
  bad.x = torch::full_like(bad.x, std::nan(""));
  learner.pass(bad, 4);
  EXPECT_TRUE(torch::equal(state(), held));
}

}  // namespace spiketrain::top_steps_test
