// What the phase-coded neurons of this folder share: step t is of phase t mod bits, and a spike of phase i = 0, 1, ... weighs
// 2^-(1+i), the most significant digit first.
#pragma once
#include <cmath>
#include <vector>

#include "spiketrain/core/neuron.h"

namespace spiketrain {

struct Phases {
  int64_t bits = 8;

  template <class V>
  void visit(V& v) {
    v(bits, "bits", "phases of a period, the binary digits of a value; as many as the encoder's",
      Range{1, 24});
  }
  static double weight(int64_t phase) { return std::ldexp(1.0, -static_cast<int>(phase) - 1); }
  /// Of a tensor of phases, which need not be whole numbers; without gradient.
  Tensor weights(const Tensor& phase) const {
    std::vector<double> table;
    for (int64_t i = 0; i < bits; ++i) table.push_back(weight(i));
    const Tensor index = torch::remainder(torch::floor(phase.detach()), bits).to(torch::kLong);
    return torch::tensor(table, phase.options().requires_grad(false)).index({index});
  }
  Tensor next(const Tensor& phase) const { return torch::remainder(phase + 1, bits); }
};

}  // namespace spiketrain
