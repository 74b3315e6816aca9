// Stochastic gradient descent, with or without momentum:
//   g += weight_decay * w;  m = momentum * m + g;  w -= lr * (nesterov ? g + momentum * m : m)
// Source: LibTorch's torch::optim::SGD.  Deviation: none.  Tests: unit/optimizer_test.cpp.
#include <torch/optim/sgd.h>

#include "spiketrain/parts/optimizers/torch_optimizer.h"

namespace spiketrain {
namespace {

struct Sgd final : TorchOptimizer {
  static constexpr const char* kDoc = "stochastic gradient descent, with or without momentum";
  double lr = 1e-3, momentum = 0, weight_decay = 0;
  bool nesterov = false;

  template <class V>
  void visit(V& v) {
    v(lr, "lr", "learning rate after warm-up", Range{0, 1e6});
    v(momentum, "momentum", "momentum factor: share of the previous step", Range{0, 1});
    v(nesterov, "nesterov", "Nesterov's form of momentum");
    v(weight_decay, "weight_decay", "L2 penalty: weight_decay * w is added to the gradient", Range{0, 1e3});
  }
  void check() override { ST_CHECK(!nesterov || momentum > 0, "optimizer sgd: nesterov needs momentum > 0"); }
  int64_t state_words() const override { return momentum > 0 ? 1 : 0; }
  double base_rate() const override { return lr; }

 protected:
  std::unique_ptr<torch::optim::Optimizer> make(const std::vector<Tensor>& parameters) const override {
    return std::make_unique<torch::optim::SGD>(
        parameters,
        torch::optim::SGDOptions(lr).momentum(momentum).weight_decay(weight_decay).nesterov(nesterov));
  }
  std::vector<std::string> fields() const override {
    return momentum > 0 ? std::vector<std::string>{"momentum_buffer"} : std::vector<std::string>{};
  }
  std::vector<Tensor> save(const ParamState& state) const override {
    if (momentum == 0) return {};
    return {static_cast<const torch::optim::SGDParamState&>(state).momentum_buffer()};
  }
  std::unique_ptr<ParamState> restore(const Fields& fields) const override {
    auto state = std::make_unique<torch::optim::SGDParamState>();
    state->momentum_buffer(fields.at("momentum_buffer"));
    return state;
  }
};
ST_REGISTER(Optimizer, "sgd", Sgd);

}  // namespace
}  // namespace spiketrain
