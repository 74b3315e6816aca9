#include "spiketrain/train/pass.h"

namespace spiketrain {
namespace {

/// Adds the evidence of one window.
void add_scores(const Objective& objective, const Tensor& a, Tensor& scores) {
  torch::NoGradGuard no_grad;
  const Tensor evidence = objective.scores(a);
  scores = scores.defined() ? scores + evidence : evidence;
}

}  // namespace

Signal input_window(const Experiment& e, const PassInput& input, const Window& window) {
  if (e.data.train && e.data.train->steps() > 0)
    return e.encoder->frames(input.x.slice(0, window.t0, window.t1));
  return e.encoder->encode(input.x, {window.t0, window.t1, e.recipe.steps}, input.key);
}

Tensor run_pass(const Experiment& e, const PassPlan& plan, const PassInput& input, Pass& pass,
                const std::function<void(const Window&, const BlockLosses&)>& after_window) {
  Network& network = *e.network;
  Tensor scores;
  pass.hold_still = windows_per_update(plan.windows) > 1;
  for (const Window& window : plan.windows) {
    const torch::AutoGradMode grad(window.loss);
    Network::detach(pass.state);
    BlockLosses losses, waiting;
    Signal x = input_window(e, input, window);
    for (size_t b = 0; b < network.blocks(); ++b) {
      const Signal y = network.forward_block(b, x, pass);
      const bool last = b + 1 == network.blocks();
      if (last) add_scores(*e.objective, y.dense().detach(), scores);
      if (window.loss) {
        const Tensor a = (last ? y : network.forward_head(b, y, pass)).dense();
        Tensor loss = e.objective->loss(a, input.y, window);
        losses.push_back(loss.detach());
        if (plan.block_major) {
          loss.backward();
          // The carried states are the last that hold on to this block's graph.
          Network::detach(pass.state);
        } else {
          waiting.push_back(std::move(loss));
        }
      }
      x = y.detached();
    }
    for (; !waiting.empty(); waiting.pop_back()) waiting.back().backward();  // from the top, as end to end
    x = {};
    Network::detach(pass.state);  // nothing of the window is left
    if (window.update) pass.settle();
    after_window(window, losses);
  }
  return scores;
}

Tensor run_exact(const Experiment& e, const PassInput& input, Pass& pass) {
  const Window whole{0, e.recipe.steps};
  const Tensor a = e.network->forward(input_window(e, input, whole), pass).dense();
  const Tensor loss = e.objective->loss(a, input.y, whole);
  loss.backward();
  return loss.detach();
}

}  // namespace spiketrain
