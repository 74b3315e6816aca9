// A layer on a tape, or in evaluation: between its weights, leaves, and the neuron lies nothing but biases and norms.
#include <algorithm>

#include "spiketrain/core/layer_credit.h"
#include "spiketrain/core/layer_link.h"
#include "spiketrain/core/norm.h"
#include "spiketrain/core/watch.h"

namespace spiketrain {

/// Whether the neuron may read a norm's current through a map, so that neither what it reads nor its membrane is kept.
bool Layer::takes_map(const Tensor& I, const RuleP& rule, const Context& context) const {
  const bool rule_takes = !context.training() || rule->takes_map();
  return rule_takes && connections_.size() == 1 && neuron_->takes_map(I) && !context.penalties &&
         !Watch::now();
}

Layer::TapedCurrent Layer::taped_current(size_t k, const Signal& x, const RuleP& rule,
                                         const Context& context) const {
  const Connection& c = connections_[k];
  TapedCurrent now;
  now.gain = x.gain();
  if (!c.synapse) {
    now.I = x.values();
    return now;
  }
  now.link = link(k, x.detached());
  now.W = c.weight(context.training());
  now.b = c.synapse->bias();
  if (holds_current(k, x, rule, context)) now.held = held_current(k, x, context);
  now.once = norms_once(k, x, rule, context);
  Tensor I;
  if (now.held.defined()) {
    I = now.once ? now.held.detach() : spread(now.held, now.gain);
  } else {
    I = now.once ? c.synapse->apply(now.link->image(), now.W) : now.link->product(now.W);
  }
  if (now.b.defined()) I = I + now.b;
  if (c.norm) {
    const bool as_map = !now.once && takes_map(I, rule, context);
    now.normed = c.norm->pass(I, now.once ? x.steps() : 1, as_map, context);
    if (!now.normed.map.defined()) I = std::exchange(now.normed.y, {});
    if (!context.training()) now.normed.back = {};  // it holds what the norm read
    if (now.once) I = spread(I, now.gain);
  }
  now.I = I.variable_data();
  return now;
}

/// The currents of all connections; that of the first is then their sum, what drives the neuron.
std::vector<Layer::TapedCurrent> Layer::taped_currents(const std::vector<Signal>& in, const RuleP& rule,
                                                       const Context& context) const {
  std::vector<TapedCurrent> all;
  all.reserve(in.size());
  for (size_t k = 0; k < in.size(); ++k) {
    all.push_back(taped_current(k, in[k], rule, context));
    if (k == 0) continue;
    Tensor& sum = all[0].I;
    const Tensor more = std::exchange(all[k].I, {});
    sum = is_alone(sum) ? sum.add_(more) : (sum + more).variable_data();
  }
  return all;
}

/// A segment of a layer in evaluation, without gradients.
Signal Layer::evaluate(const std::vector<Signal>& in, const RuleP& rule, const Context& context,
                       Carry& carry) const {
  State& state = carry.state.at(static_cast<size_t>(slot_));
  const TapedCurrent now = std::move(taped_currents(in, rule, context)[0]);
  const RecordP record =
      this->record(now.I, now.normed.map, rule, context, /*learns=*/false, Storage::bits, state);
  run_neuron(*neuron_, *record, context.mode);
  state = record->state;
  return finish(output_edge(*record), {}, record, rule, context, carry);
}

/// A segment of a layer that notes its own way back.
Signal Layer::forward(const std::vector<Signal>& in, Tape& tape, const RuleP& rule, const Context& context,
                      Carry& carry) const {
  const torch::NoGradGuard no_grad;
  std::vector<TapedCurrent> currents = taped_currents(in, rule, context);
  State& state = carry.state.at(static_cast<size_t>(slot_));
  Tensor I = std::exchange(currents[0].I, {});
  const Storage storage = is_alone(I) ? Storage::in_place : Storage::bits;
  const RecordP record =
      this->record(I, currents[0].normed.map, rule, context, /*learns=*/true, storage, state);
  record->cut = true;
  I.reset();
  run_neuron(*neuron_, *record, context.mode);
  state = record->state;
  std::vector<LinkP> met;
  for (const TapedCurrent& c : currents)
    met.push_back(c.link && meets_each_segment(c.held.defined(), *rule) ? c.link : LinkP());
  Signal y = finish(output_edge(*record), met, record, rule, context, carry);
  const State no_credit(record->state.size());
  record->state.clear();  // the next segment has it
  std::vector<bool> pulls;
  for (size_t k = 0; k < in.size(); ++k) pulls.push_back(tape.asks(k));
  const bool any_pulls = std::find(pulls.begin(), pulls.end(), true) != pulls.end();
  if (!any_pulls && !learns()) return y;  // nobody asks, here or below
  tape.add([this, currents = std::move(currents), record, no_credit, pulls](EdgeError delta) mutable {
    Credit credit = credit_of(*record, std::move(delta), no_credit, /*last_read=*/true);
    for (size_t k = 0; k < credit.g_params.size(); ++k) accumulate(parameters_[k], credit.g_params[k]);
    Tensor g = credit.g.variable_data();
    credit = {};
    if (record->last_read) record->u.reset();
    if (record->map.defined()) record->I.reset();
    std::vector<EdgeError> below(currents.size());
    for (size_t k = currents.size(); k-- > 0;)  // the last to read g may overwrite it
      below[k] = currents[k].back(k > 0 ? g : std::move(g), record, pulls[k]);
    return below;
  });
  return y;
}

/// Whether a parameter asks for a gradient.
bool Layer::learns() const {
  const auto asks = [](const Tensor& p) { return p.defined() && p.requires_grad(); };
  const auto any_asks = [&](const std::vector<Tensor>& of) {
    return std::any_of(of.begin(), of.end(), asks);
  };
  return any_asks(parameters_) ||
         std::any_of(connections_.begin(), connections_.end(), [&](const Connection& c) {
           return c.synapse && (asks(c.synapse->weight()) || asks(c.synapse->bias()) ||
                                (c.norm && any_asks(c.norm->parameters())));
         });
}

}  // namespace spiketrain
