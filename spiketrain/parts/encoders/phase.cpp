// Phase coding (weighted spikes): a value x in [0, 1) is sent as its K binary digits, the most significant first, once a period:
//   s[t] = floor(x * 2^(1+i)) mod 2, i = t mod K;   sum over a period of s * 2^-(1+i) = floor(x * 2^K)/2^K
// Values below 0 stay silent, those of 1 and above are sent as 1 - 2^-K.  The spikes mean their weights 2^-(1+i), so that only neurons
// which weigh them can read them: phase_if and phase_readout, with as many bits.
// Reads intensities from 0 to 1: data.mean = [0] and data.std = [1].
// Source: Kim et al. 2018, "Deep neural networks with weighted spikes"; as SpikingJelly's weighted phase encoder.
// Deviation: none.  Tests: golden/phase_test.cpp, unit/phase_test.cpp, unit/encoder_test.cpp.
#include <cmath>

#include "spiketrain/core/coded_input.h"
#include "spiketrain/core/encoder.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/core/network.h"

namespace spiketrain {
namespace {

struct PhaseEncoder final : Encoder, CodedInput {
  static constexpr const char* kDoc =
      "the binary digits of a value, one a step, for phase_if; needs data.mean = [0], data.std = [1]";
  int64_t bits = 8;
  template <class V>
  void visit(V& v) {
    v(bits, "bits", "phases of a period, the binary digits of a value", Range{1, 24});
  }
  bool reads_intensities() const override { return true; }

  Signal encode(const Batch& batch, const Request& request) const override {
    const double levels = std::ldexp(1.0, static_cast<int>(bits));
    const Tensor level = torch::clamp(torch::floor(batch.x * levels), 0, levels - 1).to(torch::kInt);
    std::vector<Tensor> steps;
    for (int64_t t = request.t0; t < request.t1; ++t)
      steps.push_back((level.bitwise_right_shift(bits - 1 - t % bits) & 1).to(torch::kUInt8));
    return Signal::spikes(Spikes::from_bytes(torch::stack(steps)), batch.x.scalar_type());
  }

  void check_network(const Network& network, int64_t steps) const override {
    ST_CHECK(steps % bits == 0, "encoder phase: a value takes ", bits,
             " steps, its bits, but steps = ", steps, "; set steps to a multiple of encoder.bits");
    for (const Network::Node& node : network.nodes()) {
      const std::string& stage = node.stage->part_name();
      ST_CHECK(stage != "pool" || node.stage->config().at("kind") != "max",
               "encoder phase: the greatest of digits is not the ",
               "digit of the greatest value, so that the maximum pooling of node ", node.name,
               " would be wrong; use average pooling");
      if (const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage))
        check_layer(*layer, node.name);
    }
  }

 private:
  void check_layer(const Layer& layer, const std::string& node) const {
    const Neuron& neuron = *layer.neuron();
    const std::string& name = neuron.part_name();
    ST_CHECK(name == "phase_if" || name == "phase_readout",
             "encoder phase: a spike weighs 2^-(1+i) in phase i, but neuron ", name, " of layer ", node,
             " takes all alike; use neuron phase_if and readout phase_readout");
    const auto read = neuron.config().at("bits").get<int64_t>();
    ST_CHECK(read == bits, "encoder phase: sends values of ", bits, " bits, but neuron ", name, " of layer ",
             node, " reads ", read, "; set the same bits");
    for (const Connection& c : layer.connections())
      ST_CHECK(!c.norm, "encoder phase: norm ", c.norm->part_name(), " of layer ", node,
               " would work on the current of each digit, not on that of the value; leave network.norm out");
  }
};
ST_REGISTER(Encoder, "phase", PhaseEncoder);

}  // namespace
}  // namespace spiketrain
