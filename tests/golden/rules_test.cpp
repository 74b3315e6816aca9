// Learning rules against the authors' code, on small networks trained for one batch: golden/rules, and every further file
// of the same kind in the folder that SPIKETRAIN_GOLDEN names (or its rules/).  A file says in its metadata which rule it
// is of, and its network; kRules lists those that are compared.  Spikes are equal; everything else is within 1e-12
// (float64) or 1e-5 (float32) of the reference, relative to 1 + max |reference|.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "spiketrain/train/checkpoint.h"
#include "tests/support/engine.h"
#include "tests/support/golden_files.h"
#include "tests/support/rule_records.h"

namespace spiketrain::rules_golden_test {

namespace fs = std::filesystem;

void expect_close(const Tensor& ours, const Tensor& reference, const std::string& what) {
  ASSERT_EQ(ours.numel(), reference.numel()) << what;
  const double tolerance = reference.scalar_type() == torch::kDouble ? 1e-12 : 1e-5;
  const Tensor r = reference.to(torch::kDouble).flatten(), o = ours.detach().to(torch::kDouble).flatten();
  const double scale = 1.0 + r.abs().max().item<double>();
  EXPECT_LE((o - r).abs().max().item<double>() / scale, tolerance) << what;
}

/// Every step of the forward pass: spikes, readout, and the traces of S-TLLR.
void check_forward(const RuleRecord& r) {
  const torch::NoGradGuard no_grad;
  RecordedNetwork n = r.network();
  Context context = train_context();
  context.method = r.method(n);
  Carry carry = n.network->start();
  std::vector<Tensor> q(n.layers.size());
  std::vector<Signal> before;
  for (int64_t t = 0; t < r.T; ++t) {
    for (size_t l = 0; l < n.layers.size(); ++l) {
      const State& trace = carry.post_trace[static_cast<size_t>(n.layers[l]->slot())];
      q[l] = trace.empty() ? Tensor() : trace[0];
    }
    const std::vector<Signal> shown =
        r.run_nodes(n, Signal::dense(r.at("x").slice(0, t, t + 1)), context, carry, before);
    for (size_t l = 0; l < n.layers.size(); ++l) {
      const std::string number = std::to_string(l + 1), at = " at step " + std::to_string(t);
      const Signal& y = shown[n.nodes[l]];
      if (l + 1 == n.layers.size()) {
        expect_close(y.values()[0], r.at("logits")[t], "logits" + at);
        continue;
      }
      EXPECT_TRUE(torch::equal(y.spikes().dense(r.type)[0], r.at("s" + number)[t])) << "s" << number << at;
      const auto slot = static_cast<size_t>(n.layers[l]->slot());
      if (r.has("trace" + number))
        expect_close(carry.trace[slot][0], r.at("trace" + number)[t], "trace" + number + at);
      if (r.has("q" + number) && q[l].defined()) expect_close(q[l], r.at("q" + number)[t], "q" + number + at);
    }
  }
  for (const auto& [name, parameter] : r.statistics(n))
    expect_close(parameter, r.at(name + "_after"), name + "_after");
}

/// Loss and gradients of each step with error, and, online, the weights after it.
void check_steps(const RuleRecord& r) {
  const RecordedNetwork n = r.network();
  const NamedTensors parameters = r.parameters(n);
  Plan plan = r.plan();
  size_t last = plan.size() - 1;  // with error; where steps without follow, its gradient is seen at the end
  while (plan[last].role != Role::live) --last;
  for (size_t i = 0; i < last; ++i) plan[i].update = plan[i].role == Role::live;
  LearnerParts parts = r.parts(n, std::make_shared<FixedPlan>(plan));
  std::map<std::string, Tensor> sum;
  const auto on_update = [&](const Segment& s, const BlockLosses& losses) {
    const int64_t t = s.role == Role::live ? s.t0 : static_cast<int64_t>(last);
    const std::string at = " at step " + std::to_string(t);
    const torch::NoGradGuard no_grad;
    expect_close(losses.back().view({1}), r.at("loss")[t].view({1}), "loss" + at);
    for (size_t b = 0; r.local() && b + 1 < losses.size(); ++b) {  // recorded where error enters
      const Tensor of_block = r.at(str("local_loss", b + 1));
      const int64_t first = r.T - of_block.size(0);
      expect_close(losses[b].view({1}), of_block[t - first].view({1}), str("loss of block ", b) + at);
    }
    for (const auto& [name, parameter] : parameters) {
      const Tensor grad = parameter.grad();
      if (r.has("grad_" + name + "_t")) expect_close(grad, r.at("grad_" + name + "_t")[t], name + at);
      sum[name] = sum[name].defined() ? sum[name] + grad : grad.clone();
      if (r.online()) parameter.sub_(grad, r.number("lr"));
      if (r.has(name + "_t")) expect_close(parameter, r.at(name + "_t")[t], name + " after the update" + at);
      parameter.mutable_grad() = Tensor();
    }
    return true;
  };
  const Learner learner(parts);
  r.set_matrices(parts);
  learner.pass(r.batch(), 0, on_update);
  for (const auto& [name, grad] : sum) expect_close(grad, r.at("grad_" + name), "sum of grad_" + name);
}

/// The gradients of a batch under a schedule, all at once.
void check_batch(const RuleRecord& r, const std::shared_ptr<const Schedule>& schedule) {
  const RecordedNetwork n = r.network();
  const Learner learner(r.parts(n, schedule));
  r.set_matrices(learner.parts());
  learner.pass(r.batch(), 0);
  for (const auto& [name, parameter] : r.parameters(n)) {
    ASSERT_TRUE(parameter.grad().defined()) << name;
    expect_close(parameter.grad(), r.at("grad_" + name), "grad_" + name);
  }
}

void check(const RuleRecord& r) {
  if (!r.online()) check_forward(r);
  if (r.rule != "FA with BPTT") check_steps(r);
  if (r.online()) return;
  const bool scored_everywhere = updates(r.plan()) == 1 && r.plan()[0].role == Role::live;
  if (r.rule != "FA with BPTT") check_batch(r, std::make_shared<FixedPlan>(r.plan()));
  if (!scored_everywhere || r.has("bn1_w")) return;
  // Without a norm over time the windows do not matter.
  for (const int64_t window : {r.T, int64_t{2}, int64_t{3}}) {
    SCOPED_TRACE(str("windows of ", window));
    if (r.rule == "FA with BPTT" && window != r.T) continue;
    check_batch(
        r, make<Schedule>("truncated", {{"window", window}, {"divide_by", r.summed() ? "one" : "scored"}}));
  }
}

TEST(RulesGolden, EveryFileIsMatched) {
  int64_t compared = 0;
  for (const std::string& path : golden_files("rules")) {
    SCOPED_TRACE(path);
    const auto record = RuleRecord::open(path);
    if (!record) continue;  // of a rule that is not here
    ++compared;
    check(*record);
  }
  EXPECT_GE(compared, 25);
}

}  // namespace spiketrain::rules_golden_test
