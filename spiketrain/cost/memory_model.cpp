#include "spiketrain/cost/memory_model.h"

#include <algorithm>
#include <utility>

#include "spiketrain/cost/heap.h"
#include "spiketrain/cost/plan_lengths.h"
#include "spiketrain/cost/row_bytes.h"

namespace spiketrain {
namespace {

class Walk {
 public:
  /// `forward_only`: nothing is kept for a way back.
  Walk(const std::vector<NetworkRow>& rows, const MemoryPlan& plan, const Method& method, int64_t steps,
       bool forward_only)
      : rows_(rows),
        plan_(plan),
        nodes_(cost_graph(rows, plan.input)),
        steps_(steps),
        forward_only_(forward_only),
        samples_(plan.batch * steps_),
        replay_(longest_replay(plan.plan)),
        several_(plan.plan.size() > 1),
        method_(method),
        out_(rows.size()),
        records_(rows.size()),
        saved_(rows.size()),
        pending_(rows.size()),
        state_(rows.size()),
        traces_(rows.size()) {
    for (size_t i = 0; i < rows.size(); ++i) bytes_.push_back(measure(i));
  }

  MemoryEstimate run() {
    MemoryEstimate estimate;
    for (size_t i = 0; i < rows_.size(); ++i) {
      estimate.state += bytes_[i].state + bytes_[i].renewed + bytes_[i].traces;
      estimate.kept.push_back(kept(i));
      if (several_) begin(i);
    }
    if (plan_.count_input) {
      const int64_t steps = std::max(steps_, longest_cut(plan_.plan));  // its pieces share the input of all
      const int64_t n = numel(plan_.input.shape) * plan_.batch * (plan_.input.constant ? 1 : steps);
      entering_ = plan_.input.spikes ? Sent{heap_.hold(n / 8), {}} : Sent{{}, heap_.hold(kFloatBytes * n)};
    }
    const bool block_major = plan_.block_major && replay_.segments == 0 && !forward_only_;
    std::vector<std::pair<size_t, size_t>> blocks;
    for (size_t i = 0, end = 0; i < rows_.size(); i = end) {
      end = end_of_block(i);
      forward_block(i, end);
      if (block_major) {
        backward_block(i, end);
        forget();
      }
      blocks.emplace_back(i, end);
    }
    entering_ = {};
    if (!block_major && !forward_only_) {
      for (auto block = blocks.rbegin(); block != blocks.rend(); ++block)
        backward_block(block->first, block->second);
      forget();
    }
    settle();
    estimate.peak = heap_.peak();
    return estimate;
  }

 private:
  RowBytes measure(size_t i) const {
    RowBytes b = row_bytes(rows_, nodes_, plan_, method_, i, steps_);
    if (!is_layer(i)) return b;
    if (traced(i)) {
      b.trace = b.inputs;
      b.state += kFloatBytes * nodes_[i].inputs * plan_.batch;
    }
    if (holds_current(i)) b.state += 2 * b.image;  // the current and its credit
    return b;
  }

  /// Bytes of row i between forward and backward.
  int64_t kept(size_t i) const {
    const NetworkRow& row = rows_[i];
    const RowBytes& b = bytes_[i];
    const int64_t own_floats = reads_floats(i) && nodes_[i].reads_spikes ? b.inputs : 0;
    return static_cast<int64_t>(b.neuron.kept() * static_cast<double>(numel(row.out) * samples_)) +
           (nodes_[i].grad ? row.buffer * samples_ : 0) + b.trace + own_floats + (row.norm ? b.floats : 0);
  }

  /// On a tape records go as credit passes; a graph of the block holds them until it is done.
  bool on_tape(size_t i) const { return rows_[i].chain && replay_.segments == 0; }
  bool is_layer(size_t i) const { return rows_[i].macs > 0; }
  /// The rule may keep a trace of what row i reads; of a constant input that is its profile, a number for each step.
  bool traced(size_t i) const {
    const Rule& rule = rule_of(rows_, i, method_);
    const bool profile = nodes_[i].reads_constant && rule.keeps_constant();
    return !rule.q_is_input() && !rule.reads_patches() && !profile;
  }
  /// One product for all segments between two updates; its weight gradient waits until then.
  bool holds_current(size_t i) const {
    return plan_.holds_currents && is_layer(i) && nodes_[i].reads_image &&
           rule_of(rows_, i, method_).keeps_constant() && segments_per_update(plan_.plan) > 1;
  }
  /// A stage without weights whose backward reads its input.
  bool reads_floats(size_t i) const { return !is_layer(i) && rows_[i].keeps_input && nodes_[i].grad; }
  /// Of bytes over a segment, those that are there at once: a node that runs step by step has one step of them.
  int64_t at_once(size_t i, int64_t bytes) const { return nodes_[i].by_step ? bytes / steps_ : bytes; }

  size_t end_of_block(size_t i) const {
    size_t end = i;
    while (end < rows_.size() && rows_[end].block == rows_[i].block) ++end;
    return end;
  }
  size_t end_of_node(size_t i) const {
    size_t end = i + 1;
    while (end < rows_.size() && !nodes_[end].first) ++end;
    return end;
  }
  /// The k-th signal that row i reads.
  const Sent& input(size_t i, size_t k) const {
    const int64_t source = rows_[i].sources[k];
    const bool inside = source >= 0 && rows_[static_cast<size_t>(source)].block == rows_[i].block;
    return inside ? out_[static_cast<size_t>(source)] : entering_;
  }
  /// That signal as floats: its own, or made of spikes.
  Held floats(size_t i, size_t k) {
    const Sent& x = input(i, k);
    if (!x.spikes || x.values) return x.values;
    const int64_t source = rows_[i].sources[k],
                  bits = source < 0 ? 1 : nodes_[static_cast<size_t>(source)].planes;
    return heap_.hold(at_once(i, 8 * kFloatBytes * *x.spikes / bits));
  }

  /// The carried state of row i before the segment.
  void begin(size_t i) {
    carried_.push_back(heap_.hold(bytes_[i].state));
    state_[i] = heap_.hold(bytes_[i].renewed);
    if (several_) traces_[i] = heap_.hold(bytes_[i].traces);  // before the first segment there are none
    // States before other segments that are computed again, after them or their gradient, and before runs of kept steps.
    const int64_t runs = forward_only_ ? 1 : std::max<int64_t>(1, runs_of_kept(plan_.plan));
    snapshots_.push_back(heap_.hold((bytes_[i].renewed + bytes_[i].traces) * (replay_.segments + runs - 1)));
    if (plan_.count_gradients) gradients_.push_back(heap_.hold(bytes_[i].weights));
  }

  /// Whether a row behind the next node reads row i, so that its signal stays until the block has run.
  bool stays(size_t i, size_t next) const {
    if (nodes_[i].output) return true;
    for (size_t r = next; r < rows_.size() && rows_[r].block == rows_[i].block; ++r) {
      const auto& sources = rows_[r].sources;
      if (nodes_[r].by_step ||
          std::find(sources.begin(), sources.end(), static_cast<int64_t>(i)) != sources.end())
        return true;
    }
    return false;
  }

  void forward_block(size_t begin_row, size_t end) {
    size_t output = begin_row, root = begin_row, before = begin_row;
    for (size_t i = begin_row, next = 0; i < end; i = next) {
      next = end_of_node(i);
      if (!several_) begin(i);
      for (size_t r = i + 1; r < next && !several_; ++r) begin(r);
      if (is_layer(i)) {
        forward_layer(i, next);
      } else {
        forward_stage(i);
      }
      if (forward_only_) forget(i, next);
      if (before != i && !stays(before, next)) out_[before] = {};
      before = i;
      if (nodes_[i].output) output = i;
      root = i;
    }
    if (end == rows_.size()) root = output;  // the last block is read out itself
    heap_.touch(2 * bytes_[root].floats);    // the readout in the loss
    // Of segments that are computed again the error is there for all steps, those left out as well.
    pending_[root] =
        heap_.hold(replay_.segments > 0 ? bytes_[root].image * replay_.steps : bytes_[root].floats);
    if (!on_tape(root)) errors_.push_back(pending_[root]);
    entering_ = std::move(out_[output]);
    for (size_t i = begin_row; i < end; ++i) out_[i] = {};
  }

  /// The current of one synapse.
  Held product(size_t i) {
    const RowBytes& b = bytes_[i];
    const int64_t now = at_once(i, b.image * steps_);
    Held I, image;
    if (nodes_[i].reads_constant && !holds_current(i)) {
      image = heap_.hold(b.image);
      heap_.touch(b.synapse.apply);
    }
    I = heap_.hold(now);
    if (!nodes_[i].reads_constant) heap_.touch(b.synapse.apply);
    image = {};
    if (b.trace) trace(i);
    records_[i].push_back(input(i, 0).spikes);
    records_[i].push_back(input(i, 0).values);
    if (!rows_[i].norm) return I;
    saved_[i].push_back(nodes_[i].by_step ? heap_.hold(b.floats) : I);
    return heap_.hold(now);
  }

  /// What a rule with a trace multiplies: of a single step the carried trace itself, made beside the one before.
  void trace(size_t i) {
    const RowBytes& b = bytes_[i];
    heap_.touch(b.trace);
    if (steps_ > 1) records_[i].push_back(heap_.hold(b.trace));
  }

  /// Rows [i, next): the currents, their sum, the neuron.
  void forward_layer(size_t i, size_t next) {
    const RowBytes& b = bytes_[i];
    const NeuronFootprint& f = b.neuron;
    const int64_t n = numel(rows_[i].out), sites = n * samples_;
    Held I = product(i);
    for (size_t r = i + 1; r < next; ++r) {
      const Held more = product(r);
      I = heap_.hold(at_once(i, b.floats));
    }
    for (size_t k = 1; k < rows_[i].sources.size(); ++k) {
      const Held more = floats(i, k);
      I = heap_.hold(at_once(i, b.floats));
    }
    if (f.spikes > 0) heap_.touch(sites);  // a byte each before they are packed
    const Sent sent = {
        f.spikes > 0 ? heap_.hold(static_cast<int64_t>(f.spikes * static_cast<double>(sites))) : Held(),
        f.values ? heap_.hold(f.values * sites) : Held()};
    records_[i].push_back(sent.spikes);
    records_[i].push_back(sent.values);
    if (!forward_only_) records_[i].push_back(heap_.hold(f.slots * sites));
    if (f.current && !forward_only_) records_[i].push_back(nodes_[i].by_step ? heap_.hold(b.floats) : I);
    records_[i].push_back(std::move(state_[i]));
    state_[i] = heap_.hold(b.renewed);
    heap_.touch(static_cast<int64_t>(f.run * static_cast<double>(n * plan_.batch)));
    const Held before = std::exchange(traces_[i], heap_.hold(b.traces));
    if (steps_ == 1) {
      records_[i].push_back(heap_.hold(b.synapses / kFloatBytes * f.synapse_kept));  // what credit multiplies
    } else if (nodes_[i].by_step) {
      records_[i].push_back(heap_.hold(b.synapses * steps_));  // of each step
    } else {
      heap_.touch(b.synapses + b.traces);
      records_[i].push_back(before);  // from where credit goes once more
    }
    out_[i] = sent;
    if (!nodes_[i].by_step) return;
    records_[i].push_back(
        heap_.hold(b.renewed * (steps_ - 1)));  // each step has a record of its own; they are joined
    if (sent.spikes) out_[i].spikes = heap_.hold(*sent.spikes);
    if (sent.values) out_[i].values = heap_.hold(*sent.values);
  }

  void forward_stage(size_t i) {
    const RowBytes& b = bytes_[i];
    if (!rows_[i].copies) {
      out_[i] = input(i, 0);
      return;
    }
    if (nodes_[i].spikes) {  // sums of spikes
      out_[i].spikes = heap_.hold(numel(rows_[i].out) * samples_ * nodes_[i].planes / 8);
      return;
    }
    std::vector<Held> x;
    for (size_t k = 0; k < rows_[i].sources.size(); ++k) x.push_back(floats(i, k));
    out_[i].values = heap_.hold(b.floats);
    const Held buffer = heap_.hold(rows_[i].buffer * samples_);
    if (nodes_[i].grad) saved_[i].push_back(buffer);
    if (reads_floats(i)) saved_[i].push_back(x[0]);
  }

  void backward_block(size_t begin_row, size_t end) {
    std::vector<size_t> firsts;
    for (size_t i = begin_row; i < end; i = end_of_node(i)) firsts.push_back(i);
    for (auto i = firsts.rbegin(); i != firsts.rend(); ++i) {
      Held delta = std::move(pending_[*i]);
      pending_[*i] = {};
      if (!delta || !nodes_[*i].grad) continue;
      if (is_layer(*i)) {
        backward_layer(*i, end_of_node(*i), std::move(delta));
      } else {
        backward_stage(*i, delta);
      }
    }
  }

  void backward_layer(size_t i, size_t next, Held delta) {
    const RowBytes& b = bytes_[i];
    Held g = heap_.hold(at_once(i, b.floats));
    heap_.touch(at_once(i, static_cast<int64_t>(scratch(i) * static_cast<double>(b.floats / kFloatBytes))));
    const bool island = on_tape(i) && !rows_[i].taped;  // autograd holds what it was called with
    if (!nodes_[i].by_step && !island) delta.reset();
    for (size_t k = 1; k < rows_[i].sources.size(); ++k) hand(i, k, g);
    if (steps_ > 1) heap_.touch(b.synapses + 2 * b.traces);
    for (size_t r = next; r-- > i;) backward_product(r, r == i ? std::move(g) : g);
    if (on_tape(i)) records_[i].clear();
  }

  /// Bytes per neuron and step that the rule's credit holds beside delta and g; with shares of the samples, of those at work.
  double scratch(size_t i) const {
    const NeuronFootprint& f = bytes_[i].neuron;
    std::vector<int64_t> sizes = {steps_, plan_.batch};
    sizes.insert(sizes.end(), rows_[i].out.begin(), rows_[i].out.end());
    const auto shares = static_cast<double>(rows_[i].neuron->vjp_shares(sizes));
    if (shares == 1 || !rule_of(rows_, i, method_).uses_vjp()) return f.scratch;
    const double working = std::min(static_cast<double>(plan_.threads), shares) / shares;
    return working * (f.scratch + kFloatBytes) + static_cast<double>(f.state) / static_cast<double>(steps_);
  }

  /// g: credit on the current of row i.
  void backward_product(size_t i, Held g) {
    const RowBytes& b = bytes_[i];
    if (rows_[i].norm) {
      Held through = heap_.hold(*g);
      heap_.touch(*g);  // one temporary
      g = std::move(through);
      saved_[i].clear();
    }
    if (holds_current(i)) return;
    const Held gathered = nodes_[i].reads_constant ? heap_.hold(b.image) : Held();
    const Held g_W = heap_.hold(b.weights);
    heap_.touch(b.synapse.outer);
    if (rule_of(rows_, i, method_).extra_pairs() > 0)
      heap_.touch(b.weights + b.synapse.outer);  // added to the first
    if (plan_.count_gradients && !several_ && rows_[i].parameters > 0) gradients_.push_back(g_W);
    if (!hands_on(rows_, nodes_, i, 0)) return;
    const Held g_x = heap_.hold(b.inputs);
    heap_.touch(b.synapse.pull);
    g.reset();
    hand(i, 0, g_x);
  }

  /// LibTorch's own nodes let go of what they saved.
  void backward_stage(size_t i, const Held& delta) {
    const bool passes_on = rows_[i].sources.size() > 1 || !rows_[i].copies;  // the gradient as it is
    for (size_t k = 0; k < rows_[i].sources.size(); ++k) {
      if (hands_on(rows_, nodes_, i, k)) hand(i, k, passes_on ? delta : heap_.hold(bytes_[i].inputs));
    }
    saved_[i].clear();
  }

  /// Gives the gradient of its k-th input to the row it came from, where it waits.
  void hand(size_t i, size_t k, Held g) {
    const bool delayed = !rows_[i].delays.empty() && rows_[i].delays[k] > 0;  // it goes to the step before
    if (delayed || !hands_on(rows_, nodes_, i, k)) return;
    Held& waiting = pending_[static_cast<size_t>(rows_[i].sources[k])];
    if (!waiting) {
      waiting = std::move(g);
    } else if (waiting.use_count() > 1) {
      waiting = heap_.hold(*waiting);  // added up in place only if nobody else holds it
    }
  }

  void forget(size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) records_[i].clear(), saved_[i].clear();
  }
  void forget() { errors_.clear(), forget(0, rows_.size()); }

  /// A held current's weight gradient, when the segments are done.
  void settle() {
    snapshots_.clear();
    for (size_t i = 0; i < rows_.size(); ++i) {
      if (holds_current(i)) heap_.touch(bytes_[i].weights + bytes_[i].synapse.outer);
    }
  }

  const std::vector<NetworkRow>& rows_;
  const MemoryPlan& plan_;
  std::vector<CostNode> nodes_;
  int64_t steps_;
  bool forward_only_;
  int64_t samples_;
  ReplayRun replay_;
  bool several_;
  const Method& method_;
  std::vector<RowBytes> bytes_;
  Heap heap_;  // outlives all that it holds
  Sent entering_;
  std::vector<Sent> out_;
  std::vector<Held> errors_, carried_, snapshots_, gradients_;
  std::vector<std::vector<Held>> records_;  ///< [row] what records and links hold
  std::vector<std::vector<Held>> saved_;    ///< [row] by LibTorch's own nodes
  std::vector<Held> pending_, state_,
      traces_;  ///< [row] gradient of its output; carried state; traces of synapses
};

}  // namespace

MemoryEstimate predict_memory(const std::vector<NetworkRow>& rows, const MemoryPlan& plan,
                              const Method& method) {
  ST_CHECK(plan.batch >= 1 && plan.threads >= 1, "memory model: batch and threads must be at least 1");
  MemoryEstimate estimate = Walk(rows, plan, method, longest_learning(plan.plan), false).run();
  // The first pass over segments that leave steps out of the second.
  if (const int64_t K = longest_skipping(plan.plan); K > 0)
    estimate.peak = std::max(estimate.peak, Walk(rows, plan, method, K, true).run().peak);
  return estimate;
}

}  // namespace spiketrain
