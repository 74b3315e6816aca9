// Spiking DS-ResNet for small images and event frames: a 3x3 convolution, three groups of n basic units with 1, 2 and 4
// times the maps, the second and third beginning with stride 2, average, output layer.  Depth 6n + 2.
//   block = "ds"      y = fire(second) + shortcut: the shortcut is fired, too, where it is a convolution; spikes add up
//   block = "plain"   y = fire(second + shortcut): the spiking ResNet that the paper compares with
// The unit "ds" is that of SEW-ResNet (connection ADD).  Convolutions without bias, tdBN whose eps is outside the root, a
// bias in the output layer alone: the numbers of parameters are those of the authors' networks.
// Source: Feng, Liu, Tang, Ma, Pan 2022, "Multi-level firing with spiking DS-ResNet", written from the authors' code
// (langfengQ/MLF-DSResNet, a49bdc3).  Deviation: their norm of the input of DVS-Gesture is left out.
// Tests: unit/ds_resnet_test.cpp, golden/mlf_test.cpp.
#include "spiketrain/parts/networks/spec.h"

namespace spiketrain {
namespace {

/// A group's units behind its first.
std::string repeated(const std::string& unit, int64_t times) {
  return times == 0 ? "" : str('-', times, "x(", unit, ')');
}

struct DsResNet final : NetworkBuilder, SpecOptions {
  static constexpr const char* kDoc = "spiking DS-ResNet of depth 14, 20, 32, 44, 68, or another 6n + 2";
  int64_t depth = 20, width = 64;
  std::string block = "ds";
  DsResNet() {
    norm = {{"name", "tdbn"}, {"scale", 0.6}, {"eps_outside", true}};
    conv_init = "kaiming_normal";
    bias_init = "uniform";
    output_bias = true;
  }
  template <class V>
  void visit(V& v) {
    v(depth, "depth", "layers with weights, shortcuts aside: 6n + 2", Range{8, 1202});
    v(width, "width", "maps of the first group; the others have 2 and 4 times as many", Range{1, 1024});
    v(block, "block", "ds: shortcuts are added to spikes; plain: to currents", Choices{{"ds", "plain"}});
    SpecOptions::visit(v);
  }
  void check() override {
    ST_CHECK(depth % 6 == 2, "network ds_resnet: depth: expected 6n + 2, such as 14, 20, 32, 44 or 68, got ",
             depth);
  }
  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    const std::string unit = block == "ds" ? "SEW" : "RB";
    const int64_t n = depth / 6;
    std::string spec = str(width, "C3p1-", n, "x(", unit, width, ')');
    for (const int64_t maps : {2 * width, 4 * width})
      spec += str('-', unit, maps, "s2", repeated(str(unit, maps), n - 1));
    return build_network(str(spec, "-GAP-", output_layer(context)), *this, context);
  }
};
ST_REGISTER(NetworkBuilder, "ds_resnet", DsResNet);

}  // namespace
}  // namespace spiketrain
