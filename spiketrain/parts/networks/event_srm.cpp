// A network of event-driven spike-response layers with refractoriness: fully connected, spike times in, spike times between the
// layers, several spikes per neuron, trained by the exact gradient of all spike times (multi-spike SpikeProp).
//   input - event_srm ... event_srm - first_spike
// Its layers have time constants of their own and no neuron or rule of the recipe.
// Source: our own, see parts/stages/event_srm.cpp.  Tests: engine/event_srm_network_test.cpp.
#include "spiketrain/core/network.h"

namespace spiketrain {
namespace {

struct EventSrmNetwork final : NetworkBuilder {
  static constexpr const char* kDoc =
      "event-driven spike-response layers, several spikes per neuron, exact gradients (multi-spike SpikeProp)";
  std::vector<int64_t> hidden = {10};
  int64_t spikes = 1, max_spikes = 1000;
  std::string readout = "mean";
  double tau_s = 5, tau_refractory = 10, weight_refractory = 1, threshold = 1, weight_mean = 2,
         weight_std = 1, min_slope = 1e-3;
  bool feedback = true;

  template <class V>
  void visit(V& v) {
    v(hidden, "hidden", "neurons of the hidden layers");
    v(spikes, "spikes",
      "so many first spikes of each output neuron are read; a missing one counts as one at the end",
      Range{1, 1e6});
    v(readout, "readout",
      "what the objective reads of an output neuron: the mean of those spike times, or each of them, for targets that are spike times",
      Choices{{"mean", "each"}});
    v(tau_s, "tau_s", "time constant of the response to a spike, which is greatest after it, steps",
      Range{1e-3, 1e9});
    v(tau_refractory, "tau_refractory", "time constant of the refractory response to a neuron's own spike",
      Range{1e-3, 1e9});
    v(weight_refractory, "weight_refractory",
      "size of the refractory response, by which the membrane potential falls at a spike", Range{1e-6, 1e9});
    v(threshold, "threshold", "firing threshold", Range{1e-6, 1e6});
    v(feedback, "feedback",
      "the gradient includes how earlier spikes of a neuron delay its later ones; false: it leaves that out");
    v(weight_mean, "weight_mean",
      "mean of the initial weights, scaled: at 1 one spike of every input at the same time raises the membrane potential to 1",
      Range{-1e6, 1e6});
    v(weight_std, "weight_std",
      "standard deviation of the initial weights, times the root of the number of inputs", Range{0, 1e6});
    v(min_slope, "min_slope",
      "lower bound of the slope of the membrane potential that the gradient divides by at a spike, relative to threshold/tau_s; 0: no bound. It keeps spikes that barely reach the threshold from dominating",
      Range{0, 1e6});
    v(max_spikes, "max_spikes",
      "limit of the spikes per neuron and sample, mean over a layer; more are an error", Range{1, 1e9});
  }
  void check() override {
    for (const int64_t n : hidden)
      ST_CHECK(n >= 1, "network event_srm.hidden: expected sizes of at least 1, got ", n);
  }
  bool uses_neurons() const override { return false; }

  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    ST_CHECK(context.output.size() == 1,
             "network event_srm: its output layer is fully connected; expected an output of [N], got ",
             at::IntArrayRef(context.output));
    ST_CHECK(
        context.feedback.is_null(),
        "network event_srm: its error goes back through the weights themselves; use feedback transpose, not ",
        context.feedback.value("name", ""));
    const int64_t values = context.output[0], each = readout == "each" ? spikes : 1;
    ST_CHECK(values % each == 0, "network event_srm: readout each puts out ", spikes,
             " spike times for each neuron (network.spikes), and the targets are ", values,
             " values, which is no multiple of that");
    auto network = std::make_shared<Network>(context.input);
    for (const int64_t n : hidden) network->add(layer(n), /*new_unit=*/true);
    network->add(layer(values / each), /*new_unit=*/true);
    network->add(make<Stage>("first_spike", {{"spikes", spikes}}), /*new_unit=*/false);
    if (spikes > each) {
      network->add(make<Stage>("population", {{"size", spikes}}), /*new_unit=*/false);
      network->add(make<Stage>("scale", {{"factor", 1 / static_cast<double>(spikes)}}), /*new_unit=*/false);
    }
    return network;
  }

 private:
  std::shared_ptr<Stage> layer(int64_t features) const {
    return make<Stage>("event_srm", {{"features", features},
                                     {"tau_s", tau_s},
                                     {"tau_refractory", tau_refractory},
                                     {"weight_refractory", weight_refractory},
                                     {"threshold", threshold},
                                     {"feedback", feedback},
                                     {"weight_mean", weight_mean},
                                     {"weight_std", weight_std},
                                     {"min_slope", min_slope},
                                     {"max_spikes", max_spikes}});
  }
};
ST_REGISTER(NetworkBuilder, "event_srm", EventSrmNetwork);

}  // namespace
}  // namespace spiketrain
