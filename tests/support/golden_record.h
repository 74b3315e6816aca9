// One file of golden/rules, and what its comparison with a learner needs: the learner, and which of its tensors are which of
// the file's.
#pragma once
#include <functional>
#include <string>
#include <utility>

#include "spiketrain/train/checkpoint.h"
#include "tests/support/engine.h"

namespace spiketrain {

/// Relative to 1 + max |reference|.
inline void expect_golden(const Tensor& ours, const Tensor& reference, const std::string& what) {
  ASSERT_TRUE(ours.defined()) << what;
  ASSERT_EQ(ours.numel(), reference.numel()) << what;
  const double tolerance = reference.scalar_type() == torch::kDouble ? 1e-12 : 1e-5;
  const Tensor r = reference.to(torch::kDouble).flatten(), o = ours.detach().to(torch::kDouble).flatten();
  EXPECT_LE((o - r).abs().max().item<double>() / (1.0 + r.abs().max().item<double>()), tolerance) << what;
}

class GoldenRecord {
 public:
  explicit GoldenRecord(const std::string& path) : file_(SafetensorsFile::open(path)) {
    if (file_.metadata().count("net")) net = Config::parse(word("net"));
  }
  bool has(const std::string& name) const { return file_.find(name) != nullptr; }
  Tensor at(const std::string& name) const { return to_tensor(file_.at(name)); }
  std::string word(const char* key) const {
    const auto it = file_.metadata().find(key);
    return it == file_.metadata().end() ? "" : it->second;
  }
  double number(const char* key) const { return std::stod(word(key)); }

  Config net = Config::object();

 private:
  SafetensorsFile file_;
};

/// A record as a learner on one batch.
struct GoldenCase {
  LearnerParts parts;
  Batch batch;
  NamedTensors parameters;                             ///< by their names in the file
  std::vector<std::pair<std::string, size_t>> spikes;  ///< name in the file, node
  int64_t first = 0;   ///< step at which the file begins; no error enters before
  int64_t scored = 0;  ///< last steps in which error enters; 0: all from `first`
  double factor = 1;   ///< of the file's gradients to ours
  std::function<Tensor(const std::string& name, Tensor grad)> adjust = {};  ///< of ours
  bool local = true;  ///< no credit travels in time: any windows

  int64_t begin() const { return scored == 0 ? first : parts.steps - scored; }
  Tensor gradient(const std::string& name, const Tensor& grad) const {
    const Tensor g = grad * factor;
    return adjust ? adjust(name, g) : g;
  }
};

/// Copies a tensor of a file.
inline void set_from(const GoldenRecord& r, const std::string& name, const Tensor& to) {
  const torch::NoGradGuard no_grad;
  Tensor(to).copy_(r.at(name).view(to.sizes()));
}

/// Spikes at every step.
inline void check_golden_spikes(const GoldenRecord& r, const GoldenCase& c) {
  const torch::NoGradGuard no_grad;
  Context context;
  Carry carry = c.parts.network->start();
  std::vector<Signal> before;
  for (int64_t t = 0; t < c.parts.steps; ++t) {
    std::vector<Signal> now;
    Signal x = Signal::dense(c.batch.x.slice(0, t, t + 1));
    for (const Network::Node& node : c.parts.network->nodes()) {
      if (node.head_of >= 0) break;
      std::vector<Signal> in = {x};
      for (size_t k = 1; k < node.inputs.size(); ++k) {  // recurrent
        std::vector<int64_t> shape = {1, x.batch()};
        shape.insert(shape.end(), node.out.begin(), node.out.end());
        in.push_back(before.empty() ? Signal::dense(torch::zeros(shape, x.edge().options()))
                                    : before[static_cast<size_t>(node.inputs[k].node)]);
      }
      now.push_back(x = node.stage->forward(in, context, carry));
    }
    for (const auto& [name, node] : c.spikes) {
      if (t < c.first) continue;
      const Tensor s = now[node].values()[0], wanted = r.at(name)[t - c.first];
      EXPECT_TRUE(torch::equal(s.flatten(), wanted.flatten())) << name << " at step " << t;
    }
    before = now;
  }
}

/// Gradients of each step by itself and, if the file has them, the weights after each step's update with rate `lr`.
inline void check_golden_steps(const GoldenRecord& r, const GoldenCase& c) {
  const int64_t T = c.parts.steps;
  const double lr = r.word("lr").empty() ? 0 : r.number("lr");
  Plan plan;
  for (int64_t t = 0; t < T; ++t)
    plan.push_back({t, t + 1, t < c.begin() ? Role::burn_in : Role::live, t >= c.begin()});
  divide_loss(plan, T, "one");
  LearnerParts parts = c.parts;
  parts.schedule = std::make_shared<FixedPlan>(plan);
  std::map<std::string, Tensor> sum;
  Learner(parts).pass(c.batch, 0, [&](const Segment& segment, const BlockLosses&) {
    const torch::NoGradGuard no_grad;
    const int64_t t = segment.t0 - c.first;
    for (const auto& [name, parameter] : c.parameters) {
      const std::string at = " at step " + std::to_string(t);
      const Tensor grad = c.gradient(name, parameter.grad());
      if (r.has("grad_" + name + "_t")) expect_golden(grad, r.at("grad_" + name + "_t")[t], name + at);
      sum[name] = sum[name].defined() ? sum[name] + grad : grad.clone();
      if (r.has(name + "_t")) {
        Tensor(parameter).sub_(grad, lr);
        expect_golden(parameter, r.at(name + "_t")[t], name + " after the update" + at);
      }
      parameter.mutable_grad() = Tensor();
    }
    return true;
  });
  for (const auto& [name, grad] : sum) {
    if (r.has("grad_" + name)) expect_golden(grad, r.at("grad_" + name), "sum of grad_" + name);
  }
}

/// Gradients of the batch in windows of this many steps.
inline void check_golden_window(const GoldenRecord& r, const GoldenCase& c, int64_t window) {
  const int64_t T = c.parts.steps;
  Plan plan;
  for (int64_t t = 0; t < c.begin(); ++t) plan.push_back({t, t + 1, Role::burn_in, false});
  for (int64_t t = c.begin(); t < T; t += window)
    plan.push_back({t, std::min(T, t + window), Role::live, t + window >= T});
  divide_loss(plan, T, "one");
  LearnerParts parts = c.parts;
  parts.schedule = std::make_shared<FixedPlan>(plan);
  Learner(parts).pass(c.batch, 0);
  for (const auto& [name, parameter] : c.parameters) {
    expect_golden(c.gradient(name, parameter.grad()), r.at("grad_" + name),
                  str("grad_", name, " in windows of ", window));
    parameter.mutable_grad() = Tensor();
  }
}

/// All of it.
inline void check_golden(const GoldenRecord& r, const GoldenCase& c) {
  const std::string first = c.parameters.front().first;
  const bool online = r.has(first + "_t");
  if (!online) check_golden_spikes(r, c);
  if (c.local) check_golden_steps(r, c);
  if (online) return;
  for (const int64_t window : {c.parts.steps, int64_t{2}, int64_t{3}}) {
    if (c.local || window == c.parts.steps) check_golden_window(r, c, window);
  }
}

}  // namespace spiketrain
