#include "spiketrain/train/cost_graph.h"

#include <algorithm>

namespace spiketrain {
namespace {

/// Row that each row reads, by the rules in core/stage.h.
void link(const std::vector<StageInfo>& rows, std::vector<CostNode>& nodes) {
  int64_t entering = -1, current = -1;
  for (int64_t i = 0; i < static_cast<int64_t>(rows.size()); ++i) {
    const StageInfo& row = rows[static_cast<size_t>(i)];
    const bool follows = i > 0 && rows[static_cast<size_t>(i - 1)].block == row.block;
    CostNode& node = nodes[static_cast<size_t>(i)];
    if (row.head) {
      ST_CHECK(current >= 0, "cost: row ", i, " (", row.spec, ") is a head before the first layer");
      node.source = follows && rows[static_cast<size_t>(i - 1)].head ? i - 1 : current;
    } else if (row.inner) {
      ST_CHECK(row.back >= 0 && row.back <= i, "cost: row ", i, " (", row.spec, ") reads ", row.back,
               " rows above");
      node.source = row.back > 0 ? i - row.back : entering;
      nodes[static_cast<size_t>(current)].unit = true;
    } else {
      node.source = entering = current;
      current = i;
      node.last = true;
      if (entering >= 0 && rows[static_cast<size_t>(entering)].block == row.block) {
        nodes[static_cast<size_t>(entering)].last = false;
      }
    }
  }
}

double rate_of(const StageInfo& row, const CostNode& node, double source_rate,
               const std::vector<double>& rates) {
  if (row.slot >= 0 && static_cast<size_t>(row.slot) < rates.size())
    return rates[static_cast<size_t>(row.slot)];
  if (row.values != Values::as_input || node.unit) return 1;
  // A maximum over k*k places is not zero at most k*k times as often.
  const double places =
      row.keeps_input ? static_cast<double>(row.ops) / static_cast<double>(numel(row.out)) : 1;
  return std::min(1.0, source_rate * places);
}

}  // namespace

std::vector<CostNode> cost_graph(const std::vector<StageInfo>& rows, const CostInput& input,
                                 const std::vector<double>& rates) {
  std::vector<CostNode> nodes(rows.size());
  link(rows, nodes);
  for (size_t i = 0; i < rows.size(); ++i) {
    const StageInfo& row = rows[i];
    CostNode& node = nodes[i];
    const bool first = node.source < 0;
    const auto from = static_cast<size_t>(first ? 0 : node.source);
    node.inputs = numel(first ? input.shape : rows[from].out);
    node.reads_binary = (first ? input.values : nodes[from].values) == Values::binary;
    node.reads_stationary = first ? input.stationary : nodes[from].stationary;
    node.reads_image = node.reads_stationary && (first || (nodes[from].reads_image && rows[from].temporal));
    node.stationary = node.reads_stationary && row.linear && row.macs == 0;
    node.values =
        row.values == Values::as_input ? (node.reads_binary ? Values::binary : Values::real) : row.values;
    node.rate = rate_of(row, node, first ? input.rate : nodes[from].rate, rates);
    node.pulls = !first && rows[from].block == row.block && nodes[from].grad;
    node.grad = node.pulls || row.macs > 0 || row.parameters > 0 || node.unit;
  }
  // A unit joined at the current fires with its second layer.
  for (size_t i = 0; i + 2 < rows.size(); ++i) {
    if (nodes[i].unit && nodes[i].values == Values::binary)
      nodes[i].rate = rate_of(rows[i + 2], nodes[i + 2], 1, rates);
  }
  return nodes;
}

}  // namespace spiketrain
