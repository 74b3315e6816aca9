// AdamW: Adam (adam.cpp) whose decay does not pass through the means:  w -= lr * weight_decay * w, then
// Adam's step.
// Source: Loshchilov & Hutter 2019, "Decoupled weight decay regularization"; LibTorch's torch::optim::AdamW.
// Deviation: none.  Tests: unit/optimizer_test.cpp.
#include <torch/optim/adamw.h>

#include "spiketrain/parts/optimizers/adam_state.h"

namespace spiketrain {
namespace {

struct AdamW final
    : AdamFamily<torch::optim::AdamW, torch::optim::AdamWOptions, torch::optim::AdamWParamState> {
  static constexpr const char* kDoc = "Adam with decoupled weight decay";
  template <class V>
  void visit(V& v) {
    visit_means(v);
    v(weight_decay, "weight_decay",
      "decoupled weight decay: each step multiplies the weights by 1 - lr * weight_decay", Range{0, 1e3});
  }
};
ST_REGISTER(Optimizer, "adamw", AdamW);

}  // namespace
}  // namespace spiketrain
