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
  std::vector<NetworkRow> rows;
  for (StageInfo& info : node.stage->describe()) {
    NetworkRow row;
    static_cast<StageInfo&>(row) = std::move(info);
    row.block = network.block_of(index);
    row.head = node.head_of >= 0;
    row.chain = network.is_chain(row.block);
    row.taped = node.stage->taped();
    row.node = index;
    row.inner = !rows.empty();
    rows.push_back(std::move(row));
  }
  ST_CHECK(!rows.empty(), "node ", node.name, " describes no row");
  if (index > 0 && !rows[0].head && network.nodes()[static_cast<size_t>(index - 1)].unit == node.unit)
    rows[0].inner = true;
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
    find_outputs();
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
  void find_outputs() {
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (rows_[i].head || !nodes_[i].first) continue;
      const bool more = std::any_of(
          rows_.begin() + static_cast<int64_t>(i) + 1, rows_.end(),
          [&](const auto& r) { return r.block == rows_[i].block && !r.head && r.node != rows_[i].node; });
      nodes_[i].output = !more;
    }
  }
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
  bool all_sources(size_t i, bool CostNode::*of_row, bool of_input) const {
    for (size_t k = 0; k < rows_[i].sources.size(); ++k) {
      const CostNode* from = source(i, k);
      if (!(from ? from->*of_row : of_input)) return false;
    }
    return true;
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
    node.reads_spikes = from ? from->spikes : input_.spikes;
    node.read_rate = from ? from->rate : input_.rate;
    const bool joins = row.macs == 0 && row.sources.size() > 1;
    node.constant = node.reads_constant && row.linear && row.macs == 0 && !joins;
    node.spikes = row.neuron   ? row.neuron->emits().bare()
                  : joins      ? all_sources(i, &CostNode::spikes, input_.spikes)
                  : row.copies ? node.reads_spikes && sums_fit(row, from)
                               : node.reads_spikes;
    if (!row.neuron) node.planes = planes_of(row, from ? from->planes : 1);
    if (row.values == Values::as_input)
      node.values = node.reads_binary && !joins ? Values::binary : Values::real;
    node.rate = rate_of(row, node.read_rate, rates_);
    node.pulls = hands_on(rows_, nodes_, i, 0);
    for (size_t k = 1; k < row.sources.size() && row.macs == 0; ++k)
      node.pulls = node.pulls || hands_on(rows_, nodes_, i, k);
    node.grad = node.pulls || row.macs > 0 || row.parameters > 0;
    return node.values != before.values || node.spikes != before.spikes || node.grad != before.grad ||
           node.pulls != before.pulls || node.rate != before.rate;
  }
  /// Bits of sums of spikes that have so many.
  static int64_t planes_of(const NetworkRow& row, int64_t planes) {
    const int64_t most = ((int64_t{1} << planes) - 1) * std::max<int64_t>(1, row.sums);
    int64_t bits = 1;
    while (most >> bits != 0) ++bits;
    return bits;
  }
  static bool sums_fit(const NetworkRow& row, const CostNode* from) {
    return row.sums > 0 && planes_of(row, from ? from->planes : 1) <= 8;
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

std::vector<NetworkRow> end_to_end(const std::vector<NetworkRow>& rows) {
  std::vector<NetworkRow> kept;
  std::vector<int64_t> index(rows.size(), -1);
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].head) continue;
    index[i] = static_cast<int64_t>(kept.size());
    kept.push_back(rows[i]);
    kept.back().block = 0;
  }
  const bool chain = std::all_of(kept.begin(), kept.end(), [](const NetworkRow& row) { return row.chain; });
  for (NetworkRow& row : kept) {
    row.chain = chain;
    for (int64_t& source : row.sources) source = source < 0 ? -1 : index.at(static_cast<size_t>(source));
  }
  return kept;
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

bool hands_on(const std::vector<NetworkRow>& rows, const std::vector<CostNode>& nodes, size_t i, size_t k) {
  const int64_t source = rows[i].sources.at(k);
  return source >= 0 && rows[static_cast<size_t>(source)].block == rows[i].block &&
         nodes[static_cast<size_t>(source)].grad;
}

}  // namespace spiketrain
