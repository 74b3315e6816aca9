#include "spiketrain/train/cost.h"

#include <algorithm>
#include <cmath>

namespace spiketrain {
namespace {

/// The adjoint of an elementwise operation takes about two.
constexpr int64_t kBackward = 2;
constexpr int64_t kNormForward = 4;

struct Plan {
  int64_t steps = 0, windows = 0, updates = 0, longest = 0, per_update = 0;
};

Plan summary(const std::vector<Window>& windows) {
  ST_CHECK(!windows.empty(), "cost: the plan has no window");
  Plan plan;
  for (const Window& w : windows) {
    plan.steps += w.t1 - w.t0;
    plan.longest = std::max(plan.longest, w.t1 - w.t0);
    plan.windows += 1;
    plan.updates += w.update;
  }
  plan.per_update = windows_per_update(windows);
  return plan;
}

/// Weights that a forward pass reads; of fixed heads they are no parameters.
int64_t weight_words(const StageInfo& row) {
  if (row.parameters > 0 || !row.synapse) return row.parameters;
  int64_t words = 0;
  for (const Tensor& w : row.synapse->buffers()) words += w.numel();
  return words;
}

class Meter {
 public:
  Meter(const std::vector<StageInfo>& rows, const CostOptions& options)
      : rows_(rows),
        options_(options),
        plan_(summary(options.plan)),
        nodes_(cost_graph(rows, options.input, options.rates)) {}

  CostReport run() {
    CostReport report;
    if (!options_.rates.empty()) report.effective_ac = 0;
    for (size_t i = 0; i < rows_.size(); ++i) {
      const StageInfo& row = rows_[i];
      CostRow out{row.spec, row.kind, row.block, row.head, {}, 0};
      products(i, out.dense, report);
      elements(i, out.dense);
      report.total += out.dense;
      report.rows.push_back(std::move(out));
    }
    if (options_.rule) memory(report);
    const Operations& n = report.total;
    const EnergyTable& e = options_.energy;
    report.energy_uj = 1e-6 * (e.pj_ac * static_cast<double>(n.ac) +
                               e.pj_mac * static_cast<double>(n.mac_error + n.mac_weight + n.mac_forward) +
                               e.pj_vector * static_cast<double>(n.vector) +
                               e.pj_word * static_cast<double>(n.memory_words));
    return report;
  }

 private:
  void products(size_t i, Operations& n, CostReport& report) const {
    const StageInfo& row = rows_[i];
    const CostNode& node = nodes_[i];
    const int64_t all = row.macs * plan_.steps;
    const bool traced = options_.rule && options_.rule->traces();
    const bool held = node.reads_image && !traced;  // what is made anew in each window is not
    const int64_t still = held ? plan_.updates : plan_.windows;
    const int64_t run = row.macs * (node.reads_stationary ? still : plan_.steps);
    const bool trained = row.parameters > 0;
    if (node.reads_binary) {
      n.ac += all;
    } else {
      n.mac_forward += all;
      report.mac_forward_run += run;
    }
    if (trained && node.reads_binary && !traced) n.ac += all;
    if (trained && !(node.reads_binary && !traced)) {
      n.mac_weight += all;
      report.mac_weight_run += traced ? all : run;
    }
    if (node.pulls) n.mac_error += all;
    if (report.effective_ac >= 0) {
      const double rate =
          node.source >= 0 ? nodes_[static_cast<size_t>(node.source)].rate : options_.input.rate;
      report.effective_ac += rate * static_cast<double>(n.ac);
    }
    const int64_t words = weight_words(row);
    n.memory_words += words * plan_.steps * (1 + (node.pulls ? 1 : 0) + (trained ? 2 : 0));
    if (trained) {
      n.memory_words += words * plan_.updates * (2 + 2 * options_.optimizer_words) / options_.batch;
    }
  }

  void elements(size_t i, Operations& n) const {
    const StageInfo& row = rows_[i];
    const CostNode& node = nodes_[i];
    const int64_t T = plan_.steps, size = numel(row.out);
    n.vector += row.ops * T * (node.grad ? 1 + kBackward : 1);
    if (row.norm) n.vector += kNormForward * (1 + kBackward) * size * T;
    n.memory_words += 2 * row.buffer / 4 * T;  // written and read again
    if (row.macs > 0 && options_.rule && options_.rule->traces()) {
      n.vector += 2 * node.inputs * T;
      n.memory_words += 2 * node.inputs * T;
    }
    if (!row.neuron || !options_.rule) return;
    const Neuron::Footprint f = row.neuron->footprint(*options_.rule, plan_.longest);
    n.vector += static_cast<int64_t>(std::llround(f.ops)) * (1 + kBackward) * size * T;
    n.memory_words += (2 * f.state + 2 * f.kept) * size * T / 4;
  }

  void memory(CostReport& report) const {
    MemoryPlan plan;
    plan.window = plan_.longest;
    plan.windows = plan_.windows;
    plan.windows_per_update = plan_.per_update;
    plan.batch = options_.batch;
    plan.block_major = options_.block_major;
    plan.threads = options_.threads;
    plan.count_gradients = options_.count_gradients;
    plan.count_input = options_.count_input;
    plan.input = options_.input;
    const MemoryEstimate estimate = predict_memory(rows_, plan, *options_.rule);
    report.activation_bytes_predicted = (estimate.peak + options_.batch - 1) / options_.batch;
    for (size_t i = 0; i < rows_.size(); ++i)
      report.rows[i].activation_bytes = estimate.kept[i] / options_.batch;
  }

  const std::vector<StageInfo>& rows_;
  const CostOptions& options_;
  Plan plan_;
  std::vector<CostNode> nodes_;
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

CostReport measure_cost(const std::vector<StageInfo>& rows, const CostOptions& options) {
  return Meter(rows, options).run();
}

int64_t predict_end_to_end(std::vector<StageInfo> rows, CostOptions options) {
  rows.erase(std::remove_if(rows.begin(), rows.end(), [](const StageInfo& row) { return row.head; }),
             rows.end());
  for (StageInfo& row : rows) row.block = 0;
  options.plan = {{0, options.plan.back().t1, true}};
  return measure_cost(rows, options).activation_bytes_predicted;
}

Config to_json(const CostReport& report) {
  const Operations& n = report.total;
  Config json = {{"ac", n.ac},
                 {"mac_error", n.mac_error},
                 {"mac_weight", n.mac_weight},
                 {"mac_forward", n.mac_forward},
                 {"vector", n.vector},
                 {"memory_words", n.memory_words},
                 {"activation_bytes_predicted", report.activation_bytes_predicted},
                 {"energy_uj", report.energy_uj}};
  if (report.effective_ac >= 0) json["effective_ac"] = report.effective_ac;
  if (report.mac_forward_run != n.mac_forward) json["mac_forward_run"] = report.mac_forward_run;
  if (report.mac_weight_run != n.mac_weight) json["mac_weight_run"] = report.mac_weight_run;
  return json;
}

}  // namespace spiketrain
