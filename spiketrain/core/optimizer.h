// Optimizer = from gradients to weights; LearningRate = the course of the learning rate over a run.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/base/registry.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain {
using torch::Tensor;
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Every parameter of a module with its name, in order; shares memory.
NamedTensors named_parameters(const torch::nn::Module& module);
/// Those of them that are not frozen: that require a gradient.
NamedTensors trained_parameters(const torch::nn::Module& module);

struct Optimizer : Part {
  /// Once, before the first step: what it updates, in a fixed order, with the names that state() uses.
  virtual void attach(NamedTensors parameters) = 0;
  /// Updates every parameter that has a gradient.
  virtual void step(double lr) = 0;
  /// What it remembers, e.g. "0.synapse.weight.exp_avg"; steps are int64 scalars.  Shares memory.
  virtual NamedTensors state() const = 0;
  /// Restores state() of an equal optimizer; tensors are copied.  UsageError names what does not fit.
  virtual void load(const NamedTensors& state) = 0;
  /// Words of state per weight, for the cost meter.
  virtual int64_t state_words() const = 0;
  /// The learning rate that a LearningRate starts from.
  virtual double base_rate() const = 0;
  const NamedTensors& parameters() const { return parameters_; }
  /// Drops all gradients.
  void zero_grad();

 protected:
  NamedTensors parameters_;
};

/// A function of progress alone, so that a resumed run continues it without further state.
struct LearningRate : Part {
  /// Of iteration i, where an epoch has `per_epoch` iterations and the run `epochs` epochs.
  virtual double at(double base, int64_t iteration, int64_t per_epoch, int64_t epochs) const = 0;
  /// Whether at() reads `epochs`: a run that is resumed must then keep them.
  virtual bool reads_epochs() const { return true; }
};

}  // namespace spiketrain
