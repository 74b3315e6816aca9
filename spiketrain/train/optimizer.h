// Optimisers (LibTorch's SGD, Adam, AdamW), the learning rate over a run, clipping and clamping.
// Learning rate: a function of progress alone, so that a resumed run continues it without further state.
//   warm-up: lr * (i + 1) / n over the first n iterations; then
//   constant: lr;  step: lr * gamma^floor(epoch / step_epochs);
//   cosine: min + (lr - min) * (1 + cos(pi * (i - n) / (N - n))) / 2,  N iterations in the whole run.
// Clipping: g *= max_norm / (norm + 1e-6) if that factor is below 1, norm over all parameters together, as
// torch.nn.utils.clip_grad_norm_ does; here the norm is summed in double in a fixed order.
// Tests: unit/optimizer_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/core/registry.h"
#include "spiketrain/core/torch.h"

namespace torch::optim {
class Optimizer;
}

namespace spiketrain {
using torch::Tensor;
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

struct OptimizerOptions {
  std::string name = "adamw";
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0, momentum = 0;
  bool nesterov = false;

  template <class V>
  void visit(V& v) {
    v(name, "name", "method", Choices{{"sgd", "adam", "adamw"}});
    v(lr, "lr", "learning rate after warm-up", Range{0, 1e6});
    v(beta1, "beta1", "adam, adamw: decay of the mean of the gradient", Range{0, 0.9999999});
    v(beta2, "beta2", "adam, adamw: decay of the mean of its square", Range{0, 0.9999999});
    v(eps, "eps", "adam, adamw: added to the root of the mean square", Range{0, 1});
    v(weight_decay, "weight_decay", "adamw: decoupled decay per unit of lr; others: L2 penalty",
      Range{0, 1e3});
    v(momentum, "momentum", "sgd: momentum", Range{0, 1});
    v(nesterov, "nesterov", "sgd: Nesterov momentum");
  }
  /// UsageError if options contradict each other.
  void check() const;
};

struct LrOptions {
  std::string name = "constant";
  double warmup_epochs = 0;
  int64_t step_epochs = 30;
  double gamma = 0.1, min = 0;

  template <class V>
  void visit(V& v) {
    v(name, "name", "course of the learning rate", Choices{{"constant", "step", "cosine"}});
    v(warmup_epochs, "warmup_epochs", "epochs of linear warm-up, fractions allowed", Range{0, 1e6});
    v(step_epochs, "step_epochs", "step: epochs between two steps", Range{1, 1e9});
    v(gamma, "gamma", "step: factor of each step", Range{0, 1});
    v(min, "min", "cosine: learning rate at the end", Range{0, 1e6});
  }
  /// UsageError for an option that this course does not have.
  void check() const;
};

/// Learning rate of iteration i of `epochs * per_epoch`.
double learning_rate(const LrOptions& options, double base, int64_t iteration, int64_t per_epoch,
                     int64_t epochs);

class Optimizer {
 public:
  /// `parameters` in a fixed order, with the names that state() uses.
  Optimizer(const OptimizerOptions& options, NamedTensors parameters);
  ~Optimizer();
  /// Updates every parameter that has a gradient.
  void step(double lr);
  /// Drops all gradients.
  void zero_grad();
  const NamedTensors& parameters() const { return parameters_; }
  /// What the optimiser remembers, e.g. "0.synapse.weight.exp_avg"; steps are int64 scalars.  Shares memory.
  NamedTensors state() const;
  /// Restores state() of an equal optimiser; tensors are copied.  UsageError names what does not fit.
  void load(const NamedTensors& state);

 private:
  NamedTensors parameters_;
  std::string name_;
  double momentum_;
  std::unique_ptr<torch::optim::Optimizer> torch_;
};

/// sqrt(sum of squares of all gradients), a double scalar on the CPU or the gradients' device.
Tensor grad_norm(const NamedTensors& parameters);
/// Scales all gradients so that their norm, `norm` now, is at most max_norm.
void clip_grads(const NamedTensors& parameters, double norm, double max_norm);
/// Keeps every element in [-limit, limit].
void clamp_weights(const std::vector<Tensor>& weights, double limit);

}  // namespace spiketrain
