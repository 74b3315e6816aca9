#include "spiketrain/nir/export_neuron.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/check.h"

namespace spiketrain::nir {
namespace {

using Numbers = std::vector<double>;

Numbers numbers_of(const Tensor& tensor) {
  const Tensor flat = tensor.detach().to(torch::kCPU, torch::kDouble).contiguous().flatten();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

bool all(const Numbers& list, double value) {
  return std::all_of(list.begin(), list.end(), [=](double x) { return x == value; });
}

bool any(const Numbers& list, double value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::string text_of(const Neuron& neuron, const std::string& node) {
  return str("node '", node, "': neuron ", neuron.part_name());
}

}  // namespace

void check_neuron(const Neuron& neuron, const std::string& node) {
  const std::vector<std::string> known = {"lif", "if", "cuba_lif", "leaky_readout", "cuba_readout"};
  const std::string text = text_of(neuron, node);
  ST_CHECK(std::find(known.begin(), known.end(), neuron.part_name()) != known.end(), text,
           ": NIR has no such neuron; it has those of ", join(known));
  const Config config = neuron.config();
  ST_CHECK(!config.value("raise_after_overshoot", false), text,
           ": NIR has no threshold that rises (raise_after_overshoot)");
  ST_CHECK(config.value("reset", "") != "hard_input", text,
           ": NIR has no reset that drops the input (hard_input)");
}

NeuronExport::NeuronExport(const Neuron& neuron, const Shape& shape, const std::string& node,
                           const NirExportOptions& options)
    : neuron_(neuron), shape_(shape), name_(node), options_(options) {
  text_ = text_of(neuron, node);
  count_ = static_cast<size_t>(numel(shape));
  check_neuron(neuron, node);
  config_ = neuron.config();
  fires_ = config_.contains("threshold");
  const bool cuba = config_.contains("leak_syn");
  leaks_ = neuron.part_name() == "if" ? Numbers(count_, 1) : coefficient("leak");
  in_ = coefficient("gain");
  if (config_.value("decay_input", false))
    for (size_t i = 0; i < count_; ++i) in_[i] *= 1 - leaks_[i];
  if (cuba) {
    leaks_syn_ = coefficient("leak_syn");
    in_syn_ = coefficient("gain_syn");
  }
  choose_type();
}

/// One for each neuron, from the buffer, the learnt parameter or the option.
std::vector<double> NeuronExport::coefficient(const char* name) const {
  const auto buffers = neuron_.named_buffers(false), parameters = neuron_.named_parameters(false);
  Tensor values;
  if (const Tensor* buffer = buffers.find(name)) values = *buffer;
  if (const Tensor* w = parameters.find("w"); w && std::string(name) == "leak")
    values = 1 - torch::sigmoid(w->detach());
  if (!values.defined()) return Numbers(count_, config_.value(name, 0.0));
  return numbers_of(values.expand(shape_));
}

void NeuronExport::choose_type() {
  const bool rests_at_zero = all(coefficient("v_rest"), 0);
  const bool forgets = all(leaks_, 0) && rests_at_zero && leaks_syn_.empty();
  gains_ = in_;
  if (!fires_ && forgets && all(in_, 1)) return;  // type_ stays empty
  if (fires_ && forgets && config_["reset"] == "none") {
    type_ = "Threshold";
    return;
  }
  if (fires_) {
    type_ = !leaks_syn_.empty() ? "CubaLIF" : all(leaks_, 1) ? "IF" : "LIF";
  } else {
    type_ = !leaks_syn_.empty() ? "CubaLI" : all(leaks_, 1) ? "I" : "LI";
  }
  ST_CHECK(type_ == "IF" || type_ == "I" || !any(leaks_, 1), text_, ": the leak of some neurons is 1; NIR's ",
           type_, " has a finite time constant");
  ST_CHECK(!any(leaks_syn_, 1), text_, ": leak_syn is 1; NIR's ", type_, " has a finite time constant");
  // LIF, LI: r = 1.  CubaLIF, CubaLI: r = tau_mem/dt, w_in = tau_syn/dt, which more programs read.  IF: r = 1/dt.  I: r = 1.
  for (size_t i = 0; i < count_; ++i) {
    unit_.push_back(type_ == "LIF" || type_ == "LI" ? 1 - leaks_[i] : type_ == "I" ? options_.dt : 1);
    gains_[i] = in_[i] / unit_[i];
    if (!leaks_syn_.empty()) gains_[i] *= in_syn_[i];
  }
}

NirArray NeuronExport::array(const std::vector<double>& values) const {
  NirArray array{NirArray::Type::f32, shape_, values};
  for (double& x : array.values) x = static_cast<double>(static_cast<float>(x));
  return array;
}

std::vector<double> NeuronExport::taus(const std::vector<double>& leaks) const {
  Numbers list = leaks;
  for (double& x : list) x = options_.dt / (1 - x);
  return list;
}

NirNode NeuronExport::node(bool folded, Remarks& remarks) const {
  NirNode node{type_, {}, {}, {}};
  auto& fields = node.fields.arrays;
  const bool cuba = !leaks_syn_.empty(), leaky = cuba || type_ == "LIF" || type_ == "LI";
  const Numbers ones(count_, 1);
  if (type_ == "Threshold") {
    Numbers threshold = coefficient("threshold");
    for (size_t i = 0; i < count_ && !folded; ++i) {
      ST_CHECK(gains_[i] > 0, text_, ": its input has the gain ", gains_[i], "; NIR's Threshold has none");
      threshold[i] /= gains_[i];
    }
    fields["threshold"] = array(threshold);
    Coefficients exact = coefficients(ones, {});
    exact["threshold"] = threshold;
    conventions(node, exact, remarks);
    return node;
  }
  const Numbers left = folded ? unit_ : in_,
                left_syn = folded ? ones : in_syn_;  // gains that are not in the weights
  Numbers r = left, w_in = left_syn;
  for (size_t i = 0; i < count_; ++i) r[i] /= leaky ? 1 - leaks_[i] : options_.dt;
  for (size_t i = 0; i < leaks_syn_.size(); ++i) w_in[i] /= 1 - leaks_syn_[i];
  fields["r"] = array(r);
  if (cuba) {
    fields["tau_syn"] = array(taus(leaks_syn_));
    fields["w_in"] = array(w_in);
  }
  if (leaky) {
    fields[cuba ? "tau_mem" : "tau"] = array(taus(leaks_));
    fields["v_leak"] = array(coefficient("v_rest"));
  }
  if (fires_) {
    fields["v_threshold"] = array(coefficient("threshold"));
    fields["v_reset"] = array(config_["reset"] == "hard" ? coefficient("v_reset") : Numbers(count_, 0));
  }
  conventions(node, coefficients(left, left_syn), remarks);
  return node;
}

NeuronExport::Coefficients NeuronExport::coefficients(const std::vector<double>& gains,
                                                      const std::vector<double>& gains_syn) const {
  Coefficients exact = {{"gain", gains}};
  if (config_.contains("leak")) exact["leak"] = leaks_;
  if (!leaks_syn_.empty()) {
    exact["leak_syn"] = leaks_syn_;
    exact["gain_syn"] = gains_syn;
  }
  for (const char* key : {"v_rest", "threshold", "v_reset"})
    if (config_.contains(key)) exact[key] = coefficient(key);
  return exact;
}

/// What the format has no fields for, and the neuron itself.
void NeuronExport::conventions(NirNode& node, const Coefficients& exact, Remarks& remarks) const {
  Config config = config_;
  for (const char* key : {"decay_input", "learn_leak"})
    if (config.contains(key)) config[key] = false;
  if (config_.value("learn_leak", false)) remarks["the leak is no longer learnt"].push_back(name_);
  if (node.type == "IF" && config.contains("leak")) config["leak"] = 1;
  const bool one = std::all_of(exact.begin(), exact.end(), [](const auto& item) {
    return all(item.second, item.second.empty() ? 0 : item.second.front());
  });
  config["per"] = one ? "layer" : "neuron";
  for (const auto& [key, values] : exact) {
    if (one && !values.empty()) {
      config[key] = values.front();
    } else {
      node.metadata.arrays["coefficient_" + key] = {NirArray::Type::f64, shape_, values};
    }
  }
  node.metadata.texts["spiketrain"] = config.dump();
  if (config.value("order", "new") == "old") {
    node.metadata.texts["order"] = "old";
    remarks["the membrane sees the synaptic current of the step before (order old)"].push_back(name_);
  }
  const std::string start = config.value("start", "zero");
  const bool lifts = !all(coefficient(neuron_.part_name() == "if" ? "v_reset" : "v_rest"), 0);
  if (start == "rest" && node.type != "Threshold" && lifts) {
    node.metadata.texts["start"] = "rest";
    remarks["membranes begin at rest, not at 0"].push_back(name_);
  }
  if (start == "half") remarks["membranes begin at half the threshold, not at 0"].push_back(name_);
  if (!fires_) return;
  node.metadata.texts["threshold_compare"] = config["strict"] ? "strict" : "at";
  if (!config["strict"]) remarks["neurons fire at the threshold, too (>=)"].push_back(name_);
  node.metadata.texts["surrogate"] = config["surrogate"];
  if (node.type != "Threshold") reset_conventions(node, remarks);
}

void NeuronExport::reset_conventions(NirNode& node, Remarks& remarks) const {
  const std::string reset = config_["reset"];
  const double takes = config_.value("reset_by", 0.0);
  node.metadata.texts["reset"] = reset == "hard" ? "zero" : reset == "none" ? "none" : "subtract";
  if (reset == "none") {
    remarks["membranes are not reset"].push_back(name_);
  } else if (reset != "hard") {
    remarks[str("the reset takes ", takes > 0 ? str(takes) : "the threshold", " off (", reset, ")")]
        .push_back(name_);
  }
  const bool late = config_.value("reset_delay", false);
  node.metadata.texts["reset_delay"] = late ? "true" : "false";
  if (late) remarks["the reset comes one step late (reset_delay)"].push_back(name_);
}

}  // namespace spiketrain::nir
