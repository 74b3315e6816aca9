// NeuroBench's metrics, under its names and by its definitions, beside those of cost.h, which differ:
//   footprint             bytes of all parameters and buffers (ours: no states, which are no buffers here)
//   parameter_count       elements of all parameters
//   connection_sparsity   share of zeros among the weights of all synapses, biases left out; of synapses with delays the weights
//                         themselves, not their copies at the taps
//   activation_sparsity   share of zeros among what the neurons send, over neurons, steps and samples of a batch; mean over batches,
//                         weighed by their size
//   synaptic_operations   per sample: products of a weight that is not zero with an input that is not zero, at no place of padding.
//                         Effective_ACs where all inputs of a synapse at a step, in the whole batch, are -1, 0 or 1, else
//                         Effective_MACs.  Dense: with every weight and input
//   membrane_updates      per sample: at the first step all neurons, later those whose membrane is another after the step than before
// Heads of blocks, which are not deployed, are in none of them.  Synapses are those of layers: if another stage has weights, such as an
// event-driven one, what is counted over synapses is not known.
// Source: Yik et al. 2025, "The neurobench framework for benchmarking neuromorphic computing algorithms and systems"; conventions as
// read in the code of NeuroBench 2.  Deviations: docs/cost-meter.md.
// Tests: unit/neurobench_test.cpp, golden/neurobench_test.cpp.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "spiketrain/engine/learner.h"

namespace spiketrain {

struct NeuroBench {
  int64_t footprint = 0, parameter_count = 0;
  std::optional<double> connection_sparsity;  ///< absent: not known
  std::optional<double> dense;                ///< synaptic operations of a sample; absent: not known

  /// What takes samples.
  struct Activity {
    int64_t samples = 0;
    double activation_sparsity = 0;
    std::optional<double> effective_macs, effective_acs;  ///< of a sample; absent: not known
    std::optional<double> membrane_updates;  ///< of a sample; absent: some neuron does not show its membrane
  };
  std::optional<Activity> activity;  ///< absent: not measured
};

/// What no sample is needed for, of sequences of so many steps.
NeuroBench neurobench(const Network& network, int64_t steps);
/// All of it, on batches; those of different size give what NeuroBench gives.  UsageError without a sample, or if the network cannot
/// run step by step (event-driven layers).
NeuroBench neurobench(const Learner& learner, const std::vector<Batch>& batches);

/// {"footprint", "parameter_count", "connection_sparsity", "synaptic_operations": {"Dense"}}, and if measured "samples",
/// "activation_sparsity", "membrane_updates", "synaptic_operations": {"Effective_MACs", "Effective_ACs", "Dense"}; without what is not
/// known.
Config to_json(const NeuroBench& measured);

}  // namespace spiketrain
