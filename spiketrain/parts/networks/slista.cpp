// S-LISTA: ISTA for sparse frequencies, unrolled: each layer is a step whose matrices and threshold are learned.
//   y = A b + noise, A the steering matrix of a uniform line (or rectangle) of samples;  b_0 = 0
//   b_{k+1} = S( W_k y + h_k * b_k )       W_k complex matrix, h_k complex kernel over the grid, circular; S complex shrinkage
// Weights begin as ISTA's, W = A^H/L and h = delta - (first column of A^H A)/L: untrained, layer k is step k of ISTA with lambda =
// threshold*L, L = grid/samples.  The first layer has no kernel, as b_0 = 0.  The neurons are the recipe's: complex_shrink of every layer
// and of the readout; or complex_few_spikes and complex_few_spikes_readout on an encoder few_spikes, which sends [4,*], and the
// same weights.  The output is [2*grid]: all real parts, all imaginary parts.
// Source: the abstract of arXiv 2412.04008 (the matrices of layers are such that they are complex convolutions with a complex activation);
// LISTA-Toeplitz as the field has it.  Deviation: sizes, training and everything else are ours.
// Tests: golden/slista_test.cpp, unit/slista_test.cpp.
#include "spiketrain/core/layer.h"
#include "spiketrain/core/network.h"

namespace spiketrain {
namespace {

struct Slista final : NetworkBuilder {
  static constexpr const char* kDoc =
      "unrolled ISTA for harmonic retrieval: a complex convolution and shrinkage per layer";
  int64_t layers = 10;
  std::vector<int64_t> grid = {64};
  template <class V>
  void visit(V& v) {
    v(layers, "layers", "steps of ISTA that are unrolled", Range{1, 10000});
    v(grid, "grid", "points of the frequency grid, one or two sides");
  }

  std::shared_ptr<Network> build(const NetworkContext& context) const override {
    const Shape& in = context.input;
    const bool complex = (in.size() == 2 || in.size() == 3) && (in[0] == 2 || in[0] == 4);
    ST_CHECK(
        complex,
        "network slista: expected complex samples, [2,M] or [2,M1,M2] (real parts, imaginary parts; encoder "
        "few_spikes makes 4 of them), got ",
        at::IntArrayRef(in));
    ST_CHECK(context.output == Shape{2 * numel(grid)},
             "network slista: its output is the real and imaginary parts on a grid of ",
             at::IntArrayRef(grid), ", ", 2 * numel(grid), " values, but the targets have the shape ",
             at::IntArrayRef(context.output), "; set network.grid to the data's");
    auto network = std::make_shared<Network>(in);
    for (int64_t k = 0; k < layers; ++k) {
      const bool last = k + 1 == layers;
      std::vector<Connection> connections;
      connections.reserve(2);
      connections.push_back(connect("complex_linear", {{"grid", grid}}, in, last));
      std::vector<Network::Input> inputs = {{Network::kInput}};
      if (k > 0) {
        const Shape samples(in.begin() + 1, in.end());
        connections.push_back(connect("complex_conv", {{"samples", samples}}, in, last));
        if (!context.feedback.is_null()) connections.back().feedback = make<Feedback>(context.feedback);
        inputs.push_back({k - 1});
      }
      auto neuron = last ? context.readout() : context.neuron();
      check_neuron(*neuron, last);
      network->add(std::make_shared<Layer>(std::move(connections), std::move(neuron)), std::move(inputs),
                   /*new_unit=*/true);
    }
    network->add(make<Stage>("flatten"), /*new_unit=*/false);
    return network;
  }

 private:
  static Connection connect(const char* name, Config options, const Shape& in, bool last) {
    options["pairs"] = in[0] == 4 && !last;
    Connection c;
    c.synapse = make<Synapse>(name, options);
    return c;
  }
  static void check_neuron(const Neuron& neuron, bool last) {
    const std::string& name = neuron.part_name();
    const std::string coded = last ? "complex_few_spikes_readout" : "complex_few_spikes";
    ST_CHECK(name == "complex_shrink" || name == coded, "network slista: its ", last ? "readout" : "neurons",
             " shrink complex numbers: expected complex_shrink or ", coded, ", got ", name);
  }
};
ST_REGISTER(NetworkBuilder, "slista", Slista);

}  // namespace
}  // namespace spiketrain
