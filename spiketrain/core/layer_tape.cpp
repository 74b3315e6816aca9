// A layer on a tape, or in evaluation: one connection, and between its weight, a leaf, and the neuron nothing but a bias and a norm.
#include <algorithm>

#include "spiketrain/core/layer_credit.h"
#include "spiketrain/core/layer_link.h"
#include "spiketrain/core/norm.h"
#include "spiketrain/core/watch.h"

namespace spiketrain {

namespace {

/// Memory of its own; a view holds on to what it is a view of, so this asks for variable_data().
bool is_alone(const Tensor& x) { return x.use_count() == 1 && x.storage().use_count() == 1; }

}  // namespace

/// Whether the neuron may read a norm's current through a map, so that neither what it reads nor its membrane is kept.
bool Layer::takes_map(const Tensor& I, const RuleP& rule, const Context& context) const {
  const bool rule_takes = !context.training() || rule->takes_map();
  return rule_takes && neuron_->takes_map(I) && !context.penalties && !Watch::now();
}

Layer::TapedCurrent Layer::taped_current(const Link& link, const Tensor& W, const RuleP& rule,
                                         const Context& context) const {
  const Connection& c = connections_[0];
  const Signal& x = link.pre.x;
  const Tensor b = c.synapse->bias();
  TapedCurrent now;
  if (holds_current(x, rule, context)) now.held = held_current(0, x, context);
  now.once = norms_once(0, x, rule, context);
  Tensor I;
  if (now.held.defined()) {
    I = now.once ? now.held.detach() : spread(now.held, x.gain());
  } else {
    I = now.once ? link.pre.synapse->apply(link.image(), W) : link.product(W);
  }
  if (b.defined()) I = I + b;
  if (c.norm) {
    const bool as_map = !now.once && takes_map(I, rule, context);
    now.normed = c.norm->pass(I, now.once ? x.steps() : 1, as_map, context);
    if (!now.normed.map.defined()) I = std::exchange(now.normed.y, {});
    if (now.once) I = spread(I, x.gain());
  }
  now.I = I.variable_data();
  return now;
}

/// A segment of a layer that notes its own way back.
Signal Layer::forward(const Signal& x, Tape& tape, const RuleP& rule, const Context& context,
                      Carry& carry) const {
  const torch::NoGradGuard no_grad;
  const Connection& c = connections_[0];
  const Tensor W = c.weight(context.training()), b = c.synapse->bias();
  const LinkP link = this->link(0, x);
  TapedCurrent current = taped_current(*link, W, rule, context);
  State& state = carry.state.at(static_cast<size_t>(slot_));
  const Storage storage = is_alone(current.I) ? Storage::in_place : Storage::bits;
  const RecordP record =
      this->record(current.I, current.normed.map, rule, context, /*learns=*/true, storage, state);
  record->cut = true;
  current.I.reset();
  run_neuron(*neuron_, *record, context.mode);
  state = record->state;
  const bool held = current.held.defined(), meets = meets_each_segment(held, *rule);
  Signal y = finish(output_edge(*record), {meets ? link : LinkP()}, record, rule, context, carry);
  const State no_credit(record->state.size());
  record->state.clear();  // the next segment has it
  const bool pulls = !tape.empty();
  const auto asks = [](const Tensor& p) { return p.defined() && p.requires_grad(); };
  const auto any_asks = [&](const std::vector<Tensor>& of) {
    return std::any_of(of.begin(), of.end(), asks);
  };
  const bool learns =
      asks(W) || asks(b) || any_asks(parameters_) || (c.norm && any_asks(c.norm->parameters()));
  if (!pulls && !learns) return y;  // nobody below asks
  tape.add([this, link, current, W, b, record, no_credit, pulls](EdgeError delta) mutable -> EdgeError {
    Credit credit = credit_of(*record, std::move(delta), no_credit, /*last_read=*/true);
    for (size_t k = 0; k < credit.g_params.size(); ++k) accumulate(parameters_[k], credit.g_params[k]);
    Tensor g = credit.g.variable_data();
    credit = {};
    if (record->last_read) record->u.reset();
    if (record->map.defined()) record->I.reset();
    g = current.back(std::move(g), *link);
    if (b.defined()) accumulate(b, bias_gradient(record, g, b.sizes()));
    if (current.held.defined()) {
      accumulate(current.held, current.once ? g : link->gathered(g));
      return {};
    }
    const bool once = current.once;
    if (W.requires_grad()) accumulate(W, once ? link->image_gradient(g, W) : link->weight_gradient(g, W));
    return !pulls ? EdgeError() : once ? link->pull_image(g, W) : link->pull(g, W);
  });
  return y;
}

}  // namespace spiketrain
