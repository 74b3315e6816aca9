#include "spiketrain/core/forward.h"

#include "spiketrain/core/tape.h"

namespace spiketrain {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A network on its way forward and back.
struct Pass : torch::CustomClassHolder {
  Pass(std::shared_ptr<Network> n, const Signal& x, const Context& context, Carry& carry)
      : network(std::move(n)), x(x), context(context), carry(&carry), parameters(network->parameters()) {}

  std::shared_ptr<Network> network;  ///< steps of the tape point into it
  Signal x;                          ///< until it has gone forward
  Context context;
  Carry* carry;
  std::vector<Tensor> parameters;
  Tape tape;
  Tensor g_x;
  bool went_back = false;
};

/// The gradients that `work` adds to leaves, taken from them: what was there before stays as it was.
template <class F>
variable_list gradients_of(const std::vector<Tensor>& leaves, F&& work) {
  variable_list before, made;
  for (const Tensor& leaf : leaves) before.push_back(std::exchange(leaf.mutable_grad(), {}));
  const auto take = [&] {
    for (size_t k = 0; k < leaves.size(); ++k)
      made.push_back(std::exchange(leaves[k].mutable_grad(), std::move(before[k])));
  };
  try {
    work();
  } catch (...) {
    take();
    throw;
  }
  take();
  return made;
}

struct Chain : torch::autograd::Function<Chain> {
  static Tensor forward(AutogradContext* ctx, const Tensor& edge, at::TensorList /*parameters*/,
                        c10::intrusive_ptr<Pass> pass) {
    ctx->set_materialize_grads(false);
    Pass* p = pass.get();
    if (edge.requires_grad()) {
      p->tape.add([p](EdgeError error) -> EdgeError {
        p->g_x = error.take();
        return {};
      });
    }
    p->context.tape = &p->tape;
    Tensor values = p->network->forward(p->x, p->context, *p->carry).values();
    p->x = {};
    p->carry = nullptr;
    ctx->saved_data["pass"] = c10::IValue::make_capsule(std::move(pass));
    return values;
  }
  static variable_list backward(AutogradContext* ctx, variable_list g) {
    ST_CHECK(!at::GradMode::is_enabled(),
             "spiketrain layers have first derivatives only: create_graph must be false");
    const auto pass = c10::static_intrusive_pointer_cast<Pass>(ctx->saved_data["pass"].toCapsule());
    ST_CHECK(!pass->went_back, "a network's pass goes back once; run it forward again");
    variable_list result(pass->parameters.size() + 2);
    if (!g[0].defined()) return result;
    pass->went_back = true;
    variable_list made = gradients_of(pass->parameters, [&] { pass->tape.backward(g[0].contiguous()); });
    std::move(made.begin(), made.end(), result.begin() + 1);
    result[0] = std::exchange(pass->g_x, {});
    return result;
  }
};

bool is_chain(const Network& network) {
  for (int64_t b = 0; b < network.blocks(); ++b) {
    if (!network.is_chain(b)) return false;
  }
  return true;
}

}  // namespace

Tensor forward_values(const std::shared_ptr<Network>& network, const Signal& x, const Context& context,
                      Carry& carry, States states) {
  const bool learns = context.training() && at::GradMode::is_enabled();
  if (!learns || states == States::joined || !is_chain(*network)) {
    const torch::AutoGradMode grad(learns);  // evaluation records nothing to go back by
    Tensor values = network->forward(x, context, carry).values();
    if (states == States::cut) carry.detach();
    return values;
  }
  auto pass = c10::make_intrusive<Pass>(network, x, context, carry);
  const std::vector<Tensor> parameters = pass->parameters;
  return Chain::apply(x.edge(), at::TensorList(parameters), std::move(pass));
}

}  // namespace spiketrain
