// The network of a checkpoint or of saved weights, as it was built, with those weights to begin with: to go on from a network that was
// imported, or trained on something else.  It has neurons of its own, and takes data of another shape with as many values.
// Tests: unit/saved_network_test.cpp.
#include "spiketrain/recipe/saved_network.h"

#include "spiketrain/train/checkpoint.h"

namespace spiketrain {
namespace {

struct SavedNetwork final : NetworkBuilder, StartsWithWeights {
  static constexpr const char* kDoc =
      "the network of a file of weights, its neurons included, to continue training";
  std::string file;
  template <class V>
  void visit(V& v) {
    v(file, "file",
      "checkpoint or weights (.safetensors); must stay there, as it is read whenever the network is built");
  }

  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    const auto saved = read();
    Config config = saved->config();
    if (saved->input_shape() == context.input) return without_blocks(config);
    ST_CHECK(numel(saved->input_shape()) == numel(context.input), "network saved: ", file,
             " expects an input of ", at::IntArrayRef(saved->input_shape()), ", but the data have ",
             at::IntArrayRef(context.input));
    config["input"] = context.input;  // fully connected layers read any shape
    return without_blocks(config);
  }

  void load(Network& network) const override {
    const torch::NoGradGuard no_grad;
    const NamedTensors targets = network_tensors(network);
    for (const auto& [name, value] : network_tensors(*read())) {
      for (const auto& [other, target] : targets)
        if (other == name) Tensor(target).copy_(value);
    }
  }

 private:
  std::shared_ptr<Network> read() const {
    ST_CHECK(!file.empty(), "network saved: expected file = \"...\", a checkpoint or weights");
    return load_network(file);
  }
  /// The recipe cuts it anew, and hangs heads of its own on it.
  static std::shared_ptr<Network> without_blocks(Config config) {
    config["heads"] = Config::array();
    config["blocks"] = {config["nodes"].size()};
    return Network::from_config(config);
  }
};
ST_REGISTER(NetworkBuilder, "saved", SavedNetwork);

}  // namespace
}  // namespace spiketrain
