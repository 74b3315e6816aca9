// Tape = the way back through a chain of bare layers in one segment, without autograd: each layer notes what it would
// have made a graph node of.  A layer's own calls do the work either way (core/layer.cpp); what is saved is the graph,
// which costs more than the arithmetic of a small network's step.
// Tests: engine/tape_test.cpp.
#pragma once
#include <functional>
#include <utility>
#include <vector>

#include "spiketrain/ops/torch.h"

namespace spiketrain {

class Tape {
 public:
  /// dL/d(what a layer sent) -> dL/d(what it read), and gradients added to its parameters.
  using Step = std::function<torch::Tensor(torch::Tensor)>;

  /// Nothing below asks for a gradient.
  bool empty() const { return steps_.empty(); }
  void add(Step step) { steps_.push_back(std::move(step)); }
  /// Back from delta = dL/d(what the last layer sent).  What a layer recorded is freed when its step is done.
  void backward(torch::Tensor delta) {
    const torch::NoGradGuard no_grad;
    for (; !steps_.empty(); steps_.pop_back()) delta = steps_.back()(std::move(delta));
  }

 private:
  std::vector<Step> steps_;
};

/// Adds to the gradient of a leaf, as autograd does.  g must be memory of its own.
inline void accumulate(const torch::Tensor& leaf, const torch::Tensor& g) {
  if (!leaf.requires_grad() || !g.defined()) return;
  torch::Tensor& grad = leaf.mutable_grad();
  if (grad.defined()) {
    grad.add_(g);
  } else {
    grad = g;
  }
}

}  // namespace spiketrain
