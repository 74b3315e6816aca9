// A local head: the readout of one block.  It is made like the output layer, which is the last block's head: a fully
// connected synapse and the readout neuron, so leaky, spiking and plain readouts are one option of the recipe, and the
// recipe's objective is the local loss.  The synapse's weights are trained or fixed (parts/synapses/linear.cpp), and
// error returns through a Feedback.
// Sources: Ma et al. 2022 (pooled trained heads, ELL and BELL), Kaiser et al. 2020 (random heads, DECOLLE),
// Apolinario et al. 2025 (square waves, TESS).  Deviation: the neuron and the loss are those of the output layer.
// Tests: unit/head_test.cpp.
#include <algorithm>

#include "spiketrain/core/head.h"
#include "spiketrain/core/layer.h"

namespace spiketrain {
namespace {

struct LinearHead final : Head {
  static constexpr const char* kDoc =
      "local head: fully connected readout of a block, with optional pooling before it";
  std::string weights = "trained";
  double scale = 0;
  Config feedback = {{"name", "transpose"}};
  int64_t pool_to = 0, grid = 0;

  template <class V>
  void visit(V& v) {
    v(weights, "weights",
      "weights of the local heads: trained, or fixed: random uniform, random sign, square waves",
      Choices{{"trained", "uniform", "sign", "square_wave"}});
    v(scale, "scale",
      "size s of fixed weights, U(-s, s) or s * sign, and of a feedback that has no scale of its own; 0: 1/sqrt(inputs), 1/inputs for square_wave",
      Range{0, 1e6});
    v(feedback, "feedback", "how errors are backpropagated through the head", OnePart<Feedback>{});
    v(pool_to, "pool_to", "average a block's maps until it has at most this many features; 0: no pooling",
      Range{0, 1e9});
    v(grid, "grid", "instead of pool_to: average maps to grid x grid, vectors to grid values; 0: no pooling",
      Range{0, 1e6});
  }
  void check() override {
    ST_CHECK(pool_to == 0 || grid == 0, "head linear: expected either pool_to or grid, got both");
  }

  std::vector<std::shared_ptr<Stage>> build(const Shape& in, const Shape& output,
                                            std::shared_ptr<Neuron> neuron) const override {
    ST_CHECK(output.size() == 1, "head linear: expected an output of [N], got ", at::IntArrayRef(output));
    std::vector<std::shared_ptr<Stage>> stages;
    if (pool_to > 0 && in.size() == 3 && numel(in) > pool_to)
      stages.push_back(make<Stage>("average_to", {{"features", pool_to}}));
    const auto sides = in.begin() + (in.size() == 1 ? 0 : 1);
    if (grid > 0 && std::any_of(sides, in.end(), [this](int64_t side) { return side > grid; }))
      stages.push_back(make<Stage>("average_to", {{"grid", grid}}));
    Connection c;
    const bool fixed = weights != "trained";
    c.synapse = make<Synapse>(
        "linear",
        {{"features", output[0]}, {"init", "uniform"}, {"weights", weights}, {"scale", fixed ? scale : 0.0}});
    Config way_back = feedback;
    if (scale > 0 && way_back.value("scale", 1.0) == 0) way_back["scale"] = scale;
    c.feedback = make<Feedback>(way_back);
    stages.push_back(std::make_shared<Layer>(std::vector<Connection>{std::move(c)}, std::move(neuron)));
    return stages;
  }
};
ST_REGISTER(Head, "linear", LinearHead);

}  // namespace
}  // namespace spiketrain
