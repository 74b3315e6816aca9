// Fully connected synapse: I[t] = W a[t], W [features, inputs].  Maps [C,H,W] are read in C, H, W order.
// Dense: matrix products on fixed chunks of rows, so that the bits do not depend on the number of threads.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/core/initialise.h"
#include "spiketrain/core/ops.h"
#include "spiketrain/core/stage.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {

struct Linear : Synapse {
  static constexpr const char* kDoc = "fully connected, W [features, inputs]";
  int64_t features = 10;
  std::string init = "kaiming_normal";
  bool bias = false;
  /// Least rows or columns of a thread's share of a product: BLAS packs the other factor for each share.
  static constexpr int64_t kMinShare = 48;

  template <class V>
  void visit(V& v) {
    v(features, "features", "number of outputs", Range{1, 1 << 24});
    v(init, "init", "distribution of the initial weights", init_choices());
    v(weight_scale, "weight_scale", "factor on the initial weights");
    v(bias, "bias", "add a learnable bias, initially zero");
  }

  Shape build(const Shape& in) override {
    in_ = in;
    W_ = register_parameter("weight", torch::zeros({features, numel(in)}));
    if (bias) b_ = register_parameter("bias", torch::zeros({features}));
    return {features};
  }
  void initialise(uint64_t seed, uint64_t index) override {
    initialise_weight(W_, init, weight_scale, seed, index);
  }
  Tensor weight() override { return W_; }
  Tensor add_bias(const Tensor& I) override { return bias ? I + b_ : I; }

  Tensor apply(const Signal& x, const Tensor& W) const override {
    return product(x.a.flatten(2).flatten(0, 1), W.t()).view({x.a.size(0), x.a.size(1), features});
  }
  Tensor pull(const Tensor& g, const Tensor& W) const override {
    std::vector<int64_t> shape = {g.size(0), g.size(1)};
    shape.insert(shape.end(), in_.begin(), in_.end());
    return product(g.flatten(0, 1), W).view(shape);
  }
  Tensor outer(const Tensor& g, const Signal& q) const override {
    const Tensor post = g.flatten(0, 1), pre = q.a.flatten(2).flatten(0, 1);
    if (!g.is_cpu()) return post.t().mm(pre);
    Tensor g_W = torch::empty({features, pre.size(1)}, g.options());
    ops::for_chunks(
        features,
        [&](int64_t i, int64_t j) {
          Tensor rows = g_W.slice(0, i, j);
          at::mm_out(rows, post.slice(1, i, j).t(), pre);
        },
        kMinShare);
    return g_W;
  }
  int64_t macs() const override { return features * numel(in_); }
  std::string spec() const override { return std::to_string(features); }

 protected:
  /// x [M,K] times y [K,N], shared by rows of x, or by columns of y if there are few rows.
  static Tensor product(const Tensor& x, const Tensor& y) {
    if (!x.is_cpu()) return x.mm(y);
    Tensor out = torch::empty({x.size(0), y.size(1)}, x.options());
    const bool by_rows = x.size(0) >= 2 * kMinShare || y.size(1) < x.size(0);
    ops::for_chunks(
        by_rows ? x.size(0) : y.size(1),
        [&](int64_t i, int64_t j) {
          Tensor part = out.slice(by_rows ? 0 : 1, i, j);
          at::mm_out(part, by_rows ? x.slice(0, i, j) : x, by_rows ? y : y.slice(1, i, j));
        },
        kMinShare);
    return out;
  }

  Shape in_;
  Tensor W_, b_;
};
}  // namespace spiketrain
