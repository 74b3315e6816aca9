#include "spiketrain/cost/cost_graph.h"

#include <algorithm>

#include "spiketrain/core/layer.h"

namespace spiketrain {
namespace {

int64_t delay_of(const NetworkRow& row, size_t k) { return row.delays.empty() ? 0 : row.delays.at(k); }

/// The rows of one node; sources are nodes.
std::vector<NetworkRow> rows_of(const Network& network, int64_t index) {
  const Network::Node& node = network.nodes()[static_cast<size_t>(index)];
  const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
  const std::vector<Tensor> parameters = node.stage->parameters();
  std::vector<NetworkRow> rows;
  for (StageInfo& info : node.stage->describe()) {
    NetworkRow row;
    static_cast<StageInfo&>(row) = std::move(info);
    row.block = network.block_of(index);
    row.head = node.head_of >= 0;
    row.node = index;
    row.frozen = !parameters.empty() && std::none_of(parameters.begin(), parameters.end(),
                                                     [](const Tensor& p) { return p.requires_grad(); });
    rows.push_back(std::move(row));
  }
  ST_CHECK(!rows.empty(), "node ", node.name, " describes no row");
  size_t row = 0;
  for (size_t k = 0; k < node.inputs.size(); ++k) {
    const bool product = layer && layer->connections()[k].synapse;
    if (product && k > 0) ++row;
    NetworkRow& reader = rows.at(product ? row : 0);
    reader.sources.push_back(node.inputs[k].node);
    reader.delays.push_back(node.inputs[k].delay);
    if (layer && k > 0) rows[0].ops += numel(node.out);  // the currents are added
  }
  return rows;
}

void check_rows(const std::vector<NetworkRow>& rows) {
  const auto count = static_cast<int64_t>(rows.size());
  for (int64_t i = 0; i < count; ++i) {
    const NetworkRow& row = rows[static_cast<size_t>(i)];
    ST_CHECK(!row.sources.empty(), "cost: row ", i, " (", row.spec, ") reads nothing");
    ST_CHECK(row.delays.empty() || row.delays.size() == row.sources.size(), "cost: row ", i, " (", row.spec,
             ") has ", row.delays.size(), " delays for ", row.sources.size(), " sources");
    for (size_t k = 0; k < row.sources.size(); ++k) {
      const int64_t source = row.sources[k];
      ST_CHECK(source >= -1 && source < count, "cost: row ", i, " (", row.spec, ") reads row ", source,
               ", which does not exist");
      ST_CHECK(source < i || delay_of(row, k) > 0, "cost: row ", i, " (", row.spec, ") reads row ", source,
               ", which comes later, without a delay");
      ST_CHECK(source >= 0 || !row.head, "cost: row ", i, " (", row.spec,
               ") is a head that reads the network's input");
    }
  }
}

double rate_of(const NetworkRow& row, double source_rate, const std::vector<double>& rates) {
  if (row.slot >= 0 && static_cast<size_t>(row.slot) < rates.size())
    return rates[static_cast<size_t>(row.slot)];
  if (row.values != Values::as_input) return 1;
  // A maximum over k*k places is not zero at most k*k times as often.
  const double places =
      row.keeps_input ? static_cast<double>(row.ops) / static_cast<double>(numel(row.out)) : 1;
  return std::min(1.0, source_rate * places);
}

class Graph {
 public:
  Graph(const std::vector<NetworkRow>& rows, const CostInput& input, const std::vector<double>& rates)
      : rows_(rows), input_(input), rates_(rates), nodes_(rows.size()) {
    for (size_t i = 0; i < rows.size(); ++i) {
      nodes_[i].first = i == 0 || rows[i - 1].node != rows[i].node;
      nodes_[i].values = rows[i].values == Values::as_input ? Values::binary : rows[i].values;
    }
    find_steps();
    // Delayed edges lead back, so that what is known of a row may have to go round; each round can only turn binary
    // into real, and credit on.
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t i = 0; i < rows.size(); ++i) changed = update(i) || changed;
    }
  }
  std::vector<CostNode> nodes() { return std::move(nodes_); }

 private:
  /// As Network does it: of each block all nodes from the first end of a delayed edge to the last.
  void find_steps() {
    for (size_t i = 0; i < rows_.size(); ++i) {
      for (size_t k = 0; k < rows_[i].sources.size(); ++k) {
        if (delay_of(rows_[i], k) == 0 || rows_[i].sources[k] < 0) continue;
        const int64_t here = rows_[i].node, there = rows_[static_cast<size_t>(rows_[i].sources[k])].node;
        for (size_t j = 0; j < rows_.size(); ++j) {
          const NetworkRow& row = rows_[j];
          nodes_[j].by_step =
              nodes_[j].by_step || (row.block == rows_[i].block && row.head == rows_[i].head &&
                                    row.node >= std::min(here, there) && row.node <= std::max(here, there));
        }
      }
    }
  }

  const CostNode* source(size_t i, size_t k) const {
    const int64_t s = rows_[i].sources[k];
    return s < 0 ? nullptr : &nodes_[static_cast<size_t>(s)];
  }
  /// What enters row i, and from that what leaves it.  True if that is news.
  bool update(size_t i) {
    const NetworkRow& row = rows_[i];
    const CostNode before = nodes_[i], *from = source(i, 0);
    CostNode& node = nodes_[i];
    const bool delayed = delay_of(row, 0) > 0;
    node.inputs = numel(from ? rows_[static_cast<size_t>(row.sources[0])].out : input_.shape);
    node.reads_binary = (from ? from->values : input_.values) == Values::binary;
    node.reads_constant = !delayed && (from ? from->constant : input_.constant);
    node.reads_image = node.reads_constant && (!from || (from->reads_image && from_temporal(row)));
    node.read_rate = from ? from->rate : input_.rate;
    const bool joins = row.macs == 0 && row.sources.size() > 1;
    node.constant = node.reads_constant && row.linear && row.macs == 0 && !joins;
    if (row.values == Values::as_input)
      node.values = node.reads_binary && !joins ? Values::binary : Values::real;
    node.rate = rate_of(row, node.read_rate, rates_);
    node.pulls = hands_on(i, 0);
    for (size_t k = 1; k < row.sources.size() && row.macs == 0; ++k)
      node.pulls = node.pulls || hands_on(i, k);
    node.grad = node.pulls || ((row.macs > 0 || row.parameters > 0) && !row.frozen);
    return node.values != before.values || node.grad != before.grad || node.pulls != before.pulls ||
           node.rate != before.rate;
  }
  /// Whether a gradient goes from row i to its k-th source: a row of the same block that it can reach.
  bool hands_on(size_t i, size_t k) const {
    const CostNode* from = source(i, k);
    return from && rows_[static_cast<size_t>(rows_[i].sources[k])].block == rows_[i].block && from->grad;
  }
  bool from_temporal(const NetworkRow& row) const {
    return rows_[static_cast<size_t>(row.sources[0])].temporal;
  }

  const std::vector<NetworkRow>& rows_;
  const CostInput& input_;
  const std::vector<double>& rates_;
  std::vector<CostNode> nodes_;
};

}  // namespace

std::vector<NetworkRow> network_rows(const Network& network) {
  const auto nodes = static_cast<int64_t>(network.nodes().size());
  std::vector<NetworkRow> rows;
  std::vector<int64_t> row_of(network.nodes().size(), -1);
  for (int64_t b = 0; b < network.blocks(); ++b) {
    for (const bool head : {false, true}) {
      for (int64_t n = 0; n < nodes; ++n) {
        if (network.block_of(n) != b || (network.nodes()[static_cast<size_t>(n)].head_of >= 0) != head)
          continue;
        row_of[static_cast<size_t>(n)] = static_cast<int64_t>(rows.size());
        for (NetworkRow& row : rows_of(network, n)) rows.push_back(std::move(row));
      }
    }
  }
  for (NetworkRow& row : rows) {
    for (int64_t& source : row.sources)
      source = source == Network::kInput ? -1 : row_of[static_cast<size_t>(source)];
  }
  return rows;
}

std::vector<CostNode> cost_graph(const std::vector<NetworkRow>& rows, const CostInput& input,
                                 const std::vector<double>& rates) {
  check_rows(rows);
  return Graph(rows, input, rates).nodes();
}

int64_t weight_words(const NetworkRow& row) {
  if (row.parameters > 0 || !row.synapse) return row.parameters;
  int64_t words = 0;
  for (const Tensor& w : row.synapse->buffers()) words += w.numel();
  return words;
}

const Rule& rule_of(const std::vector<NetworkRow>& rows, size_t i, const Method& method) {
  while (i > 0 && rows[i].kind == "projection") --i;
  const RuleP& rule = method.at(rows[i].slot);
  ST_CHECK(rule, "cost: row ", i, " (", rows[i].spec, ") has no rule");
  return *rule;
}

}  // namespace spiketrain
