// Tape = the backward pass through a chain of stages in one segment, without a common graph: each records a step.  A layer
// with nothing between its weight and its neuron does so without autograd, whose graph costs more than the arithmetic
// of a small network's step; any other stage has a graph of its own, as its step.
// Tests: engine/tape_test.cpp.
#pragma once
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "spiketrain/ops/pool2d.h"
#include "spiketrain/ops/windows.h"

namespace spiketrain {

/// dL/d(what a stage sent), or what it is on windows of maps whose sites all have `windows.scale` times the same: a reader that
/// knows windows need not see it written out.
struct EdgeError {
  torch::Tensor g;
  ops::Windows windows = {};
  std::vector<int64_t> sizes = {};  ///< written out; empty without windows

  EdgeError() = default;
  EdgeError(torch::Tensor written_out) : g(std::move(written_out)) {}  // NOLINT: it is one
  EdgeError(torch::Tensor of_windows, const ops::Windows& windows, std::vector<int64_t> sizes)
      : g(std::move(of_windows)), windows(windows), sizes(std::move(sizes)) {}
  bool defined() const { return g.defined(); }
  /// Written out; leaves nothing behind.
  torch::Tensor take() {
    if (sizes.empty() || !g.defined()) return std::move(g);
    return ops::window_spread(std::exchange(g, {}), sizes, windows.k, windows.scale);
  }
};

class Tape {
 public:
  /// dL/d(what a stage sent) -> dL/d(what it read), and gradients added to its parameters.
  using Step = std::function<EdgeError(EdgeError)>;

  /// Nothing below asks for a gradient.
  bool empty() const { return steps_.empty(); }
  void add(Step step) { steps_.push_back(std::move(step)); }
  /// Nothing is backpropagated below what comes now.
  void cut() { steps_.clear(); }
  /// Back from delta = dL/d(what the last stage sent), as far down as a step gives an answer.  What a stage recorded is
  /// freed when its step is done.
  /// `after_step`, if given, is called after each.
  void backward(EdgeError delta, const std::function<void()>& after_step = {}) {
    const torch::NoGradGuard no_grad;
    for (; !steps_.empty() && delta.defined(); steps_.pop_back()) {
      delta = steps_.back()(std::move(delta));
      if (after_step) after_step();
    }
    cut();
  }

 private:
  std::vector<Step> steps_;
};

/// Takes what tapes of this thread would add to the gradients of leaves, as long as it lives.
class GradientSink {
 public:
  GradientSink() : before_(std::exchange(now(), this)) {}
  ~GradientSink() { now() = before_; }
  GradientSink(const GradientSink&) = delete;
  GradientSink& operator=(const GradientSink&) = delete;
  /// Of a leaf, undefined if there is none; the second time, too.
  torch::Tensor take(const torch::Tensor& leaf) {
    return std::exchange(gradients_[leaf.unsafeGetTensorImpl()], {});
  }
  torch::Tensor& of(const torch::Tensor& leaf) { return gradients_[leaf.unsafeGetTensorImpl()]; }
  /// Null: gradients go to the leaves.
  static GradientSink*& now();

 private:
  std::map<const void*, torch::Tensor> gradients_;
  GradientSink* before_;
};

/// Adds to the gradient of a leaf, as autograd does.  g must be memory of its own.
inline void accumulate(const torch::Tensor& leaf, const torch::Tensor& g) {
  if (!leaf.requires_grad() || !g.defined()) return;
  torch::Tensor& grad = GradientSink::now() ? GradientSink::now()->of(leaf) : leaf.mutable_grad();
  if (grad.defined()) {
    grad.add_(g);
  } else {
    grad = g;
  }
}

/// The gradient that arrived at an edge, as it lies in memory: a leaf's own would be copied into the layout of the leaf.
struct CaughtGradient : torch::CustomClassHolder {
  torch::Tensor g;
};
/// x as it is; its gradient goes to `caught` and no further.
struct CatchGradient : torch::autograd::Function<CatchGradient> {
  static torch::Tensor forward(torch::autograd::AutogradContext* ctx, const torch::Tensor& x,
                               c10::intrusive_ptr<CaughtGradient> caught) {
    ctx->saved_data["caught"] = c10::IValue::make_capsule(std::move(caught));
    return x.alias();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list g) {
    c10::static_intrusive_pointer_cast<CaughtGradient>(ctx->saved_data["caught"].toCapsule())->g = g[0];
    return {torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace spiketrain
