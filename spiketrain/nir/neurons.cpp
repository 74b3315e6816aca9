#include "spiketrain/nir/neurons.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/core/neuron.h"
#include "spiketrain/nir/fields.h"

namespace spiketrain::nir {
namespace {

using Numbers = std::vector<double>;

/// The fields of one node as the library's coefficients, one for each neuron.
class Planner {
 public:
  Planner(const Flat& flat, size_t index, double dt, const NirImportOptions& options,
          std::vector<std::string>& notes)
      : node_(*flat.nodes[index].node), text_(flat.text(index)), dt_(dt), options_(options), notes_(notes) {
    count_ = 1;
    for (const int64_t side : flat.nodes[index].out) count_ *= static_cast<size_t>(side);
  }

  NeuronPlan plan() {
    const std::string& type = node_.type;
    spiking_ = type == "Threshold" || type == "IF" || type == "LIF" || type == "CubaLIF";
    const bool cuba = type == "CubaLI" || type == "CubaLIF", leaks = cuba || type == "LI" || type == "LIF";
    config_["name"] = type == "IF"        ? "if"
                      : type == "CubaLIF" ? "cuba_lif"
                      : spiking_          ? "lif"
                      : cuba              ? "cuba_readout"
                                          : "leaky_readout";
    if (cuba) {
      coefficients_["leak_syn"] = leak("tau_syn");
      coefficients_["gain_syn"] = gain("tau_syn", "w_in");
      config_["order"] = choice(options_.order, "order", {"new", "old"});
    }
    if (leaks) {
      const char* tau = cuba ? "tau_mem" : "tau";
      coefficients_["leak"] = leak(tau);
      coefficients_["gain"] = gain(tau, "r");
      coefficients_["v_rest"] = field("v_leak", 0);
    } else if (type == "Threshold") {
      coefficients_["leak"] = Numbers(count_, 0);
      coefficients_["gain"] = Numbers(count_, 1);
    } else {
      coefficients_["gain"] = times(field("r", 1), dt_);
      if (type == "I") coefficients_["leak"] = Numbers(count_, 1);
    }
    config_["start"] = leaks ? choice(options_.start, "start", {"zero", "rest"}) : "zero";
    if (spiking_) fire();
    NeuronPlan exact;
    if (written_by_us(exact)) return exact;
    return finish();
  }

 private:
  Numbers field(const char* name, double otherwise) const {
    const auto it = node_.fields.arrays.find(name);
    if (it == node_.fields.arrays.end()) return Numbers(count_, otherwise);
    return it->second.values.size() == count_ ? it->second.values : Numbers(count_, it->second.values.at(0));
  }
  static Numbers times(Numbers list, double factor) {
    for (double& x : list) x *= factor;
    return list;
  }
  Numbers leak(const char* tau) const {
    Numbers list = field(tau, 1);
    for (double& x : list) x = 1 - dt_ / x;
    return list;
  }
  Numbers gain(const char* tau, const char* weight) const {
    Numbers list = field(weight, 1);
    const Numbers taus = field(tau, 1);
    for (size_t i = 0; i < list.size(); ++i) list[i] *= dt_ / taus[i];
    return list;
  }

  /// An option, or what the node's metadata say of it, or the first of `values`.
  std::string choice(const std::string& given, const std::string& key,
                     const std::vector<std::string>& values) {
    const auto known = [&](const std::string& value) {
      return std::find(values.begin(), values.end(), value) != values.end();
    };
    ST_CHECK(given.empty() || known(given), key, ": expected ", join(values, " or "), ", got '", given, "'");
    if (!given.empty()) return given;
    const auto noted = node_.metadata.texts.find(key == "threshold" ? "threshold_compare" : key);
    if (noted == node_.metadata.texts.end()) return values[0];
    if (!known(noted->second)) {
      notes_.push_back(str(text_, ": metadata: ", noted->first, " '", noted->second,
                           "' is not known; taken as ", values[0]));
      return values[0];
    }
    if (noted->second != values[0])
      notes_.push_back(str(text_, ": ", noted->first, " ", noted->second, ", from its metadata"));
    return noted->second;
  }

  void fire() {
    coefficients_["threshold"] = field(node_.type == "Threshold" ? "threshold" : "v_threshold", 1);
    config_["strict"] = choice(options_.threshold, "threshold", {"strict", "at"}) == "strict";
    if (!options_.surrogate.empty()) {
      config_["surrogate"] = options_.surrogate;
      config_["surrogate_scale"] = options_.surrogate_scale;
    }
    if (node_.type == "Threshold") {
      config_["reset"] = "none";
      return;
    }
    const Numbers to = field("v_reset", 0);
    const std::string reset = choice(options_.reset, "reset", {"zero", "subtract", "none"});
    if (reset == "zero") {
      config_["reset"] = "hard";
      coefficients_["v_reset"] = to;
      return;
    }
    config_["reset"] = reset == "none" ? "none" : "soft_decayed";
    const double other = *std::max_element(to.begin(), to.end(),
                                           [](double a, double b) { return std::fabs(a) < std::fabs(b); });
    ST_CHECK(other == 0, text_, ": v_reset is ", other,
             ", which only a reset to a value has; use reset zero");
  }

  /// One number for all neurons where that is what they have and the options can say it: such neurons are faster.
  NeuronPlan finish() {
    bool uniform = true;
    for (const auto& [name, list] : coefficients_) {
      const double x = list.empty() ? 0 : list.front();
      const bool same = std::all_of(list.begin(), list.end(), [x](double other) { return other == x; });
      const bool fits = name.rfind("leak", 0) == 0 ? x >= 0 && x <= 1
                        : name == "threshold"      ? x >= 1e-9 && x <= 1e9
                        : name == "v_rest" && spiking_
                            ? config_["start"] == "zero" || x < coefficients_.at("threshold").front()
                        : name == "v_reset" ? x < coefficients_.at("threshold").front()
                                            : std::fabs(x) <= 1e9;
      uniform = uniform && same && fits && !list.empty();
    }
    NeuronPlan plan{config_, {}};
    if (!uniform) {
      plan.config["per"] = "neuron";
      plan.coefficients = coefficients_;
      return plan;
    }
    for (const auto& [name, list] : coefficients_) plan.config[name] = list.front();
    return plan;
  }

  /// Files of this library hold the neuron itself, in the metadata: its exact coefficients, and what NIR has no field for.  They
  /// count unless the fields, or the options, say otherwise.
  bool written_by_us(NeuronPlan& plan) {
    const auto noted = node_.metadata.texts.find("spiketrain");
    if (noted == node_.metadata.texts.end()) return false;
    Config config = Config::parse(noted->second, nullptr, /*allow_exceptions=*/false);
    try {
      if (!config.is_object() || config.value("name", "") != config_["name"])
        throw UsageError("another neuron");
      config = make<Neuron>(config)->config();
      for (const auto& [name, list] : coefficients_) {
        const auto own = node_.metadata.arrays.find("coefficient_" + name);
        Numbers values = own != node_.metadata.arrays.end() ? own->second.values : Numbers();
        if (values.empty()) values = Numbers(count_, config.value(name, list.front()));
        if (values.size() != list.size() || !near(name, values, list)) throw UsageError(name);
        if (own != node_.metadata.arrays.end()) plan.coefficients[name] = values;
      }
    } catch (const std::exception&) {  // JSON of the wrong type, or no such option
      notes_.push_back(
          text_ +
          ": its fields, or the options given, are not those of the neuron in its metadata; the metadata are left aside");
      plan = {};
      return false;
    }
    const auto overrule = [&](const std::string& given, const char* key) {
      if (!given.empty() && config.contains(key) && config_.contains(key)) config[key] = config_[key];
    };
    overrule(options_.reset, "reset");
    overrule(options_.threshold, "strict");
    overrule(options_.order, "order");
    overrule(options_.start, "start");
    if (!options_.surrogate.empty()) {
      config["surrogate"] = options_.surrogate;
      config["surrogate_scale"] = options_.surrogate_scale;
    }
    plan.config = config;
    return true;
  }

  /// Equal to within what float32 leaves; of leaks what they lack to 1.
  static bool near(const std::string& name, const Numbers& a, const Numbers& b) {
    const bool leak = name.rfind("leak", 0) == 0;
    for (size_t i = 0; i < a.size(); ++i) {
      const double x = leak ? 1 - a[i] : a[i], y = leak ? 1 - b[i] : b[i];
      if (!(std::fabs(x - y) <= 1e-5 * std::max(std::fabs(x), std::fabs(y)) + (leak ? 1e-7 : 0)))
        return false;
    }
    return true;
  }

  const NirNode& node_;
  std::string text_;
  double dt_;
  const NirImportOptions& options_;
  std::vector<std::string>& notes_;
  size_t count_ = 1;
  bool spiking_ = false;
  Config config_ = Config::object();
  std::map<std::string, Numbers> coefficients_;
};

}  // namespace

NeuronPlan plan_neuron(const Flat& flat, size_t node, double dt, const NirImportOptions& options,
                       std::vector<std::string>& notes) {
  return Planner(flat, node, dt, options, notes).plan();
}

}  // namespace spiketrain::nir
