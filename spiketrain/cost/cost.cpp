#include "spiketrain/cost/cost.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/cost/footprint.h"

namespace spiketrain {
namespace {

/// The adjoint of an elementwise operation takes about two.
constexpr int64_t kBackward = 2;
constexpr int64_t kNormForward = 4;

/// A plan, counted.  A segment that is replayed runs forward twice, but for the steps that are passed over; steps may be
/// left out, and are taken to be.
struct Course {
  int64_t forward = 0, backward = 0;  ///< steps
  int64_t passes = 0, learning = 0;   ///< segments that run forward, and backward
  int64_t updates = 0;
  int64_t longest = 0;  ///< steps of a segment that runs backward
};

Course course_of(const Plan& plan) {
  Course course;
  for (const Segment& segment : plan) {
    const bool again = segment.role == Role::replay, error = segment.role != Role::burn_in;
    course.forward += segment.steps();
    if (again) course.forward += segment.skip == Skip::pass ? segment.learning() : segment.steps();
    course.passes += again ? 2 : 1;
    if (error) {
      course.backward += segment.learning();
      course.learning += 1;
      course.longest = std::max(course.longest, segment.learning());
    }
    course.updates += segment.update ? 1 : 0;
  }
  ST_CHECK(course.longest > 0, "cost: the plan has no segment with a loss");
  return course;
}

/// UsageError if counting could overflow: operations of a pass per sample, and bytes of a batch.
void check_countable(const std::vector<NetworkRow>& rows, const CostOptions& options) {
  constexpr double kMost = 0x1.0p60;
  constexpr double kOperations = 64, kBytes = 64;  // of a neuron and step, more than there are
  double macs = 0, values = 0;
  for (const NetworkRow& row : rows) {
    macs += static_cast<double>(row.macs) + static_cast<double>(row.parameters);
    double outputs = 1;
    for (const int64_t n : row.out) outputs *= static_cast<double>(n);
    values += outputs;
  }
  double inputs = 1;
  for (const int64_t n : options.input.shape) inputs *= static_cast<double>(n);
  const double steps = options.plan.empty() ? 1 : static_cast<double>(options.plan.back().t1);
  const double operations = 4 * steps * (macs + kOperations * values);
  const double bytes = steps * static_cast<double>(options.batch) * kBytes * (values + inputs);
  ST_CHECK(operations < kMost && bytes < kMost, "cost: a pass of ", steps, " steps has about ", operations,
           " operations and a batch of ", options.batch, " about ", bytes,
           " bytes; that is too much to count");
}

class Meter {
 public:
  Meter(const std::vector<NetworkRow>& rows, const CostOptions& options)
      : rows_(rows),
        options_(options),
        course_(course_of(options.plan)),
        nodes_(cost_graph(rows, options.input, options.rates)),
        method_({options.rule, options.rules}) {}

  CostReport run() {
    check_countable(rows_, options_);
    CostReport report;
    if (!options_.rates.empty()) report.effective_ac = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const NetworkRow& row = rows_[i];
      CostRow out{row.spec, row.kind, row.block, row.head, {}, 0};
      products(i, out.dense, report);
      traffic(i, out.dense);
      elements(i, out.dense);
      if (options_.rule) out.bytes_kept = kept(i);
      report.total += out.dense;
      report.rows.push_back(std::move(out));
    }
    const Operations& n = report.total;
    const EnergyTable& e = options_.energy;
    report.energy_uj = 1e-6 * (e.pj_ac * static_cast<double>(n.ac) +
                               e.pj_mac * static_cast<double>(n.mac_error + n.mac_weight + n.mac_forward) +
                               e.pj_vector * static_cast<double>(n.vector) +
                               e.pj_word * static_cast<double>(n.memory_words));
    return report;
  }

 private:
  static bool learns(const NetworkRow& row) { return row.parameters > 0 && !row.frozen; }
  /// Whether weight gradients read what the rule makes of the input: no spike, another at every step.
  bool real_factor(size_t i) const { return options_.rule && !rule_of(rows_, i, method_).q_is_input(); }
  /// Whether that may be a trace of what row i reads.
  bool traced(size_t i) const { return real_factor(i) && !each_synapse(i); }
  /// Whether the rule keeps a trace of each synapse instead.
  bool each_synapse(size_t i) const {
    return options_.rule && rows_[i].macs > 0 && rule_of(rows_, i, method_).reads_patches();
  }
  NeuronFootprint footprint(size_t i) const {
    while (!rows_[i].neuron) --i;  // a projection: of its layer
    return neuron_footprint(*rows_[i].neuron, rule_of(rows_, i, method_), course_.longest, rows_[i].out);
  }

  /// How often the product with a constant input is carried out.
  int64_t runs(size_t i, int64_t steps, int64_t segments) const {
    const CostNode& node = nodes_[i];
    if (!node.reads_constant) return steps;
    if (holds(i)) return course_.updates;
    return node.by_step ? steps : segments;  // what is made anew in each segment is not held
  }
  /// Whether one product with a constant input serves all segments between two updates, forward and for the weights.
  bool holds(size_t i) const {
    const bool keeps = !options_.rule || rule_of(rows_, i, method_).keeps_constant();
    return nodes_[i].reads_image && keeps && segments_per_update(options_.plan) > 1;
  }

  /// The same of a weight gradient.
  int64_t weight_runs(size_t i) const { return runs(i, course_.backward, course_.learning); }

  void products(size_t i, Operations& n, CostReport& report) const {
    const NetworkRow& row = rows_[i];
    const CostNode& node = nodes_[i];
    const int64_t forward = row.macs * course_.forward, backward = row.macs * course_.backward;
    const bool trained = learns(row), with_trace = row.macs > 0 && real_factor(i);
    if (node.reads_binary) {
      n.ac += forward;
    } else {
      n.mac_forward += forward;
      report.mac_forward_run += row.macs * runs(i, course_.forward, course_.passes);
    }
    if (trained && node.reads_binary && !with_trace) n.ac += backward;
    if (trained && !(node.reads_binary && !with_trace)) {
      n.mac_weight += backward;
      report.mac_weight_run += each_synapse(i) ? backward : row.macs * weight_runs(i);
    }
    if (trained && row.macs > 0 && options_.rule) {
      const int64_t pairs = rule_of(rows_, i, method_).weight_products() - 1;
      const int64_t of_traces = each_synapse(i) ? forward * footprint(i).derivatives : 0;
      n.mac_weight += of_traces + backward * pairs;
      report.mac_weight_run +=
          of_traces + (holds(i) ? 0 : row.macs * weight_runs(i) * pairs);  // held: gathered first
    }
    if (node.pulls) n.mac_error += backward;
    if (report.effective_ac >= 0) report.effective_ac += node.read_rate * static_cast<double>(n.ac);
  }

  /// Words of the weights.
  void traffic(size_t i, Operations& n) const {
    const NetworkRow& row = rows_[i];
    const bool trained = learns(row);
    const int64_t words = weight_words(row);
    n.memory_words +=
        words * (course_.forward + course_.backward * ((nodes_[i].pulls ? 1 : 0) + (trained ? 2 : 0)));
    if (trained)
      n.memory_words += words * course_.updates * (2 + 2 * options_.optimizer_words) / options_.batch;
  }

  void elements(size_t i, Operations& n) const {
    const NetworkRow& row = rows_[i];
    const CostNode& node = nodes_[i];
    const int64_t size = numel(row.out), both = course_.forward + kBackward * course_.backward;
    n.vector += row.ops * (node.grad ? both : course_.forward);
    if (row.norm) n.vector += kNormForward * size * both;
    n.memory_words += 2 * row.buffer / 4 * course_.backward;  // written and read again
    if (row.macs > 0 && traced(i)) {
      n.vector += 2 * node.inputs * course_.forward;
      n.memory_words += 2 * node.inputs * course_.forward;
    }
    if (!row.neuron || !options_.rule) return;
    const NeuronFootprint f = footprint(i);
    n.vector += static_cast<int64_t>(std::llround(f.ops)) * size * both;
    n.memory_words += 2 * (f.state + f.trace) * course_.forward * size / 4 +
                      std::llround(2 * f.kept() * static_cast<double>(course_.backward * size) / 4);
  }

  /// What the records keep of row i, and what other stages and the rule keep of its input.
  int64_t kept(size_t i) const {
    const NetworkRow& row = rows_[i];
    const CostNode& node = nodes_[i];
    ST_CHECK(row.macs == 0 || (row.synapse && (row.neuron || !node.first)), "cost: row ", i, " (", row.spec,
             ") has weights, but no synapse or neuron");
    const bool layer = row.macs > 0;
    const bool profile = node.reads_constant && layer && rule_of(rows_, i, method_).keeps_constant();
    double bytes = row.neuron ? footprint(i).kept() * static_cast<double>(numel(row.out)) : 0;
    if (row.norm) bytes += static_cast<double>(kFloatBytes * numel(row.out));
    if (node.grad) bytes += static_cast<double>(row.buffer);
    // A trace of the input, or spikes that a stage has made floats of.
    const bool copied = layer ? traced(i) && !profile : row.keeps_input && node.grad && node.reads_binary;
    if (copied) bytes += static_cast<double>(kFloatBytes * node.inputs);
    return std::llround(bytes * static_cast<double>(course_.longest));
  }

  const std::vector<NetworkRow>& rows_;
  const CostOptions& options_;
  Course course_;
  std::vector<CostNode> nodes_;
  Method method_;
};

}  // namespace

Operations& Operations::operator+=(const Operations& other) {
  ac += other.ac;
  mac_error += other.mac_error;
  mac_weight += other.mac_weight;
  mac_forward += other.mac_forward;
  vector += other.vector;
  memory_words += other.memory_words;
  return *this;
}

CostReport measure_cost(const std::vector<NetworkRow>& rows, const CostOptions& options) {
  ST_CHECK(options.batch >= 1, "cost: expected a batch of at least 1, got ", options.batch);
  return Meter(rows, options).run();
}

Config to_json(const CostReport& report) {
  const Operations& n = report.total;
  Config json = {{"ac", n.ac},
                 {"mac_error", n.mac_error},
                 {"mac_weight", n.mac_weight},
                 {"mac_forward", n.mac_forward},
                 {"vector", n.vector},
                 {"memory_words", n.memory_words},
                 {"energy_uj", report.energy_uj}};
  if (report.effective_ac >= 0) json["effective_ac"] = report.effective_ac;
  if (report.mac_forward_run != n.mac_forward) json["mac_forward_run"] = report.mac_forward_run;
  if (report.mac_weight_run != n.mac_weight) json["mac_weight_run"] = report.mac_weight_run;
  return json;
}

}  // namespace spiketrain
