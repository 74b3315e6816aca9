// Signed few-spikes code: a real number is sent by two neurons, one for either sign, as the K binary digits of its size below alpha,
// the most significant first, once a period:
//   level = min(floor(|x|/alpha * 2^K), 2^K - 1);   spike in phase i = t mod K: digit i of level, of the neuron of x's sign
// Samples [C,*] become [2C,*], the positive ones first.  A spike of phase i weighs alpha*2^-(1+i): only neurons that weigh it so
// can read it.  Reads any real numbers; sizes of alpha and above are sent as alpha*(1 - 2^-K).
// Source: our own, the ReLU code of few_spikes_tables.h for either sign.  Tests: unit/few_spikes_test.cpp.
#include <cmath>

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/core/network.h"

namespace spiketrain {
namespace {

struct FewSpikesEncoder final : Encoder {
  static constexpr const char* kDoc =
      "sign and binary digits of a real number, one a step, two neurons each: for few_spikes, complex_few_spikes";
  int64_t phases = 8;
  double alpha = 2;
  template <class V>
  void visit(V& v) {
    v(phases, "phases", "K, steps of a period: the binary digits of a value", Range{1, 24});
    v(alpha, "alpha", "values are digits below it; as the neurons'", Range{1e-9, 1e9});
  }
  Shape step_shape(const Shape& sample) const override {
    Shape shape = sample;
    shape.at(0) *= 2;
    return shape;
  }

  Signal encode(const Batch& batch, const Request& request) const override {
    const double levels = std::ldexp(1.0, static_cast<int>(phases));
    const Tensor x = batch.x.to(torch::kDouble), sides = torch::cat({x, -x}, 1);
    const Tensor level = torch::clamp(torch::floor(sides * (levels / alpha)), 0, levels - 1).to(torch::kInt);
    std::vector<Tensor> steps;
    for (int64_t t = request.t0; t < request.t1; ++t)
      steps.push_back((level.bitwise_right_shift(phases - 1 - t % phases) & 1).to(torch::kUInt8));
    return Signal::spikes(Spikes::from_bytes(torch::stack(steps)), batch.x.scalar_type());
  }

  void check_network(const Network& network, int64_t steps) const override {
    ST_CHECK(steps % phases == 0, "encoder few_spikes: a value takes ", phases,
             " steps, its phases, but steps = ", steps, "; set steps to a multiple of encoder.phases");
    for (const Network::Node& node : network.nodes()) {
      const std::string& stage = node.stage->part_name();
      ST_CHECK(
          stage != "pool" || node.stage->config().at("kind") != "max",
          "encoder few_spikes: the greatest of digits is not the digit of the greatest value, so that the maximum "
          "pooling of node ",
          node.name, " would be wrong; use average pooling");
      if (const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage))
        check_layer(*layer, node.name);
    }
  }

 private:
  void check_layer(const Layer& layer, const std::string& node) const {
    const Neuron& neuron = *layer.neuron();
    const std::string& name = neuron.part_name();
    const Config options = neuron.config();
    const bool tables = name == "few_spikes" || name == "few_spikes_readout";
    ST_CHECK(tables || name == "complex_few_spikes" || name == "complex_few_spikes_readout",
             "encoder few_spikes: a spike weighs alpha*2^-(1+i) in phase i, but neuron ", name, " of layer ",
             node,
             " takes all alike; use neuron few_spikes and readout few_spikes_readout, or for network slista "
             "complex_few_spikes and complex_few_spikes_readout");
    ST_CHECK(!tables || options.at("curve") == "relu", "encoder few_spikes: sends binary digits, but neuron ",
             name, " of layer ", node, " reads the table of curve = ", options.at("curve").dump(),
             "; use curve = \"relu\", or encoder direct");
    const auto read = options.at("phases").get<int64_t>();
    ST_CHECK(read == phases, "encoder few_spikes: sends values in ", phases, " phases, but neuron ", name,
             " of layer ", node, " reads ", read, "; set the same phases");
    const auto below = options.at("alpha").get<double>();
    ST_CHECK(below == alpha, "encoder few_spikes: sends digits below alpha = ", alpha, ", but neuron ", name,
             " of layer ", node, " reads them below ", below, "; set the same alpha");
    for (const Connection& c : layer.connections())
      ST_CHECK(!c.norm, "encoder few_spikes: norm ", c.norm->part_name(), " of layer ", node,
               " would work on the current of each phase, not on that of the value; leave network.norm out");
  }
};
ST_REGISTER(Encoder, "few_spikes", FewSpikesEncoder);

}  // namespace
}  // namespace spiketrain
