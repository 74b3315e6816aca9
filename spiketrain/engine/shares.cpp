#include "spiketrain/engine/shares.h"

#include <algorithm>

#include "spiketrain/core/extras.h"
#include "spiketrain/core/layer.h"

namespace spiketrain {
namespace {

bool is_separate(const Stage& stage) {
  if (stage.takes_times()) return false;
  const auto* layer = dynamic_cast<const Layer*>(&stage);
  if (!layer) return true;
  const auto* normed = dynamic_cast<const NormedNeuron*>(layer->neuron().get());
  if (normed && normed->couples_samples()) return false;
  return std::all_of(layer->connections().begin(), layer->connections().end(), [](const Connection& c) {
    return !c.feedback && (!c.norm || !c.norm->couples_samples());
  });
}

}  // namespace

bool samples_are_separate(const LearnerParts& parts, const Plan& plan) {
  const auto updates = [](const Segment& s) { return s.update; };
  if (std::any_of(plan.begin(), plan.end() - 1, updates) || skips(plan)) return false;
  if (!parts.regularizers.empty() || !parts.signal->uses_heads() || parts.objective->sums_over_samples())
    return false;
  const auto couples = [](const auto& rule) { return rule && rule->couples_samples(); };
  if (couples(parts.method.rule) || parts.schedule->scoring(parts.steps)) return false;
  for (const auto& [slot, rule] : parts.method.layers) {
    if (couples(rule)) return false;
  }
  const auto& nodes = parts.network->nodes();
  return std::all_of(nodes.begin(), nodes.end(),
                     [](const Network::Node& node) { return is_separate(*node.stage); });
}

int64_t samples_held(const LearnerParts& parts, const Plan& plan, int64_t batch) {
  const int64_t asked = parts.samples_at_once;
  return asked > 0 && asked < batch && samples_are_separate(parts, plan) ? asked : batch;
}

Batch share_of(const Batch& batch, int64_t begin, int64_t end) {
  const auto first = [&](const Tensor& x) { return x.defined() ? x.slice(0, begin, end) : x; };
  Batch share = batch;
  // Contiguous, as it is read in rows.
  share.x = batch.form == Batch::Form::frames ? batch.x.slice(1, begin, end).contiguous() : first(batch.x);
  share.target.y = batch.target.kind == Target::Kind::sequence ? batch.target.y.slice(1, begin, end)
                                                               : first(batch.target.y);
  share.target.teacher = first(batch.target.teacher);
  share.lengths = first(batch.lengths);
  share.ids = batch.ids.defined() ? first(batch.ids) : torch::arange(begin, end, torch::kInt64);
  return share;
}

void add_share(PassResult& result, const PassResult& share, double weight, Target::Kind kind) {
  const bool per_step = kind == Target::Kind::sequence || kind == Target::Kind::spike_times;
  const auto join = [](Tensor& all, const Tensor& more, int64_t dim) {
    if (more.defined()) all = all.defined() ? torch::cat({all, more}, dim) : more;
  };
  join(result.prediction, share.prediction, per_step ? 1 : 0);
  join(result.valid, share.valid, 1);
  if (!share.loss.defined()) return;
  const Tensor loss = share.loss * weight;
  result.loss = result.loss.defined() ? result.loss + loss : loss;
}

}  // namespace spiketrain
