// The two autograd nodes of a layer.  Traps kept here on purpose: an undefined tensor handed to
// Function::apply throws in LibTorch 1.13; returning a tensor that the tape stores makes a reference cycle,
// so aliases are returned.
#include "spiketrain/core/layer.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using TapeP = c10::intrusive_ptr<Tape>;

TapeP tape_of(AutogradContext* ctx) {
  ST_CHECK(!at::GradMode::is_enabled(),
           "spiketrain layers have first derivatives only: create_graph must be false");
  return ctx->saved_data["tape"].toCapsule().get() == nullptr
             ? TapeP()
             : c10::static_intrusive_pointer_cast<Tape>(ctx->saved_data["tape"].toCapsule());
}

/// sum_t gain[t] * g[t] -> [1,B,*]
Tensor gather(const Tensor& g, const Tensor& gain) {
  const Tensor weights = gain.to(torch::kCPU, torch::kDouble);
  Tensor sum = g[0] * weights[0].item<double>();
  for (int64_t t = 1; t < g.size(0); ++t) sum.add_(g[t], weights[t].item<double>());
  return sum.unsqueeze(0);
}

/// gain[t] * a forward.
struct SpreadNode : torch::autograd::Function<SpreadNode> {
  static Tensor forward(AutogradContext* ctx, const Tensor& a, const Tensor& gain) {
    ctx->save_for_backward({gain});
    return spread(a, gain);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {gather(grads[0].contiguous(), ctx->get_saved_variables()[0]), Tensor()};
  }
};

/// I = W x forward; dL/dW and dL/dx backward, with the rule's presynaptic factor q in dL/dW.
struct SynapseNode : torch::autograd::Function<SynapseNode> {
  static Tensor forward(AutogradContext* ctx, const Tensor& a, const Tensor& W, TapeP tape) {
    ctx->saved_data["tape"] = c10::IValue::make_capsule(tape);
    ctx->saved_data["pull"] = a.requires_grad();
    ctx->save_for_backward({W});
    const Signal& x = tape->x;
    const Tensor I = tape->synapse->apply({x.a, {}, x.s}, W);
    return x.stationary() ? spread(I, x.gain) : I;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const TapeP tape = tape_of(ctx);
    const Tensor W = ctx->get_saved_variables()[0];
    const Synapse& synapse = *tape->synapse;
    const Tensor g = grads[0].contiguous();
    const Signal& q = tape->q;
    const Tensor g_W = synapse.outer(q.stationary() ? gather(g, q.gain) : g, {q.a, {}, q.s});
    Tensor g_x;
    if (ctx->saved_data["pull"].toBool()) {
      g_x = synapse.pull(tape->x.stationary() ? gather(g, tape->x.gain) : g, W);
    }
    return {g_x, g_W, Tensor()};
  }
};

/// (I, parameters, state) -> (a, state after the window); backward asks the rule.
struct NeuronNode : torch::autograd::Function<NeuronNode> {
  static variable_list forward(AutogradContext* ctx, const Tensor& I, at::TensorList params,
                               at::TensorList state, TapeP tape) {
    ctx->saved_data["tape"] = c10::IValue::make_capsule(tape);
    ctx->set_materialize_grads(false);
    tape->neuron->run(*tape);
    variable_list out = {at::alias(tape->a)};
    for (const Tensor& z : tape->out) out.push_back(at::alias(z));
    return out;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const TapeP tape = tape_of(ctx);
    const Tensor delta = grads[0].defined() ? grads[0].contiguous() : torch::zeros_like(tape->a);
    const State g_out(grads.begin() + 1, grads.end());
    Neuron::Adjoint credit = tape->rule->credit(*tape->neuron, *tape, delta, g_out);
    const size_t n_params = tape->neuron->parameters().size();
    credit.g_params.resize(n_params);  // a rule may leave them undefined: no gradient
    credit.g_in.resize(tape->in.size());
    variable_list result = {credit.g};
    result.insert(result.end(), credit.g_params.begin(), credit.g_params.end());
    result.insert(result.end(), credit.g_in.begin(), credit.g_in.end());
    result.push_back(Tensor());
    return result;
  }
};

/// The presynaptic side of one synapse, once the neuron has run: what dW will be made of.
void finish(Tape& tape, const Tape& post, StageState& carried) {
  if (!tape.record) {
    tape.x = {};  // nothing will look back
    return;
  }
  if (&tape != &post) {
    tape.neuron = post.neuron;
    tape.I = post.I;
    tape.a = post.a;
    tape.s = post.s;
    tape.u = post.u;
    tape.psi = post.psi;
    tape.psp = post.psp;
  }
  torch::NoGradGuard no_grad;
  tape.rule->eligibility(tape);
  carried.trace = tape.trace;
}

}  // namespace

Layer::Layer(std::shared_ptr<Synapse> synapse_, std::shared_ptr<Norm> norm_, std::shared_ptr<Neuron> neuron_,
             const Shape& in, std::string notation)
    : synapse(register_module("synapse", std::move(synapse_))),
      norm(norm_ ? register_module("norm", std::move(norm_)) : nullptr),
      neuron(neuron_ ? register_module("neuron", std::move(neuron_)) : nullptr),
      out_(synapse->build(in)),
      notation_(std::move(notation)) {}

Layer::Drive Layer::current(const Signal& x, Pass& pass) {
  auto tape = c10::make_intrusive<Tape>();
  tape->synapse = synapse;
  tape->rule = pass.rule;
  tape->record = pass.train && at::GradMode::is_enabled();
  tape->needs = pass.rule->needs();
  tape->x = {x.a.detach(), x.gain, x.s};
  tape->trace = state(pass).trace;
  const bool hold = pass.hold_still && x.stationary() && !x.a.requires_grad() && !pass.rule->traces();
  Tensor I = hold ? SpreadNode::apply(still_current(x.a, pass), x.gain)
                  : SynapseNode::apply(x.a, synapse->weight(), tape);
  I = synapse->add_bias(I);
  if (norm) I = norm->forward(I);
  return {I, std::move(tape), slot_};
}

Tensor Layer::still_current(const Tensor& x, Pass& pass) {
  StillCurrent& still = pass.still[slot_];
  const bool grad = at::GradMode::is_enabled();
  if (still.x.defined() && still.x.data_ptr() == x.data_ptr() && still.leaf.requires_grad() == grad)
    return still.leaf;
  still.settle();
  auto tape = c10::make_intrusive<Tape>();
  tape->synapse = synapse;
  tape->x = tape->q = {x, {}, {}};
  const Tensor I = SynapseNode::apply(x, synapse->weight(), tape);
  still = {x, I, I.detach().requires_grad_(grad)};
  return still.leaf;
}

Signal Layer::fire(const std::vector<Drive>& drives, Pass& pass) {
  ST_ASSERT(neuron && !drives.empty() && drives[0].slot == slot_);
  Tensor I = drives[0].I;
  for (size_t k = 1; k < drives.size(); ++k) I = I + drives[k].I;
  const TapeP tape = drives[0].tape;
  StageState& carried = state(pass);
  if (carried.state.empty())
    carried.state = neuron->initial(I.sizes().slice(1), I.options().requires_grad(false));
  tape->neuron = neuron;
  tape->I = I.detach();
  for (const Tensor& z : carried.state) tape->in.push_back(z.detach());

  const std::vector<Tensor> params = neuron->parameters();
  const variable_list out = NeuronNode::apply(I, at::TensorList(params), at::TensorList(carried.state), tape);
  carried.state.assign(out.begin() + 1, out.end());
  for (const Drive& drive : drives) {
    if (drive.tape) finish(*drive.tape, *tape, pass.state.at(static_cast<size_t>(drive.slot)));
  }
  for (const Drive& drive : drives) {
    if (drive.tape && !(tape->reads_I && tape->rule->uses_vjp())) drive.tape->I.reset();
  }
  if (tape->s.defined() && !pass.activity.empty()) {
    Activity& activity = pass.activity.at(static_cast<size_t>(slot_));
    activity.spikes += tape->s.count();
    activity.places += tape->s.numel();
  }
  return {out[0], {}, tape->s};
}

void Layer::describe(std::vector<StageInfo>& list) const {
  int64_t parameters_count = 0;
  for (const Tensor& p : parameters()) parameters_count += p.numel();
  StageInfo row = {
      spec(),          neuron ? "layer" : "projection", out_, neuron ? slot_ : -1, parameters_count,
      synapse->macs(), neuron ? numel(out_) : 0};
  row.keeps_input = true;  // the tape's x
  row.synapse = synapse;
  row.norm = norm;
  row.neuron = neuron;
  row.values = neuron && neuron->emits_events() && !neuron->emits_psp() ? Values::binary : Values::real;
  list.push_back(std::move(row));
}

}  // namespace spiketrain
