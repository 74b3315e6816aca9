// Plans of the schedules, and plans that are refused.
#include "spiketrain/core/schedule.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/message.h"

namespace spiketrain::schedule_test {

/// "b0-2 l2-4 r4-6*": role, steps, * for an update.
std::string text(const Plan& plan) {
  std::string line;
  for (const Segment& s : plan) {
    const char role = s.role == Role::burn_in ? 'b' : s.role == Role::live ? 'l' : 'r';
    if (!line.empty()) line += ' ';
    line += str(role, s.t0, "-", s.t1, s.update ? "*" : "");
  }
  return line;
}

Plan plan_of(const Config& config, int64_t T, uint64_t iteration = 0) {
  const Plan plan = make<Schedule>(config)->plan({T, 1, iteration});
  check_plan(plan, T);
  return plan;
}

std::string refusal(const Config& config, int64_t T) {
  return message_of<UsageError>([&] { plan_of(config, T); });
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

TEST(Schedule, WholeAndTruncated) {
  EXPECT_EQ(text(plan_of({{"name", "whole"}}, 7)), "l0-7*");
  EXPECT_EQ(text(plan_of({{"name", "truncated"}, {"window", 3}}, 7)), "l0-3 l3-6 l6-7*");
  EXPECT_EQ(text(plan_of({{"name", "truncated"}, {"window", 3}, {"update", "window"}}, 7)),
            "l0-3* l3-6* l6-7*");
  EXPECT_EQ(text(plan_of({{"name", "truncated"}, {"update", "step"}}, 2)), "l0-1* l1-2*");
  EXPECT_EQ(text(plan_of({{"name", "truncated"}, {"window", 3}, {"loss", "last"}}, 7)), "b0-3 b3-6 l6-7*");
}

TEST(Schedule, BurnIn) {
  EXPECT_EQ(text(plan_of({{"name", "truncated"}, {"window", 2}, {"burn_in", 3}}, 7)), "b0-2 b2-3 l3-5 l5-7*");
  EXPECT_EQ(text(plan_of({{"name", "truncated"}, {"window", 2}, {"burn_in", 2}, {"update", "window"}}, 6)),
            "b0-2 l2-4* l4-6*");
  EXPECT_EQ(text(plan_of({{"name", "truncated"}, {"window", 2}, {"burn_in", 2}, {"loss", "last"}}, 6)),
            "b0-2 b2-4 l4-6*");
  EXPECT_TRUE(has(refusal({{"name", "truncated"}, {"burn_in", 6}}, 6), "expected 0 to 5"));
}

TEST(Schedule, LearningRateIsSharedByTheUpdates) {
  const auto factors = [](Config config) {
    config["name"] = "truncated";
    config["scale_lr"] = true;
    std::set<double> set;
    for (const Segment& s : plan_of(config, 6)) set.insert(s.lr_factor);
    return set;
  };
  EXPECT_EQ(factors({{"window", 2}, {"update", "window"}}), std::set<double>{1 / 3.});
  EXPECT_EQ(factors({{"window", 2}, {"update", "window"}, {"burn_in", 2}}), std::set<double>{1 / 2.});
  EXPECT_EQ(factors({{"window", 2}}), std::set<double>{1.});
}

TEST(Schedule, Checkpointed) {
  EXPECT_EQ(text(plan_of({{"name", "checkpointed"}, {"segment", 3}}, 7)), "r0-3 r3-6 r6-7*");
  EXPECT_EQ(text(plan_of({{"name", "checkpointed"}}, 7)), "r0-3 r3-6 r6-7*");
  EXPECT_EQ(text(plan_of({{"name", "checkpointed"}}, 1)), "r0-1*");
  EXPECT_TRUE(has(refusal({{"name", "checkpointed"}, {"segment", 8}}, 7), "expected 1 to 7"));
}

TEST(Schedule, LastSteps) {
  EXPECT_EQ(text(plan_of({{"name", "last_steps"}, {"live", 2}}, 4)), "b0-1 b1-2 l2-3 l3-4*");
  EXPECT_EQ(text(plan_of({{"name", "last_steps"}, {"live", 2}, {"update", "step"}}, 4)),
            "b0-1 b1-2 l2-3* l3-4*");
  EXPECT_TRUE(has(refusal({{"name", "last_steps"}, {"live", 5}}, 4), "expected 1 to 4"));
}

/// Steps without error at the beginning of each segment.
std::string silence(const Plan& plan) {
  std::string line;
  for (const Segment& s : plan) line += str(line.empty() ? "" : " ", s.silent);
  return line;
}

TEST(Schedule, ErrorInTheLastStepsAlone) {
  const auto expect = [](const Config& config, const char* segments, const char* silent) {
    const Plan plan = plan_of(config, 7);
    EXPECT_EQ(text(plan), segments) << config.dump();
    EXPECT_EQ(silence(plan), silent) << config.dump();
  };
  expect({{"name", "whole"}, {"live", 2}}, "l0-7*", "5");
  expect({{"name", "whole"}, {"live", 7}}, "l0-7*", "0");
  expect({{"name", "checkpointed"}, {"segment", 3}, {"live", 2}}, "r0-3 r3-6 r6-7*", "3 2 0");
  expect({{"name", "truncated"}, {"window", 3}, {"live", 2}}, "b0-3 l3-6 l6-7*", "0 2 0");
  expect({{"name", "truncated"}, {"window", 3}, {"live", 1}, {"update", "window"}}, "b0-3 b3-6 l6-7*",
         "0 0 0");
  expect({{"name", "truncated"}, {"window", 3}, {"live", 2}, {"loss", "last"}}, "b0-3 b3-6 l6-7*", "0 0 0");
}

TEST(Schedule, StepsThatAPredictionLeavesOut) {
  for (const char* name : {"whole", "checkpointed", "truncated", "last_steps"}) {
    for (const char* predict : {"all", "scored"}) {
      int64_t read = 0;
      for (const Segment& s : plan_of({{"name", name}, {"live", 2}, {"predict", predict}}, 7))
        read += s.steps() - s.unread;
      EXPECT_EQ(read, predict == std::string("all") ? 7 : 2) << name;
    }
  }
}

TEST(Schedule, LossIsDividedAsTold) {
  for (const char* name : {"last_steps", "random_steps", "top_steps", "whole", "checkpointed", "truncated",
                           "truncated with burn_in"}) {
    Config config = {{"name", name}, {"live", 3}};
    if (name == std::string("truncated with burn_in")) config = {{"name", "truncated"}, {"burn_in", 5}};
    for (const auto& [divide_by, factor] :
         {std::pair{"scored", 1.0}, std::pair{"steps", 3.0 / 8}, std::pair{"one", 3.0}}) {
      config["divide_by"] = divide_by;
      for (const Segment& s : plan_of(config, 8))
        EXPECT_EQ(s.loss_factor, factor) << name << ' ' << divide_by;
    }
  }
}

TEST(Schedule, RandomSteps) {
  const Config config = {{"name", "random_steps"}, {"live", 3}};
  std::set<std::string> seen;
  std::vector<int64_t> hits(10);
  for (uint64_t i = 0; i < 200; ++i) {
    const Plan plan = plan_of(config, 10, i);
    int64_t live = 0;
    for (const Segment& s : plan) {
      EXPECT_EQ(s.steps(), 1);
      EXPECT_NE(s.role, Role::replay);
      live += s.role == Role::live;
      hits[static_cast<size_t>(s.t0)] += s.role == Role::live;
    }
    EXPECT_EQ(live, 3);
    EXPECT_EQ(updates(plan), 1);
    EXPECT_EQ(text(plan), text(plan_of(config, 10, i)));
    seen.insert(text(plan));
  }
  EXPECT_GT(seen.size(), 60U);  // of 120
  for (const int64_t n : hits) EXPECT_NEAR(static_cast<double>(n), 60, 30);
  EXPECT_TRUE(has(refusal({{"name", "random_steps"}, {"live", 4}}, 3), "expected 1 to 3"));
}

TEST(Schedule, RandomStepsAreNeverPaddingOfEverySample) {
  const auto schedule = make<Schedule>("random_steps", {{"live", 4}});
  for (uint64_t i = 0; i < 20; ++i) {
    int64_t live = 0;
    for (const Segment& s : schedule->plan({10, 1, i, torch::tensor(std::vector<int64_t>{1, 3})})) {
      EXPECT_TRUE(s.role == Role::burn_in || s.t0 < 3);
      live += s.role == Role::live;
    }
    EXPECT_EQ(live, 3);
  }
}

/// "3 of 4 pass": kept at least, and how the others are skipped.
std::string skipping(const Plan& plan) {
  std::string line;
  for (const Segment& s : plan) {
    if (!line.empty()) line += ' ';
    line += str(s.learning(), "/", s.steps(), s.skip == Skip::pass ? "p" : s.skip == Skip::cut ? "c" : "");
  }
  return line;
}

TEST(Schedule, Skipper) {
  Config config = {{"name", "skipper"}, {"segment", 4}};
  EXPECT_EQ(text(plan_of(config, 9)), "r0-4 r4-8 r8-9*");
  EXPECT_EQ(skipping(plan_of(config, 9)), "2/4p 2/4p 1/1");
  config["mode"] = "mask";
  EXPECT_EQ(skipping(plan_of(config, 9)), "2/4c 2/4c 1/1");
  config["skip"] = 0;
  EXPECT_EQ(skipping(plan_of(config, 9)), "4/4 4/4 1/1");
  config["skip"] = 99.9;
  EXPECT_EQ(skipping(plan_of(config, 9)), "1/4c 1/4c 1/1");
  EXPECT_EQ(text(plan_of({{"name", "skipper"}}, 10)), "r0-4 r4-8 r8-10*");
  EXPECT_TRUE(has(refusal({{"name", "skipper"}, {"segment", 8}}, 7), "expected 1 to 7"));
  EXPECT_TRUE(has(refusal({{"name", "skipper"}, {"skip", 100}}, 7), "expected 0 <= skip < 100"));
  for (const auto& [divide_by, factor] :
       {std::pair{"scored", 1.0}, std::pair{"steps", 1.0}, std::pair{"one", 9.0}}) {
    for (const Segment& s : plan_of({{"name", "skipper"}, {"divide_by", divide_by}}, 9))
      EXPECT_EQ(s.loss_factor, factor) << divide_by;  // in evaluation, where nothing is skipped
  }
}

/// Values of numpy.quantile, method linear: 5.5; 3; 2.4; 2 and 7 (two segments); 0.
TEST(Schedule, SkipperKeepsWhatReachesThePercentile) {
  const auto kept = [](double skip, const Plan& segments, const std::vector<int64_t>& activity,
                       const char* divide_by = "scored") {
    return make<Schedule>("skipper", {{"skip", skip}, {"divide_by", divide_by}})->select(segments, activity);
  };
  const auto one = [](int64_t T) { return Plan{{0, T, Role::replay}}; };
  using Kept = std::vector<bool>;
  EXPECT_EQ(kept(50, one(4), {8, 1, 4, 7}).kept, (Kept{true, false, false, true}));
  EXPECT_EQ(kept(50, one(5), {9, 1, 3, 3, 2}).kept, (Kept{true, false, true, true, false}));  // ties stay
  EXPECT_EQ(kept(35, one(5), {5, 1, 2, 3, 4}).kept, (Kept{true, false, false, true, true}));
  EXPECT_EQ(kept(50, {{0, 3, Role::replay, false}, {3, 6, Role::replay}}, {1, 2, 3, 9, 7, 5}).kept,
            (Kept{false, true, true, true, true, false}));
  EXPECT_EQ(kept(99, one(3), {0, 0, 0}).kept,
            (Kept{true, true, true}));  // nothing fires: nothing to tell apart
  EXPECT_EQ(kept(0, one(3), {2, 1, 0}).kept, (Kept{true, true, true}));
  EXPECT_EQ(kept(50, one(4), {8, 1, 4, 7}, "steps").loss_factor, 0.5);
  EXPECT_EQ(kept(50, one(4), {8, 1, 4, 7}, "one").loss_factor, 2);
  EXPECT_EQ(kept(50, one(4), {8, 1, 4, 7}).loss_factor, 1);
  EXPECT_EQ(make<Schedule>("checkpointed")->select(one(2), {0, 5}).kept, (Kept{true, true}));
}

TEST(Schedule, TopSteps) {
  const auto plan = [](const std::vector<double>& scores, int64_t live, const torch::Tensor& lengths = {}) {
    PlanRequest request = {8, 1, 0, lengths};
    if (!scores.empty()) request.scores = torch::tensor(scores, torch::kDouble);
    const Plan plan = make<Schedule>("top_steps", {{"live", live}})->plan(request);
    check_plan(plan, 8);
    return text(plan);
  };
  EXPECT_EQ(plan({1, 5, 4, 1, 1, 9, 1, 2}, 3), "b0-1 l1-3 b3-5 l5-6 b6-8*");
  EXPECT_EQ(plan({1, 5, 4, 1, 1, 9, 1, 2}, 1), "b0-1 b1-2 b2-3 b3-4 b4-5 l5-6 b6-7 b7-8*");
  EXPECT_EQ(plan({2, 2, 2, 2, 2, 2, 2, 2}, 3), "l0-3 b3-6 b6-8*");  // ties: the earlier ones
  EXPECT_EQ(plan({1, 5, 4, 1, 1, 9, 1, 2}, 8), "l0-8*");
  EXPECT_EQ(plan({}, 3), "b0-3 b3-5 l5-8*");  // not measured
  const torch::Tensor lengths = torch::tensor(std::vector<int64_t>{2, 4});
  EXPECT_EQ(plan({1, 5, 4, 1, 1, 9, 1, 2}, 3, lengths), "l0-3 b3-6 b6-8*");
  EXPECT_EQ(plan({}, 3, lengths), "b0-1 l1-4 b4-7 b7-8*");
  EXPECT_EQ(plan({1, 5, 4, 1, 1, 9, 1, 2}, 6, lengths), "l0-4 b4-8*");
  EXPECT_TRUE(has(refusal({{"name", "top_steps"}, {"live", 5}}, 4), "expected 1 to 4"));
  EXPECT_TRUE(has(refusal({{"name", "top_steps"}, {"smoothing", 1}}, 4), "refresh = 0"));
  const auto schedule = make<Schedule>("top_steps", {{"live", 3}, {"refresh", 7}, {"smoothing", 0.5}});
  ASSERT_TRUE(schedule->scoring(4).has_value());
  EXPECT_EQ(schedule->scoring(4)->refresh, 7);
  EXPECT_EQ(schedule->scoring(4)->smoothing, 0.5);
  EXPECT_FALSE(schedule->scoring(3).has_value());
  EXPECT_FALSE(make<Schedule>("random_steps")->scoring(4).has_value());
}

TEST(Schedule, StepsAreLeftOutOfReplayedSegmentsOnly) {
  const auto message = [](Plan plan) { return message_of<UsageError>([&] { check_plan(plan, 4); }); };
  const Segment skipping = {0, 2, Role::replay, false, 1, 1, Skip::pass, 1};
  Plan plan = {skipping, {2, 4, Role::replay}};
  check_plan(plan, 4);
  plan[0].skipped = 2;
  EXPECT_TRUE(has(message(plan), "at least one has to stay"));
  plan = {skipping, {2, 4, Role::live}};
  EXPECT_TRUE(has(message(plan), "segment 1 is not"));
  plan = {{0, 2, Role::burn_in, false, 1, 1, Skip::cut, 1}, {2, 4, Role::replay}};
  EXPECT_TRUE(has(message(plan), "segment 0 is not"));
  plan = {skipping, {2, 3, Role::burn_in, false}, {3, 4, Role::replay}};
  EXPECT_TRUE(has(message(plan), "2 groups"));
}

TEST(Schedule, ContradictingOptions) {
  const auto message = [](const Config& config) {
    return message_of<UsageError>([&] { make<Schedule>("truncated", config); });
  };
  EXPECT_TRUE(has(message({{"window", 2}, {"update", "step"}}), "update = \"window\""));
  EXPECT_TRUE(has(message({{"update", "step"}, {"loss", "last"}}), "update = \"batch\""));
  EXPECT_TRUE(has(refusal({{"name", "truncated"}, {"window", 7}}, 6), "expected 1 to 6"));
}

TEST(Schedule, PlansThatAreRefused) {
  const auto message = [](const Plan& plan, int64_t T) {
    return message_of<UsageError>([&] { check_plan(plan, T); });
  };
  const Role live = Role::live, silent = Role::burn_in, replay = Role::replay;
  EXPECT_TRUE(has(message({}, 4), "end at step 0 of 4"));
  EXPECT_TRUE(has(message({{0, 2, live, false}, {3, 4}}, 4), "[3, 4) after step 2"));  // a gap
  EXPECT_TRUE(has(message({{0, 3, live, false}, {2, 4}}, 4), "[2, 4) after step 3"));  // an overlap
  EXPECT_TRUE(has(message({{1, 4}}, 4), "[1, 4) after step 0"));                       // begins late
  EXPECT_TRUE(has(message({{0, 2, live, false}, {2, 2}, {2, 4}}, 4), "[2, 2)"));       // empty
  EXPECT_TRUE(has(message({{0, 3}}, 4), "end at step 3 of 4"));
  EXPECT_TRUE(has(message({{0, 5}}, 4), "end at step 5 of 4"));
  EXPECT_TRUE(has(message({{0, 2}, {2, 4, live, false}}, 4), "no update follows"));
  EXPECT_TRUE(has(message({{0, 2, silent, true}, {2, 4}}, 4), "no segment with a loss"));
  EXPECT_TRUE(
      has(message({{0, 2}, {2, 4, silent, true}}, 4), "no segment with a loss"));  // since the last update
  EXPECT_TRUE(has(message({{0, 2, replay, true}, {2, 4, replay}}, 4), "between replay"));
  check_plan({{0, 1, silent, false}, {1, 2, replay, false}, {2, 3, replay}, {3, 4}}, 4);
  EXPECT_EQ(segments_per_update({{0, 1, silent, false}, {1, 2, replay, false}, {2, 3, replay}, {3, 4}}), 3);
}

}  // namespace spiketrain::schedule_test
