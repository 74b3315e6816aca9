// Products of spikes: the event-driven way against the dense one, through the synapses that use both; spikes as bits.
#include "spiketrain/ops/event_conv.h"

#include <gtest/gtest.h>

#include "spiketrain/core/synapse.h"
#include "spiketrain/kernels/isa.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/tssl_scan.h"
#include "spiketrain/ops/winograd.h"
#include "spiketrain/ops/workspace.h"

namespace spiketrain {
namespace {

using ops::Products;

/// 0/1, or with levels > 1 up to that many.
Tensor random_spikes(at::IntArrayRef shape, double rate, int64_t levels = 1) {
  const Tensor s = torch::rand(shape) < rate;
  return levels == 1 ? s.to(torch::kUInt8) : (s * torch::randint(1, levels + 1, shape)).to(torch::kUInt8);
}

/// Multiples of 1/64: sums of them are exact.
Tensor exact_numbers(at::IntArrayRef shape) { return torch::randint(-8, 9, shape).to(torch::kFloat) / 64; }

struct Case {
  Config config;
  Shape in;
};
const std::vector<Case>& cases() {
  static const std::vector<Case> list = {
      {{{"name", "conv2d"}, {"channels", 33}, {"kernel", 3}, {"padding", 1}}, {40, 7, 6}},
      {{{"name", "conv2d"}, {"channels", 12}, {"kernel", 5}}, {3, 9, 9}},
      {{{"name", "conv2d"}, {"channels", 9}, {"kernel", 3}, {"padding", 1}, {"stride", 2}}, {5, 8, 9}},
      {{{"name", "conv2d"}, {"channels", 7}, {"kernel", 1}}, {6, 4, 4}},
      {{{"name", "linear"}, {"features", 37}}, {70}},
      {{{"name", "linear"}, {"features", 10}}, {6, 4, 5}},
  };
  return list;
}

struct Built {
  std::shared_ptr<Synapse> synapse;
  Tensor W, g;
  Tensor s;
};
Built build(const Case& c, int64_t T, int64_t B, double rate, int64_t levels) {
  Built b;
  b.synapse = make<Synapse>(c.config);
  std::vector<int64_t> out = {T, B}, in = {T, B};
  for (const int64_t n : b.synapse->build(c.in)) out.push_back(n);
  in.insert(in.end(), c.in.begin(), c.in.end());
  b.W = exact_numbers(b.synapse->weight().sizes());
  b.g = exact_numbers(out);
  b.s = random_spikes(in, rate, levels);
  return b;
}

/// Forward and gradient by events, and dense.
void expect_same(const Built& b, const Signal& x, double tolerance) {
  const auto both = [&] {
    return std::pair<Tensor, Tensor>{b.synapse->apply(x, b.W), b.synapse->outer(b.g, x)};
  };
  const ops::WithProducts restore(Products::events);
  const auto events = both();
  ops::use_products(Products::dense);
  const auto dense = both();
  if (tolerance == 0) {
    EXPECT_TRUE(torch::equal(events.first, dense.first));
    EXPECT_TRUE(torch::equal(events.second, dense.second));
    return;
  }
  EXPECT_LE((events.first - dense.first).abs().max().item<double>(), tolerance);
  EXPECT_LE((events.second - dense.second).abs().max().item<double>(), tolerance);
}

TEST(EventConv, EventsGiveTheBitsOfTheDenseProduct) {
  torch::manual_seed(1);
  for (const Case& c : cases()) {
    for (const int64_t levels : {1, 5}) {
      for (const double rate : {0.0, 0.07, 0.5, 1.0}) {
        SCOPED_TRACE(str(c.config.dump(), ", levels ", levels, ", rate ", rate));
        const Built b = build(c, 3, 5, rate, levels);
        const Tensor edge = carrier(b.s.sizes(), torch::kFloat);
        expect_same(b, Signal::spikes(Spikes::from_bytes(b.s, -1, levels), edge, 0.25), 0);
      }
    }
  }
}

/// W psp(s) = psp(W s), with the state that a segment begins with.
TEST(EventConv, PspsAreMultipliedByTheirSpikes) {
  torch::manual_seed(2);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.config.dump());
    const Built b = build(c, 9, 4, 0.1, 1);
    const Tensor edge = carrier(b.s.sizes(), torch::kFloat);
    for (const bool later : {false, true}) {
      Tensor carried = later ? torch::rand(b.s[0].sizes()) : Tensor();
      const Tensor before = carried, a = ops::psp_scan(b.s.to(torch::kFloat) * 1.5, 3.0, carried);
      const Signal x = Signal::psp(Spikes::from_bytes(b.s), edge, 3.0, a, before, 1.5);
      expect_same(b, x, 1e-5);
      expect_same({b.synapse, b.W, b.g.slice(0, 2, 8), b.s}, x.slice(2, 8), 1e-5);
    }
  }
}

/// Both products of random numbers, straight from the kernels.
std::pair<std::vector<float>, std::vector<float>> products(const cpu::EventConvShape& s, const ops::Bits& x,
                                                           const Tensor& W, const Tensor& g,
                                                           int64_t threads) {
  std::vector<float> y(static_cast<size_t>(g.numel())), g_W(static_cast<size_t>(W.numel()));
  cpu::event_conv_forward(s, x.maps(), W.data_ptr<float>(), 0.3F, y.data(),
                          ops::workspace(cpu::event_conv_forward_workspace(s, x.planes, threads)), threads);
  cpu::event_conv_gradient(s, x.maps(), g.data_ptr<float>(), 0.3F, g_W.data(),
                           ops::workspace(cpu::event_conv_gradient_workspace(s, x.planes, threads)), threads);
  return {y, g_W};
}

TEST(EventConv, ThreadsAndInstructionSetsChangeNoBit) {
  torch::manual_seed(7);
  const std::string before = active_isa();
  const cpu::EventConvShape shapes[] = {{7, 40, 9, 8, 70, 3, 3, 1, 1},
                                        {5, 9, 11, 11, 33, 5, 5, 1, 0},
                                        {6, 20, 8, 8, 40, 3, 3, 2, 1},
                                        {90, 130, 1, 1, 50, 1, 1, 1, 0}};
  for (const cpu::EventConvShape& s : shapes) {
    for (const double rate : {0.05, 0.4}) {
      int64_t total = 0;
      const ops::Bits x = ops::pack(random_spikes({1, s.images, s.C, s.H, s.W}, rate, 3), 2, &total);
      const Tensor W = torch::randn({s.O, s.C, s.kernel_h, s.kernel_w}),
                   g = torch::randn({s.images, s.out_h(), s.out_w(), s.O});
      const auto want = products(s, x, W, g, 1);
      for (const std::string& isa : supported_isas()) {
        use_isa(isa);
        for (const int64_t threads : {1, 2, 3, 8}) {
          SCOPED_TRACE(str(isa, ", ", threads, " threads, C ", s.C, ", rate ", rate));
          EXPECT_EQ(products(s, x, W, g, threads), want);
        }
      }
      use_isa(before);
    }
  }
}

TEST(EventConv, TheChoiceFollowsTheDensity) {
  torch::manual_seed(3);
  const Tensor W = torch::randn({64, 64, 3, 3});
  const auto pays = [&](double rate) {
    int64_t total = 0;
    const ops::Bits x = ops::pack(random_spikes({2, 4, 64, 16, 16}, rate), 1, &total);
    return ops::event_pays(ops::EventProduct::forward, x, total, W, {1, 1, false});
  };
  EXPECT_TRUE(pays(0.05));
  EXPECT_FALSE(pays(0.9));
  const ops::WithProducts dense(Products::dense);
  EXPECT_FALSE(pays(0.05));
}

/// What lists of 16-bit numbers cannot name stays dense, also where events are asked for.
TEST(EventConv, WhatIsTooWideStaysDense) {
  const ops::WithProducts events(Products::events);
  const Tensor W = torch::zeros({2, 70000});
  int64_t total = 0;
  const ops::Bits x = ops::pack(torch::zeros({1, 1, 70000}, torch::kUInt8), 1, &total);
  EXPECT_FALSE(ops::event_pays(ops::EventProduct::forward, x, total, W, {1, 0, true}));
  EXPECT_FALSE(ops::event_pays(ops::EventProduct::forward, x, total, W.to(torch::kDouble), {1, 0, true}));
}

TEST(EventConv, MixedRoundsWeightsAndErrorsAlone) {
  torch::manual_seed(4);
  const ops::WithProducts dense(Products::dense);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.config.dump());
    Built b = build(c, 3, 4, 0.3, 1);
    b.W = torch::randn(b.W.sizes());
    b.g = torch::randn(b.g.sizes());
    const Signal x = Signal::spikes(Spikes::from_bytes(b.s), torch::kFloat);
    const Tensor I = b.synapse->apply(x, b.W), back = b.synapse->pull(b.g, b.W),
                 g_W = b.synapse->outer(b.g, x);
    b.synapse->precision = Precision::mixed;
    // Winograd's products stay float32 where the processor does not multiply bfloat16.
    const bool rounds = ops::has_bf16() || b.W.dim() != 4 ||
                        !ops::winograd_pays(b.W, {c.config.value("stride", 1), 1, false});
    const auto close = [](const Tensor& mixed, const Tensor& exact, bool rounds) {
      EXPECT_EQ(mixed.scalar_type(), torch::kFloat);
      EXPECT_NE(torch::equal(mixed, exact), rounds);
      EXPECT_LE((mixed - exact).norm().item<double>(), 0.006 * exact.norm().item<double>());
    };
    close(b.synapse->apply(x, b.W), I, rounds);
    close(b.synapse->pull(b.g, b.W), back, rounds);
    close(b.synapse->outer(b.g, x), g_W, true);
    // Real inputs, and float64, stay as they are.
    const Signal real = Signal::dense(torch::rand(b.s.sizes()));
    const Tensor mixed = b.synapse->apply(real, b.W);
    b.synapse->precision = Precision::fp32;
    EXPECT_TRUE(torch::equal(mixed, b.synapse->apply(real, b.W)));
  }
}

TEST(SpikeBits, BytesSurvive) {
  torch::manual_seed(5);
  for (const int64_t levels : {1, 2, 3, 200}) {
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{3, 2, 5, 4, 7}, {1, 1, 1, 1, 1}, {4, 3, 65}, {2, 0, 3}, {0, 2, 3}}) {
      const Tensor s = random_spikes(shape, 0.4, levels);
      const Spikes spikes = Spikes::from_bytes(s, -1, levels);
      EXPECT_TRUE(torch::equal(spikes.bytes(), s));
      EXPECT_EQ(spikes.total(), s.sum(torch::kInt64).item<int64_t>());
      EXPECT_EQ(spikes.sites(), s.numel());
      if (shape[0] < 3) continue;
      EXPECT_TRUE(torch::equal(spikes.slice(1, 3).bytes(), s.slice(0, 1, 3)));
      EXPECT_EQ(spikes.slice(1, 3).total(), s.slice(0, 1, 3).sum(torch::kInt64).item<int64_t>());
      EXPECT_TRUE(torch::equal(spikes.rows(1, 3, torch::kDouble, 0.5), s.flatten(0, 1).slice(0, 1, 3) * 0.5));
    }
  }
}

TEST(SpikeBits, SumsOverWindowsAreThoseOfTheNumbers) {
  torch::manual_seed(6);
  const Tensor s = random_spikes({2, 3, 5, 7, 6}, 0.3, 3);
  int64_t total = 0;
  const ops::Bits pooled = ops::sum_pool(ops::pack(s, 2, &total), 2);
  const Tensor want = torch::avg_pool2d(s.flatten(0, 1).to(torch::kFloat), 2) * 4;
  EXPECT_TRUE(torch::equal(ops::unpack(pooled, 0, 6, torch::kFloat), want));
  EXPECT_THROW(ops::sum_pool(ops::pack(s, 8, &total), 2), UsageError);
}

TEST(Workspace, GrowsAndIsKept) {
  void* const first = ops::workspace(1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0U);
  const int64_t size = ops::workspace_size();
  EXPECT_GE(size, 1000);
  EXPECT_EQ(ops::workspace(10), first);
  ops::workspace(size + 1);
  EXPECT_GT(ops::workspace_size(), size);
}

}  // namespace
}  // namespace spiketrain
