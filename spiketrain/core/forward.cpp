#include "spiketrain/core/forward.h"

#include <atomic>

#include "spiketrain/core/tape.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A tensor and how often it had been changed in place when the pass went forward.
struct Version {
  explicit Version(const Tensor& of) : of(of), at(of.is_inference() ? 0 : of._version()) {}
  bool changed() const { return !of.is_inference() && of._version() != at; }
  Tensor of;
  int64_t at;
};

/// A network on its way forward and back.
struct Pass : torch::CustomClassHolder {
  Pass(std::shared_ptr<Network> n, const Signal& x, const Context& context, Carry& carry)
      : network(std::move(n)), x(x), context(context), carry(&carry), parameters(network->parameters()) {
    for (const Tensor& p : parameters) read.emplace_back(p);
    if (!x.has_spikes()) read.emplace_back(x.edge());
  }

  std::shared_ptr<Network> network;  ///< steps of the tape point into it
  Signal x;                          ///< until it has gone forward
  Context context;
  Carry* carry;
  std::vector<Tensor> parameters;
  std::vector<Version> read;  ///< what the way back reads again
  Tape tape;
  Tensor g_x;
  std::atomic<bool> went_back{false};
};

struct OnTape : torch::autograd::Function<OnTape> {
  static Tensor forward(AutogradContext* ctx, const Tensor& edge, at::TensorList /*parameters*/,
                        c10::intrusive_ptr<Pass> pass) {
    ctx->set_materialize_grads(false);
    Pass* p = pass.get();
    if (edge.requires_grad()) {
      p->tape.add([p](EdgeError error) {
        p->g_x = error.take();
        return std::vector<EdgeError>();
      });
    }
    p->context.tape = &p->tape;
    Tensor values = p->network->forward(p->x, p->context, *p->carry).values();
    p->x = {};
    p->carry = nullptr;
    ctx->saved_data["pass"] = c10::IValue::make_capsule(std::move(pass));
    return values.is_view() ? values.clone() : values;  // of a view no user could change anything in place
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    ST_CHECK(!at::GradMode::is_enabled(),
             "spiketrain layers have first derivatives only: create_graph must be false");
    const auto pass = c10::static_intrusive_pointer_cast<Pass>(ctx->saved_data["pass"].toCapsule());
    variable_list result(pass->parameters.size() + 2);
    if (!g[0].defined()) return result;
    ST_CHECK(!pass->went_back.exchange(true), "a network's pass goes back once; run it forward again");
    for (const Version& v : pass->read)
      ST_CHECK(
          !v.changed(), "a tensor of shape ", v.of.sizes(),
          " that the network's pass has read was changed in place before it went back (an optimizer step, for one); go back "
          "first, or run the network again");
    GradientSink sink;
    pass->tape.backward(g[0].contiguous());
    for (size_t k = 0; k < pass->parameters.size(); ++k) result[k + 1] = sink.take(pass->parameters[k]);
    result[0] = std::exchange(pass->g_x, {});
    return result;
  }
};

/// Whether the tape's steps are the layers' own: what autograd would do for other stages with parameters hands their gradients to the leaves
/// at once, where hooks of theirs would run twice.
bool may_tape(const Network& network) {
  if (network.runs_by_step()) return false;
  for (const Network::Node& node : network.nodes()) {
    if (!node.stage->taped() && !node.stage->parameters().empty()) return false;
  }
  return true;
}

}  // namespace

Tensor forward_values(const std::shared_ptr<Network>& network, const Signal& x, const Context& context,
                      Carry& carry, States states) {
  const bool learns = context.training() && at::GradMode::is_enabled();
  if (!learns || states == States::joined || !may_tape(*network)) {
    const torch::AutoGradMode grad(learns);  // evaluation records nothing to go back by
    const Tensor values = network->forward(x, context, carry).values();
    if (states == States::cut) carry.detach();
    return values.is_view() ? values.clone() : values;
  }
  auto pass = c10::make_intrusive<Pass>(network, x, context, carry);
  const std::vector<Tensor> parameters = pass->parameters;
  return OnTape::apply(x.edge(), at::TensorList(parameters), std::move(pass));
}

}  // namespace spiketrain
