#include "spiketrain/core/stage.h"

#include <functional>
#include <numeric>

namespace spiketrain {

int64_t numel(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<int64_t>());
}

void StillCurrent::settle() {
  if (leaf.defined() && leaf.grad().defined() && I.requires_grad()) I.backward(leaf.grad());
  *this = {};
}

void Pass::settle() {
  for (auto& [slot, current] : still) current.settle();
  still.clear();
}

void Stage::describe(std::vector<StageInfo>& list) const { list.push_back({spec(), "stage", out_shape()}); }

}  // namespace spiketrain
