// Conventions of SpikingJelly, snnTorch and Norse in terms of ours.
//   SpikingJelly  fires at >=; v_reset = None: soft reset in the same step; else hard, and v_reset is the rest
//   snnTorch      fires at >; the reset comes in the next step, without gradient, unless reset_delay = False;
//                 Synaptic's "zero" also drops the current of the step after a spike
//   Norse         fires at >; hard reset in the same step; Euler step dt*tau_mem_inv towards v_leak + input.
//                 LIFCell's input jumps onto a synaptic current, which the membrane reads before it decays
#include "tests/support/peer_conventions.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "spiketrain/ops/surrogate.h"

namespace spiketrain {
namespace {

/// The options of one record; every one must be asked for.
class Options {
 public:
  explicit Options(const Config& cfg) : cfg_(cfg) {}
  bool has(const char* key) { return known_.insert(key), cfg_.contains(key); }
  template <class T>
  T get(const char* key, T fallback) {
    return has(key) ? cfg_[key].get<T>() : fallback;
  }
  bool is_none(const char* key) { return has(key) && cfg_[key].is_null(); }
  void finish() const {
    for (const auto& item : cfg_.items()) {
      ST_CHECK(known_.count(item.key()), "peer option '", item.key(), "' is not known, in ", cfg_.dump());
    }
  }

 private:
  const Config& cfg_;
  std::set<std::string> known_;
};

/// Sets surrogate and surrogate_scale; `named`: "atan", or "atan2" with its number.
void set_surrogate(Config& ours, std::string named, Options& options, bool alpha_is_ours, double fallback) {
  double scale = fallback;
  const size_t end = named.find_last_not_of("0123456789.");
  if (end + 1 < named.size()) {
    scale = std::stod(named.substr(end + 1));
    named.resize(end + 1);
  }
  if (alpha_is_ours) scale = options.get("alpha", scale);
  scale = options.get("slope", scale);
  const std::map<std::string, std::string> other_names = {
      {"ste", "straight_through"},    {"straight_through_estimator", "straight_through"},
      {"SFS", "sparse_fast_sigmoid"}, {"sfs", "sparse_fast_sigmoid"},
      {"LSO", "leaky_spike"},         {"lso", "leaky_spike"}};
  const auto other = other_names.find(named);
  if (other != other_names.end()) named = other->second;
  const std::vector<std::string> names = surrogate_names();
  ST_CHECK(std::count(names.begin(), names.end(), named), "peer surrogate '", named, "' is not known");
  ours["surrogate"] = named;
  ours["surrogate_scale"] = scale;
}

void set_jelly_reset(Config& ours, Options& options, bool rest_is_reset) {
  const bool cuba = ours["name"] == "cuba_lif";
  ours["threshold"] = options.get("v_threshold", cuba ? 0.5 : 1.0);
  ours["detach_reset"] = options.get("detach_reset", false);
  const double by_default = ours["name"] == "qif" || ours["name"] == "eif" ? -0.1 : 0.0;
  if (options.is_none("v_reset")) {
    ours["reset"] = "soft_decayed";
    ours["v_reset"] = 0.0;
  } else {
    ours["reset"] = "hard";
    ours["v_reset"] = options.get("v_reset", by_default);
    if (rest_is_reset) ours["v_rest"] = ours["v_reset"];
  }
  set_surrogate(ours, options.get("surrogate", std::string(cuba ? "rect" : "sigmoid")), options, true, 0);
}

Config spikingjelly(const std::string& cls, Options& options) {
  Config ours;
  options.has("defaults");
  const std::map<std::string, std::string> without_rest = {
      {"IFNode", "if"}, {"QIFNode", "qif"}, {"EIFNode", "eif"}, {"CUBALIFNode", "cuba_lif"}};
  if (without_rest.count(cls)) {
    ours["name"] = without_rest.at(cls);
    set_jelly_reset(ours, options, false);
    if (cls == "CUBALIFNode") {
      ours["leak_syn"] = options.get("c_decay", 0.5);
      ours["leak"] = options.get("v_decay", 0.75);
    }
    if (cls != "QIFNode" && cls != "EIFNode") return ours;
    ours["tau_m"] = options.get("tau", 2.0);
    ours["v_rest"] = options.get("v_rest", 0.0);
    if (cls == "QIFNode") {
      ours["a0"] = options.get("a0", 1.0);
      ours["v_c"] = options.get("v_c", 0.8);
    } else {
      ours["sharpness"] = options.get("delta_T", 1.0);
      ours["theta_rh"] = options.get("theta_rh", 0.8);
    }
    return ours;
  }
  const bool learned = cls == "ParametricLIFNode";
  ours["name"] = cls == "KLIFNode" ? "klif" : cls == "LIAFNode" ? "liaf" : "lif";
  ST_CHECK(ours["name"] != "lif" || learned || cls == "LIFNode", "SpikingJelly class '", cls,
           "' is not known");
  ours["leak"] = 1 - 1 / options.get(learned ? "init_tau" : "tau", 2.0);
  ours["decay_input"] = options.get("decay_input", true);
  if (learned) ours["learn_leak"] = true;
  set_jelly_reset(ours, options, true);
  if (cls == "KLIFNode") ours["scale_reset"] = options.get("scale_reset", false);
  if (cls == "LIAFNode") {
    ours["act"] = options.get("act", std::string("relu"));
    ours["threshold_related"] = options.get("threshold_related", false);
  }
  return ours;
}

Config snntorch(const std::string& cls, Options& options) {
  const bool synaptic = cls == "Synaptic";
  ST_CHECK(synaptic || cls == "Leaky", "snnTorch class '", cls, "' is not known");
  Config ours = {{"name", synaptic ? "cuba_lif" : "lif"}};
  if (synaptic) ours["leak_syn"] = std::clamp(options.get("alpha", 0.0), 0.0, 1.0);
  ours["leak"] = std::clamp(options.get("beta", 0.0), 0.0, 1.0);
  ours["threshold"] = options.get("threshold", 1.0);
  ours["strict"] = true;
  const bool delay = options.get("reset_delay", true);
  ST_CHECK(delay || !synaptic, "snnTorch Synaptic without reset_delay is not known");
  ours["reset_delay"] = delay;
  const std::string reset = options.get("reset_mechanism", options.get("reset", std::string("subtract")));
  if (reset == "subtract") {
    ours["reset"] = delay ? "soft" : "soft_decayed";
    if (!delay) ours["raise_after_overshoot"] = true;
  } else if (reset == "zero") {
    ours["reset"] = synaptic ? "hard_input" : "hard";
  } else {
    ST_CHECK(reset == "none", "snnTorch reset '", reset, "' is not known");
    ours["reset"] = "none";
  }
  const std::string surrogate = options.get("surrogate", std::string("atan"));
  set_surrogate(ours, surrogate, options, !synaptic, surrogate == "sigmoid" ? 25 : 0);
  return ours;
}

Config norse(const std::string& cls, Options& options) {
  const bool synaptic = cls == "LIFCell" || cls == "LIF";
  ST_CHECK(synaptic || cls == "LIFBoxCell" || cls == "LIFBox", "Norse class '", cls, "' is not known");
  Config ours = {
      {"name", synaptic ? "cuba_lif" : "lif"}, {"decay_input", true}, {"reset", "hard"}, {"strict", true}};
  const double dt = options.get("dt", 0.001);
  ours["leak"] = 1 - dt * options.get("tau_mem_inv", 100.0);
  if (synaptic) {
    ours["leak_syn"] = 1 - dt * options.get("tau_syn_inv", 200.0);
    ours["gain_syn"] = 1.0;
  }
  ours["v_rest"] = options.get("v_leak", 0.0);
  ours["threshold"] = options.get("v_th", 1.0);
  ours["v_reset"] = options.get("v_reset", 0.0);
  const std::string method = options.get("method", std::string("super"));
  set_surrogate(ours, method == "super" ? "fast_sigmoid" : method, options, true, 100);
  return ours;
}

/// Largest slope of the surrogate's curve, by differences.
double steepness(const Config& ours) {
  const SurrogateCurve c = surrogate_curve(ours["surrogate"], ours["surrogate_scale"], ours["threshold"]);
  double most = 0;
  for (double x = 0; x < 2; x += 1e-4) {
    const double d = cpu::surrogate_derivative(c, x + 1e-4) - cpu::surrogate_derivative(c, x);
    const bool jump = c.shape == cpu::SurrogateShape::box || c.shape == cpu::SurrogateShape::sign ||
                      c.shape == cpu::SurrogateShape::step || c.shape == cpu::SurrogateShape::beyond;
    if (!jump) most = std::max(most, std::abs(d) / 1e-4);
  }
  return most;
}

}  // namespace

PeerNeuron peer_neuron(const std::string& peer, const Config& cfg) {
  Options options(cfg);
  const std::string cls = options.get("cls", std::string());
  PeerNeuron result;
  if (peer == "spikingjelly") {
    result.config = spikingjelly(cls, options);
  } else if (peer == "snntorch") {
    result.config = snntorch(cls, options);
  } else {
    ST_CHECK(peer == "norse", "peer '", peer, "' is not known");
    result.config = norse(cls, options);
  }
  options.finish();
  result.v_state = result.config["name"] == "cuba_lif" ? 1 : 0;
  result.steepness = steepness(result.config);
  return result;
}

}  // namespace spiketrain
