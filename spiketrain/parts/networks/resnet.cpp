// ResNet-18 for 32x32 images: a 3x3 convolution, four groups of two basic units, average, output layer.
//   spiking_resnet18   the shortcut is added to the input current of a unit's last neuron
//   sew_resnet18       the shortcut is added to a unit's output (connection ADD)
// Sources: He et al. 2016, "Deep residual learning for image recognition", sizes; the stem is the one used
// for small images (stride 1, no pooling).  Fang et al. 2021, "Deep residual learning in spiking neural
// networks": the second form.
// Deviation: with norm = "tdbn" all norms of a unit have the same scale.
// Tests: unit/network_spec_test.cpp.
#include "spiketrain/parts/networks/spec.h"

namespace spiketrain {
namespace {

/// `unit` is RB or SEW; `width` is the number of maps of the first group.
std::string resnet18(const std::string& unit, int64_t width, const std::string& output) {
  std::string spec = str(width, "C3p1-2x(", unit, width, ")");
  for (int64_t maps : {2 * width, 4 * width, 8 * width}) spec += str('-', unit, maps, "s2-", unit, maps);
  return str(spec, "-GAP-", output);
}

struct ResNet18 : NetworkBuilder, SpecOptions {
  explicit ResNet18(const char* unit) : unit_(unit) { norm = {{"name", "bn"}}; }
  template <class V>
  void visit(V& v) {
    v(width, "width",
      "feature maps of the first of the four groups of layers; the others have 2, 4 and 8 times as many",
      Range{1, 1024});
    SpecOptions::visit(v);
  }
  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    return build_network(resnet18(unit_, width, output_layer(context)), *this, context);
  }
  int64_t width = 64;

 private:
  const char* unit_;
};

struct SpikingResNet18 final : ResNet18 {
  static constexpr const char* kDoc = "ResNet-18, shortcuts added to currents";
  SpikingResNet18() : ResNet18("RB") {}
};
ST_REGISTER(NetworkBuilder, "spiking_resnet18", SpikingResNet18);

struct SewResNet18 final : ResNet18 {
  static constexpr const char* kDoc = "SEW-ResNet-18, shortcuts added to spikes";
  SewResNet18() : ResNet18("SEW") {}
};
ST_REGISTER(NetworkBuilder, "sew_resnet18", SewResNet18);

}  // namespace
}  // namespace spiketrain
