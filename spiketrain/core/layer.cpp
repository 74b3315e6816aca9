// The autograd nodes of a layer.  Traps kept here on purpose: an undefined tensor handed to Function::apply throws in
// LibTorch 1.13; returning a tensor that the record stores makes a reference cycle, so aliases are returned.
#include "spiketrain/core/layer.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using RecordP = c10::intrusive_ptr<Record>;

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

/// One connection in one segment: what its node reads in backward.
struct Layer::Link : torch::CustomClassHolder {
  Presynaptic pre;
  std::shared_ptr<const Synapse> synapse;
  std::shared_ptr<const Feedback> feedback;
  RecordP record;  ///< null: a constant current held over several segments, whose q is its x
};

struct Layer::Nodes {
  /// gain[t] * I forward.
  struct Spread : torch::autograd::Function<Spread> {
    static Tensor forward(AutogradContext* ctx, const Tensor& I, const Tensor& gain) {
      ctx->save_for_backward({gain});
      return spread(I, gain);
    }
    static variable_list backward(AutogradContext* ctx, variable_list g) {
      return {gather(g[0].contiguous(), ctx->get_saved_variables()[0]), Tensor()};
    }
  };

  /// I = W x forward; dL/dW and dL/dx backward.
  struct Weigh : torch::autograd::Function<Weigh> {
    static Tensor forward(AutogradContext* ctx, const Tensor& edge, const Tensor& W, LinkP link) {
      const Signal& x = link->pre.x;
      Tensor I = x.is_constant() ? spread(link->synapse->apply(Signal::dense(x.image()), W), x.gain())
                                 : link->synapse->apply(x, W);
      ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(link));
      ctx->saved_data["pull"] = edge.requires_grad();
      ctx->save_for_backward({W});
      return I;
    }
    static variable_list backward(AutogradContext* ctx, variable_list grads) {
      const LinkP link = held<Link>(ctx);
      const Tensor W = ctx->get_saved_variables()[0], g = grads[0].contiguous();
      const Presynaptic& pre = link->pre;
      Tensor g_W = link->record ? link->record->rule->weight_gradient(*link->synapse, *link->record, pre, g)
                                : link->synapse->outer(g, pre.x);
      Tensor g_x;
      if (ctx->saved_data["pull"].toBool()) {
        const Tensor way_back = link->feedback ? link->feedback->matrix(W) : W;
        g_x = link->synapse->pull(pre.x.is_constant() ? gather(g, pre.x.gain()) : g, way_back);
      }
      return {g_x, g_W, Tensor()};
    }
  };

  /// (I, parameters, state) -> (output, state after the segment); backward asks the rule.
  struct Fire : torch::autograd::Function<Fire> {
    static variable_list forward(AutogradContext* ctx, const Tensor& I, at::TensorList /*parameters*/,
                                 at::TensorList /*state*/, RecordP record) {
      ctx->set_materialize_grads(false);
      record->neuron->run(*record, {0, I.size(0)});
      variable_list out;
      out.reserve(1 + record->state.size());
      const bool bare_or_psp = record->s.defined();
      out.push_back(bare_or_psp ? carrier(I.sizes(), I.options().requires_grad(false)) : record->a.alias());
      for (const Tensor& z : record->state) out.push_back(z.alias());
      ctx->saved_data["held"] = c10::IValue::make_capsule(std::move(record));
      return out;
    }
    static variable_list backward(AutogradContext* ctx, variable_list grads) {
      const RecordP record = held<Record>(ctx);
      ST_CHECK(record->rule,
               "layer: this forward pass kept nothing to learn from; set Context::mode to Mode::train");
      const Neuron& neuron = *record->neuron;
      Tensor delta = grads[0];
      if (!delta.defined()) {
        const Tensor& like = record->s.defined() ? record->s : record->a;
        delta = torch::zeros(like.sizes(), like.options().dtype(record->type));
      }
      const State g_after(grads.begin() + 1, grads.end());
      Credit credit = record->rule->credit(neuron, *record, delta.contiguous(), g_after);
      record->post = std::move(credit.post);
      credit.g_params.resize(neuron.parameters().size());
      credit.g_before.resize(record->before.size());
      variable_list result = {std::move(credit.g)};
      result.insert(result.end(), credit.g_params.begin(), credit.g_params.end());
      result.insert(result.end(), credit.g_before.begin(), credit.g_before.end());
      result.emplace_back();
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
  };
  join(0);
  neuron_ = register_module("neuron", std::move(neuron));
  for (size_t k = 1; k < connections_.size(); ++k) join(k);
}

std::shared_ptr<Layer> Layer::from_config(const Config& config) {
  const auto part = [](const Config& from, const char* key) {
    const auto it = from.find(key);
    return it == from.end() ? Config() : Config(*it);
  };
  const Config list = part(config, "connections");
  ST_CHECK(list.is_array(), "layer: expected a list \"connections\"");
  std::vector<Connection> connections;
  for (const Config& item : list) {
    Connection c;
    if (const Config made = part(item, "synapse"); !made.is_null()) c.synapse = make<Synapse>(made);
    if (const Config made = part(item, "norm"); !made.is_null()) c.norm = make<Norm>(made);
    if (const Config made = part(item, "feedback"); !made.is_null()) c.feedback = make<Feedback>(made);
    if (const Config made = part(item, "quantizer"); !made.is_null()) c.quantizer = make<Quantizer>(made);
    connections.push_back(std::move(c));
  }
  return std::make_shared<Layer>(std::move(connections), make<Neuron>(part(config, "neuron")));
}

Config Layer::config() const {
  Config list = Config::array();
  for (const Connection& c : connections_) {
    Config item = Config::object();
    if (c.synapse) item["synapse"] = c.synapse->config();
    if (c.norm) item["norm"] = c.norm->config();
    if (c.feedback) item["feedback"] = c.feedback->config();
    if (c.quantizer) item["quantizer"] = c.quantizer->config();
    list.push_back(std::move(item));
  }
  return {{"name", "layer"}, {"connections", std::move(list)}, {"neuron", neuron_->config()}};
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
}

/// The current of connection k.  `link` stays null if the rule will not meet this synapse in this segment.
Tensor Layer::current(size_t k, const Signal& x, const RuleP& rule, const Context& context,
                      LinkP& link) const {
  const Connection& c = connections_[k];
  if (!c.synapse) return x.values();
  const auto new_link = [&](Signal from) {
    auto made = c10::make_intrusive<Link>();
    made->synapse = c.synapse;
    made->feedback = c.feedback;
    made->pre.x = std::move(from);
    return made;
  };
  Tensor I;
  if (context.currents && x.is_constant() && !x.edge().requires_grad() &&
      (!context.training() || rule->q_is_input())) {
    const auto product = [&] {
      return Nodes::Weigh::apply(x.image(), c.weight(), new_link(Signal::dense(x.image())));
    };
    I = Nodes::Spread::apply(context.currents->get(slots_[k], x.image(), product), x.gain());
  } else {
    link = new_link(x.detached());
    I = Nodes::Weigh::apply(x.edge(), c.weight(), link);
  }
  I = c.synapse->add_bias(I);
  return c.norm ? c.norm->forward(I, context) : I;
}

Signal Layer::output(const Tensor& edge, const Record& record) const {
  if (emission_.analog()) return Signal::dense(edge);
  const Spikes s = record.spikes(emission_.levels);
  return emission_.bare() ? Signal::spikes(s, edge) : Signal::psp(s, edge, emission_.tau_s, record.a);
}

Signal Layer::forward(const std::vector<Signal>& in, const Context& context, Carry& carry) {
  ST_CHECK(in.size() == connections_.size(), "layer ", notation(), ": expected ", connections_.size(),
           " inputs, got ", in.size());
  const RuleP& rule = context.method.at(slot_);
  ST_CHECK(rule || !context.training(), "layer ", notation(), ": training needs a rule, see Context::method");
  const bool record_credit = context.training() && at::GradMode::is_enabled();
  std::vector<LinkP> links(in.size());
  Tensor I = current(0, in[0], rule, context, links[0]);
  for (size_t k = 1; k < in.size(); ++k) I = I + current(k, in[k], rule, context, links[k]);

  uint32_t slots = context.training() ? rule->needs() : 0;
  if (record_credit && rule->uses_vjp()) slots |= neuron_->vjp_reads(I);
  State& state = carry.state.at(static_cast<size_t>(slot_));
  if (state.empty()) state = neuron_->initial(I.sizes().slice(1), I.options().requires_grad(false));
  State before;
  before.reserve(state.size());
  for (const Tensor& z : state) before.push_back(z.detach());
  const RecordP record = make_record(*neuron_, I.detach(), std::move(before), slots);
  record->neuron = neuron_;
  if (record_credit) record->rule = rule;

  const variable_list out = Nodes::Fire::apply(I, at::TensorList(parameters_), at::TensorList(state), record);
  state.assign(out.begin() + 1, out.end());
  if (context.training()) {
    torch::NoGradGuard no_grad;
    for (size_t k = 0; k < links.size(); ++k) {
      if (!links[k]) continue;
      links[k]->record = record;
      State& trace = carry.trace.at(static_cast<size_t>(slots_[k]));
      links[k]->pre.trace = trace;
      rule->trace(*record, links[k]->pre);
      trace = links[k]->pre.trace;
    }
  }
  if (!(slots & kI)) record->I.reset();
  Signal y = output(out[0], *record);
  if (context.tally && context.mode != Mode::replay && y.has_spikes())
    context.tally->add(slot_, y.spikes(), context.valid);
  return y;
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
