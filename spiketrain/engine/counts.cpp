#include "spiketrain/engine/counts.h"

#include <algorithm>

#include "spiketrain/core/counts.h"
#include "spiketrain/core/layer.h"

namespace spiketrain {
namespace {

template <class T>
bool of_counts(const std::shared_ptr<T>& part) {
  return dynamic_cast<const OfCounts*>(part.get()) != nullptr;
}

/// Names of the norms that rules of counts go with.
std::vector<std::string> norms_of_counts() {
  std::vector<std::string> names;
  for (const auto* entry : Registry<Norm>::get().entries())
    if (of_counts(entry->make(Config::object()))) names.push_back(entry->name);
  return names;
}

void check_plan_of(const Plan& plan, const std::string& part) {
  const Segment& whole = plan.front();
  ST_CHECK(plan.size() == 1 && whole.role == Role::live && whole.scored() == whole.steps(), part,
           " works on sums over all steps of a sequence; use schedule whole, with a loss at every step");
}

/// An objective's error at some outputs, of one kind of target.  Undefined: targets of this kind are of steps.
Tensor error_at_some_outputs(const LearnerParts& parts) {
  using Kind = Target::Kind;
  if (parts.target == Kind::sequence || parts.target == Kind::spike_times) return {};
  constexpr int64_t kSamples = 2;
  std::vector<int64_t> sizes = {parts.steps, kSamples};
  const Shape& out = parts.network->out_shape();
  sizes.insert(sizes.end(), out.begin(), out.end());
  const auto last = parts.network->layers(parts.network->blocks() - 1, /*head=*/false);
  const bool spikes = !last.empty() && !last.back()->neuron()->emits().analog();
  Tensor z = torch::sin(torch::arange(1, numel(sizes) + 1, torch::kFloat)).view(sizes);
  if (spikes) z = (z > 0).to(torch::kFloat);
  Target target;
  target.kind = parts.target;
  const Tensor none = torch::zeros(at::IntArrayRef(sizes).slice(1));
  target.y = parts.target == Kind::class_index ? torch::zeros({kSamples}, torch::kInt64) : none;
  target.teacher = none;
  return parts.objective->error({Signal::dense(z), {0, parts.steps}, parts.steps}, target).delta;
}

void check_objective_of_counts(const LearnerParts& parts, const Rule& rule) {
  constexpr double kTolerance = 1e-4;
  const Tensor delta = error_at_some_outputs(parts);
  const bool alike = delta.defined() && (delta - delta.slice(0, 0, 1)).abs().max().item<double>() <=
                                            kTolerance * delta.abs().max().item<double>();
  ST_CHECK(
      alike, "rule ", rule.part_name(), " takes the gradient of spike counts, but the error of objective ",
      parts.objective->part_name(),
      " differs from step to step; use one of the sum or mean over the steps: rate_ce, count or mse_count");
}

}  // namespace

void check_counts(const LearnerParts& parts, const Plan& plan) {
  const Rule* learns = nullptr;
  for (const Network::Node& node : parts.network->nodes()) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    if (!layer) continue;
    const RuleP& rule = parts.method.at(layer->slot());
    const bool counts = of_counts(rule);
    if (counts) check_plan_of(plan, "rule " + rule->part_name());
    for (const Connection& c : layer->connections()) {
      if (!c.norm) continue;
      if (of_counts(c.norm)) check_plan_of(plan, "norm " + c.norm->part_name());
      ST_CHECK(!counts || of_counts(c.norm), "rule ", rule->part_name(), ": the norm ", c.norm->part_name(),
               " of layer ", node.name,
               " works on single steps, but the gradient is that of their sum; use none, or one of sums: ",
               join(norms_of_counts()));
    }
    if (counts) learns = rule.get();
  }
  if (learns) check_objective_of_counts(parts, *learns);
}

}  // namespace spiketrain
