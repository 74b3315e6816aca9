// The synapse of a local head: weights that are trained or fixed, and the way error returns through them.
//   weights: trained      as the synapse `linear`
//            uniform      fixed, U(-s, s)
//            sign         fixed, s or -s with equal probability
//            square_wave  fixed, s * sign(sin(f_c k)), f = linspace(50, 512, classes), k = 0, 1, ...
//   feedback: transpose, W^T g; or random, F^T g with an independent fixed F drawn like `uniform`
// s is `scale`; 0 stands for 1/sqrt(inputs), and for 1/inputs with square_wave.
// Sources: fixed random heads as in DECOLLE (Kaiser et al. 2020) and, with +-1, as the abstract of STOLL (Guo
// et al. 2022) names them; square wave: Apolinario et al. 2025, TESS; random feedback: Lillicrap et al. 2016.
#include <cmath>

#include "spiketrain/base/rng.h"
#include "spiketrain/synapses/linear.h"

namespace spiketrain {
namespace {

struct HeadLinear final : Linear {
  static constexpr const char* kDoc = "fully connected readout with trained or fixed weights";
  std::string weights = "trained", feedback = "transpose";
  double scale = 0;
  template <class V>
  void visit(V& v) {
    v(features, "features", "number of outputs", Range{1, 1 << 24});
    v(weights, "weights", "trained, or fixed: random uniform, random sign, square waves",
      Choices{{"trained", "uniform", "sign", "square_wave"}});
    v(scale, "scale", "size of fixed weights; 0: 1/sqrt(inputs), 1/inputs for square_wave", Range{0, 1e6});
    v(feedback, "feedback", "error returns through the transpose, or through an independent random matrix",
      Choices{{"transpose", "random"}});
  }

  Shape build(const Shape& in) override {
    in_ = in;
    const Tensor zeros = torch::zeros({features, numel(in)});
    W_ = weights == "trained" ? register_parameter("weight", zeros) : register_buffer("weight", zeros);
    if (feedback == "random") F_ = register_buffer("feedback", torch::zeros_like(zeros));
    return {features};
  }

  void initialise(uint64_t seed, uint64_t index) override {
    if (weights == "trained") {
      initialise_weight(W_, "uniform", 1.0, seed, index);
    } else {
      draw_fixed(W_, Rng(seed, Purpose::init, index));
    }
    if (F_.defined()) fill(F_, Rng(seed, Purpose::feedback, index), /*sign=*/false);
  }

  Tensor pull(const Tensor& g, const Tensor& W) const override {
    return Linear::pull(g, F_.defined() ? F_ : W);
  }

 private:
  double size(bool wave) const {
    const auto inputs = static_cast<double>(numel(in_));
    return scale > 0 ? scale : wave ? 1 / inputs : 1 / std::sqrt(inputs);
  }

  void draw_fixed(Tensor& W, Rng rng) const {
    if (weights == "square_wave") {
      const Tensor f = torch::linspace(50, 512, features, torch::kDouble).unsqueeze(1);
      const Tensor k = torch::arange(numel(in_), torch::kDouble).unsqueeze(0);
      W.copy_(torch::sign(torch::sin(f * k)) * size(true));
    } else {
      fill(W, rng, weights == "sign");
    }
  }

  void fill(Tensor& W, Rng rng, bool sign) const {
    const double s = size(false);
    const Tensor drawn = torch::empty(W.sizes(), torch::kDouble);
    auto* value = drawn.data_ptr<double>();
    for (int64_t i = 0; i < drawn.numel(); ++i) {
      value[i] = sign ? ((rng.next() & 1) != 0 ? s : -s) : rng.uniform(-s, s);
    }
    W.copy_(drawn);
  }

  Tensor F_;  ///< like W; undefined: transpose
};
ST_REGISTER(Synapse, "head_linear", HeadLinear);

}  // namespace
}  // namespace spiketrain
