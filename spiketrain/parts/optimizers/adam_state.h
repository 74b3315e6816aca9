// What adam and adamw share: the options of the two running means, and how they are saved.
#pragma once
#include "spiketrain/parts/optimizers/torch_optimizer.h"

namespace spiketrain {

/// Method, Options and State: LibTorch's.
template <class Method, class Options, class State>
struct AdamFamily : TorchOptimizer {
  double lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;

  int64_t state_words() const override { return 2; }
  double base_rate() const override { return lr; }

 protected:
  template <class V>
  void visit_means(V& v) {
    v(lr, "lr", "learning rate after warm-up", Range{0, 1e6});
    v(beta1, "beta1", "decay of the mean of the gradient", Range{0, 0.9999999});
    v(beta2, "beta2", "decay of the mean of its square", Range{0, 0.9999999});
    v(eps, "eps", "added to the root of the mean square", Range{1e-30, 1});
  }
  std::unique_ptr<torch::optim::Optimizer> make(const std::vector<Tensor>& parameters) const override {
    return std::make_unique<Method>(
        parameters, Options(lr).betas(std::make_tuple(beta1, beta2)).eps(eps).weight_decay(weight_decay));
  }
  std::vector<std::string> fields() const override { return {"step", "exp_avg", "exp_avg_sq"}; }
  std::vector<Tensor> save(const ParamState& kept) const override {
    const auto& state = static_cast<const State&>(kept);
    return {torch::tensor(state.step(), torch::kInt64), state.exp_avg(), state.exp_avg_sq()};
  }
  std::unique_ptr<ParamState> restore(const Fields& fields) const override {
    auto state = std::make_unique<State>();
    state->step(fields.at("step").template item<int64_t>());
    state->exp_avg(fields.at("exp_avg"));
    state->exp_avg_sq(fields.at("exp_avg_sq"));
    return state;
  }
};

}  // namespace spiketrain
