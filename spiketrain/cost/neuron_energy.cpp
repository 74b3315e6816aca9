#include "spiketrain/cost/neuron_energy.h"

#include <algorithm>

namespace spiketrain {
namespace {

/// Pairs of a step and a tap that reaches one: k taps, `dilation` apart, newest at the step itself.
int64_t taps_inside(int64_t T, int64_t k, int64_t dilation) {
  int64_t sum = 0;
  for (int64_t i = 0; i < k && i * dilation < T; ++i) sum += T - i * dilation;
  return sum;
}

}  // namespace

NeuronOperations& NeuronOperations::operator+=(const NeuronOperations& other) {
  multiplications += other.multiplications;
  shifts += other.shifts;
  additions += other.additions;
  return *this;
}

bool weighs_time(const Neuron& neuron) {
  const std::string& name = neuron.part_name();
  return name == "psn" || name == "masked_psn" || name == "sliding_psn" || name == "cw_psn";
}

NeuronOperations neuron_operations(const Neuron& neuron, int64_t neurons, int64_t T, bool published) {
  ST_CHECK(weighs_time(neuron), "neuron_operations: expected a neuron of the PSN family, got ",
           neuron.part_name());
  const Config options = neuron.config();
  int64_t products = T * T;
  if (!neuron.whole_sequence()) {
    const auto dilation = published ? int64_t{1} : options.value("dilation", int64_t{1});
    products = taps_inside(T, options.at("k").get<int64_t>(), dilation);
  }
  const Config quantizer = options.value("quantizer", Config());
  const bool shifts = quantizer.is_object() && quantizer.at("name") == "power_of_two";
  NeuronOperations n;
  (shifts ? n.shifts : n.multiplications) = neurons * products;
  n.additions = neurons * (products + T);
  return n;
}

}  // namespace spiketrain
