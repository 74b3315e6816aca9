// A layer's way forward and back, as autograd nodes; on a tape: layer_tape.cpp.  Traps kept here on purpose: an undefined tensor handed to Function::apply throws in
// LibTorch 1.13; returning a tensor that the record stores makes a reference cycle, so aliases are returned.
#include "spiketrain/core/layer.h"

#include <algorithm>

#include "spiketrain/core/extras.h"
#include "spiketrain/core/layer_credit.h"
#include "spiketrain/core/layer_link.h"
#include "spiketrain/core/switched_quantizer.h"
#include "spiketrain/core/tape.h"
#include "spiketrain/core/watch.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
void first_derivatives_only() {
  ST_CHECK(!at::GradMode::is_enabled(),
           "spiketrain layers have first derivatives only: create_graph must be false");
}

template <class T>
c10::intrusive_ptr<T> held(AutogradContext* ctx) {
  first_derivatives_only();
  return c10::static_intrusive_pointer_cast<T>(ctx->saved_data["held"].toCapsule());
}

}  // namespace

struct Layer::Nodes {
  /// gain[t] * I forward.
  struct Spread : torch::autograd::Function<Spread> {
    static Tensor forward(AutogradContext* ctx, const Tensor& I, LinkP link) {
      Tensor spreaded = spread(I, link->pre.x.gain());
      ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(link));
      return spreaded;
    }
    static variable_list backward(AutogradContext* ctx, variable_list g) {
      return {held<Link>(ctx)->gathered(g[0]), Tensor()};
    }
  };

  /// I + b forward.
  struct Bias : torch::autograd::Function<Bias> {
    static Tensor forward(AutogradContext* ctx, const Tensor& I, const Tensor& b, LinkP link) {
      ctx->saved_data["shape"] = b.sizes().vec();
      ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(link));
      return I + b;
    }
    static variable_list backward(AutogradContext* ctx, variable_list g) {
      const LinkP link = held<Link>(ctx);
      const auto shape = ctx->saved_data["shape"].toIntVector();
      return {g[0], bias_gradient(link->record, g[0], shape), Tensor()};
    }
  };

  /// I = W x forward; dL/dW and dL/dx backward.
  struct Weigh : torch::autograd::Function<Weigh> {
    static Tensor forward(AutogradContext* ctx, const Tensor& edge, const Tensor& W, LinkP link) {
      Tensor I = link->product(W);
      ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(link));
      ctx->saved_data["pull"] = edge.requires_grad();
      ctx->saved_data["learns"] = W.requires_grad();
      ctx->save_for_backward({W});
      return I;
    }
    static variable_list backward(AutogradContext* ctx, variable_list grads) {
      const LinkP link = held<Link>(ctx);
      const Tensor W = ctx->get_saved_variables()[0], g = grads[0];
      Tensor g_W = ctx->saved_data["learns"].toBool() ? link->weight_gradient(g, W) : Tensor();
      return {ctx->saved_data["pull"].toBool() ? link->pull(g, W) : Tensor(), std::move(g_W), Tensor()};
    }
  };

  /// (I, parameters, state) -> (output, state after the segment); backward asks the rule.
  struct Fire : torch::autograd::Function<Fire> {
    static variable_list forward(AutogradContext* ctx, const Tensor& /*I*/, at::TensorList /*parameters*/,
                                 at::TensorList /*state*/, RecordP record, Neuron* neuron, Mode mode) {
      ctx->set_materialize_grads(false);
      run_neuron(*neuron, *record, mode);
      variable_list out;
      out.reserve(1 + record->state.size());
      out.push_back(output_edge(*record));
      for (const Tensor& z : record->state) out.push_back(z.alias());
      ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(record));
      return out;
    }
    static variable_list backward(AutogradContext* ctx, variable_list grads) {
      const RecordP record = held<Record>(ctx);
      ST_CHECK(!std::exchange(record->went_back, true),
               "a network's pass goes back once; run it forward again");
      Credit credit = credit_of(*record, grads[0], State(grads.begin() + 1, grads.end()));
      credit.g_params.resize(record->neuron->parameters().size());
      credit.g_before.resize(record->before.size());
      variable_list result = {std::move(credit.g)};
      result.insert(result.end(), credit.g_params.begin(), credit.g_params.end());
      result.insert(result.end(), credit.g_before.begin(), credit.g_before.end());
      result.resize(result.size() + 3);
      return result;
    }
  };
};

Layer::Layer(std::vector<Connection> connections, std::shared_ptr<Neuron> neuron)
    : connections_(std::move(connections)) {
  ST_CHECK(neuron && !connections_.empty() && connections_[0].synapse,
           "layer: expected a neuron and at least one connection with a synapse");
  const auto join = [&](size_t k) {
    const std::string suffix = k == 0 ? "" : std::to_string(k);
    const Connection& c = connections_[k];
    if (c.synapse) register_module("synapse" + suffix, c.synapse);
    if (c.norm) register_module("norm" + suffix, c.norm);
    if (c.feedback) register_module("feedback" + suffix, c.feedback);
    if (const auto switched = std::dynamic_pointer_cast<const SwitchedQuantizer>(c.quantizer))
      register_module("quantizer" + suffix, std::const_pointer_cast<SwitchedQuantizer>(switched));
  };
  join(0);
  neuron_ = register_module("neuron", std::move(neuron));
  for (size_t k = 1; k < connections_.size(); ++k) join(k);
}

Shape Layer::build(const std::vector<Shape>& in) {
  ST_CHECK(in.size() == connections_.size(), "layer: expected ", connections_.size(), " inputs, got ",
           in.size());
  ST_CHECK(!in[0].empty(), "layer: the first connection cannot be recurrent");
  for (size_t k = 0; k < in.size(); ++k) {
    const Connection& c = connections_[k];
    const Shape& from = in[k].empty() ? out_ : in[k];
    const Shape to = c.synapse ? c.synapse->build(from) : from;
    if (k == 0) out_ = to;
    ST_CHECK(to == out_, "layer ", notation(), ": connection ", k, " gives ", at::IntArrayRef(to),
             ", but the layer has the shape ", at::IntArrayRef(out_));
    if (c.norm) c.norm->build(out_);
    if (c.feedback) c.feedback->build(c.synapse->weight());
  }
  neuron_->build(out_);
  emission_ = neuron_->emits();
  parameters_ = neuron_->parameters();
  const torch::AutoGradMode grad(true);
  taped_ = std::all_of(connections_.begin(), connections_.end(), [](const Connection& c) {
    return (!c.norm || c.norm->taped()) && !c.quantizer && (!c.synapse || c.synapse->weight().is_leaf());
  });
  return out_;
}

void Layer::assign_slots(int64_t& next) {
  slots_.clear();
  for (const Connection& c : connections_) slots_.push_back(c.synapse ? next++ : -1);
  slot_ = slots_[0];
}

void Layer::initialise(uint64_t seed) {
  for (size_t k = 0; k < connections_.size(); ++k) {
    const auto index = static_cast<uint64_t>(slots_[k]);
    if (connections_[k].synapse) connections_[k].synapse->initialise(seed, index);
    if (connections_[k].feedback) connections_[k].feedback->initialise(seed, index);
  }
  neuron_->initialise(seed, static_cast<uint64_t>(slot_));
}

Layer::LinkP Layer::link(size_t k, const Signal& x) const {
  auto made = c10::make_intrusive<Link>();
  made->pre.synapse = connections_[k].synapse;
  made->feedback = connections_[k].feedback;
  made->pre.x = x;
  return made;
}

bool Layer::holds_current(size_t k, const Signal& x, const RuleP& rule, const Context& context) const {
  const bool asked_below = x.edge().requires_grad() || (context.tape && context.tape->asks(k));
  return context.currents && x.is_constant() && !asked_below &&
         (!context.training() || rule->keeps_constant());
}

/// The current of a constant input, from which it spreads over the steps.
Tensor Layer::held_current(size_t k, const Signal& x, const Context& context) const {
  const bool asked = context.tape || at::GradMode::is_enabled();
  return context.currents->get(slots_[k], x.image(), context.training(), asked, [&] {
    return Nodes::Weigh::apply(x.image(), connections_[k].weight(context.training()),
                               link(k, Signal::dense(x.image())));
  });
}

/// Whether a norm sees the current of a constant input once for all steps: its statistics are the same, and what it makes of it.
bool Layer::norms_once(size_t k, const Signal& x, const RuleP& rule, const Context& context) const {
  const Norm* norm = connections_[k].norm.get();
  const bool rule_allows = !context.training() || (rule->q_is_input() && rule->keeps_constant());
  return norm && norm->taped() && x.is_constant() && rule_allows && all_ones(x.gain());
}

/// The current of connection k.  `link` stays null if the rule will not meet this synapse in this segment.
Tensor Layer::current(size_t k, const Signal& x, const RuleP& rule, const Context& context,
                      LinkP& link) const {
  const Connection& c = connections_[k];
  if (!c.synapse) return x.values();
  const LinkP own = this->link(k, x.detached());
  const bool holds = holds_current(k, x, rule, context), once = norms_once(k, x, rule, context);
  if (rule && meets_each_segment(holds, *rule)) link = own;
  const LinkP product = once ? this->link(k, own->image()) : own;
  Tensor I = holds ? held_current(k, x, context)
                   : Nodes::Weigh::apply(x.edge(), c.weight(context.training()), product);
  if (holds && !once) I = Nodes::Spread::apply(I, own);
  if (const Tensor b = c.synapse->bias(); b.defined()) I = Nodes::Bias::apply(I, b, product);
  if (once) return Nodes::Spread::apply(c.norm->forward_once(I, x.steps(), context), own);
  return c.norm ? c.norm->forward(I, context) : I;
}

Signal Layer::output(const Tensor& edge, const Record& record) const {
  if (emission_.analog()) return Signal::dense(edge);
  const Spikes& s = record.sent;
  if (emission_.bare()) return Signal::spikes(s, edge);
  return Signal::psp(s, edge, emission_.tau_s, record.a, record.from_start ? Tensor() : record.before.back());
}

/// The record of a segment with current I, or what the map makes of it.  `learns`: backward will follow.
Layer::RecordP Layer::record(const Tensor& I, const ops::ChannelMap& map, const RuleP& rule,
                             const Context& context, bool learns, Storage storage, State& state) const {
  uint32_t slots = context.training() ? rule->needs() : 0;
  if (learns && rule->uses_vjp()) slots |= neuron_->vjp_reads(I);
  const uint32_t penalised = context.penalties && !emission_.analog() ? context.penalties->needs() : 0;
  slots |= penalised;
  if (context.penalties && emission_.tau_s > 0) slots |= kPsp;
  if (learns && penalised) slots |= kI;
  if (Watch* watch = Watch::now()) slots |= watch->wants(slot_) & (neuron_->provides() | kI);
  if (map.defined()) slots = (slots & ~static_cast<uint32_t>(kU)) | kI;
  const bool from_start = state.empty();
  if (from_start) state = neuron_->initial(I.sizes().slice(1), I.options().requires_grad(false));
  State before;
  before.reserve(state.size());
  for (const Tensor& z : state) before.push_back(z.requires_grad() ? z.detach() : z);
  RecordP record =
      make_record(*neuron_, I.requires_grad() ? I.detach() : I, std::move(before), slots, storage);
  record->map = map;
  record->neuron = neuron_;
  record->from_start = from_start;
  if (learns) record->rule = rule;
  if (learns && context.penalties && !emission_.analog()) {
    record->penalty = context.penalties->of(slot_);
    record->valid = context.valid;
  }
  return record;
}

/// After the neuron ran: the rule's traces, and what was sent.
Signal Layer::finish(const Tensor& edge, const std::vector<LinkP>& links, const RecordP& record,
                     const RuleP& rule, const Context& context, Carry& carry) const {
  if (record->spiking()) record->keep_spikes(emission_.levels);
  if (Watch* watch = Watch::now()) watch->fired(slot_, *record, context);
  if (context.penalties && context.mode != Mode::replay && !emission_.analog())
    context.penalties->of(slot_)->observe(*record, context.valid);
  if (context.training()) {
    torch::NoGradGuard no_grad;
    State& of_neuron = carry.post_trace.at(static_cast<size_t>(slot_));
    record->trace = of_neuron;
    rule->trace_post(*record);
    of_neuron = record->trace;
    for (size_t k = 0; k < links.size(); ++k) {
      if (!links[k]) continue;
      links[k]->record = record;
      State& trace = carry.trace.at(static_cast<size_t>(slots_[k]));
      links[k]->pre.trace = trace;
      rule->trace(*record, links[k]->pre);
      trace = std::move(links[k]->pre.trace);  // the link lives on until backward
    }
  }
  if (!(record->slots & kI)) record->I.reset();
  Signal y = output(edge, *record);
  if (context.tally && context.mode != Mode::replay && y.has_spikes())
    context.tally->add(slot_, y.spikes(), context.valid);
  return y;
}

Signal Layer::forward(const std::vector<Signal>& in, const Context& context, Carry& carry) {
  ST_CHECK(in.size() == connections_.size(), "layer ", notation(), ": expected ", connections_.size(),
           " inputs, got ", in.size());
  const RuleP& rule = context.method.at(slot_);
  ST_CHECK(rule || !context.training(), "layer ", notation(), ": training needs a rule, see Context::method");
  if (context.tape) return forward(in, *context.tape, rule, context, carry);
  if (!context.training() && taped_ && !at::GradMode::is_enabled()) return evaluate(in, rule, context, carry);
  const bool learns = context.training() && at::GradMode::is_enabled();
  std::vector<LinkP> links(in.size());
  Tensor I = current(0, in[0], rule, context, links[0]);
  for (size_t k = 1; k < in.size(); ++k) I = I + current(k, in[k], rule, context, links[k]);
  State& state = carry.state.at(static_cast<size_t>(slot_));
  const RecordP record = this->record(I, {}, rule, context, learns, Storage::bits, state);
  const variable_list out = Nodes::Fire::apply(I, at::TensorList(parameters_), at::TensorList(state), record,
                                               neuron_.get(), context.mode);
  state.assign(out.begin() + 1, out.end());
  return finish(out[0], links, record, rule, context, carry);
}

std::vector<StageInfo> Layer::describe() const {
  std::vector<StageInfo> rows;
  for (size_t k = 0; k < connections_.size(); ++k) {
    const Connection& c = connections_[k];
    if (!c.synapse) continue;
    StageInfo row;
    row.spec = c.synapse->notation();
    row.kind = k == 0 ? "layer" : "projection";
    row.out = out_;
    for (const Tensor& p : c.synapse->parameters()) row.parameters += p.numel();
    if (c.norm) {
      for (const Tensor& p : c.norm->parameters()) row.parameters += p.numel();
    }
    row.macs = c.synapse->macs();
    row.keeps_input = true;
    row.synapse = c.synapse;
    row.norm = c.norm;
    if (k == 0) {
      for (const Tensor& p : parameters_) row.parameters += p.numel();
      row.slot = slot_;
      row.neurons = numel(out_);
      row.neuron = neuron_;
      row.values = emission_.bare() && emission_.levels == 1 ? Values::binary : Values::real;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace spiketrain
