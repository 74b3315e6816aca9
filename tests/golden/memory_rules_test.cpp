// Schedules that choose steps (skipper, top_steps) against records computed from their equations by another program:
// golden/rules, and every further file of the same kind in the folder that SPIKETRAIN_GOLDEN names.  Spikes and kept
// steps are equal; everything else is within 1e-12 of the reference, relative to 1 + max |reference|.
#include <gtest/gtest.h>

#include "spiketrain/engine/step_scores.h"
#include "tests/support/golden_files.h"
#include "tests/support/memory_records.h"

namespace spiketrain::memory_rules_golden_test {

void expect_close(const Tensor& ours, const Tensor& reference, const std::string& what) {
  ASSERT_EQ(ours.numel(), reference.numel()) << what;
  const Tensor r = reference.flatten(), o = ours.detach().to(torch::kDouble).flatten();
  EXPECT_LE((o - r).abs().max().item<double>() / (1.0 + r.abs().max().item<double>()), 1e-12) << what;
}

/// Gradients and loss of a pass with a schedule against those of a variant of the record.
void check_gradients(const MemoryRecord& r, const char* variant,
                     const std::shared_ptr<const Schedule>& schedule) {
  SCOPED_TRACE(variant);
  const auto net = r.network();
  const PassResult result = Learner(r.parts(net, schedule)).pass(r.batch(), 0);
  expect_close(result.loss, r.at(str(variant, "_loss")), "loss");
  for (const auto& [name, parameter] : MemoryRecord::parameters(*net)) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    expect_close(parameter.grad(), r.at(str(variant, "_grad_", name)), name);
  }
}

std::vector<int64_t> kept_steps(const std::vector<bool>& kept) {
  std::vector<int64_t> steps;
  for (size_t t = 0; t < kept.size(); ++t)
    if (kept[t]) steps.push_back(static_cast<int64_t>(t));
  return steps;
}
std::vector<int64_t> recorded_steps(const MemoryRecord& r) {
  const Tensor steps = r.at("kept_steps");
  return {steps.data_ptr<int64_t>(), steps.data_ptr<int64_t>() + steps.numel()};
}

/// A schedule that is asked to choose, overheard.
struct Overheard final : Schedule {
  explicit Overheard(std::shared_ptr<const Schedule> s) : schedule(std::move(s)) {}
  Plan plan(const PlanRequest& request) const override { return schedule->plan(request); }
  Selection select(const Plan& segments, const std::vector<int64_t>& spikes) const override {
    activity = spikes;
    const Selection selection = schedule->select(segments, spikes);
    kept = kept_steps(selection.kept);
    return selection;
  }
  std::shared_ptr<const Schedule> schedule;
  mutable std::vector<int64_t> activity, kept;
};

/// BPTT, overheard: membranes and spikes of every call of a layer.
struct OverheardBptt final : Rule {
  uint32_t needs() const override { return kU; }
  bool q_is_input() const override { return true; }
  void trace_post(Record& record) const override { calls.push_back({record.u, record.spikes().bytes()}); }
  struct Call {
    Tensor u, s;
  };
  mutable std::vector<Call> calls;
};

Config skipper(const MemoryRecord& r, const char* mode) {
  return {{"name", "skipper"}, {"segment", r.segment}, {"skip", r.p}, {"mode", mode}, {"divide_by", "steps"}};
}

/// Which steps are kept, and what the second pass makes of them.
void check_second_pass(const MemoryRecord& r) {
  const auto net = r.network();
  const auto schedule = std::make_shared<Overheard>(make<Schedule>(skipper(r, "recompute")));
  LearnerParts parts = r.parts(net, schedule);
  std::vector<std::shared_ptr<OverheardBptt>> rules;
  for (const auto& layer : net->layers(0, /*head=*/false)) {
    rules.push_back(std::make_shared<OverheardBptt>());
    parts.method.layers[layer->slot()] = rules.back();
  }
  rules.pop_back();  // the readout's
  parts.method.layers.erase(parts.method.layers.rbegin()->first);
  Learner(parts).pass(r.batch(), 0);
  EXPECT_EQ(schedule->kept, recorded_steps(r));
  const Tensor activity = torch::tensor(schedule->activity, torch::kInt64).to(torch::kDouble);
  EXPECT_TRUE(torch::equal(activity, r.at("activity")));
  const auto C = static_cast<size_t>(r.T / r.segment);
  for (size_t l = 0; l < rules.size(); ++l) {
    const auto& calls = rules[l]->calls;
    ASSERT_EQ(calls.size(), 2 * C);
    std::vector<Tensor> u, s, u_again, s_again;
    for (size_t c = 0; c < C; ++c) {
      u.push_back(calls[c].u), s.push_back(calls[c].s);
      u_again.push_back(calls[2 * C - 1 - c].u), s_again.push_back(calls[2 * C - 1 - c].s);
    }
    const std::string number = std::to_string(l + 1);
    expect_close(torch::cat(u), r.at("u" + number), "u" + number);
    expect_close(torch::cat(u_again), r.at("recompute_u" + number), "recompute_u" + number);
    EXPECT_TRUE(torch::equal(torch::cat(s).to(torch::kDouble), r.at("s" + number)));
    EXPECT_TRUE(torch::equal(torch::cat(s_again).to(torch::kDouble), r.at("recompute_s" + number)));
  }
}

void check_skipper(const MemoryRecord& r) {
  for (const char* mode : {"recompute", "mask"}) {
    Config all = skipper(r, mode);
    all["skip"] = 0;
    check_gradients(r, "bptt", make<Schedule>(all));
  }
  check_gradients(r, "mask_cut", make<Schedule>(skipper(r, "mask")));
  check_gradients(r, "recompute", make<Schedule>(skipper(r, "recompute")));
  check_second_pass(r);
}

void check_top_steps(const MemoryRecord& r) {
  const auto net = r.network();
  const auto schedule =
      make<Schedule>("top_steps", {{"live", static_cast<int64_t>(r.p)}, {"divide_by", "steps"}});
  const Learner learner(r.parts(net, schedule));
  expect_close(step_scores(learner.parts(), r.batch(), 0), r.at("score"), "scores");
  for (const auto& item : MemoryRecord::parameters(*net)) EXPECT_FALSE(item.second.grad().defined());
  learner.pass(r.batch(), 0);
  std::vector<bool> kept;
  for (const Segment& s : learner.plan(1))
    kept.insert(kept.end(), static_cast<size_t>(s.steps()), s.role == Role::live);
  EXPECT_EQ(kept_steps(kept), recorded_steps(r));
  check_gradients(r, "mask_cut", schedule);
}

TEST(MemoryRulesGolden, EveryFileIsMatched) {
  int64_t skipper = 0, top_steps = 0;
  for (const std::string& path : golden_files("rules")) {
    SCOPED_TRACE(path);
    const auto record = MemoryRecord::open(path);
    if (!record) continue;
    check_gradients(*record, "bptt", make<Schedule>("whole"));
    check_gradients(*record, "bptt", make<Schedule>("checkpointed"));
    if (record->rule == "Skipper") {
      ++skipper;
      check_skipper(*record);
    } else {
      ++top_steps;
      check_top_steps(*record);
    }
  }
  EXPECT_GE(skipper, 2);
  EXPECT_GE(top_steps, 1);
}

}  // namespace spiketrain::memory_rules_golden_test
