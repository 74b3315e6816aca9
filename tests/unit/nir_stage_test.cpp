// Stages that NIR graphs need: flatten, pool_windows, delay.  Values against loops, gradients against finite differences, segments.
#include <gtest/gtest.h>

#include "spiketrain/core/stage.h"
#include "tests/support/message.h"

namespace spiketrain::nir_stage_test {

const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

std::shared_ptr<Stage> built(const Config& config, const Shape& in, Shape* out = nullptr) {
  auto stage = make<Stage>(config);
  const Shape shape = stage->build({in});
  if (out) *out = shape;
  int64_t next = 0;
  stage->assign_slots(next);
  return stage;
}

Tensor run(Stage& stage, const Tensor& x, int64_t segment) {
  Carry carry;
  carry.state.resize(1);
  std::vector<Tensor> parts;
  for (int64_t t = 0; t < x.size(0); t += segment)
    parts.push_back(
        stage.forward({Signal::dense(x.slice(0, t, std::min(x.size(0), t + segment)))}, Context(), carry)
            .values());
  return torch::cat(parts);
}

/// The gradient of sum(w * f(x)) by autograd and by differences; f is linear, so one difference is exact but for rounding.
void check_gradient(const std::function<Tensor(const Tensor&)>& f, const Tensor& at) {
  const Tensor x = at.clone().requires_grad_(), y = f(x), w = torch::randn_like(y);
  const Tensor g = torch::autograd::grad({(y * w).sum()}, {x})[0];
  const torch::NoGradGuard no_grad;
  for (int64_t i = 0; i < x.numel(); ++i) {
    Tensor moved = at.clone();
    moved.view({-1})[i] += 1;
    const double difference = ((f(moved) - y) * w).sum().item<double>();
    EXPECT_NEAR(g.reshape({-1})[i].item<double>(), difference, 1e-10) << i;
  }
}

TEST(NirStage, FlattenJoinsDimensionsInTheirOrder) {
  torch::manual_seed(1);
  Shape out;
  const Tensor x = torch::randn({3, 2, 2, 4, 5}, kDouble);
  const Tensor pixelwise = x.movedim(2, 4).contiguous().movedim(4, 2);  // the same values, channels last
  const auto all = built({{"name", "flatten"}}, {2, 4, 5}, &out);
  EXPECT_EQ(out, (Shape{40}));
  EXPECT_TRUE(torch::equal(run(*all, pixelwise, 3), x.flatten(2)));
  const auto some = built({{"name", "flatten"}, {"first", 1}, {"last", 2}}, {2, 4, 5}, &out);
  EXPECT_EQ(out, (Shape{2, 20}));
  EXPECT_TRUE(torch::equal(run(*some, x, 2), x.flatten(3)));
  check_gradient([&](const Tensor& a) { return run(*some, a, 3); }, x);
  EXPECT_NE(message_of<UsageError>([&] {
              built({{"name", "flatten"}, {"first", 2}}, {4});
            }).find("[4]"),
            std::string::npos);
}

TEST(NirStage, PoolWindowsAddsUpWhatAWindowSees) {
  torch::manual_seed(2);
  const Tensor x = torch::randn({2, 2, 3, 6, 7}, kDouble);
  for (const char* kind : {"sum", "avg"}) {
    const std::vector<int64_t> window = {3, 2}, stride = {2, 1}, padding = {1, 1};
    Shape out;
    const auto stage = built({{"name", "pool_windows"},
                              {"kind", kind},
                              {"window", window},
                              {"stride", stride},
                              {"padding", padding}},
                             {3, 6, 7}, &out);
    ASSERT_EQ(out, (Shape{3, 3, 8}));
    const Tensor y = run(*stage, x, 2), a = torch::constant_pad_nd(x, {1, 1, 1, 1});
    for (int64_t i = 0; i < 3; ++i) {
      for (int64_t j = 0; j < 8; ++j) {
        Tensor sum = a.slice(3, 2 * i, 2 * i + 3).slice(4, j, j + 2).sum({3, 4});
        if (kind == std::string("avg")) sum = sum / 6;
        EXPECT_LE((y.select(4, j).select(3, i) - sum).abs().max().item<double>(), 1e-14);
      }
    }
    check_gradient([&](const Tensor& b) { return run(*stage, b, 2); }, x);
  }
  EXPECT_NE(message_of<UsageError>([&] {
              make<Stage>("pool_windows", {{"padding", {2, 0}}});
            }).find("half a window"),
            std::string::npos);
  EXPECT_NE(message_of<UsageError>([&] {
              built({{"name", "pool_windows"}}, {3, 1, 7});
            }).find("does not fit"),
            std::string::npos);
}

TEST(NirStage, DelayHandsOnWhatWasSoManyStepsBefore) {
  torch::manual_seed(3);
  const Tensor x = torch::randn({9, 2, 2, 3}, kDouble),
               steps = torch::tensor({0, 1, 4, 2, 2, 3}).view({2, 3});
  const auto stage = built({{"name", "delay"}, {"longest", 4}}, {2, 3});
  stage->named_buffers()["steps"].copy_(steps);
  Tensor want = torch::zeros_like(x);
  for (int64_t t = 0; t < 9; ++t) {
    for (int64_t i = 0; i < 2; ++i) {
      for (int64_t j = 0; j < 3; ++j) {
        const int64_t from = t - steps[i][j].item<int64_t>();
        if (from >= 0) want.select(0, t).select(2, j).select(1, i).copy_(x[from].select(2, j).select(1, i));
      }
    }
  }
  for (const int64_t segment : {9, 1, 4}) {
    EXPECT_TRUE(torch::equal(run(*stage, x, segment), want)) << segment;
    check_gradient([&](const Tensor& a) { return run(*stage, a, segment); }, x);
  }
  stage->named_buffers()["steps"].add_(1);
  EXPECT_NE(message_of<UsageError>([&] { run(*stage, x, 9); }).find("0 to 4 steps"), std::string::npos);
  const auto none = built({{"name", "delay"}, {"longest", 0}}, {2, 3});
  EXPECT_TRUE(torch::equal(run(*none, x, 2), x));
}

TEST(NirStage, SumOfOneHandsItOn) {
  const auto stage = make<Stage>("sum");
  stage->build({{3}});
  const Tensor s = torch::ones({2, 1, 3}, torch::kUInt8);
  Carry carry;
  const Signal y = stage->forward({Signal::spikes(Spikes::from_bytes(s), torch::kFloat)}, Context(), carry);
  EXPECT_TRUE(y.is_spikes());
  EXPECT_TRUE(torch::equal(y.spikes().bytes(), s));
}

}  // namespace spiketrain::nir_stage_test
