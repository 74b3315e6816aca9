// A network of event-driven layers: fully connected, spike times in, spike times between the layers, solved exactly and
// trained by the exact adjoint (EventProp).
//   input - event_lif ... event_lif - readout:  first_spike behind a last event_lif layer, or event_membrane
// Its layers have time constants of their own and no neuron or rule of the recipe.
// Source: Wunderlich & Pehle 2021.  Deviation: none.  Tests: engine/event_network_test.cpp.
#include "spiketrain/core/network.h"

namespace spiketrain {
namespace {

struct EventNetwork final : NetworkBuilder {
  static constexpr const char* kDoc = "event-driven layers with exact spike times and gradients (EventProp)";
  std::vector<int64_t> hidden = {100};
  std::string readout = "first_spike";
  bool recurrent = false;
  double tau_m = 20, tau_s = 5, threshold = 1, min_slope = 1e-3, weight_mean = 4, weight_std = 3,
         recurrent_std = 0.5;
  int64_t max_spikes = 1000;

  template <class V>
  void visit(V& v) {
    v(hidden, "hidden", "neurons of the hidden layers");
    v(readout, "readout",
      "what the objective reads: first spike of each output neuron, or membrane potential of neurons without threshold",
      Choices{{"first_spike", "membrane"}});
    v(recurrent, "recurrent", "hidden layers read their own spikes, too");
    v(tau_m, "tau_m", "time constant of the membrane, steps", Range{1e-3, 1e9});
    v(tau_s, "tau_s", "time constant of the synaptic current, steps", Range{1e-3, 1e9});
    v(threshold, "threshold", "firing threshold", Range{1e-6, 1e6});
    v(weight_mean, "weight_mean",
      "mean of the initial weights of spiking layers, scaled: at 1 one spike of every input at the same time raises the membrane potential to 1",
      Range{-1e6, 1e6});
    v(weight_std, "weight_std",
      "standard deviation of the initial weights, times the root of the number of inputs", Range{0, 1e6});
    v(recurrent_std, "recurrent_std",
      "standard deviation of the initial recurrent weights, as weight_std; their mean is 0", Range{0, 1e6});
    v(min_slope, "min_slope",
      "lower bound of the slope (current - threshold) that the gradient divides by at a spike, relative to the threshold; 0: no bound. It keeps spikes that barely reach the threshold from dominating",
      Range{0, 1e6});
    v(max_spikes, "max_spikes",
      "limit of the spikes per neuron and sample, mean over a layer; more are an error", Range{1, 1e9});
  }
  void check() override {
    for (const int64_t n : hidden)
      ST_CHECK(n >= 1, "network event.hidden: expected sizes of at least 1, got ", n);
  }
  bool uses_neurons() const override { return false; }

  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    ST_CHECK(context.output.size() == 1,
             "network event: its output layer is fully connected; expected an output of "
             "[N], got ",
             at::IntArrayRef(context.output));
    ST_CHECK(context.feedback.is_null(),
             "network event: its error goes back through the weights themselves; use "
             "feedback transpose, not ",
             context.feedback.value("name", ""));
    auto network = std::make_shared<Network>(context.input);
    for (const int64_t n : hidden) network->add(layer(n, recurrent), /*new_unit=*/true);
    const int64_t outputs = context.output[0];
    if (readout == "membrane") {
      network->add(make<Stage>("event_membrane", {{"features", outputs}, {"tau_m", tau_m}, {"tau_s", tau_s}}),
                   /*new_unit=*/true);
    } else {
      network->add(layer(outputs, false), /*new_unit=*/true);
      network->add(make<Stage>("first_spike"), /*new_unit=*/false);
    }
    return network;
  }

 private:
  std::shared_ptr<Stage> layer(int64_t features, bool recurrent) const {
    return make<Stage>("event_lif", {{"features", features},
                                     {"tau_m", tau_m},
                                     {"tau_s", tau_s},
                                     {"threshold", threshold},
                                     {"recurrent", recurrent},
                                     {"weight_mean", weight_mean},
                                     {"weight_std", weight_std},
                                     {"recurrent_std", recurrent_std},
                                     {"min_slope", min_slope},
                                     {"max_spikes", max_spikes}});
  }
};
ST_REGISTER(NetworkBuilder, "event", EventNetwork);

}  // namespace
}  // namespace spiketrain
