// A network in time-to-first-spike coding: event-driven layers of neurons with the rectified linear PSP, each of which spikes at most
// once, fully connected or convolution, max pooling by the earliest spike; trained by exact derivatives of spike times (STDBP).
//   16C5-P2-100-10:  event_relpsp_conv2d, event_pool, event_relpsp ... and a readout: first_spike behind the last layer, or, in its
//   place, event_relpsp_membrane
// Its layers have no neuron and no rule of the recipe.
// Sources: Zhang et al., "Rectified linear postsynaptic potential function for backpropagation in deep spiking neural
// networks" (arXiv 2003.11837); falling threshold: Wei et al. 2023.  Deviation: see parts/stages/event_relpsp.cpp.
// Tests: engine/ttfs_network_test.cpp, train/ttfs_training_test.cpp.
#include "spiketrain/core/network.h"
#include "spiketrain/parts/networks/output_token.h"
#include "spiketrain/parts/networks/size_limits.h"

namespace spiketrain {
namespace {

std::string text_of_shape(const Shape& shape) { return spiketrain::str(at::IntArrayRef(shape)); }

struct TtfsNetwork final : NetworkBuilder {
  static constexpr const char* kDoc =
      "layers with the rectified linear PSP, one exact spike time for each neuron (STDBP)";
  std::string spec = "100-10", padding = "valid", threshold_form = "fixed", readout = "first_spike";
  double threshold = 1, weight_mean = 0.25, weight_std = 0.05, least_active = 0.1, revive = 1, late = 1,
         clip = 0;

  template <class V>
  void visit(V& v) {
    v(spec, "spec", "the layers: 16C5 convolution, P2 pooling (the earliest spike), 100 fully connected");
    v(padding, "padding",
      "padding of convolutions whose token has no p suffix: valid: none; same: the feature map keeps its size",
      Choices{{"valid", "same"}});
    v(readout, "readout",
      "what the objective reads: first spike of each output neuron, or membrane potential of neurons without threshold",
      Choices{{"first_spike", "membrane"}});
    v(threshold, "threshold", "firing threshold", Range{1e-6, 1e6});
    v(threshold_form, "threshold_form",
      "fixed, or falling: each layer spikes in a window after that of its input, in which the threshold falls to 0",
      Choices{{"fixed", "falling"}});
    v(weight_mean, "weight_mean",
      "mean of the initial weights, times the number of inputs: slope of the membrane once every input has spiked, in thresholds per step",
      Range{-1e6, 1e6});
    v(weight_std, "weight_std",
      "standard deviation of the initial weights, times the root of the number of inputs, in thresholds per step",
      Range{0, 1e6});
    v(least_active, "least_active",
      "share of the samples in which a hidden neuron should spike; of a convolution, of samples and places of a map",
      Range{0, 1});
    v(revive, "revive",
      "weight of the penalty on hidden neurons that spike in fewer; it joins the gradient, not the loss; 0: none",
      Range{0, 1e9});
    v(late, "late",
      "a silent output counts as steps*(1 + late*(1 - V/threshold)), V its membrane at the end; 0: as the number of steps",
      Range{0, 1e6});
    v(clip, "clip",
      "bound on the factors 1/slope and time/slope of the gradient, with time in units of the sequence and the slope in thresholds; 0: none, exact",
      Range{0, 1e9});
  }
  void check() override { parse_notation(spec); }
  bool uses_neurons() const override { return false; }

  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    ST_CHECK(context.output.size() == 1,
             "network ttfs: its output layer is fully connected; expected an output of [N], got ",
             at::IntArrayRef(context.output));
    ST_CHECK(context.feedback.is_null(),
             "network ttfs: its error goes back through the weights themselves; use feedback transpose, not ",
             context.feedback.value("name", ""));
    const std::vector<Token> tokens = parse_notation(spec);
    for (const Token& token : tokens) check_token(token);
    const SpecOptions sizes = size_options();
    output_token(spec, tokens, sizes, context.output);
    check_sizes(spec, tokens, sizes, context.input);
    auto network = std::make_shared<Network>(context.input);
    bool layer_below = false;
    for (const Token& token : tokens) {
      const bool pools = token.kind == Token::Kind::pool;
      network->add(stage(token, network->out_shape(), token.index == tokens.size()),
                   /*new_unit=*/!pools || !layer_below);
      layer_below = layer_below || !pools;
    }
    if (readout == "first_spike") network->add(make<Stage>("first_spike"), /*new_unit=*/false);
    return network;
  }

 private:
  [[noreturn]] void fail(const Token& token, const std::string& what) const {
    throw UsageError(token_error(spec, token, what));
  }
  void check_token(const Token& token) const {
    using Kind = Token::Kind;
    if (token.recurrent)
      fail(token, "a neuron of network ttfs spikes once, so that its own spike comes too late for it");
    if (token.kind == Kind::pool && token.pool != 0 && token.pool != 'M')
      fail(token, str("a sum of spike times is no spike time; write P", token.size, ", the earliest spike"));
    if (token.kind != Kind::conv && token.kind != Kind::linear && token.kind != Kind::pool)
      fail(token, "network ttfs has convolutions, fully connected layers and pooling");
  }
  SpecOptions size_options() const {
    SpecOptions options;
    options.padding = padding;
    return options;
  }
  Config layer_options(bool output) const {
    const bool reads_times = output && readout == "first_spike";
    return {{"threshold", threshold},           {"falling", threshold_form == "falling"},
            {"weight_mean", weight_mean},       {"weight_std", weight_std},
            {"least_active", least_active},     {"revive", output ? 0.0 : revive},
            {"late", reads_times ? late : 0.0}, {"clip", clip}};
  }
  std::shared_ptr<Stage> stage(const Token& token, const Shape& in, bool output) const {
    if (token.kind == Token::Kind::linear) {
      if (output && readout == "membrane")
        return make<Stage>("event_relpsp_membrane", {{"features", token.size},
                                                     {"read_at", threshold_form == "falling" ? 2.0 : 1.0},
                                                     {"weight_std", weight_std}});
      Config options = layer_options(output);
      options["features"] = token.size;
      return make<Stage>("event_relpsp", options);
    }
    if (in.size() != 3) fail(token, str("needs a map [C,H,W], the signal here is ", text_of_shape(in)));
    if (token.kind == Token::Kind::pool) {
      if (in[1] < token.size || in[2] < token.size)
        fail(token, str("the ", token.size, "x", token.size,
                        " window does not fit the map, the signal here is ", text_of_shape(in)));
      return make<Stage>("event_pool", {{"window", token.size}});
    }
    return convolution(token, in);
  }
  std::shared_ptr<Stage> convolution(const Token& token, const Shape& in) const {
    int64_t pixels = std::max<int64_t>(token.padding, 0);
    if (token.padding < 0 && padding == "same") {
      if (token.kernel % 2 == 0)
        fail(token, str("padding = \"same\" needs an odd kernel size; write the padding, as in ",
                        to_string(token), "p1"));
      pixels = (token.kernel - 1) / 2;
    }
    if (in[1] + 2 * pixels < token.kernel || in[2] + 2 * pixels < token.kernel)
      fail(token,
           str("the ", token.kernel, "x", token.kernel, " kernel does not fit the map, the signal here is ",
               text_of_shape(in), " and the padding ", pixels));
    Config options = layer_options(false);
    options["channels"] = token.size;
    options["kernel"] = token.kernel;
    options["stride"] = token.stride;
    options["padding"] = pixels;
    return make<Stage>("event_relpsp_conv2d", options);
  }
};
ST_REGISTER(NetworkBuilder, "ttfs", TtfsNetwork);

}  // namespace
}  // namespace spiketrain
