// Adam:  g += weight_decay * w;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//        w -= lr * (m / (1 - beta1^n)) / (sqrt(v / (1 - beta2^n)) + eps), n = number of the step
// Source: Kingma & Ba 2015, "Adam: a method for stochastic optimization"; LibTorch's torch::optim::Adam.
// Deviation: none.  Tests: unit/optimizer_test.cpp.
#include <torch/optim/adam.h>

#include "spiketrain/parts/optimizers/adam_state.h"

namespace spiketrain {
namespace {

struct Adam final : AdamFamily<torch::optim::Adam, torch::optim::AdamOptions, torch::optim::AdamParamState> {
  static constexpr const char* kDoc = "Adam: running means of the gradient and its square";
  template <class V>
  void visit(V& v) {
    visit_means(v);
    v(weight_decay, "weight_decay", "L2 penalty: weight_decay * w is added to the gradient", Range{0, 1e3});
  }
};
ST_REGISTER(Optimizer, "adam", Adam);

}  // namespace
}  // namespace spiketrain
