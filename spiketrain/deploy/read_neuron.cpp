// Coefficients of the neurons that can be exported, by their options, buffers and parameters.
#include <algorithm>

#include "spiketrain/deploy/read_network.h"

namespace spiketrain::deploy {
namespace {

/// As the library's kernels see it.
Coefficients single(double value) { return {static_cast<double>(static_cast<float>(value))}; }

/// f(a, b) element by element, where one of them may be a single number.
template <class F>
Coefficients combine(const Coefficients& a, const Coefficients& b, F&& f) {
  Coefficients result(std::max(a.size(), b.size()));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = f(a[a.size() == 1 ? 0 : i], b[b.size() == 1 ? 0 : i]);
  return result;
}

Reset reset_of(const std::string& name) {
  if (name == "soft_decayed") return Reset::soft_decayed;
  if (name == "soft") return Reset::soft;
  return name == "hard" ? Reset::hard : Reset::none;
}

/// lif, if and leaky_readout, which have one membrane (parts/neurons/lif_core.h).
struct MembraneReader {
  const Neuron& neuron;
  const Config config;
  const std::string name = config["name"];

  /// The coefficient `key`: a buffer if there is one per channel or neuron, else the option.
  Coefficients coefficient(const char* key, double otherwise = 0) const {
    const auto buffers = neuron.named_buffers(/*recurse=*/false);
    if (const Tensor* buffer = buffers.find(key)) return numbers(*buffer);
    return config.contains(key) ? single(config[key]) : single(otherwise);
  }
  Coefficients leak() const {
    const auto parameters = neuron.named_parameters(/*recurse=*/false);
    if (const Tensor* w = parameters.find("w")) return numbers(1 - torch::sigmoid(w->detach()));
    return coefficient("leak", 1);
  }
  bool is(const char* key) const { return config.contains(key) && config[key].get<bool>(); }

  FoldedNeuron read(Layer& layer) const {
    FoldedNeuron folded;
    layer.leak = leak();
    folded.gain = coefficient("gain");
    const auto decayed = [](double leak, double x) { return (1 - leak) * x; };
    if (is("decay_input")) folded.gain = combine(layer.leak, folded.gain, decayed);
    folded.rest = combine(layer.leak, coefficient("v_rest"), decayed);
    const bool at_rest = config["start"] == "rest";
    layer.start = at_rest ? coefficient("v_rest") : Coefficients{0};
    layer.spiking = name != "leaky_readout";
    if (!layer.spiking) return folded;
    layer.reset = reset_of(config["reset"]);
    layer.strict = config["strict"];
    layer.threshold = coefficient("threshold");
    const double reset_by = config["reset_by"];
    layer.drop = reset_by > 0 ? single(reset_by) : layer.threshold;
    layer.v_reset = coefficient("v_reset");
    if (config["start"] == "half")
      layer.start = combine(layer.threshold, {2}, [](double threshold, double by) { return threshold / by; });
    if (name == "if" && layer.reset == Reset::hard && at_rest) layer.start = layer.v_reset;
    return folded;
  }
};

FoldedNeuron read_psp_lif(const Config& config, Layer& layer) {
  layer.strict = true;
  layer.reset = Reset::hard;
  layer.leak = single(1 - 1 / config["tau_m"].get<double>());
  layer.threshold = layer.drop = single(config["threshold"]);
  layer.v_reset = layer.start = {0};
  FoldedNeuron folded;
  folded.output_tau = config["tau_s"];
  return folded;
}

}  // namespace

std::vector<double> numbers(const Tensor& x) {
  const Tensor flat = x.detach().to(torch::kCPU, torch::kDouble).contiguous();
  const auto* data = flat.data_ptr<double>();
  return {data, data + flat.numel()};
}

FoldedNeuron read_neuron(const Neuron& neuron, const std::string& place, Layer& layer) {
  const Config config = neuron.config();
  const std::string name = config["name"];
  FoldedNeuron folded;
  if (name == "psp_lif") {
    folded = read_psp_lif(config, layer);
  } else {
    ST_CHECK(name == "lif" || name == "if" || name == "leaky_readout", place, "neuron ", name,
             " cannot be exported; train with lif, if or psp_lif, and leaky_readout for output");
    const MembraneReader reader{neuron, config};
    ST_CHECK(!reader.is("raise_after_overshoot"), place, "neuron ", name,
             " with raise_after_overshoot cannot be exported; train without it");
    folded = reader.read(layer);
  }
  const auto above = [](double start, double threshold) { return start >= threshold ? 1.0 : 0.0; };
  const Coefficients early = layer.spiking ? combine(layer.start, layer.threshold, above) : Coefficients{0};
  ST_CHECK(std::count(early.begin(), early.end(), 1.0) == 0, place,
           "the membrane before the first step (v_rest, or v_reset of an if neuron) reaches the threshold; "
           "train with a smaller one, or with start = \"zero\"");
  return folded;
}

}  // namespace spiketrain::deploy
