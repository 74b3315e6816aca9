// Error in the last steps of a sequence alone, with credit through all of it (`live` of whole, checkpointed, truncated):
// against autograd of the definition in float64; predictions that leave the other steps out.
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::last_steps_test {

constexpr int64_t kSteps = 9, kBatch = 4, kIn = 5, kClasses = 3;
using Kind = Target::Kind;

std::shared_ptr<Network> network() { return dense_network(kIn, {6, 5, kClasses}); }

Target target_of(Kind kind) {
  torch::manual_seed(9);
  if (kind == Kind::class_index) return label_target(kBatch, kClasses);
  if (kind == Kind::values) return {kind, torch::randn({kBatch, kClasses}, real())};
  return {kind, torch::randn({kSteps, kBatch, kClasses}, real())};
}
Batch frames(Kind kind = Kind::class_index) { return frames_batch(kSteps, kBatch, kIn, target_of(kind)); }
Batch padded(Kind kind = Kind::class_index) {
  Batch batch = frames(kind);
  batch.lengths = torch::tensor(std::vector<int64_t>{9, 5, 7, 2});
  return batch;
}
Batch image() { return image_batch(kBatch, kIn, target_of(Kind::class_index)); }

LearnerParts parts_for(const std::shared_ptr<Network>& net, const Config& schedule,
                       Kind kind = Kind::class_index) {
  LearnerParts parts = learner_parts(net, kSteps, kind == Kind::class_index ? "tet_ce" : "mse");
  parts.target = kind;
  parts.schedule = make<Schedule>(schedule);
  return parts;
}

/// [T,B]: of each sample the steps among the last `live` that are no padding.
Tensor scored(const Batch& batch, int64_t live) {
  const Tensor t = torch::arange(kSteps).unsqueeze(1);
  const Tensor length = batch.lengths.defined() ? batch.lengths : torch::full({kBatch}, kSteps);
  return (t >= kSteps - live) & (t < length.unsqueeze(0));
}

/// Outputs [T,B,out] of the whole sequence, credit cut every `window` steps.
Tensor outputs_of(DenseReference& reference, const Batch& batch, int64_t window) {
  std::vector<Tensor> a;
  for (int64_t t = 0; t < kSteps; t += window) {
    reference.cut();
    a.push_back(reference.run(batch, t, std::min(kSteps, t + window)));
  }
  return torch::cat(a);
}

/// The mean over the samples of their means over the scored steps.
Tensor mean_ce(const Tensor& a, const Batch& batch, int64_t live) {
  const Tensor each =
      -a.log_softmax(2).gather(2, batch.target.y.view({1, -1, 1}).expand({kSteps, kBatch, 1})).squeeze(2);
  const Tensor here = scored(batch, live).to(torch::kDouble);
  return (each * here / here.sum(0).clamp_min(1)).sum() / static_cast<double>(kBatch);
}

void check(const Config& schedule, int64_t live, int64_t window, double factor = 1) {
  SCOPED_TRACE(schedule.dump());
  for (const Batch& batch : {frames(), padded(), image()}) {
    const auto net = network();
    const Learner learner(parts_for(net, schedule));
    DenseReference reference(*net), forward(*net);
    const Tensor loss = mean_ce(outputs_of(reference, batch, window), batch, live) * factor;
    loss.backward();
    const PassResult result = learner.pass(batch, 0);
    EXPECT_NEAR(result.loss.item<double>(), loss.item<double>(), 1e-12);
    expect_gradients(*net, gradients_of(reference.W));
    EXPECT_NEAR(learner.infer(batch).loss.item<double>(), loss.item<double>(), 1e-12);
    const Tensor all = scored(batch, kSteps).to(torch::kDouble).unsqueeze(2);
    EXPECT_LE(relative(result.prediction, (forward.run(batch, 0, kSteps).detach() * all).sum(0)), 1e-12);
  }
}

TEST(EngineLastSteps, CreditReachesTheFirstStep) {
  for (const int64_t live : {1, 3, 9}) {
    check({{"name", "whole"}, {"live", live}}, live, kSteps);
    for (const int64_t segment : {0, 1, 2, 4, 9})
      check({{"name", "checkpointed"}, {"segment", segment}, {"live", live}}, live, kSteps);
  }
}

TEST(EngineLastSteps, WindowsCutIt) {
  for (const int64_t live : {1, 3, 4, 9}) {
    for (const int64_t window : {1, 2, 4, 9})
      check({{"name", "truncated"}, {"window", window}, {"live", live}}, live, window);
  }
  check({{"name", "truncated"}, {"window", 4}, {"live", 3}, {"loss", "last"}}, 1, 4);
  check({{"name", "truncated"}, {"window", 8}, {"live", 6}, {"loss", "last"}}, 1, 8);
  check({{"name", "truncated"}, {"window", 9}, {"live", 6}, {"loss", "last"}}, 6, 9);
}

TEST(EngineLastSteps, LossIsDividedAsTold) {
  for (const char* name : {"whole", "checkpointed", "truncated"}) {
    const int64_t window = name == std::string("truncated") ? 1 : kSteps;
    check({{"name", name}, {"live", 3}, {"divide_by", "steps"}}, 3, window, 3.0 / kSteps);
    check({{"name", name}, {"live", 3}, {"divide_by", "one"}}, 3, window, 3);
  }
}

/// The objective sees the scored steps and no others.
TEST(EngineLastSteps, EveryObjective) {
  constexpr int64_t live = 4;
  const auto compare = [&](const std::string& name, Kind kind) {
    for (const Config& schedule : {Config{{"name", "whole"}, {"live", live}},
                                   Config{{"name", "checkpointed"}, {"segment", 3}, {"live", live}}}) {
      SCOPED_TRACE(name + " " + schedule.dump());
      const Batch batch = frames(kind);
      const auto net = network();
      LearnerParts parts = parts_for(net, schedule, kind);
      parts.objective = make<Objective>(name.c_str());
      const Learner learner(parts);
      DenseReference reference(*net);
      const Tensor a = outputs_of(reference, batch, kSteps).slice(0, kSteps - live);
      Segment last;
      last.t0 = kSteps - live;
      last.t1 = kSteps;
      const Tensor loss = parts.objective->loss({Signal::dense(a), last, live}, batch.target);
      loss.backward();
      EXPECT_NEAR(learner.pass(batch, 0).loss.item<double>(), loss.item<double>(), 1e-12);
      expect_gradients(*net, gradients_of(reference.W));
    }
  };
  int64_t compared = 0;
  for (const std::string& name : Registry<Objective>::get().names()) {
    if (name == "max_ce" || name == "van_rossum") continue;            // they read the whole sequence
    if (name == "distillation" || name == "first_spike_ce") continue;  // want a teacher, first spikes
    const auto kinds = make<Objective>(name.c_str())->targets();
    for (const Kind kind : {Kind::class_index, Kind::values, Kind::sequence}) {
      if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) continue;
      compare(name, kind);
      ++compared;
    }
  }
  EXPECT_GE(compared, 8);
}

/// Under a rule that stays at its step nothing passes through the silent steps: last_steps, whatever teaches the blocks.
TEST(EngineLastSteps, LocalRulesSeeNoDifference) {
  for (const char* signal : {"heads", "dfa", "drtp"}) {
    for (const Batch& batch : {frames(), padded()}) {
      const auto net = network();
      net->partition({1, 1});
      if (signal == std::string("heads")) net->attach_head(0, {dense_layer(kClasses, leaky_readout())});
      draw_weights(*net);
      std::vector<Tensor> want;
      for (const char* name : {"last_steps", "whole", "checkpointed", "truncated"}) {
        SCOPED_TRACE(str(signal, ' ', name));
        LearnerParts parts = parts_for(net, {{"name", name}, {"live", 4}});
        parts.method = {make<Rule>("sltt")};
        parts.signal = make<LearningSignal>(signal);
        Learner(parts).pass(batch, 0);
        if (!want.empty()) {
          expect_gradients(*net, want);
          continue;
        }
        for (const auto& item : take_gradients(*net)) want.push_back(item.second);
      }
    }
  }
}

TEST(EngineLastSteps, PredictionsOfTheScoredSteps) {
  constexpr int64_t live = 4;
  for (const char* name : {"last_steps", "whole", "checkpointed", "truncated"}) {
    for (const Kind kind : {Kind::class_index, Kind::values, Kind::sequence}) {
      for (const Batch& batch : {frames(kind), padded(kind)}) {
        SCOPED_TRACE(str(name, ' ', to_string(kind)));
        const auto net = network();
        const Learner learner(parts_for(net, {{"name", name}, {"live", live}, {"predict", "scored"}}, kind));
        DenseReference reference(*net);
        const Tensor a = reference.run(batch, 0, kSteps).detach();
        const Tensor read = scored(batch, live), here = read.to(torch::kDouble).unsqueeze(2);
        const Tensor sum = (a * here).sum(0);
        for (const PassResult& result : {learner.pass(batch, 0), learner.infer(batch)}) {
          EXPECT_TRUE(torch::equal(result.valid, read));
          if (kind == Kind::sequence) {
            EXPECT_LE(relative(result.prediction * here, a * here), 1e-12);
          } else {
            const Tensor mean = sum / here.sum(0).clamp_min(1);
            EXPECT_LE(relative(result.prediction, kind == Kind::values ? mean : sum), 1e-12);
          }
        }
      }
    }
  }
}

std::string refusal(const Config& schedule, const char* objective = "tet_ce") {
  LearnerParts parts = parts_for(network(), schedule);
  parts.objective = make<Objective>(objective);
  return message_of<UsageError>([&] { Learner learner(parts); });
}
bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(EngineLastSteps, WhatIsRefused) {
  for (const char* name : {"whole", "checkpointed", "truncated"})
    EXPECT_TRUE(has(refusal({{"name", name}, {"live", 10}}), "10 live steps are more than the sequence has"));
  EXPECT_TRUE(has(refusal({{"name", "truncated"}, {"live", 2}, {"burn_in", 2}}), "expected one of them"));
  EXPECT_TRUE(has(refusal({{"name", "whole"}, {"live", 2}}, "max_ce"), "without live"));
}

Segment segment(int64_t t0, int64_t t1, Role role, int64_t silent, bool update = false, int64_t unread = 0) {
  Segment s = {t0, t1, role, update};
  s.silent = silent;
  s.unread = unread;
  return s;
}

TEST(EngineLastSteps, PlansThatAreRefused) {
  const Role live = Role::live, burn_in = Role::burn_in, replay = Role::replay;
  const auto message = [](const Plan& plan) { return message_of<UsageError>([&] { check_plan(plan, 4); }); };
  check_plan({segment(0, 2, replay, 2), segment(2, 4, replay, 1, true)}, 4);
  EXPECT_TRUE(has(message({segment(0, 4, live, 4, true)}), "follows no segment with a loss"));
  EXPECT_TRUE(has(message({segment(0, 2, live, 2), segment(2, 4, live, 0, true)}), "is a burn-in"));
  EXPECT_TRUE(has(message({segment(0, 4, live, -1, true)}), "is a burn-in"));
  EXPECT_TRUE(has(message({segment(0, 2, burn_in, 1), segment(2, 4, live, 0, true)}), "is a burn-in"));
  EXPECT_TRUE(has(message({segment(0, 2, replay, 2), segment(2, 4, live, 0, true)}), "is a burn-in"));
  EXPECT_TRUE(has(message({segment(0, 2, replay, 0), segment(2, 4, replay, 1, true)}), "come first"));
  EXPECT_TRUE(has(message({segment(0, 4, live, 0, true, 5)}), "predictions leave out 5"));
  EXPECT_TRUE(has(message({segment(0, 4, live, 0, true, 4)}), "no step is left to predict from"));
  Plan skipping = {segment(0, 4, replay, 1, true)};
  skipping[0].skip = Skip::cut;
  EXPECT_TRUE(has(message(skipping), "the loss covers every step that is not left out"));
}

}  // namespace spiketrain::last_steps_test
