// What the optimizers that wrap LibTorch's have in common: parameters, the rate of a step, and state out and
// in. A leaf says which method, and which fields it keeps for a parameter.
// Tests: unit/optimizer_test.cpp.
#pragma once
#include <torch/optim/optimizer.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/optimizer.h"

namespace spiketrain {

class TorchOptimizer : public Optimizer {
 public:
  /// UsageError if there are no parameters.
  void attach(NamedTensors parameters) final;
  void step(double lr) final;
  NamedTensors state() const final;
  void load(const NamedTensors& state) final;

 protected:
  using ParamState = torch::optim::OptimizerParamState;
  using Fields = std::map<std::string, Tensor>;

  virtual std::unique_ptr<torch::optim::Optimizer> make(const std::vector<Tensor>& parameters) const = 0;
  /// Names of what is kept for a parameter: "step" is one int64, the others are shaped like it.
  virtual std::vector<std::string> fields() const = 0;
  /// One parameter's fields in that order.
  virtual std::vector<Tensor> save(const ParamState& state) const = 0;
  /// From fields that fit, copied to where the parameter lives.
  virtual std::unique_ptr<ParamState> restore(const Fields& fields) const = 0;

 private:
  std::unique_ptr<torch::optim::Optimizer> torch_;
};

}  // namespace spiketrain
