// The cost meter: operations, memory traffic, bytes that are kept and an estimate of energy, per layer and in total, per
// sample of one training pass.  How much a pass holds at its worst moment is measured: recipe/memory.h.  Definitions in docs/cost-meter.md:
//   ac            accumulates: products with a binary operand (W s forward, delta (x) s in the weight gradient)
//   mac_error     W^T delta inside a block, and from a head into its block
//   mac_weight    weight gradients with a real presynaptic operand (analog input, PSP, averages, traces)
//   mac_forward   forward products with a real operand
//   vector        elementwise operations: neurons, pooling, traces
//   memory_words  32-bit words moved: weights, their gradients and updates, states, what is stored for backward
// Counts are dense: every weight, every step.  Credit is cut between blocks.
// Source of the distinction of AC and MAC(error): Guo et al. 2023, "Efficient training of spiking neural networks with
// temporally-truncated local backpropagation through time", whose table of operations it reproduces.
// Deviation: none.  Tests: unit/cost_test.cpp, unit/cost_network_test.cpp.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "spiketrain/core/rule.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/cost/cost_graph.h"
#include "spiketrain/cost/energy.h"

namespace spiketrain {

struct Operations {
  int64_t ac = 0, mac_error = 0, mac_weight = 0, mac_forward = 0, vector = 0, memory_words = 0;
  Operations& operator+=(const Operations& other);
};

struct CostOptions {
  Plan plan = {{0, 1}};  ///< of one batch
  int64_t batch = 1;     ///< updates are shared by the samples of a batch
  CostInput input;
  RuleP rule;                           ///< null: BPTT with bare neurons; layers then need not have a neuron
  std::map<int64_t, RuleP> rules = {};  ///< [slot] of the layers that learn by another one
  int64_t optimizer_words = 2;          ///< state per weight: Adam 2, SGD with momentum 1, SGD 0
  std::vector<double> rates = {};       ///< [slot] measured firing rates; empty: no effective counts
  EnergyTable energy;
};

struct CostRow {
  std::string spec, kind;
  int64_t block = 0;
  bool head = false;
  Operations dense;
  int64_t bytes_kept = 0;  ///< between forward and backward of the longest segment, per sample
};

struct CostReport {
  std::vector<CostRow> rows;
  Operations total;
  double effective_ac = -1;     ///< ac scaled by the firing rates; -1: rates unknown
  int64_t mac_forward_run = 0;  ///< mac_forward that is carried out: a constant image is multiplied
  int64_t mac_weight_run = 0;   ///< once per update, not once per step; mac_weight likewise
  double energy_uj = 0;         ///< estimate, from the dense counts
};

/// UsageError if the rows do not form a network or the plan has no segment with a loss.
CostReport measure_cost(const std::vector<NetworkRow>& rows, const CostOptions& options);

/// {"ac","mac_error","mac_weight","mac_forward","vector","memory_words","energy_uj"} per sample; "effective_ac" if rates
/// were given, "mac_forward_run" and "mac_weight_run" if they differ from the dense counts.
Config to_json(const CostReport& report);

}  // namespace spiketrain
