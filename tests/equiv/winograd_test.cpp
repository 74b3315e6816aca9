// Winograd's products against LibTorch's convolutions, forward and back, alone and inside conv2d.
#include "spiketrain/ops/winograd.h"

#include <gtest/gtest.h>
#include <omp.h>

#include "spiketrain/core/synapse.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/layout.h"

namespace spiketrain::winograd_test {

using ops::Tensor;

/// The largest difference in units of the largest value.
double error(const Tensor& got, const Tensor& want) {
  return ((got - want).abs().max() / want.abs().max()).item<double>();
}

Tensor dense(const Tensor& x, const Tensor& W, int64_t pad) {
  return torch::conv2d(x.to(torch::kDouble), W.to(torch::kDouble), {}, 1, pad);
}
Tensor dense_back(const Tensor& g, const Tensor& W, int64_t pad) {
  return torch::conv_transpose2d(g.to(torch::kDouble), W.to(torch::kDouble), {}, 1, pad);
}

TEST(Winograd, IsTheConvolutionForwardAndBack) {
  torch::manual_seed(1);
  for (const int64_t pad : {0, 1, 2}) {
    for (const auto& [C, O, H, W] :
         {std::array<int64_t, 4>{24, 40, 9, 7}, {33, 24, 4, 4}, {64, 130, 6, 12}, {25, 31, 3, 3}}) {
      const Tensor weight = torch::randn({O, C, 3, 3}), x = torch::randn({5, C, H, W});
      const ops::ConvKind kind = {1, pad, false};
      const Tensor want = dense(x, weight, pad), g = torch::randn(want.sizes()),
                   want_back = dense_back(g, weight, pad);
      Tensor y = ops::laid_empty(want.sizes(), x.options(), true),
             g_x = ops::laid_empty(x.sizes(), x.options(), true);
      ops::winograd(x, ops::winograd_forward(weight, kind), y);
      ops::winograd(g, ops::winograd_backward(weight, kind), g_x);
      EXPECT_LE(error(y, want), 4e-6) << "C " << C << ", pad " << pad;
      EXPECT_LE(error(g_x, want_back), 4e-6) << "C " << C << ", pad " << pad;
      // In bfloat16 factors have eight bits; float32 where the processor does not multiply it.
      ops::winograd(x, ops::winograd_forward(weight, kind, true), y);
      ops::winograd(g, ops::winograd_backward(weight, kind, true), g_x);
      for (const double rounding : {error(y, want), error(g_x, want_back)}) {
        EXPECT_LE(rounding, 1e-2) << "C " << C << ", pad " << pad;
        EXPECT_EQ(rounding > 1e-5, ops::has_bf16());
      }
    }
  }
}

TEST(Winograd, ThreadsAndSharesOfTheBatchDoNotChangeBits) {
  torch::manual_seed(2);
  const Tensor W = torch::randn({40, 48, 3, 3}), x = torch::randn({7, 48, 10, 9});
  for (const bool bf16 : {false, true}) {
    const ops::WinogradKernels kernels = ops::winograd_forward(W, {1, 1, false}, bf16);
    const Tensor want = ops::laid_empty({7, 40, 10, 9}, x.options(), true);
    const int before = omp_get_max_threads();
    omp_set_num_threads(1);
    ops::winograd(x, kernels, want);
    for (const int threads : {2, 3, 8}) {
      omp_set_num_threads(threads);
      const Tensor y = torch::full_like(want, 9), shares = torch::full_like(want, 9);
      ops::winograd(x, kernels, y);
      EXPECT_TRUE(torch::equal(y, want)) << threads;
      for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 3}, {3, 4}, {4, 7}})
        ops::winograd(x.slice(0, begin, end), kernels, shares.slice(0, begin, end));
      EXPECT_TRUE(torch::equal(shares, want)) << threads;
    }
    omp_set_num_threads(before);
  }
}

TEST(Winograd, WhatItIsFor) {
  const Tensor W = torch::zeros({32, 32, 3, 3});
  EXPECT_TRUE(ops::winograd_pays(W, {1, 1, false}));
  EXPECT_FALSE(ops::winograd_pays(W, {2, 1, false}));
  EXPECT_FALSE(ops::winograd_pays(W, {1, 3, false}));
  EXPECT_FALSE(ops::winograd_pays(W, {1, 0, true}));
  EXPECT_FALSE(ops::winograd_pays(W.to(torch::kDouble), {1, 1, false}));
  EXPECT_FALSE(ops::winograd_pays(torch::zeros({32, 3, 3, 3}), {1, 1, false}));
  EXPECT_FALSE(ops::winograd_pays(torch::zeros({32, 32, 5, 5}), {1, 1, false}));
  const ops::GenericOnly generic;
  EXPECT_FALSE(ops::winograd_pays(W, {1, 1, false}));
}

TEST(Winograd, ConvolutionsTakeIt) {
  torch::manual_seed(3);
  const auto conv = make<Synapse>("conv2d", {{"channels", 40}, {"kernel", 3}, {"padding", 1}});
  conv->build({32, 8, 7});
  const Tensor W = torch::randn({40, 32, 3, 3}), x = torch::randn({3, 2, 32, 8, 7}),
               g = torch::randn({3, 2, 40, 8, 7});
  const Tensor I = conv->apply(Signal::dense(x), W), back = conv->pull(g, W);
  EXPECT_LE(error(I.flatten(0, 1), dense(x.flatten(0, 1), W, 1)), 4e-6);
  EXPECT_LE(error(back.flatten(0, 1), dense_back(g.flatten(0, 1), W, 1)), 4e-6);
  // Sums of multiples of 1/64 are exact, whichever way.
  const auto exact = [](at::IntArrayRef sizes) {
    return torch::randint(-8, 9, sizes).to(torch::kFloat) / 64;
  };
  const Tensor V = exact(W.sizes()), e = exact(g.sizes());
  EXPECT_TRUE(
      torch::equal(conv->pull(e, V).flatten(0, 1), dense_back(e.flatten(0, 1), V, 1).to(torch::kFloat)));
}

TEST(Winograd, RefusesWhatDoesNotFit) {
  const Tensor x = torch::zeros({2, 24, 5, 5});
  const ops::WinogradKernels kernels = ops::winograd_forward(torch::zeros({32, 24, 3, 3}), {1, 1, false});
  const auto y = [&](at::IntArrayRef sizes) { return ops::laid_empty(sizes, x.options(), true); };
  EXPECT_NO_THROW(ops::winograd(x, kernels, y({2, 32, 5, 5})));
  EXPECT_THROW(ops::winograd(x, kernels, y({2, 32, 3, 3})), UsageError);
  EXPECT_THROW(ops::winograd(x, kernels, y({2, 31, 5, 5})), UsageError);
  EXPECT_THROW(ops::winograd(x, kernels, torch::zeros({2, 32, 5, 5})), UsageError);
  EXPECT_THROW(ops::winograd(torch::zeros({2, 23, 5, 5}), kernels, y({2, 32, 5, 5})), UsageError);
}

}  // namespace spiketrain::winograd_test
