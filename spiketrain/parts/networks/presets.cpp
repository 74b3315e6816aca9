// Networks known by a name.  Each is a line in the notation, without its output layer, which follows from the data.
#include <utility>
#include <vector>

#include "spiketrain/parts/networks/spec.h"

namespace spiketrain {
namespace {

/// tssl_*: Zhang and Li 2020, "Temporal spike sequence learning via backpropagation for deep spiking neural
/// networks".  vgg9, vgg11: the usual sizes for 32x32 images.
const std::vector<std::pair<const char*, const char*>>& presets() {
  static const std::vector<std::pair<const char*, const char*>> list = {
      {"tssl_mnist", "15C5-P2-40C5-P2-300"},
      {"tssl_fmnist_mlp", "400-400"},
      {"tssl_fmnist_cnn", "32C5p2-P2-64C5p2-P2-1024"},
      {"tssl_nmnist", "12C5p1-P2-64C5p0-P2"},
      {"tssl_cifar_cnn1",
       "96C3p1-D0.2-256C3p1-P2-D0.2-384C3p1-P2-D0.2-384C3p1-D0.2-256C3p1-D0.2-1024-D0.2-1024-D0.2"},
      {"tssl_cifar_cnn2",
       "128C3p1-D0.2-256C3p1-P2-D0.2-512C3p1-P2-D0.2-1024C3p1-D0.2-512C3p1-D0.2-1024-D0.2-512-D0.2"},
      {"vgg9", "2x(64C3p1)-AP2-2x(128C3p1)-AP2-3x(256C3p1)-AP2-1024"},
      {"vgg11", "64C3p1-AP2-128C3p1-AP2-2x(256C3p1)-AP2-2x(512C3p1)-AP2-2x(512C3p1)-AP2-2x(512)"},
  };
  return list;
}

struct Preset final : NetworkBuilder, SpecOptions {
  static constexpr const char* kDoc = "a network of a paper, by name";
  std::string model = "tssl_mnist";
  template <class V>
  void visit(V& v) {
    Choices names;
    for (const auto& preset : presets()) names.values.push_back(preset.first);
    v(model, "model",
      "name of the network, which sets the layers only; for tssl_cifar_* the authors also set conv_scale = 5 and "
      "dropout_shared = \"row\"",
      names);
    SpecOptions::visit(v);
  }
  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    for (const auto& [name, spec] : presets()) {
      if (model == name) return build_network(str(spec, '-', output_layer(context)), *this, context);
    }
    ST_ASSERT(false);
    return nullptr;
  }
};
ST_REGISTER(NetworkBuilder, "preset", Preset);

}  // namespace
}  // namespace spiketrain
