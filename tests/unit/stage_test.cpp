// Pooling, dropout, averaging, sums and PSPs: values, gradients, masks, segments, constant signals.
#include "spiketrain/core/stage.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/safetensors.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/message.h"

namespace spiketrain::stage_test {

/// A stage, and what a pass through it needs.
struct Built {
  std::shared_ptr<Stage> stage;
  Shape out;
  Context context;
  Carry carry;
  Signal operator()(const Signal& x) { return stage->forward({x}, context, carry); }
  Tensor operator()(const Tensor& a) { return (*this)(Signal::dense(a)).values(); }
  void restart() {
    carry = Carry();
    const auto slots = static_cast<size_t>(stage->slot() + 1);
    carry.state.resize(slots);
    carry.mask.resize(slots);
  }
};

Built build(const char* name, const Config& options, const Shape& in, Mode mode = Mode::evaluate,
            uint64_t iteration = 0) {
  Built built;
  built.stage = make<Stage>(name, options);
  built.out = built.stage->build({in});
  int64_t slots = 0;
  built.stage->assign_slots(slots);
  EXPECT_EQ(slots, 1);
  built.context.mode = mode;
  built.context.seed = 11;
  built.context.iteration = iteration;
  built.restart();
  return built;
}

Signal still_signal(const Shape& in) {
  torch::manual_seed(1);
  std::vector<int64_t> shape = {1, 2};
  shape.insert(shape.end(), in.begin(), in.end());
  return Signal::constant(torch::randn(shape), torch::tensor({1.0F, -0.5F, 2.0F}));
}

Spikes spikes_of(const Tensor& x, int64_t levels = 1) {
  return Spikes::from_bytes(x.to(torch::kUInt8), -1, levels);
}

TEST(Stage, PoolingKindsAndConstantSignals) {
  const Shape in = {3, 5, 4};
  const Signal x = still_signal(in);
  const Tensor flat = x.values().flatten(0, 1);
  for (const std::string kind : {"sum", "avg", "max"}) {
    Built pool = build("pool", {{"kind", kind}, {"window", 2}, {"scale", 1.1}}, in);
    EXPECT_EQ(pool.out, (Shape{3, 2, 2}));
    EXPECT_EQ(pool.stage->notation(), kind == "sum" ? "SP2" : kind == "avg" ? "AP2" : "MP2");
    Tensor expected = kind == "max" ? torch::max_pool2d(flat, 2) : torch::avg_pool2d(flat, 2);
    if (kind == "sum") expected = expected * 4.4;
    expected = expected.view({3, 2, 3, 2, 2});
    const Signal still = pool(x);
    EXPECT_TRUE(torch::allclose(pool(x.values()), expected, 1e-6, 1e-6));
    EXPECT_TRUE(torch::allclose(still.values(), expected, 1e-6, 1e-6));  // the negative gain is the trap
    EXPECT_EQ(still.is_constant(), kind != "max");
  }
  EXPECT_THROW(build("pool", {{"window", 5}}, in), UsageError);
  EXPECT_THROW(build("pool", {{"window", 2}}, {7}), UsageError);
  EXPECT_THROW(make<Stage>("pool")->build({in, in}), UsageError);
}

TEST(Stage, PoolingSumsSpikes) {
  const Tensor x = torch::ones({1, 1, 1, 2, 2});
  for (const char* kind : {"sum", "avg", "max"}) {
    Built pool = build("pool", {{"kind", kind}}, {1, 2, 2});
    const Signal y = pool(Signal::spikes(spikes_of(x), torch::kFloat));
    EXPECT_EQ(y.has_spikes(),
              std::string(kind) != "max");  // sums of spikes are small numbers of spikes, times a factor
    EXPECT_TRUE(torch::equal(y.values(), pool(x)));
  }
}

/// Error reaches what made the spikes, though their floats are made in the stage only.
TEST(Stage, GradientPassesThroughPoolingToTheCarrierOfSpikes) {
  torch::manual_seed(4);
  const Tensor s = torch::randint(0, 2, {3, 2, 2, 4, 4}).to(torch::kFloat);
  for (const char* kind : {"sum", "avg", "max"}) {
    Built pool = build("pool", {{"kind", kind}}, {2, 4, 4});
    const double scale = 1.5;  // the edge carries dL/d(values), behind the factor
    const Tensor edge = carrier(s.sizes(), s.options()).requires_grad_(), a = (s * scale).requires_grad_();
    const Tensor g = torch::randn({3, 2, 2, 2, 2});
    pool(Signal::spikes(spikes_of(s), edge, scale)).values().backward(g);
    pool(a).backward(g);
    EXPECT_TRUE(torch::equal(edge.grad(), a.grad())) << kind;
  }
}

TEST(Stage, ScaleIsAFactorOnAnySignal) {
  const auto scale = make<Stage>("scale", {{"factor", 2.5}});
  EXPECT_EQ(scale->build({{2, 3}}), (Shape{2, 3}));
  int64_t slots = 0;
  scale->assign_slots(slots);
  EXPECT_EQ(slots, 0);
  Carry carry;
  const Signal still = still_signal({2, 3}), scaled = scale->forward({still}, Context(), carry);
  EXPECT_TRUE(scaled.is_constant());
  EXPECT_TRUE(torch::equal(scaled.image(), still.image() * 2.5));
  torch::manual_seed(4);
  const Tensor s = torch::randint(0, 2, {3, 2, 2, 3}).to(torch::kFloat), g = torch::randn({3, 2, 2, 3});
  const Tensor edge = carrier(s.sizes(), s.options()).requires_grad_();
  const Tensor y = scale->forward({Signal::spikes(spikes_of(s), edge)}, Context(), carry).values();
  EXPECT_TRUE(torch::equal(y, s * 2.5));
  y.backward(g);
  EXPECT_TRUE(torch::equal(edge.grad(), g * 2.5));
}

TEST(Stage, GlobalAverage) {
  Built average = build("global_average", {}, {3, 4, 4});
  const Signal x = still_signal({3, 4, 4});
  EXPECT_TRUE(torch::allclose(average(x).values(), x.values().mean({3, 4}), 1e-6, 1e-6));
  EXPECT_EQ(average.out, Shape{3});
  EXPECT_THROW(build("global_average", {}, {3, 4, 5}), UsageError);
}

/// Shape of one sample's draws, and the mask broadcast against [1,B,*in].
void expect_shared(const char* shared, const Shape& in, const Shape& draws) {
  Built dropout = build("dropout", {{"probability", 0.25}, {"shared", shared}}, in, Mode::train);
  std::vector<int64_t> shape = {3, 40};
  shape.insert(shape.end(), in.begin(), in.end());
  const Tensor y = dropout(torch::ones(shape));
  std::vector<int64_t> mask_shape = {40};
  mask_shape.insert(mask_shape.end(), draws.begin(), draws.end());
  const Tensor mask = dropout.carry.mask.at(0);
  EXPECT_EQ(mask.sizes().vec(), mask_shape);
  EXPECT_TRUE(torch::equal(y, mask.unsqueeze(0).expand(shape)));
  const Tensor kept = mask != 0;
  EXPECT_TRUE(
      torch::equal(mask.masked_select(kept), torch::full({kept.sum().item<int64_t>()}, 1.0F / 0.75F)));
  const double n = static_cast<double>(mask.numel()), rate = kept.to(torch::kDouble).mean().item<double>();
  EXPECT_NEAR(rate, 0.75, 5 * std::sqrt(0.25 * 0.75 / n));
}

TEST(Stage, DropoutSharesDrawsAsTold) {
  expect_shared("element", {3, 4, 5}, {3, 4, 5});
  expect_shared("row", {3, 4, 5}, {3, 4, 1});
  expect_shared("channel", {3, 4, 5}, {3, 1, 1});
  for (const auto* shared : {"element", "row", "channel"}) expect_shared(shared, {30}, {30});
}

TEST(Stage, DropoutIsFixedOverSegmentsAndDrawnAnewEachIteration) {
  const Config half = {{"probability", 0.5}};
  Built whole = build("dropout", half, {100}, Mode::train),
        parts = build("dropout", half, {100}, Mode::train),
        next = build("dropout", half, {100}, Mode::train, 1),
        again = build("dropout", half, {100}, Mode::replay);
  const Tensor x = torch::ones({4, 2, 100});
  const Tensor y = whole(x);
  const Tensor a = parts(x.slice(0, 0, 1)), b = parts(x.slice(0, 1, 4));
  EXPECT_TRUE(torch::equal(torch::cat({a, b}), y));
  EXPECT_FALSE(torch::equal(next(x), y));
  EXPECT_TRUE(torch::equal(y[0], y[3]));
  EXPECT_FALSE(torch::equal(y[0][0], y[0][1]));
  EXPECT_TRUE(torch::equal(again(x), y));  // computed again from the beginning
  again.restart();
  const Signal still = again(Signal::constant(torch::ones({1, 2, 100}), torch::ones({4})));
  EXPECT_TRUE(still.is_constant());
  EXPECT_TRUE(torch::equal(still.values(), y));
}

/// A sample's mask is its own: neither its place in the batch nor the threads change it.
TEST(Stage, DropoutIsDrawnForTheSample) {
  const Config half = {{"probability", 0.5}};
  const auto draw = [&](const std::vector<int64_t>& ids) {
    Built dropout = build("dropout", half, {2, 3, 3}, Mode::train, 5);
    if (!ids.empty()) dropout.context.ids = torch::tensor(ids);
    return dropout(torch::ones({1, ids.empty() ? 4 : static_cast<int64_t>(ids.size()), 2, 3, 3}))[0];
  };
  const Tensor y = draw({7, 3, 0, 123456789012});
  EXPECT_TRUE(torch::equal(draw({3, 123456789012}), y.index_select(0, torch::tensor({1, 3}))));
  EXPECT_TRUE(torch::equal(draw({0, 1, 2, 3}), draw({})));
  EXPECT_FALSE(torch::equal(y[0], y[1]));
  const int before = at::get_num_threads();
  for (const int threads : {1, 3}) {
    at::set_num_threads(threads);
    EXPECT_TRUE(torch::equal(draw({7, 3, 0, 123456789012}), y)) << threads;
  }
  at::set_num_threads(before);
}

TEST(Stage, DropoutIsIdleOutsideTraining) {
  Built dropout = build("dropout", {{"probability", 0.5}}, {8});
  const Tensor x = torch::ones({2, 1, 8});
  const Signal y = dropout(Signal::spikes(spikes_of(x), torch::kFloat));
  EXPECT_TRUE(torch::equal(y.values(), x));
  EXPECT_TRUE(y.is_spikes());
  EXPECT_THROW(make<Stage>("dropout", {{"probability", 1.0}}), UsageError);
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
  Built dropout = build("dropout", {{"probability", 0.2}, {"shared", "row"}},
                        Shape(x.sizes().begin() + 2, x.sizes().end()), Mode::train);
  rows_and_scale(dropout(x));
}

TEST(Stage, PspFilterOfConstantEqualsDenseAndSegmentsJoin) {
  const auto filter = [] { return build("psp_filter", {{"tau_s", 3.0}}, {2}); };
  const Tensor image = torch::tensor({{{0.5F, -2.0F}}});
  const Signal still = Signal::constant(image, torch::ones({5}));
  Built a = filter(), b = filter(), c = filter();
  const Signal filtered = a(still);
  ASSERT_TRUE(filtered.is_constant());
  for (int64_t t = 0; t < 5; ++t) {
    EXPECT_NEAR(filtered.gain()[t].item<double>(), 1 - std::pow(2.0 / 3.0, static_cast<double>(t + 1)), 1e-6);
  }
  EXPECT_TRUE(torch::allclose(filtered.values(), b(still.values()), 1e-6, 1e-6));
  const Tensor head = c(still.slice(0, 2)).gain(), tail = c(still.slice(2, 5)).gain();
  EXPECT_TRUE(torch::equal(torch::cat({head, tail}), filtered.gain()));
}

/// Two segments from a carry of leaves, last one first, as the engine replays them.
TEST(Stage, PspFilterHandsCreditOnToTheSegmentBefore) {
  torch::manual_seed(6);
  const auto options = torch::TensorOptions().dtype(torch::kDouble);
  const Tensor x = torch::randn({5, 2, 3}, options), g = torch::randn({5, 2, 3}, options);
  const auto filter = [] { return build("psp_filter", {{"tau_s", 3.0}}, {3}); };
  Built whole = filter(), parts = filter();
  const Tensor leaf = x.clone().requires_grad_(), y = whole(leaf);
  y.backward(g);

  const Tensor first = x.slice(0, 0, 2).clone().requires_grad_(),
               last = x.slice(0, 2).clone().requires_grad_();
  const Tensor head = parts(first), carried = parts.carry.state[0].at(0);
  parts.carry = parts.carry.as_leaves();
  const Tensor entering = parts.carry.state[0].at(0), tail = parts(last);
  EXPECT_TRUE(torch::equal(torch::cat({head, tail}), y));
  tail.backward(g.slice(0, 2));
  torch::autograd::backward({head, carried}, {g.slice(0, 0, 2), entering.grad()});
  EXPECT_TRUE(torch::allclose(torch::cat({first.grad(), last.grad()}), leaf.grad(), 1e-12, 1e-12));
}

/// A sum takes no slot, so that the streams of what follows are not moved.
Signal sum_of(const std::vector<Signal>& in, const Shape& shape) {
  const auto sum = make<Stage>("sum");
  EXPECT_EQ(sum->build(std::vector<Shape>(in.size(), shape)), shape);
  int64_t slots = 3;
  sum->assign_slots(slots);
  EXPECT_EQ(slots, 3);
  EXPECT_EQ(sum->slot(), -1);
  Carry carry;
  return sum->forward(in, Context(), carry);
}

TEST(Stage, SumOfSpikesIsCounts) {
  torch::manual_seed(2);
  const Tensor a = torch::randint(0, 2, {3, 2, 4}).to(torch::kFloat),
               b = torch::randint(0, 4, {3, 2, 4}).to(torch::kFloat);
  const Tensor edge_a = carrier(a.sizes(), a.options()).requires_grad_(),
               edge_b = carrier(b.sizes(), b.options()).requires_grad_();
  const Signal y =
      sum_of({Signal::spikes(spikes_of(a), edge_a), Signal::spikes(spikes_of(b, 3), edge_b)}, {4});
  ASSERT_TRUE(y.is_spikes());
  EXPECT_EQ(y.spikes().levels(), 4);
  EXPECT_TRUE(torch::equal(y.values(), a + b));
  const Tensor g = torch::randn({3, 2, 4});
  y.values().backward(g);
  EXPECT_TRUE(torch::equal(edge_a.grad(), g));
  EXPECT_TRUE(torch::equal(edge_b.grad(), g));
}

TEST(Stage, SumOfAnythingElseIsRealNumbers) {
  torch::manual_seed(3);
  const Tensor s = torch::randint(0, 2, {3, 2, 4}).to(torch::kFloat);
  const Signal spikes = Signal::spikes(spikes_of(s), torch::kFloat);
  const Tensor a = torch::randn({3, 2, 4}).requires_grad_(), psp = torch::randn({3, 2, 4});
  const Signal filtered = Signal::psp(spikes_of(s), carrier(s.sizes(), s.options()), 2, psp, {});
  const Signal still = still_signal({4});
  const Signal y = sum_of({spikes, Signal::dense(a), filtered, still}, {4});
  EXPECT_FALSE(y.has_spikes());
  EXPECT_TRUE(torch::equal(y.values(), s + a + psp + still.values()));
  const Tensor g = torch::randn({3, 2, 4});
  y.values().backward(g);
  EXPECT_TRUE(torch::equal(a.grad(), g));
  // More levels than a byte holds.
  const Signal high = Signal::spikes(spikes_of(torch::full({3, 2, 4}, 200), 200), torch::kFloat);
  const Signal sum = sum_of({high, high}, {4});
  EXPECT_FALSE(sum.has_spikes());
  EXPECT_TRUE(torch::equal(sum.values(), torch::full({3, 2, 4}, 400.0F)));
}

/// A PSP whose numbers nobody gave is that of its spikes, in all, in part and joined again.
TEST(Stage, APspIsComputedForWhoAsks) {
  torch::manual_seed(5);
  const Tensor s = torch::randint(0, 3, {5, 2, 3, 4, 4}).to(torch::kFloat),
               before = torch::rand({2, 3, 4, 4});
  for (const Tensor& state : {Tensor(), before}) {
    std::vector<Tensor> steps;
    Tensor a = state.defined() ? state : torch::zeros_like(before);
    for (int64_t t = 0; t < s.size(0); ++t) steps.push_back(a = a + (1.5 * s[t] - a) / 4);
    const Tensor psp = torch::stack(steps);
    const Tensor edge = carrier(s.sizes(), s.options()).requires_grad_();
    const auto make = [&] { return Signal::psp(spikes_of(s, 2), edge, 4, {}, state, 1.5); };
    const Signal x = make(), copy = x;
    x.prepare();
    const auto expect = [&](const Tensor& got, const Tensor& want) {
      EXPECT_TRUE(torch::allclose(got, want, 1e-5, 1e-6));
    };
    for (const Signal& each : {copy, make()}) expect(each.rows(3, 7), psp.flatten(0, 1).slice(0, 3, 7));
    expect(make().slice(2, 5).values().detach(), psp.slice(0, 2, 5));
    // Parts that do not follow each other keep the numbers they had.
    expect(Signal::concatenate({make().slice(0, 1), make().slice(3, 5)}).values().detach(),
           torch::cat({psp.slice(0, 0, 1), psp.slice(0, 3, 5)}));
    const Signal first = x.slice(0, 2), rest = x.slice(2, 5);
    expect(rest.values().detach(), psp.slice(0, 2, 5));
    expect(rest.before(), psp[1]);
    expect(Signal::concatenate({first, rest}).values().detach(), psp);
    const Tensor g = torch::randn_like(psp);
    copy.values().backward(g);
    EXPECT_TRUE(torch::equal(edge.grad(), g));
  }
}

TEST(Stage, SumRefusesWhatDoesNotFit) {
  EXPECT_NE(message_of<UsageError>([] { make<Stage>("sum")->build({}); }).find("one or more"),
            std::string::npos);
  EXPECT_NE(message_of<UsageError>([] {
              make<Stage>("sum")->build({{4}, {5}});
            }).find("one shape"),
            std::string::npos);
}

}  // namespace spiketrain::stage_test
