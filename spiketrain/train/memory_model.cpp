#include "spiketrain/train/memory_model.h"

#include <algorithm>

namespace spiketrain {
namespace {

constexpr int64_t kFloat = 4;

/// Bytes of one row for the whole batch; `window` stands for all steps of a window.
struct RowBytes {
  int64_t output = 0;   ///< per window
  int64_t kept = 0;     ///< per window, output included if the row holds it
  int64_t current = 0;  ///< per window: input current that goes after the forward pass
  int64_t events = 0;   ///< per window
  int64_t state = 0;    ///< carried from window to window
  int64_t renewed = 0;  ///< of these, what is replaced by a new tensor in every window
  int64_t scratch = 0;  ///< while credit runs
  int64_t norm = 0;     ///< per window
  int64_t weights = 0;  ///< gradient of the weights
  Synapse::Scratch synapse;
};

class Model {
 public:
  Model(const std::vector<StageInfo>& rows, const MemoryPlan& plan, const Rule& rule)
      : rows_(rows), plan_(plan), nodes_(cost_graph(rows, plan.input)), traces_(rule.traces()) {
    for (size_t i = 0; i < rows.size(); ++i) bytes_.push_back(measure(i, rule));
    kept_output_.resize(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].keeps_input) keep(nodes_[i].source);
      if (nodes_[i].last) keep(static_cast<int64_t>(i));
    }
  }

  MemoryEstimate run() {
    MemoryEstimate estimate;
    for (const RowBytes& b : bytes_) {
      estimate.state += b.state;
      estimate.kept.push_back(b.kept);
    }
    if (plan_.count_input) {
      // As if a block below had handed it on: the first block lets go of it.
      handed_on_ =
          kFloat * numel(plan_.input.shape) * plan_.batch * (plan_.input.stationary ? 1 : plan_.window);
      live_ += handed_on_;
    }
    if (plan_.windows > 1) {
      live_ += estimate.state;
      for (const RowBytes& b : bytes_) grads_ += plan_.count_gradients ? b.weights : 0;
      live_ += grads_;
    }
    for (size_t begin = 0, end = 0; begin < rows_.size(); begin = end) {
      end = plan_.block_major ? end_of_block(begin) : rows_.size();
      pass(begin, end);
    }
    for (size_t i = 0; i < rows_.size(); ++i) {  // a held image's weight gradient, when the windows are done
      if (rows_[i].synapse && holds_still(i))
        see(bytes_[i].weights + rows_[i].synapse->scratch(plan_.batch, plan_.threads).outer);
    }
    estimate.peak = peak_;
    return estimate;
  }

 private:
  RowBytes measure(size_t i, const Rule& rule) const {
    const StageInfo& row = rows_[i];
    const CostNode& node = nodes_[i];
    const int64_t samples = plan_.batch * plan_.window, n = numel(row.out);
    RowBytes b;
    b.output = kFloat * n * (node.stationary ? plan_.batch : samples);
    b.kept = row.buffer * samples;
    b.state = row.state * (node.stationary ? 0 : plan_.batch);
    b.weights = kFloat * row.parameters;
    if (row.synapse) b.synapse = row.synapse->scratch(samples, plan_.threads);
    if (row.norm) b.norm = b.output;
    if (holds_still(i)) b.state += 2 * kFloat * n * plan_.batch;  // the current and its credit
    if (row.macs > 0 && rule.traces()) {
      b.kept += kFloat * node.inputs * samples;
      b.state += kFloat * node.inputs * plan_.batch;
    }
    if (!row.neuron) return b;
    const Neuron::Footprint f = row.neuron->footprint(rule, plan_.window);
    b.kept += f.kept * n * samples;
    b.events = f.events * n * samples;
    b.current = f.keeps_current ? 0 : b.output;
    b.renewed = f.state * n * plan_.batch;
    b.state += b.renewed;
    b.scratch = static_cast<int64_t>(f.scratch * static_cast<double>(n * samples));
    return b;
  }

  /// One product for all windows between two updates; its weight gradient waits until then.
  bool holds_still(size_t i) const {
    return rows_[i].macs > 0 && nodes_[i].reads_stationary && plan_.windows_per_update > 1 && !traces_;
  }
  bool is_layer(size_t i) const { return rows_[i].macs > 0; }
  /// The row whose memory the output of row i is; -1 if it is on a layer's tape or is the network's input.
  int64_t owner(int64_t i) const {
    while (i >= 0 && !is_layer(static_cast<size_t>(i)) && !rows_[static_cast<size_t>(i)].copies) {
      i = nodes_[static_cast<size_t>(i)].unit ? -1 : nodes_[static_cast<size_t>(i)].source;
    }
    return i >= 0 && is_layer(static_cast<size_t>(i)) ? -1 : i;
  }
  /// The output of row i outlives the forward pass.
  void keep(int64_t i) {
    if (const int64_t row = owner(i); row >= 0) kept_output_[static_cast<size_t>(row)] = true;
  }
  bool output_kept(size_t i) const { return kept_output_[i]; }
  /// Bytes of its input that a stage without a tape lets go of after its backward.
  int64_t released(size_t i) const {
    const int64_t row = rows_[i].keeps_input ? owner(nodes_[i].source) : -1;
    if (row < 0 || nodes_[static_cast<size_t>(row)].last) return 0;
    return bytes_[static_cast<size_t>(row)].output;
  }

  size_t end_of_block(size_t begin) const {
    size_t end = begin;
    while (end < rows_.size() && rows_[end].block == rows_[begin].block) ++end;
    return end;
  }

  void see(int64_t bytes) { peak_ = std::max(peak_, live_ + bytes); }

  /// Rows [begin, end) forward and backward over one window; afterwards only states and what the block hands
  /// on are left.
  void pass(size_t begin, size_t end) {
    const int64_t before = live_;
    int64_t states = 0, handed_on = 0;
    for (size_t i = begin; i < end; ++i) {
      forward(i);
      states += plan_.windows > 1 ? 0 : bytes_[i].state;
      if (nodes_[i].last) handed_on = bytes_[i].output + bytes_[i].events;
    }
    const int64_t grads = grads_;
    for (size_t i = end; i-- > begin;) backward(i);
    live_ = before + states + (grads_ - grads) - handed_on_ + handed_on;
    handed_on_ = handed_on;
  }

  void forward(size_t i) {
    const RowBytes& b = bytes_[i];
    if (plan_.windows == 1) live_ += b.state;  // the initial state
    live_ += b.renewed;
    if (is_layer(i)) {
      see(b.output + b.synapse.apply);
      live_ += b.kept + b.norm;
      see(b.current);
    } else if (rows_[i].copies) {
      see(b.output + b.kept);
      live_ += b.kept + (output_kept(i) ? b.output : 0);
    }
  }

  /// Gradient of its input that a unit's shortcut has handed back, while the rest of the unit is at work.
  int64_t waits(size_t i) const {
    while (rows_[i].inner) --i;
    return nodes_[i].pulls ? kFloat * nodes_[i].inputs * plan_.window * plan_.batch : 0;
  }

  void backward(size_t i) {
    const RowBytes& b = bytes_[i];
    const CostNode& node = nodes_[i];
    if (!node.grad || node.unit) return;
    const int64_t waiting = rows_[i].inner ? waits(i) : 0;
    const int64_t g_x = node.pulls ? kFloat * node.inputs * plan_.window * plan_.batch : 0;
    if (!is_layer(i)) {
      see(b.output + g_x);
      live_ -= b.kept + released(i);  // LibTorch's own nodes let go of what they saved
      return;
    }
    if (rows_[i].neuron) see(waiting + 2 * b.output + b.scratch);
    if (rows_[i].norm) see(waiting + 3 * b.output);  // both gradients and one temporary
    live_ -= b.norm;
    if (holds_still(i)) return;
    if (b.weights > 0) see(waiting + b.output + b.weights + b.synapse.outer);
    if (plan_.count_gradients && plan_.windows == 1) {
      grads_ += b.weights;
      live_ += b.weights;
      see(waiting + b.output + (node.pulls ? g_x + b.synapse.pull : 0));
    } else {
      see(waiting + b.output + b.weights + (node.pulls ? g_x + b.synapse.pull : 0));
    }
  }

  const std::vector<StageInfo>& rows_;
  const MemoryPlan& plan_;
  std::vector<CostNode> nodes_;
  bool traces_;
  std::vector<RowBytes> bytes_;
  std::vector<bool> kept_output_;
  int64_t live_ = 0, peak_ = 0, grads_ = 0, handed_on_ = 0;
};

}  // namespace

MemoryEstimate predict_memory(const std::vector<StageInfo>& rows, const MemoryPlan& plan, const Rule& rule) {
  ST_CHECK(plan.window >= 1 && plan.windows >= 1 && plan.batch >= 1 && plan.threads >= 1,
           "memory model: window, windows, batch and threads must be at least 1");
  return Model(rows, plan, rule).run();
}

}  // namespace spiketrain
