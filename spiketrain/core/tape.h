// Tape = the backward pass through the stages of a segment, without a common graph: each records a step.  A layer
// with nothing between its weights and its neuron but biases and norms does so without autograd, whose graph costs more than the
// arithmetic of a small network's step; any other stage has a graph of its own, as its step.
// Tests: engine/tape_test.cpp, engine/joined_tape_test.cpp.
#pragma once
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "spiketrain/ops/pool2d.h"
#include "spiketrain/ops/windows.h"

namespace spiketrain {

/// Whether x may be overwritten, since nobody else holds its memory.  A view holds on to what it is a view of: variable_data() does not.
inline bool is_alone(const torch::Tensor& x) {
  return x.use_count() == 1 && x.storage().use_count() == 1 && x.is_non_overlapping_and_dense();
}

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
  /// The error of one more reader of the same; the sum is written out.
  void add(EdgeError more) {
    if (!more.defined()) return;
    if (!defined()) {
      *this = std::move(more);
      return;
    }
    *this = sum(take(), more.take());
  }

 private:
  static torch::Tensor sum(torch::Tensor a, const torch::Tensor& b) {
    return is_alone(a) ? a.add_(b) : a + b;
  }
};

class Tape {
 public:
  /// dL/d(what a stage sent) -> dL/d(each input that it read), and gradients added to its parameters.  Errors at inputs that do not
  /// ask may be anything.
  using Step = std::function<std::vector<EdgeError>(EdgeError)>;
  static constexpr int64_t kNone = -1;

  /// A stage follows.  What its input k holds came from step sources[k]; kNone: nothing below asks for a gradient.
  void read(std::vector<int64_t> sources) {
    sources_ = std::move(sources);
    output_ = kNone;
  }
  bool asks(size_t input) const { return input < sources_.size() && sources_[input] != kNone; }
  /// The way back of the stage that follows.  Without one nothing is backpropagated through it.
  void add(Step step) {
    output_ = static_cast<int64_t>(steps_.size());
    steps_.push_back({std::move(step), sources_});
  }
  /// The step of the last stage, or kNone.
  int64_t output() const { return output_; }

  /// Back from delta = dL/d(what the last stage sent), each step once all readers of what its stage sent have given their errors.
  /// What a stage recorded is freed when its step is done.  `after_step`, if given, is called after each.
  void backward(EdgeError delta, const std::function<void()>& after_step = {}) {
    const torch::NoGradGuard no_grad;
    std::vector<EdgeError> errors(steps_.size());
    if (output_ != kNone) errors[static_cast<size_t>(output_)] = std::move(delta);
    for (; !steps_.empty(); steps_.pop_back(), errors.pop_back()) {
      if (!errors.back().defined()) continue;
      const std::vector<int64_t>& sources = steps_.back().sources;
      std::vector<EdgeError> below = steps_.back().back(std::move(errors.back()));
      for (size_t k = 0; k < sources.size(); ++k)
        if (sources[k] != kNone) errors[static_cast<size_t>(sources[k])].add(std::move(below[k]));
      if (after_step) after_step();
    }
    output_ = kNone;
  }

 private:
  struct Recorded {
    Step back;
    std::vector<int64_t> sources;
  };
  std::vector<Recorded> steps_;
  std::vector<int64_t> sources_;
  int64_t output_ = kNone;
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
