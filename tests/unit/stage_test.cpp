// Pooling, dropout, averaging and the PSP of the input: values, masks, windows, stationary signals.
#include <gtest/gtest.h>

#include "spiketrain/base/safetensors.h"
#include "spiketrain/core/ops.h"
#include "spiketrain/networks/stages.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/network_fixture.h"

namespace spiketrain {
namespace {

Pass pass_for(Stage& stage, bool train, uint64_t step = 0) {
  int64_t slots = 0;
  stage.assign_slots(slots);
  Pass pass;
  pass.rule = bptt();
  pass.train = train;
  pass.seed = 11;
  pass.step = step;
  pass.state.resize(static_cast<size_t>(slots));
  return pass;
}

Signal stationary(const Shape& in) {
  torch::manual_seed(1);
  std::vector<int64_t> shape = {1, 2};
  shape.insert(shape.end(), in.begin(), in.end());
  return {torch::randn(shape), torch::tensor({1.0F, -0.5F, 2.0F}), {}};
}

TEST(Stage, PoolingKindsAndStationarySignals) {
  const Shape in = {3, 5, 4};
  const Signal x = stationary(in);
  const Tensor flat = x.dense().flatten(0, 1);
  for (const auto kind : {Pool::Kind::sum, Pool::Kind::average, Pool::Kind::max}) {
    Pool pool(kind, 2, 1.1, in, "P2");
    EXPECT_EQ(pool.out_shape(), (Shape{3, 2, 2}));
    Tensor expected = kind == Pool::Kind::max ? torch::max_pool2d(flat, 2) : torch::avg_pool2d(flat, 2);
    if (kind == Pool::Kind::sum) expected = expected * 4.4;
    expected = expected.view({3, 2, 3, 2, 2});
    Pass pass = pass_for(pool, false);
    const Signal still = pool.forward(x, pass), dense = pool.forward({x.dense(), {}, {}}, pass);
    EXPECT_TRUE(torch::allclose(dense.a, expected, 1e-6, 1e-6));
    EXPECT_TRUE(torch::allclose(still.dense(), expected, 1e-6, 1e-6));  // the negative gain is the trap
    EXPECT_EQ(still.stationary(), kind != Pool::Kind::max);
  }
  EXPECT_THROW(Pool(Pool::Kind::sum, 5, 1, in, "P5"), UsageError);
  EXPECT_THROW(Pool(Pool::Kind::sum, 2, 1, {7}, "P2"), UsageError);
}

TEST(Stage, PoolingDropsEvents) {
  Pool pool(Pool::Kind::sum, 2, 1, {1, 2, 2}, "P2");
  Pass pass = pass_for(pool, false);
  const Tensor x = torch::ones({1, 1, 1, 2, 2});
  EXPECT_FALSE(pool.forward({x, {}, Events::from_bytes(x.to(torch::kUInt8))}, pass).s.defined());
}

TEST(Stage, GlobalAverage) {
  GlobalAverage average({3, 4, 4});
  Pass pass = pass_for(average, false);
  const Signal x = stationary({3, 4, 4});
  EXPECT_TRUE(torch::allclose(average.forward(x, pass).dense(), x.dense().mean({3, 4}), 1e-6, 1e-6));
  EXPECT_EQ(average.out_shape(), Shape{3});
  EXPECT_THROW(GlobalAverage({3, 4, 5}), UsageError);
}

/// Shape of one sample's draws, and the mask broadcast against [1,B,*in].
void expect_shared(Dropout::Shared shared, const Shape& in, const Shape& draws) {
  Dropout dropout(0.25, shared, in, "D0.25");
  Pass pass = pass_for(dropout, true);
  std::vector<int64_t> shape = {3, 40};
  shape.insert(shape.end(), in.begin(), in.end());
  const Tensor y = dropout.forward({torch::ones(shape), {}, {}}, pass).a;
  std::vector<int64_t> mask_shape = {40};
  mask_shape.insert(mask_shape.end(), draws.begin(), draws.end());
  const Tensor mask = pass.state[0].state.at(0);
  EXPECT_EQ(mask.sizes().vec(), mask_shape);
  EXPECT_TRUE(torch::equal(y, mask.unsqueeze(0).expand(shape)));
  const Tensor kept = mask != 0;
  EXPECT_TRUE(
      torch::equal(mask.masked_select(kept), torch::full({kept.sum().item<int64_t>()}, 1.0F / 0.75F)));
  const double n = static_cast<double>(mask.numel()), rate = kept.to(torch::kDouble).mean().item<double>();
  EXPECT_NEAR(rate, 0.75, 5 * std::sqrt(0.25 * 0.75 / n));
}

TEST(Stage, DropoutSharesDrawsAsTold) {
  expect_shared(Dropout::Shared::element, {3, 4, 5}, {3, 4, 5});
  expect_shared(Dropout::Shared::row, {3, 4, 5}, {3, 4, 1});
  expect_shared(Dropout::Shared::channel, {3, 4, 5}, {3, 1, 1});
  for (const auto shared : {Dropout::Shared::element, Dropout::Shared::row, Dropout::Shared::channel}) {
    expect_shared(shared, {30}, {30});
  }
}

TEST(Stage, DropoutIsFixedOverWindowsAndDrawnAnewEachStep) {
  Dropout dropout(0.5, Dropout::Shared::element, {100}, "D0.5");
  Pass whole = pass_for(dropout, true), windows = pass_for(dropout, true), next = pass_for(dropout, true, 1);
  const Tensor x = torch::ones({4, 2, 100});
  const Tensor y = dropout.forward({x, {}, {}}, whole).a;
  const Tensor a = dropout.forward({x.slice(0, 0, 1), {}, {}}, windows).a;
  const Tensor b = dropout.forward({x.slice(0, 1, 4), {}, {}}, windows).a;
  EXPECT_TRUE(torch::equal(torch::cat({a, b}), y));
  EXPECT_FALSE(torch::equal(dropout.forward({x, {}, {}}, next).a, y));
  EXPECT_TRUE(torch::equal(y[0], y[3]));
  EXPECT_FALSE(torch::equal(y[0][0], y[0][1]));
  const Signal still = {torch::ones({1, 2, 100}), torch::ones({4}), {}};
  Pass again = pass_for(dropout, true);
  EXPECT_TRUE(torch::equal(dropout.forward(still, again).dense(), y));
}

TEST(Stage, DropoutIsIdleOutsideTraining) {
  Dropout dropout(0.5, Dropout::Shared::element, {8}, "D0.5");
  Pass pass = pass_for(dropout, false);
  const Tensor x = torch::ones({2, 1, 8});
  const Signal y = dropout.forward({x, {}, Events::from_bytes(x.to(torch::kUInt8))}, pass);
  EXPECT_TRUE(torch::equal(y.a, x));
  EXPECT_TRUE(y.s.defined());
  EXPECT_THROW(Dropout(1.0, Dropout::Shared::element, {8}, "D1"), UsageError);
}

/// The authors' dropout (x, y as [N,C,H,W,T]): one draw per sample, channel and row, scaled by 1/(1 - p), p =
/// 0.2; ours has the same structure and scale.
TEST(Stage, DropoutOfTsslBpSharesRows) {
  const auto file = SafetensorsFile::open(ST_SOURCE_DIR "/golden/tssl/head_f32_f_dropout_mask.safetensors");
  const Tensor x = to_tensor(file.at("x")).permute({4, 0, 1, 2, 3}).contiguous();
  const Tensor y = to_tensor(file.at("y")).permute({4, 0, 1, 2, 3}).contiguous();
  ASSERT_TRUE((x != 0).all().item<bool>());
  const auto rows_and_scale = [&](const Tensor& out) {
    const Tensor ratio = out / x, first = ratio.slice(0, 0, 1).slice(4, 0, 1);
    EXPECT_TRUE(torch::allclose(ratio, first.expand_as(ratio), 1e-6, 0));  // shared over W and T
    const Tensor kept = first.masked_select(first != 0);
    EXPECT_TRUE(torch::allclose(kept, torch::full_like(kept, 1.25), 1e-6, 0));
    EXPECT_GT(kept.numel(), 0);
    EXPECT_LT(kept.numel(), first.numel());
    const Tensor rows = first[0].flatten(2);                                // [N,C,H]
    EXPECT_FALSE(torch::equal(rows, rows.slice(2, 0, 1).expand_as(rows)));  // not shared over H
  };
  rows_and_scale(y);
  Dropout dropout(0.2, Dropout::Shared::row, Shape(x.sizes().begin() + 2, x.sizes().end()), "D0.2");
  Pass pass = pass_for(dropout, true);
  rows_and_scale(dropout.forward({x, {}, {}}, pass).a);
}

TEST(Stage, PspFilterOfStationaryEqualsDenseAndWindowsJoin) {
  PspFilter filter(3.0, {2});
  const Tensor image = torch::tensor({{{0.5F, -2.0F}}});
  const Signal still = {image, torch::ones({5}), {}};
  Pass a = pass_for(filter, false), b = pass_for(filter, false), c = pass_for(filter, false);
  const Signal filtered = filter.forward(still, a);
  ASSERT_TRUE(filtered.stationary());
  for (int64_t t = 0; t < 5; ++t) {
    EXPECT_NEAR(filtered.gain[t].item<double>(), 1 - std::pow(2.0 / 3.0, static_cast<double>(t + 1)), 1e-6);
  }
  const Tensor dense = filter.forward({still.dense(), {}, {}}, b).a;
  EXPECT_TRUE(torch::allclose(filtered.dense(), dense, 1e-6, 1e-6));
  const Tensor head = filter.forward(still.slice(0, 2), c).gain,
               tail = filter.forward(still.slice(2, 5), c).gain;
  EXPECT_TRUE(torch::equal(torch::cat({head, tail}), filtered.gain));
}

}  // namespace
}  // namespace spiketrain
