#include "spiketrain/report/sweep_results.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/file.h"

namespace spiketrain {
namespace {

constexpr uint64_t kMaxBytes = 1ull << 28;

Config parse_json(const std::string& text, const std::string& path, uint64_t offset) {
  Config json = Config::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw DataError(path, offset, "expected a JSON object");
  return json;
}

std::string read_text(const std::string& path) {
  const Bytes bytes = read_file(path, kMaxBytes);
  return std::string(bytes.begin(), bytes.end());
}

std::vector<Config> read_lines(const std::string& path) {
  const std::string text = read_text(path);
  std::vector<Config> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    if (end > at) lines.push_back(parse_json(text.substr(at, end - at), path, at));
    at = end + 1;
  }
  return lines;
}

/// null, which is how JSON writes NaN, counts as absent.
Measured number_at(const Config& object, const char* key, const std::string& path) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return {};
  if (!it->is_number()) throw DataError(path, 0, str("expected a number as ", key, ", got ", it->dump()));
  return it->get<double>();
}

/// The number under the same name, if there is one.
void copy_number(const Config& object, const std::string& key, const std::string& path,
                 std::map<std::string, double>& values) {
  if (const Measured number = number_at(object, key.c_str(), path)) values[key] = *number;
}

class RunReader {
 public:
  RunReader(const std::string& dir, int64_t updates_per_batch, const std::vector<SweepMetric>& metrics)
      : dir_(dir), updates_per_batch_(updates_per_batch), metrics_(metrics) {}

  RunResult read() {
    read_summary();
    read_metrics();
    read_costs();
    return std::move(result_);
  }

 private:
  void read_summary() {
    const std::string path = dir_ + "/summary.json";
    const Config summary = parse_json(read_text(path), path, 0);
    epochs_ = number_at(summary, "epochs", path).value_or(0);
    if (epochs_ == 0) return;  // nothing was measured; the file has placeholders
    for (const SweepMetric& m : metrics_) {
      for (const std::string& key :
           {"best_test_" + m.label, "last_test_" + m.label, "test_" + m.label + "_at_best_validation"})
        copy_number(summary, key, path, result_.values);
    }
  }

  void read_metrics() {
    const std::string path = dir_ + "/metrics.jsonl";
    if (epochs_ == 0 && !file_exists(path)) return;
    const std::vector<Config> lines = read_lines(path);
    double skipped = 0, peak_memory = 0;
    std::vector<Measured> seconds;
    for (const Config& line : lines) {
      for (const SweepMetric& m : metrics_)
        result_.test_by_epoch[m.label].push_back(number_at(line, ("test_" + m.label).c_str(), path));
      seconds.push_back(number_at(line, "seconds", path));
      skipped += number_at(line, "skipped", path).value_or(0);
      peak_memory = std::max(peak_memory, number_at(line, "peak_memory_mib", path).value_or(0));
      if (line.contains("gradient_cosine")) add_cosines(line["gradient_cosine"], path);
    }
    if (peak_memory > 0) result_.values["peak_memory_mib"] = peak_memory;
    if (const auto stat = statistics(seconds)) result_.values["epoch_seconds"] = stat->mean;
    if (!lines.empty()) read_last(lines.back(), skipped, path);
    average_cosines();
  }

  void read_last(const Config& line, double skipped, const std::string& path) {
    for (const SweepMetric& m : metrics_) {
      const Measured train = number_at(line, ("train_" + m.label).c_str(), path);
      const Measured test = number_at(line, ("test_" + m.label).c_str(), path);
      if (train) result_.values["last_train_" + m.label] = *train;
      if (train && test)
        result_.values["gap_" + m.label] = m.greater_is_better ? *train - *test : *test - *train;
    }
    copy_number(line, "optimizer_steps", path, result_.values);
    const Measured batches = number_at(line, "iteration", path);
    if (batches && !result_["optimizer_steps"])
      result_.values["optimizer_steps"] = *batches * static_cast<double>(updates_per_batch_) - skipped;
  }

  void average_cosines() {
    std::vector<Measured> per_layer;
    for (const auto& [layer, values] : cosines_) {
      const auto stat = statistics(values);
      per_layer.push_back(stat ? Measured(stat->mean) : Measured());
      result_.cosines.emplace_back(layer, per_layer.back());
    }
    if (const auto stat = statistics(per_layer)) result_.values["gradient_cosine"] = stat->mean;
  }

  void add_cosines(const Config& list, const std::string& path) {
    if (!list.is_array()) throw DataError(path, 0, "expected a list as gradient_cosine");
    std::map<std::string, int> seen;
    for (const Config& item : list) {
      if (!item.is_object() || !item.contains("layer") || !item["layer"].is_string())
        throw DataError(path, 0, "expected {\"layer\": ..., \"cosine\": ...} in gradient_cosine");
      std::string layer = item["layer"];
      if (const int again = ++seen[layer]; again > 1) layer += " #" + std::to_string(again);
      auto it =
          std::find_if(cosines_.begin(), cosines_.end(), [&](const auto& c) { return c.first == layer; });
      if (it == cosines_.end()) it = cosines_.insert(cosines_.end(), {layer, {}});
      it->second.push_back(number_at(item, "cosine", path));
    }
  }

  void read_costs() {
    const std::string path = dir_ + "/cost.json";
    if (!file_exists(path)) return;
    const Config cost = parse_json(read_text(path), path, 0);
    for (const char* name : {"ac", "mac_error", "mac_weight", "mac_forward", "vector", "memory_words",
                             "activation_bytes", "energy_uj"})
      copy_number(cost, name, path, result_.values);
    std::map<std::string, double> before;  // what it was called once, beside a prediction
    copy_number(cost, "activation_bytes_measured", path, before);
    for (const auto& item : before) result_.values.emplace("activation_bytes", item.second);
    const Measured forward = result_["mac_forward"], error = result_["mac_error"],
                   weight = result_["mac_weight"];
    if (forward && error && weight) result_.values["mac"] = *forward + *error + *weight;
  }

  std::string dir_;
  int64_t updates_per_batch_;
  const std::vector<SweepMetric>& metrics_;
  double epochs_ = 0;
  std::vector<std::pair<std::string, std::vector<Measured>>> cosines_;
  RunResult result_;
};

std::string steps_warning(const std::vector<SettingResult>& settings) {
  double low = 0, high = 0;
  bool first = true;
  for (const SettingResult& setting : settings) {
    const auto steps = setting["optimizer_steps"];
    if (!steps) continue;
    low = first ? steps->mean : std::min(low, steps->mean);
    high = first ? steps->mean : std::max(high, steps->mean);
    first = false;
  }
  if (first || low == high) return "";
  return str("Warning: the settings made different numbers of optimiser steps, ", std::llround(low), " to ",
             std::llround(high), "; their results are not compared at equal numbers of steps.");
}

/// Of accuracies, how far above chance still counts as chance: half of it, as epochs were chosen by the test, but no
/// more than 5 points.
double chance_limit(double chance) { return chance + std::min(chance / 2, 0.05); }

std::string chance_warning(const std::vector<SettingResult>& settings, const Measured& chance) {
  if (!chance) return "";
  bool any = false;
  for (const SettingResult& setting : settings) {
    const auto best = setting["best_test_accuracy"];
    if (!best) continue;
    if (best->mean > chance_limit(*chance)) return "";
    any = true;
  }
  if (!any) return "";
  return str(
      "Warning: no setting is better than chance, an accuracy of ", 100 * *chance,
      " %; comparing them says nothing. Firing rates (log.txt), optimizer.lr and epochs are the first to "
      "look at.");
}

void add_layers(const RunResult& run, std::vector<std::string>& layers) {
  for (const auto& item : run.cosines)
    if (std::find(layers.begin(), layers.end(), item.first) == layers.end()) layers.push_back(item.first);
}

Measured cosine_of(const RunResult& run, const std::string& layer) {
  for (const auto& [name, value] : run.cosines)
    if (name == layer) return value;
  return {};
}

/// Statistics over runs of what `value` returns for each.
template <class F>
std::optional<Stat> over_runs(const std::vector<RunResult>& runs, F&& value) {
  std::vector<Measured> values;
  for (const RunResult& run : runs) values.push_back(value(run));
  return statistics(values);
}

void summarize_runs(const std::vector<RunResult>& runs, const SweepResults& results, SettingResult& s) {
  s.done = runs.size();
  for (const RunResult& run : runs) {
    for (const auto& item : run.values) {
      const std::string& name = item.first;
      if (!s.values.count(name))
        s.values[name] = *over_runs(runs, [&](const RunResult& other) { return other[name]; });
    }
  }
  for (const std::string& layer : results.layers)
    s.cosines.push_back(over_runs(runs, [&](const RunResult& run) { return cosine_of(run, layer); }));
  for (const SweepMetric& m : results.metrics) {
    const auto epochs_of = [&](const RunResult& run) {
      const auto it = run.test_by_epoch.find(m.label);
      return it == run.test_by_epoch.end() ? std::vector<Measured>() : it->second;
    };
    // As long as all runs went on: means of the ones that are left after others stopped early say nothing of the setting.
    size_t epochs = runs.empty() ? 0 : epochs_of(runs[0]).size();
    for (const RunResult& run : runs) epochs = std::min(epochs, epochs_of(run).size());
    for (size_t e = 0; e < epochs; ++e) {
      s.test_by_epoch[m.label].push_back(
          over_runs(runs, [&](const RunResult& run) { return epochs_of(run)[e]; }));
    }
  }
}

}  // namespace

bool is_share(const std::string& metric) {
  return metric == "accuracy" || metric == "balanced_accuracy" || metric == "exact_match" ||
         metric.rfind("top", 0) == 0;
}

Measured RunResult::operator[](const std::string& name) const {
  const auto it = values.find(name);
  return it == values.end() ? Measured() : it->second;
}

std::optional<Stat> SettingResult::operator[](const std::string& name) const {
  const auto it = values.find(name);
  return it == values.end() ? std::optional<Stat>() : it->second;
}

RunResult read_run(const std::string& run_dir, int64_t updates_per_batch,
                   const std::vector<SweepMetric>& metrics) {
  return RunReader(run_dir, updates_per_batch, metrics).read();
}

std::optional<Stat> statistics(const std::vector<Measured>& values) {
  Stat stat;
  for (const Measured& value : values) {
    if (value) stat.mean += *value, ++stat.n;
  }
  if (stat.n == 0) return {};
  stat.mean /= static_cast<double>(stat.n);
  double squares = 0;
  for (const Measured& value : values) {
    if (value) squares += (*value - stat.mean) * (*value - stat.mean);
  }
  if (stat.n > 1) stat.sd = std::sqrt(squares / static_cast<double>(stat.n - 1));
  return stat;
}

bool SweepResults::has(const std::string& name) const {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const SettingResult& s) { return s.values.count(name) > 0; });
}

SweepResults collect(const SweepPlan& plan, const std::string& title, const std::string& runs_dir,
                     const std::map<std::string, std::string>& failures) {
  SweepResults results{title, plan.keys, plan.short_names, plan.seeds, plan.metrics, {}, {}, {}, "", ""};
  std::vector<std::vector<RunResult>> by_setting(plan.settings.size());
  for (const SweepRun& run : plan.runs) {
    const std::string dir = runs_dir + "/" + run.name;
    const auto failure = failures.find(run.name);
    std::string why = failure == failures.end() ? "not finished" : failure->second;
    if (run_state(dir) == RunState::done) {
      try {
        by_setting[run.setting].push_back(read_run(dir, run.updates_per_batch, plan.metrics));
        add_layers(by_setting[run.setting].back(), results.layers);
        continue;
      } catch (const DataError& error) {
        why = error.what();
      }
    }
    results.incomplete.push_back(run.name + ": " + why);
  }
  for (size_t s = 0; s < plan.settings.size(); ++s) {
    SettingResult setting;
    setting.setting = plan.settings[s];
    setting.planned = plan.seeds.size();
    summarize_runs(by_setting[s], results, setting);
    results.settings.push_back(std::move(setting));
  }
  results.steps_warning = steps_warning(results.settings);
  results.chance_warning = chance_warning(results.settings, plan.chance);
  return results;
}

}  // namespace spiketrain
