// Schedule skipper, in float64: against autograd of its definition, and against plans whose skipped steps are burn-in.
#include <numeric>

#include "tests/support/chosen_steps.h"
#include "tests/support/message.h"

namespace spiketrain::skipper_test {

using namespace chosen_steps;

Config skipper(const Config& options = Config::object()) {
  Config config = {{"name", "skipper"}};
  config.update(options);
  return config;
}

/// skipper with given steps.
struct Chosen final : Schedule {
  Chosen(const Config& config, std::vector<bool> steps)
      : schedule(make<Schedule>(config)), kept(std::move(steps)) {}
  Plan plan(const PlanRequest& request) const override { return schedule->plan(request); }
  Selection select(const Plan&, const std::vector<int64_t>& activity) const override {
    EXPECT_EQ(activity.size(), kept.size());
    return {kept};
  }
  std::shared_ptr<const Schedule> schedule;
  std::vector<bool> kept;
};
const std::vector<std::vector<bool>>& choices() {
  static const std::vector<std::vector<bool>> list = {
      {false, true, true, true, true, false, true, true, true},     // a run over a border of segments
      {true, false, true, false, true, false, false, false, true},  // single steps
      {true, true, true, false, false, false, true, true, false},   // nothing of a segment
      {false, false, false, true, true, true, false, false, false}};
  return list;
}

/// Nothing skipped: checkpointed to the last bit, and BPTT to rounding.
TEST(Skipper, SkippingNothingIsBptt) {
  for (const auto& make_net : {dense, recurrent, residual, with_dropout}) {
    for (const Batch& batch : {frames(), image(), padded()}) {
      for (const char* objective : {"tet_ce", "rate_ce", "mse", "smooth_l1", "mse_count", "count"}) {
        SCOPED_TRACE(objective);
        LearnerParts parts = learner_parts(make_net(), kSteps, objective);
        const Outcome exact = run(parts, batch);
        for (const int64_t segment : {0, 1, 4, 9}) {
          parts.schedule = make<Schedule>("checkpointed", {{"segment", segment}});
          const Outcome checkpointed = run(parts, batch);
          for (const char* mode : {"recompute", "mask"}) {
            parts.schedule = make<Schedule>(skipper({{"segment", segment}, {"skip", 0}, {"mode", mode}}));
            expect_same(run(parts, batch), checkpointed);
          }
          expect_near(checkpointed, exact);
        }
      }
    }
  }
}

TEST(Skipper, SkippingNothingIsBpttOfAPsp) {
  auto net = std::make_shared<Network>(Shape{kIn});
  for (const int64_t width : {int64_t{6}, kClasses})
    net->add(dense_layer(width, make<Neuron>("psp_lif")), true);
  draw_weights(*net);
  LearnerParts parts = learner_parts(net, kSteps, "van_rossum");
  parts.objective = make<Objective>("van_rossum", {{"target", {0, 1, 1}}});
  const Outcome exact = run(parts, frames());
  parts.schedule = make<Schedule>(skipper({{"skip", 0}}));
  expect_near(run(parts, frames()), exact);
  parts.schedule = make<Schedule>(skipper({{"mode", "mask"}}));
  EXPECT_GT(relative(run(parts, frames()).gradients[0], exact.gradients[0]), 1e-3);
}

/// The loss of an objective over the steps of a [K,B,classes] that are given.
Tensor loss_over(const std::string& objective, const Tensor& a, const Tensor& label) {
  if (objective == "tet_ce") return step_ce(a, label);
  if (objective == "rate_ce") return torch::cross_entropy_loss(a.mean(0), label);
  const auto K = static_cast<double>(a.size(0));
  const Tensor wanted = torch::one_hot(label, kClasses).to(torch::kDouble);
  return (a.sum(0) - K * wanted).square().mean() / K;  // mse_count
}

TEST(Skipper, MaskIsBpttWithMaskedLossAndCutEdges) {
  for (const auto& make_net : {dense, recurrent}) {
    for (const Batch& batch : {frames(), image()}) {
      for (const char* objective : {"tet_ce", "rate_ce", "mse_count"}) {
        for (const std::vector<bool>& kept : choices()) {
          SCOPED_TRACE(objective);
          LearnerParts parts = learner_parts(make_net(), kSteps, objective);
          parts.schedule = std::make_shared<Chosen>(skipper({{"segment", 3}, {"mode", "mask"}}), kept);
          Written reference(*parts.network);
          std::vector<Tensor> out;
          for (int64_t t = 0; t < kSteps; ++t) {
            const auto at = static_cast<size_t>(t);
            if (!kept[at] || (t > 0 && !kept[at - 1])) reference.cut();
            const Tensor a = reference.step(step_of(batch, t));
            if (kept[at]) out.push_back(a);
          }
          const Tensor loss = loss_over(objective, torch::stack(out), batch.target.y);
          loss.backward();
          const Outcome ours = run(parts, batch);
          EXPECT_NEAR(ours.loss.item<double>(), loss.item<double>(), 1e-12);
          for (size_t k = 0; k < reference.W.size(); ++k)
            EXPECT_LE(relative(ours.gradients[k], reference.W[k].grad()), 1e-12) << k;
        }
      }
    }
  }
}

/// The second pass written out: each segment from the value of the true state, skipped steps as if they were not there,
/// credit from each segment to the one before; the error of a segment is that of its own second readouts and those of the
/// segments behind it, with the first readouts of the segments before it.
TEST(Skipper, RecomputePassesOverSkippedSteps) {
  constexpr int64_t K = 3;
  for (const auto& make_net : {dense, recurrent}) {
    for (const Batch& batch : {frames(), image()}) {
      for (const char* objective : {"tet_ce", "rate_ce", "mse_count"}) {
        for (const std::vector<bool>& kept : choices()) {
          SCOPED_TRACE(objective);
          LearnerParts parts = learner_parts(make_net(), kSteps, objective);
          parts.schedule = std::make_shared<Chosen>(skipper({{"segment", K}}), kept);
          Written first(*parts.network), second = first;
          std::vector<Tensor> once(kSteps), again(kSteps);
          for (int64_t t = 0; t < kSteps; ++t) {
            if (t % K == 0) {
              for (size_t k = 0; k < first.z.size(); ++k)
                second.z[k] = first.z[k].detach() + (second.z[k] - second.z[k].detach());
            }
            once[static_cast<size_t>(t)] = first.step(step_of(batch, t)).detach();
            if (kept[static_cast<size_t>(t)]) again[static_cast<size_t>(t)] = second.step(step_of(batch, t));
          }
          std::vector<Tensor> roots, errors;
          Tensor loss;
          for (int64_t c = kSteps / K; c-- > 0;) {
            std::vector<Tensor> list, own;
            for (int64_t t = 0; t < kSteps; ++t) {
              const auto at = static_cast<size_t>(t);
              if (!kept[at]) continue;
              list.push_back((t < c * K ? once[at] : again[at]).detach().requires_grad_());
              if (t / K != c) continue;
              own.push_back(list.back());
              roots.push_back(again[at]);
            }
            loss = loss_over(objective, torch::stack(list), batch.target.y);
            loss.backward();
            for (const Tensor& leaf : own) errors.push_back(leaf.grad());
          }
          torch::autograd::backward(roots, errors);
          const Outcome ours = run(parts, batch);
          EXPECT_NEAR(ours.loss.item<double>(), loss.item<double>(), 1e-12);
          for (size_t k = 0; k < second.W.size(); ++k)
            EXPECT_LE(relative(ours.gradients[k], second.W[k].grad()), 1e-12) << k;
        }
      }
    }
  }
}

/// Runs of kept steps are replayed together where they follow each other, the others carry states on.
std::shared_ptr<const Schedule> as_plan(const std::vector<bool>& kept) {
  Plan plan;
  for (int64_t t = 0; t < kSteps; ++t)
    plan.push_back({t, t + 1, kept[static_cast<size_t>(t)] ? Role::replay : Role::burn_in, t + 1 == kSteps});
  return std::make_shared<FixedPlan>(plan);
}

TEST(Skipper, MaskIsAPlanWithBurnIn) {
  const auto with_signal = [](const char* signal) {
    LearnerParts parts = learner_parts(blocks(/*heads=*/false), kSteps);
    parts.signal = make<LearningSignal>(signal);
    return parts;
  };
  std::vector<LearnerParts> cases = {learner_parts(residual(), kSteps),
                                     learner_parts(with_dropout(), kSteps),
                                     learner_parts(blocks(/*heads=*/true), kSteps),
                                     with_signal("dfa"),
                                     with_signal("drtp"),
                                     learner_parts(dense(), kSteps)};
  cases.back().method = {make<Rule>("ottt")};
  for (LearnerParts& parts : cases) {
    for (const Batch& batch : {frames(), image(), padded()}) {
      for (const std::vector<bool>& kept : choices()) {
        parts.schedule = as_plan(kept);
        const Outcome planned = run(parts, batch);
        parts.schedule = std::make_shared<Chosen>(skipper({{"segment", 3}, {"mode", "mask"}}), kept);
        expect_near(run(parts, batch), planned);
      }
    }
  }
}

TEST(Skipper, MaskSeesTheDrawsOfAnEncoder) {
  LearnerParts parts = learner_parts(dense(), kSteps);
  parts.encoder = make<Encoder>("poisson");
  for (const std::vector<bool>& kept : choices()) {
    parts.schedule = as_plan(kept);
    const Outcome planned = run(parts, image());
    parts.schedule = std::make_shared<Chosen>(skipper({{"segment", 3}, {"mode", "mask"}}), kept);
    expect_near(run(parts, image()), planned);
  }
}

/// Kept steps of a segment that lie together: skipping is what a plan without the others does.
TEST(Skipper, RecomputeOfOneSegmentIsAShorterSequence) {
  const std::vector<bool> kept = {true, false, true, true, false, false, true, false, true};
  std::vector<int64_t> steps;
  for (size_t t = 0; t < kept.size(); ++t)
    if (kept[t]) steps.push_back(static_cast<int64_t>(t));
  for (const auto& make_net : {dense, recurrent, residual, with_dropout}) {
    Batch shorter = frames();
    shorter.x = shorter.x.index_select(0, torch::tensor(steps));
    LearnerParts parts = learner_parts(make_net(), static_cast<int64_t>(steps.size()));
    const Outcome alone = run(parts, shorter);
    parts.steps = kSteps;
    parts.schedule = std::make_shared<Chosen>(skipper({{"segment", 9}}), kept);
    const Outcome ours = run(parts, frames());
    EXPECT_NEAR(ours.loss.item<double>(), alone.loss.item<double>(), 1e-12);
    for (size_t k = 0; k < ours.gradients.size(); ++k)
      EXPECT_LE(relative(ours.gradients[k], alone.gradients[k]), 1e-12) << k;
  }
}

TEST(Skipper, ActivityAndTalliesAreThoseOfTheFirstPass) {
  struct Listening final : Schedule {
    Plan plan(const PlanRequest& r) const override {
      return make<Schedule>(skipper({{"segment", 4}}))->plan(r);
    }
    Selection select(const Plan& segments, const std::vector<int64_t>& spikes) const override {
      activity = spikes;
      return make<Schedule>(skipper({{"segment", 4}}))->select(segments, spikes);
    }
    mutable std::vector<int64_t> activity;
  };
  for (const auto& make_net : {dense, recurrent}) {
    for (const Batch& batch : {frames(), padded()}) {
      LearnerParts parts = learner_parts(make_net(), kSteps);
      const auto schedule = std::make_shared<Listening>();
      Tally once, twice;
      run(parts, batch, &once);
      parts.schedule = schedule;
      run(parts, batch, &twice);
      ASSERT_EQ(once.counts().size(), twice.counts().size());
      int64_t spikes = 0;
      for (size_t slot = 0; slot < once.counts().size(); ++slot) {
        EXPECT_EQ(once.counts()[slot].spikes, twice.counts()[slot].spikes);
        EXPECT_EQ(once.counts()[slot].sites, twice.counts()[slot].sites);
        spikes += once.counts()[slot].spikes;
      }
      EXPECT_EQ(std::accumulate(schedule->activity.begin(), schedule->activity.end(), int64_t{0}), spikes);
      Written reference(*parts.network);  // spikes of a step: what goes into the readout and the layer before
      if (!reference.looped || batch.lengths.defined()) continue;
      for (int64_t t = 0; t < kSteps; ++t) {
        reference.step(step_of(batch, t));
        EXPECT_EQ(schedule->activity[static_cast<size_t>(t)], reference.z[1].sum().item<int64_t>());
      }
    }
  }
}

TEST(Skipper, TheLossIsDividedAsTold) {
  LearnerParts parts = learner_parts(dense(), kSteps);
  for (const char* mode : {"recompute", "mask"}) {
    const auto outcome = [&](const char* divide_by) {
      parts.schedule = make<Schedule>(skipper({{"mode", mode}, {"skip", 60}, {"divide_by", divide_by}}));
      return run(parts, frames());
    };
    const Outcome mean = outcome("scored"), by_steps = outcome("steps"), sum = outcome("one");
    const double kept = sum.loss.item<double>() / mean.loss.item<double>();
    EXPECT_NEAR(kept, std::round(kept), 1e-9);
    EXPECT_LT(kept, kSteps - 0.5);
    EXPECT_NEAR(by_steps.loss.item<double>() * kSteps, sum.loss.item<double>(), 1e-12);
    EXPECT_LE(relative(by_steps.gradients[0] * kSteps, sum.gradients[0]), 1e-12);
    EXPECT_LE(relative(mean.gradients[0] * kept, sum.gradients[0]), 1e-12);
  }
}

/// Statistics of a norm are those of the kept steps; the running ones move in the first pass only.
TEST(Skipper, NormsWithSkipping) {
  LearnerParts parts = learner_parts(with_norm(), kSteps);
  parts.schedule = make<Schedule>("checkpointed", {{"segment", 3}});
  run(parts, frames());
  const auto wanted = parts.network->named_buffers();
  LearnerParts other = learner_parts(with_norm(), kSteps);
  other.schedule = make<Schedule>(skipper({{"segment", 3}}));
  run(other, frames());
  const auto got = other.network->named_buffers();
  for (const auto& item : wanted) EXPECT_TRUE(torch::equal(got[item.key()], item.value())) << item.key();
  other.schedule = make<Schedule>(skipper({{"mode", "mask"}}));
  const std::string message = message_of<UsageError>([&] { Learner learner(other); });
  EXPECT_NE(message.find("mode = \"recompute\""), std::string::npos) << message;
}

TEST(Skipper, RulesAndNeuronsThatDoNotFit) {
  for (const char* rule : {"tssl_bp", "bptt_trace"}) {
    auto net = std::make_shared<Network>(Shape{kIn});
    net->add(dense_layer(4, rule == std::string("tssl_bp") ? make<Neuron>("psp_lif") : lif()), true);
    for (const int64_t segment : {3, 9}) {
      LearnerParts parts = learner_parts(net, kSteps);
      parts.method = {make<Rule>(rule)};
      parts.schedule = make<Schedule>(skipper({{"segment", segment}}));
      const std::string message = message_of<UsageError>([&] { Learner learner(parts); });
      EXPECT_NE(message.find("use schedule whole or truncated"), std::string::npos) << message;
    }
  }
  LearnerParts parts = learner_parts(dense(), kSteps);
  parts.schedule = std::make_shared<Chosen>(skipper({{"segment", 3}}), std::vector<bool>(kSteps, false));
  const std::string message = message_of<UsageError>([&] { Learner(parts).pass(frames(), 0); });
  EXPECT_NE(message.find("no step was kept"), std::string::npos) << message;
}

}  // namespace spiketrain::skipper_test
