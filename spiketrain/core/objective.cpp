#include "spiketrain/core/objective.h"

#include <algorithm>

namespace spiketrain {

ST_DEFINE_REGISTRY(Objective, "objective")
ST_DEFINE_REGISTRY(Metric, "metric")

const char* to_string(Target::Kind kind) {
  switch (kind) {
    case Target::Kind::class_index:
      return "class_index";
    case Target::Kind::values:
      return "values";
    case Target::Kind::sequence:
      return "sequence";
    case Target::Kind::spike_times:
      return "spike_times";
  }
  return "";
}

namespace {

/// x [.., K,B] with ones behind, to meet `values` [K,B,*].
Tensor widen(Tensor x, int64_t dims) {
  while (x.dim() < dims) x = x.unsqueeze(-1);
  return x;
}

}  // namespace

Tensor Output::values() const {
  const Tensor a = signal.values();
  return valid.defined() ? a * widen(valid.to(a.scalar_type()), a.dim()) : a;
}

Tensor Output::mean() const {
  if (!valid.defined()) return segment.steps() == 1 ? signal.values().squeeze(0) : signal.values().mean(0);
  const Tensor sum = values().sum(0);
  return sum / widen(valid.sum(0).clamp_min(1).to(sum.scalar_type()), sum.dim());
}

Tensor Output::shared(const Tensor& mean) const { return segment.steps() == scored ? mean : mean * share(); }

Tensor Output::weigh(const Tensor& each) const {
  const Tensor length = lengths.clamp_min(1).to(each.scalar_type());
  const Tensor here = valid.to(each.scalar_type());
  const Tensor weight = each.dim() == 2 ? here / length : here.sum(0) / length;
  return (each * weight).sum() / static_cast<double>(lengths.numel());
}

void Objective::prepare(const Context& context) {
  const auto kinds = targets();
  if (std::find(kinds.begin(), kinds.end(), context.target) == kinds.end()) {
    std::vector<std::string> names;
    for (const Target::Kind kind : kinds) names.emplace_back(to_string(kind));
    throw UsageError(str("objective ", part_name(), ": the data have targets of kind ",
                         to_string(context.target), ", expected ", join(names, " or ")));
  }
  ST_CHECK(context.target != Target::Kind::class_index || context.output.size() == 1, "objective ",
           part_name(), ": expected an output of one value per class, got the shape ",
           at::IntArrayRef(context.output));
  context_ = context;
}

Objective::Error Objective::error(const Output& out, const Target& target) const {
  const torch::AutoGradMode grad(true);
  Output at_leaf = out;
  const Tensor edge = out.signal.edge().detach().requires_grad_();
  at_leaf.signal = out.signal.with_edge(edge);
  const Tensor loss = this->loss(at_leaf, target);
  return {loss.detach(), torch::autograd::grad({loss}, {edge})[0]};
}

Tensor Objective::prediction(const Tensor& evidence, const Tensor& lengths) const {
  if (context_.target != Target::Kind::values) return evidence;
  if (!lengths.defined()) return evidence / static_cast<double>(context_.steps);
  return evidence / widen(lengths.to(evidence.device(), evidence.scalar_type()), evidence.dim());
}

}  // namespace spiketrain
