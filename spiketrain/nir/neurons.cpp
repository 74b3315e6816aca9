#include "spiketrain/nir/neurons.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/core/neuron.h"
#include "spiketrain/nir/fields.h"

namespace spiketrain::nir {
namespace {

using Numbers = std::vector<double>;  ///< one for each neuron, or one for all

double at(const Numbers& list, size_t i) { return list[list.size() == 1 ? 0 : i]; }

Numbers combine(const Numbers& a, const Numbers& b, double (*f)(double, double)) {
  Numbers result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i) result[i] = f(at(a, i), at(b, i));
  return result;
}

/// Equal to within what float32 leaves; of leaks what they lack to 1.
bool near(const std::string& name, const Numbers& a, const Numbers& b) {
  const bool leak = name.rfind("leak", 0) == 0;
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    const double x = leak ? 1 - at(a, i) : at(a, i), y = leak ? 1 - at(b, i) : at(b, i);
    if (!(std::fabs(x - y) <= 1e-5 * std::max(std::fabs(x), std::fabs(y)) + (leak ? 1e-7 : 0))) return false;
  }
  return true;
}

/// "hard", "soft", ... as the format's words.
std::string reset_word(const std::string& reset) {
  return reset == "hard" ? "zero" : reset == "none" ? "none" : "subtract";
}

/// The fields of one node as the library's coefficients.
class Planner {
 public:
  Planner(const Flat& flat, size_t index, double dt, const NirImportOptions& options,
          std::vector<std::string>& notes)
      : node_(*flat.nodes[index].node), text_(flat.text(index)), dt_(dt), options_(options), notes_(notes) {
    for (const int64_t side : flat.nodes[index].out) count_ *= static_cast<size_t>(side);
  }

  NeuronPlan plan() {
    const std::string& type = node_.type;
    spiking_ = spikes(type);
    const bool cuba = type == "CubaLI" || type == "CubaLIF", leaks = has_rest(type);
    const std::string name = type == "IF"        ? "if"
                             : type == "CubaLIF" ? "cuba_lif"
                             : spiking_          ? "lif"
                             : cuba              ? "cuba_readout"
                                                 : "leaky_readout";
    config_ = own_config(name);
    own_ = !config_.is_null();
    if (!own_) config_ = {{"name", name}};
    if (cuba) {
      coefficients_["leak_syn"] = leak("tau_syn");
      coefficients_["gain_syn"] = gain("tau_syn", "w_in");
      choose("order", options_.order, {"new", "old"});
    }
    if (leaks) {
      const char* tau = cuba ? "tau_mem" : "tau";
      coefficients_["leak"] = leak(tau);
      coefficients_["gain"] = gain(tau, "r");
      coefficients_["v_rest"] = field("v_leak", 0);
    } else if (type == "Threshold") {
      coefficients_["leak"] = {0};
      coefficients_["gain"] = {1};
    } else {
      coefficients_["gain"] = times(field("r", 1), dt_);
      if (type == "I" || config_["name"] == "lif") coefficients_["leak"] = {1};
    }
    if (leaks) choose("start", options_.start, {"zero", "rest"});
    if (!leaks && !own_) config_["start"] = "zero";
    if (spiking_) fire();
    take_own();
    return finish();
  }

 private:
  Numbers field(const char* name, double otherwise) const {
    const auto it = node_.fields.arrays.find(name);
    return it == node_.fields.arrays.end() ? Numbers{otherwise} : it->second.values;
  }
  static Numbers times(Numbers list, double factor) {
    for (double& x : list) x *= factor;
    return list;
  }
  /// A step that is tau itself leaves nothing; float32 may have made tau the shorter of the two.
  Numbers leak(const char* tau) const {
    Numbers list = field(tau, 1);
    for (double& x : list) {
      x = 1 - dt_ / x;
      if (x < 0 && x > -1e-6) x = 0;
    }
    return list;
  }
  Numbers gain(const char* tau, const char* weight) const {
    return times(combine(field(weight, 1), field(tau, 1), [](double w, double t) { return w / t; }), dt_);
  }

  /// The neuron as this library has written it, its options checked; null: it has not, or the fields are not that neuron's.
  Config own_config(const std::string& name) {
    const auto noted = node_.metadata.texts.find("spiketrain");
    if (noted == node_.metadata.texts.end()) return nullptr;
    Config config = Config::parse(noted->second, nullptr, /*allow_exceptions=*/false);
    try {
      if (!config.is_object()) throw UsageError("no options");
      config = make<Neuron>(config)->config();
      const bool still = node_.type == "IF" && config["name"] == "lif" && config["leak"] == 1;
      if (config["name"] != name && !still) throw UsageError("another neuron");
    } catch (const std::exception&) {  // JSON of the wrong type, or no such option
      notes_.push_back(
          text_ +
          ": the neuron in its metadata (spiketrain) is not one of this type; the metadata are left aside");
      return nullptr;
    }
    for (const char* key : {"decay_input", "learn_leak"})  // their coefficients are in the fields
      if (config.contains(key)) config[key] = false;
    return config;
  }

  /// Sets an option: as given, or as this library has written it, or as the node's metadata say, or the first of `values`.
  void choose(const std::string& key, const std::string& given, const std::vector<std::string>& values) {
    if (!given.empty()) config_[key] = given;
    if (given.empty() && !own_) config_[key] = noted(key, values);
  }
  /// What the node's metadata say, or the first of `values`.
  std::string noted(const std::string& key, const std::vector<std::string>& values) {
    const auto found = node_.metadata.texts.find(key);
    if (found == node_.metadata.texts.end()) return values[0];
    if (std::find(values.begin(), values.end(), found->second) == values.end()) {
      notes_.push_back(
          str(text_, ": metadata: ", key, " '", found->second, "' is not known; taken as ", values[0]));
      return values[0];
    }
    if (found->second != values[0])
      notes_.push_back(str(text_, ": ", key, " ", found->second, ", from its metadata"));
    return found->second;
  }

  void fire() {
    coefficients_["threshold"] = field(node_.type == "Threshold" ? "threshold" : "v_threshold", 1);
    const std::string& compare = options_.threshold;
    if (!compare.empty() || !own_)
      config_["strict"] =
          (compare.empty() ? noted("threshold_compare", {"strict", "at"}) : compare) == "strict";
    choose_surrogate();
    if (node_.type == "Threshold") {
      config_["reset"] = "none";
      return;
    }
    choose_reset();
    const Numbers to = field("v_reset", 0);
    if (config_["reset"] == "hard") {
      coefficients_["v_reset"] = to;
      return;
    }
    const double other = *std::max_element(to.begin(), to.end(),
                                           [](double a, double b) { return std::fabs(a) < std::fabs(b); });
    ST_CHECK(other == 0, text_, ": v_reset is ", other,
             ", which only a reset to a value has; use reset zero");
  }

  void choose_surrogate() {
    if (!options_.surrogate.empty()) {
      config_["surrogate"] = options_.surrogate;
      config_["surrogate_scale"] = options_.surrogate_scale;
      return;
    }
    if (const auto found = node_.metadata.texts.find("surrogate");
        !own_ && found != node_.metadata.texts.end()) {
      try {
        make<Neuron>({{"name", "lif"}, {"surrogate", found->second}});
        config_["surrogate"] = found->second;
        notes_.push_back(str(text_, ": surrogate ", found->second, ", from its metadata"));
      } catch (const UsageError&) {
        notes_.push_back(str(text_, ": metadata: surrogate '", found->second, "' is not known; left aside"));
      }
    }
    if (options_.surrogate_scale > 0) config_["surrogate_scale"] = options_.surrogate_scale;
  }

  void choose_reset() {
    const std::string word = !options_.reset.empty() ? options_.reset
                             : own_                  ? reset_word(config_["reset"])
                                                     : noted("reset", {"zero", "subtract", "none"});
    if (!own_ || reset_word(config_["reset"]) != word) {  // soft and soft_decayed are both "subtract"
      config_["reset"] = word == "zero" ? "hard" : word == "none" ? "none" : "soft_decayed";
      for (const char* key : {"reset_delay", "reset_by", "reset_slope", "v_reset", "raise_after_overshoot"})
        config_.erase(key);
    }
    const std::string& late = options_.reset_delay;
    if (!late.empty() || !own_)
      config_["reset_delay"] = (late.empty() ? noted("reset_delay", {"false", "true"}) : late) == "true";
  }

  /// Exact coefficients that this library has written beside the fields count where the fields say the same.
  void take_own() {
    if (!own_) return;
    std::vector<std::string> others;
    for (auto& [name, list] : coefficients_) {
      const auto exact = node_.metadata.arrays.find("coefficient_" + name);
      Numbers values = exact != node_.metadata.arrays.end() ? exact->second.values
                       : config_.contains(name)             ? Numbers{config_[name].get<double>()}
                                                            : list;
      const bool fits = values.size() == 1 || values.size() == count_;
      if (fits && near(name, values, list))
        list = std::move(values);
      else
        others.push_back(name);
    }
    // What the type has no field for: where an IF with a resting potential begins.
    if (const auto rest = node_.metadata.arrays.find("coefficient_v_rest");
        rest != node_.metadata.arrays.end() && config_.contains("v_rest") && !coefficients_.count("v_rest") &&
        (rest->second.values.size() == 1 || rest->second.values.size() == count_))
      coefficients_["v_rest"] = rest->second.values;
    if (!others.empty())
      notes_.push_back(str(text_, ": its fields have other values than the neuron in its metadata for ",
                           join(others), "; the fields count"));
  }

  /// One number for all neurons where that is what they have and the options can say it: such neurons are faster.
  NeuronPlan finish() {
    bool uniform = true;
    const auto first = [&](const char* name) { return coefficients_.at(name).at(0); };
    for (const auto& [name, list] : coefficients_) {
      const double x = list.empty() ? 0 : list.front();
      const bool same = std::all_of(list.begin(), list.end(), [x](double other) { return other == x; });
      const bool fits = name.rfind("leak", 0) == 0 ? x >= 0 && x <= 1
                        : name == "threshold"      ? x >= 1e-9 && x <= 1e9
                        : name == "v_rest" && spiking_
                            ? config_.value("start", "") == "zero" || x < first("threshold")
                        : name == "v_reset" ? x < first("threshold")
                                            : std::fabs(x) <= 1e9;
      uniform = uniform && same && fits && !list.empty();
    }
    config_["per"] = uniform ? "layer" : "neuron";
    NeuronPlan plan{config_, {}};
    if (!uniform) plan.coefficients = coefficients_;
    if (uniform)
      for (const auto& [name, list] : coefficients_) plan.config[name] = list.front();
    return plan;
  }

  const NirNode& node_;
  std::string text_;
  double dt_;
  const NirImportOptions& options_;
  std::vector<std::string>& notes_;
  size_t count_ = 1;
  bool spiking_ = false, own_ = false;
  Config config_;
  std::map<std::string, Numbers> coefficients_;
};

}  // namespace

bool spikes(const std::string& type) {
  return type == "Threshold" || type == "IF" || type == "LIF" || type == "CubaLIF";
}

bool has_rest(const std::string& type) {
  return type == "LI" || type == "LIF" || type == "CubaLI" || type == "CubaLIF";
}

NeuronPlan plan_neuron(const Flat& flat, size_t node, double dt, const NirImportOptions& options,
                       std::vector<std::string>& notes) {
  return Planner(flat, node, dt, options, notes).plan();
}

}  // namespace spiketrain::nir
