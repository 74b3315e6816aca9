// Bytes of one row of a network for a batch over a segment: what the memory model starts from.
// Tests: property/memory_test.cpp.
#pragma once
#include <vector>

#include "spiketrain/cost/cost_graph.h"
#include "spiketrain/cost/footprint.h"
#include "spiketrain/cost/memory_model.h"

namespace spiketrain {

/// Bytes of one row for the whole batch over a segment.
struct RowBytes {
  int64_t floats = 0;    ///< its output as floats
  int64_t image = 0;     ///< one step of that
  int64_t inputs = 0;    ///< what it reads, as floats
  int64_t state = 0;     ///< carried from segment to segment, and changed in place
  int64_t renewed = 0;   ///< carried from segment to segment, and replaced by new tensors in each
  int64_t weights = 0;   ///< gradient of the weights
  int64_t trace = 0;     ///< what a rule with a trace multiplies instead of the input
  int64_t synapses = 0;  ///< one number for each synapse, if the rule keeps a trace of each
  int64_t traces = 0;    ///< of all synapses, replaced by new tensors in each segment
  NeuronFootprint neuron;
  SynapseScratch synapse;
};

/// Of row i over a segment of so many steps, without traces of inputs.
inline RowBytes row_bytes(const std::vector<NetworkRow>& rows, const std::vector<CostNode>& nodes,
                          const MemoryPlan& plan, const Method& method, size_t i, int64_t steps) {
  const NetworkRow& row = rows[i];
  const CostNode& node = nodes[i];
  const int64_t n = numel(row.out), samples = plan.batch * steps;
  RowBytes b;
  b.image = kFloatBytes * n * plan.batch;
  b.floats = node.constant ? b.image : b.image * steps;
  b.inputs = kFloatBytes * node.inputs * samples;
  b.state = row.state * (node.constant ? 0 : plan.batch);
  b.weights = kFloatBytes * weight_words(row);
  if (row.macs > 0) {
    ST_CHECK(row.synapse && (row.neuron || !node.first), "memory model: row ", i, " (", row.spec,
             ") has weights, but no synapse or neuron");
    const Shape& in = row.sources[0] < 0 ? plan.input.shape : rows[static_cast<size_t>(row.sources[0])].out;
    const int64_t at_once = node.reads_constant || node.by_step ? plan.batch : samples;
    b.synapse = synapse_scratch(*row.synapse, in, row.out, {at_once, node.reads_spikes, plan.threads});
  }
  if (!row.neuron) return b;
  const Rule& rule = rule_of(rows, i, method);
  b.neuron = neuron_footprint(*row.neuron, rule, steps, row.out);
  b.renewed = b.neuron.state * n * plan.batch;
  b.state += b.neuron.trace * n * plan.batch;
  for (size_t r = i; rule.reads_patches() && r < rows.size() && (r == i || !nodes[r].first); ++r)
    b.synapses += kFloatBytes * rows[r].macs * plan.batch;
  b.traces = b.synapses / kFloatBytes * b.neuron.synapse_trace;
  return b;
}

}  // namespace spiketrain
