#include "spiketrain/train/progress.h"

#include <cmath>
#include <cstring>

namespace spiketrain {
namespace {

/// Names every field once, for reading and for writing.
template <class B, class F>
void best_fields(B& b, F&& f) {
  f("last_test", b.last_test), f("test", b.test), f("test_epoch", b.test_epoch);
  f("validation", b.validation), f("validation_epoch", b.validation_epoch);
  f("test_at_validation", b.test_at_validation);
}
template <class P, class F>
void fields(P& p, F&& f) {
  f("epoch", p.epoch), f("batch", p.batch), f("iteration", p.iteration), f("epochs", p.epochs);
  f("optimizer_steps", p.optimizer_steps), f("head_losses", p.sums.head_losses);
  f("loss", p.sums.loss), f("grad_norm", p.sums.grad_norm), f("epoch_seconds", p.sums.seconds);
  f("samples", p.sums.samples), f("updates", p.sums.updates), f("skipped", p.sums.skipped);
  f("activity", p.sums.activity), f("metrics", p.sums.metrics), f("best", p.best);
  f("penalties", p.sums.penalties), f("clipped", p.sums.clipped), f("layer_norms", p.sums.layer_norms);
  f("metrics_bytes", p.metrics_bytes), f("seconds", p.seconds);
}

struct Writer {
  static Config write(int64_t x) { return x; }
  static Config write(double x) { return std::isfinite(x) ? Config(x) : Config(nullptr); }
  static Config write(const Tally::Count& x) { return Config::array({x.spikes, x.sites}); }
  static Config write(const Best& x) {
    Config json = Config::object();
    best_fields(x, [&](const char* name, const auto& value) { json[name] = write(value); });
    return json;
  }
  template <class T>
  static Config write(const std::vector<T>& list) {
    Config json = Config::array();
    for (const T& item : list) json.push_back(write(item));
    return json;
  }
  template <class T>
  static Config write(const std::map<std::string, T>& map) {
    Config json = Config::object();
    for (const auto& [name, item] : map) json[name] = write(item);
    return json;
  }
};

/// Throws nlohmann's exceptions.
struct Reader {
  static void read(const Config& json, int64_t& x) { json.get_to(x); }
  static void read(const Config& json, double& x) { x = json.is_null() ? Best::kNone : json.get<double>(); }
  static void read(const Config& json, Tally::Count& x) {
    json.at(0).get_to(x.spikes);
    json.at(1).get_to(x.sites);
  }
  static void read(const Config& json, Best& x) {
    best_fields(x, [&](const char* name, auto& value) { read(json.at(name), value); });
  }
  template <class T>
  static void read(const Config& json, std::vector<T>& list) {
    for (const Config& item : json) read(item, list.emplace_back());
  }
  template <class T>
  static void read(const Config& json, std::map<std::string, T>& map) {
    for (const auto& item : json.items()) read(item.value(), map[item.key()]);
  }
};

/// Tracks one value; `at` is then the epoch.
bool improve(const MetricSet& metrics, const std::string& label, double now, int64_t epoch, double& best,
             int64_t& at) {
  if (!metrics.better(label, now, best)) return false;
  best = now;
  at = epoch;
  return true;
}

}  // namespace

Config to_json(const Progress& progress) {
  Config json = Config::object();
  fields(progress, [&](const char* name, const auto& value) { json[name] = Writer::write(value); });
  return json;
}

Progress progress_from_json(const Config& json) {
  Progress progress;
  try {
    fields(progress, [&](const char* name, auto& value) {
      const bool added = std::strcmp(name, "clipped") == 0 || std::strcmp(name, "layer_norms") == 0;
      if (!added || json.contains(name)) Reader::read(json.at(name), value);  // older checkpoints lack these
    });
  } catch (const nlohmann::json::exception& error) {
    throw UsageError(str("progress of a checkpoint: ", error.what()));
  }
  ST_CHECK(
      progress.epoch >= 0 && progress.batch >= 0 && progress.iteration >= 0 && progress.metrics_bytes >= 0,
      "progress of a checkpoint: negative counter");
  return progress;
}

bool track_best(const MetricSet& metrics, int64_t epoch, const Scores& test, const Scores* validation,
                std::map<std::string, Best>& best) {
  bool first_is_better = false;
  for (const std::string& label : metrics.labels()) {
    Best& b = best[label];
    b.last_test = test.at(label);
    bool better = improve(metrics, label, b.last_test, epoch, b.test, b.test_epoch);
    if (validation) {
      better = improve(metrics, label, validation->at(label), epoch, b.validation, b.validation_epoch);
      if (better) b.test_at_validation = b.last_test;
    }
    if (label == metrics.labels().front()) first_is_better = better;
  }
  return first_is_better;
}

bool out_of_patience(const Progress& progress, const std::string& metric, int64_t patience) {
  const auto best = progress.best.find(metric);
  if (patience == 0 || best == progress.best.end() || progress.batch > 0) return false;
  return progress.epoch - best->second.validation_epoch >= patience;
}

Config summarize(const MetricSet& metrics, const Progress& progress, bool validation) {
  Config json = Config::object();
  for (const std::string& label : metrics.labels()) {
    const auto it = progress.best.find(label);
    const Best best = it == progress.best.end() ? Best() : it->second;
    const std::string suffix = label == metrics.labels().front() ? "" : "_" + label;
    json["last_test_" + label] = Writer::write(best.last_test);
    json["best_test_" + label] = Writer::write(best.test);
    json["best_test_epoch" + suffix] = best.test_epoch;
    if (!validation) continue;
    json["best_validation_" + label] = Writer::write(best.validation);
    json["best_validation_epoch" + suffix] = best.validation_epoch;
    json["test_" + label + "_at_best_validation"] = Writer::write(best.test_at_validation);
  }
  return json;
}

}  // namespace spiketrain
