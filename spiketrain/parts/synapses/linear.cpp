// Fully connected synapse: I[t] = W a[t], W [features, inputs].  Maps [C,H,W] are read in C, H, W order: so lie the weights, whatever the order of sums.
//   weights: trained      drawn as `init` says
//            uniform      fixed, U(-s, s)
//            sign         fixed, s or -s with equal probability
//            square_wave  fixed, s * sign(sin(f_c k)), f = linspace(50, 512, features), k = 0, 1, ...
// With weight_standardisation the products see ops::standardise(W, gain) instead of W.
// s is `scale`; 0 stands for 1/sqrt(inputs), and for 1/inputs with square_wave.
// Spikes that are few enough: the event-driven kernels of ops/event_conv.h.
// Others, and real numbers: matrix products on fixed chunks of rows, so that the bits do not depend on the number of threads.  A share
// of spikes becomes floats inside its chunk.
// Sources of the fixed weights: random as in DECOLLE (Kaiser et al. 2020) and, with +-1, as the abstract of STOLL
// (Guo et al. 2022) names them; square wave: Apolinario et al. 2025, TESS.
// Deviation: none.  Tests: grad/synapse_test.cpp, unit/head_test.cpp.
#include <cmath>
#include <string>

#include "spiketrain/core/initialise.h"
#include "spiketrain/core/synapse.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/standardise.h"
#include "spiketrain/parts/synapses/event_products.h"

namespace spiketrain {
namespace {

/// Least rows or columns of a thread's share of a product: BLAS packs the other factor for each share.
constexpr int64_t kMinShare = 48;

/// Slices [i, j) of a dimension; x itself for all of them.
Tensor share(const Tensor& x, int64_t dim, int64_t i, int64_t j) {
  return i == 0 && j == x.size(dim) ? x : x.slice(dim, i, j);
}

/// rows(i, j) [j - i, K] for rows of M, times y [K, N], in float64 or float32; shared by rows, or by columns of y if there are
/// few rows.  Factors of bfloat16 give float32.
template <class Rows>
Tensor product(int64_t M, const Rows& rows, const Tensor& y) {
  const auto type = y.scalar_type() == torch::kBFloat16 ? torch::kFloat : y.scalar_type();
  if (!y.is_cpu()) return rows(0, M).mm(y).to(type);
  Tensor out = torch::empty({M, y.size(1)}, y.options().dtype(type));
  const bool by_rows = M >= 2 * kMinShare || y.size(1) < M;
  const Tensor all = by_rows ? Tensor() : rows(0, M);
  ops::for_chunks(
      by_rows ? M : y.size(1),
      [&](int64_t i, int64_t j) {
        Tensor part = share(out, by_rows ? 0 : 1, i, j);
        const Tensor a = by_rows ? rows(i, j) : all, b = by_rows ? y : share(y, 1, i, j);
        if (type == y.scalar_type()) {
          at::mm_out(part, a, b);
        } else {
          part.copy_(a.mm(b));
        }
      },
      kMinShare);
  return out;
}

struct Linear final : Synapse {
  static constexpr const char* kDoc = "fully connected, W [features, inputs]";
  int64_t features = 10;
  std::string init = "kaiming_normal", bias_init = "zero", weights = "trained";
  double scale = 0;
  bool has_bias = false, weight_standardisation = false;

  template <class V>
  void visit(V& v) {
    v(features, "features", "number of outputs", Range{1, 1 << 24});
    v(init, "init", "distribution of the initial weights", init_choices());
    v(weight_scale, "weight_scale", "factor on the initial weights");
    v(has_bias, "bias", "add a learnable bias");
    v(bias_init, "bias_init", "initial biases", bias_init_choices());
    v(weights, "weights", "trained, or fixed: random uniform, random sign, square waves",
      Choices{{"trained", "uniform", "sign", "square_wave"}});
    v(scale, "scale", "size of fixed weights; 0: 1/sqrt(inputs), 1/inputs for square_wave", Range{0, 1e6});
    v(weight_standardisation, "weight_standardisation",
      "multiply with weights of mean 0 and variance 1/inputs per neuron, times a learned gain");
  }

  void check() override {
    ST_CHECK(
        weights != "trained" || scale == 0,
        "synapse linear: scale is the size of fixed weights, but the weights are trained; use weight_scale");
    ST_CHECK(weights == "trained" || !weight_standardisation,
             "synapse linear: weight_standardisation is for trained weights, but weights = \"", weights,
             "\"");
  }

  Shape build(const Shape& in) override {
    in_ = in;
    const Tensor zeros = torch::zeros({features, numel(in)});
    W_ = weights == "trained" ? register_parameter("weight", zeros) : register_buffer("weight", zeros);
    if (has_bias) b_ = register_parameter("bias", torch::zeros({features}));
    if (weight_standardisation) gain_ = register_parameter("gain", torch::ones({features, 1}));
    return {features};
  }

  void initialise(uint64_t seed, uint64_t index) override {
    initialise_bias(b_, W_, bias_init, seed, index);
    if (weights == "trained") {
      initialise_weight(W_, init, weight_scale, seed, index);
    } else if (weights == "uniform") {
      draw_uniform(W_, size(), Rng(seed, Purpose::init, index));
    } else if (weights == "sign") {
      draw_signs(Rng(seed, Purpose::init, index));
    } else {
      const Tensor f = torch::linspace(50, 512, features, torch::kDouble).unsqueeze(1);
      const Tensor k = torch::arange(numel(in_), torch::kDouble).unsqueeze(0);
      W_.copy_(torch::sign(torch::sin(f * k)) * size());
    }
  }

  Tensor weight() override { return gain_.defined() ? ops::standardise(W_, gain_) : W_; }
  Tensor bias() const override { return b_; }

  Tensor apply(const Signal& x, const Tensor& W) const override {
    const auto dense = [&](const Signal& input) { return apply_dense(input, W); };
    return by_events(ops::EventProduct::forward, x, W, full()) ? apply_events(x, W, full(), dense) : dense(x);
  }

  Tensor pull(const Tensor& g, const Tensor& W_in) const override {
    const auto type = factors(g);
    const Tensor flat = g.flatten(0, 1);
    const auto rows = [&](int64_t i, int64_t j) { return share(flat, 0, i, j).to(type); };
    if (in_.size() != 3 || !g.is_cpu()) {
      std::vector<int64_t> shape = {g.size(0), g.size(1)};
      shape.insert(shape.end(), in_.begin(), in_.end());
      return product(flat.size(0), rows, W_in.to(type)).view(shape);
    }
    // Maps channels last, as who reads them wants them.
    return ops::unlaid(product(flat.size(0), rows, by_pixel(W_in).to(type))
                           .view({g.size(0), g.size(1), in_[1], in_[2], in_[0]}),
                       true);
  }

  Tensor outer(const Tensor& g, const Signal& q) const override {
    const auto dense = [&](const Tensor& errors, const Signal& input) { return outer_dense(errors, input); };
    if (!by_events(ops::EventProduct::gradient, q, W_, full())) return dense(g, q);
    return outer_events(g, q, W_.sizes(), full(), dense);
  }

  double event_limit(ops::EventProduct product) const override {
    return ops::event_limit(product, {1, numel(in_), 1, 1, features, 1, 1, 1, 0}, mixed() && ops::has_bf16());
  }
  bool has_patches() const override { return true; }
  Tensor patches(const Tensor& x) const override { return x.flatten(1).unsqueeze(0); }

  int64_t macs() const override { return features * numel(in_); }
  std::string notation() const override { return std::to_string(features); }

 private:
  bool mixed() const { return precision == Precision::mixed; }
  ops::ConvKind full() const { return {1, 0, true, mixed()}; }
  /// Of products with spikes, or with errors.
  torch::ScalarType factors(const Tensor& like) const {
    return mixed() && like.scalar_type() == torch::kFloat ? torch::kBFloat16 : like.scalar_type();
  }
  /// Maps lie pixel by pixel, weights map by map: whether it is the weights, as there are fewer of them, that a product lays like the
  /// maps.
  bool lays_weights(int64_t rows, const Tensor& like) const {
    return in_.size() == 3 && features < rows && like.is_cpu();
  }
  /// W [features, C*H*W] -> [features, H*W*C]
  Tensor by_pixel(const Tensor& W) const {
    return ops::laid(W.view({features, in_[0], in_[1], in_[2]}), true).view({features, numel(in_)});
  }
  /// The way back.
  Tensor by_map(const Tensor& W) const {
    return ops::laid(W.view({features, in_[1], in_[2], in_[0]}).movedim(-1, -3), false)
        .view({features, numel(in_)});
  }
  static Tensor matrix(const Tensor& x, bool pixelwise) {
    return (x.dim() == 4 ? ops::laid(x, pixelwise) : x).flatten(1);
  }
  Tensor apply_dense(const Signal& x, const Tensor& W) const {
    const auto type = is_exact_in_bfloat16(x) ? factors(W) : W.scalar_type();
    const bool pixelwise = lays_weights(x.steps() * x.batch(), W);
    x.prepare();
    const auto rows = [&](int64_t i, int64_t j) { return matrix(x.rows(i, j), pixelwise).to(type); };
    const Tensor factor = (pixelwise ? by_pixel(W) : W).to(type).t();
    return product(x.steps() * x.batch(), rows, factor).view({x.steps(), x.batch(), features});
  }
  /// Shared by features: every share reads all of q.
  Tensor outer_dense(const Tensor& g, const Signal& q) const {
    const auto type = is_exact_in_bfloat16(q) ? factors(g) : g.scalar_type();
    const Tensor post = g.flatten(0, 1).to(type);
    const bool pixelwise = lays_weights(post.size(0), g);
    const Tensor pre = matrix(q.rows(0, post.size(0)), pixelwise).to(type);
    if (!g.is_cpu()) return post.t().mm(pre).to(g.scalar_type());
    Tensor g_W = torch::empty({features, pre.size(1)}, g.options());
    ops::for_chunks(
        features,
        [&](int64_t i, int64_t j) {
          Tensor rows = share(g_W, 0, i, j);
          const Tensor errors = share(post, 1, i, j).t();
          if (type == g.scalar_type()) {
            at::mm_out(rows, errors, pre);
          } else {
            rows.copy_(errors.mm(pre));
          }
        },
        kMinShare);
    return pixelwise ? by_map(g_W) : g_W;
  }
  double size() const {
    const auto inputs = static_cast<double>(numel(in_));
    return scale > 0 ? scale : weights == "square_wave" ? 1 / inputs : 1 / std::sqrt(inputs);
  }

  void draw_signs(Rng rng) {
    const double s = size();
    const Tensor drawn = torch::empty(W_.sizes(), torch::kDouble);
    auto* value = drawn.data_ptr<double>();
    for (int64_t i = 0; i < drawn.numel(); ++i) value[i] = (rng.next() & 1) != 0 ? s : -s;
    W_.copy_(drawn);
  }

  Shape in_;
  Tensor W_, b_, gain_;
};
ST_REGISTER(Synapse, "linear", Linear);

}  // namespace
}  // namespace spiketrain
