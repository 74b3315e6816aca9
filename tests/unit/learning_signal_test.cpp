// What blocks learn from when they have no heads, against the formulas: DFA and DRTP.  engine/signals_test.cpp has the
// gradients they lead to.
#include "spiketrain/core/learning_signal.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/message.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::learning_signal_test {

constexpr int64_t kSteps = 5, kBatch = 3, kOut = 4;

/// Blocks of shapes [6,4,4], [7] and the output's.
std::shared_ptr<Network> network() {
  auto net = make_spec("6C3-7-4", make_context({{"name", "lif"}}, {2, 6, 6}, kOut));
  net->partition({1, 1});
  return net;
}
std::shared_ptr<Network> three_blocks() {
  auto net = make_spec("6C3-7-8-4", make_context({{"name", "lif"}}, {2, 6, 6}, kOut));
  net->partition({1, 1, 1});
  return net;
}

/// B_b as documented, [outputs, features].
Tensor matrix(uint64_t seed, int64_t b, int64_t features, double scale) {
  Rng rng(seed, Purpose::feedback, (uint64_t{1} << 32) | static_cast<uint64_t>(b));
  const double s = scale > 0 ? scale : 1 / std::sqrt(static_cast<double>(features));
  std::vector<float> values;
  for (int64_t i = 0; i < kOut * features; ++i) values.push_back(static_cast<float>(rng.uniform(-s, s)));
  return torch::tensor(values).view({kOut, features});
}

Target labels() { return {Target::Kind::class_index, torch::tensor(std::vector<int64_t>{2, 0, 3})}; }

Tensor padding() {
  const Tensor lengths = torch::tensor(std::vector<int64_t>{5, 1, 3});
  return torch::arange(kSteps).unsqueeze(1) < lengths.unsqueeze(0);
}

void expect_near(const Tensor& got, const Tensor& want) {
  ASSERT_EQ(got.sizes(), want.sizes());
  EXPECT_LE((got - want).norm().item<double>(), 1e-6 * want.norm().item<double>());
}

TEST(LearningSignal, DfaIsTheErrorTimesAFixedMatrix) {
  torch::manual_seed(1);
  const Tensor error = torch::randn({kSteps, kBatch, kOut});
  for (const double scale : {0.0, 2.0}) {
    const auto signal = make<LearningSignal>("dfa", {{"scale", scale}});
    EXPECT_TRUE(signal->reads_error());
    EXPECT_FALSE(signal->uses_heads());
    signal->build(*three_blocks(), 9);
    const std::pair<int64_t, Shape> blocks[] = {{0, {6, 4, 4}}, {1, {7}}};
    for (const auto& [b, shape] : blocks) {
      std::vector<int64_t> sizes = {kSteps, kBatch};
      sizes.insert(sizes.end(), shape.begin(), shape.end());
      const Tensor want = torch::matmul(error, matrix(9, b, numel(shape), scale));
      expect_near(signal->delta(b, error, labels(), kSteps, {}), want.view(sizes));
      const Tensor masked = (want * padding().unsqueeze(2)).view(sizes);
      const Tensor got = signal->delta(b, error, labels(), kSteps, padding());
      expect_near(got, masked);
      EXPECT_EQ(got[1][1].abs().sum().item<float>(), 0);
    }
  }
}

TEST(LearningSignal, DrtpIsTheTargetTimesAFixedMatrix) {
  torch::manual_seed(2);
  const auto signal = make<LearningSignal>("drtp");
  EXPECT_FALSE(signal->reads_error());
  EXPECT_FALSE(signal->uses_heads());
  signal->build(*network(), 4);
  const Tensor B = matrix(4, 0, 96, 0), wanted = torch::randn({kBatch, kOut});
  const auto expected = [&](const Tensor& y) {
    return (torch::matmul(y, B) * (-1.0 / (kSteps * kBatch)))
        .view({1, kBatch, 6, 4, 4})
        .expand({kSteps, kBatch, 6, 4, 4});
  };
  const Tensor one_hot = torch::one_hot(labels().y, kOut).to(torch::kFloat);
  expect_near(signal->delta(0, {}, labels(), kSteps, {}), expected(one_hot));
  expect_near(signal->delta(0, {}, {Target::Kind::values, wanted}, kSteps, {}), expected(wanted));
  const Tensor masked = signal->delta(0, {}, labels(), kSteps, padding());
  expect_near(masked, expected(one_hot) * padding().view({kSteps, kBatch, 1, 1, 1}));
}

/// It is the gradient of -mean <y, B a>.
TEST(LearningSignal, DrtpDescendsItsLoss) {
  const auto signal = make<LearningSignal>("drtp");
  signal->build(*network(), 4);
  const Tensor B = matrix(4, 0, 96, 0), one_hot = torch::one_hot(labels().y, kOut).to(torch::kFloat);
  const Tensor a = torch::zeros({kSteps, kBatch, 6, 4, 4}).requires_grad_();
  const Tensor loss = -(torch::matmul(a.flatten(2), B.t()) * one_hot).sum(2).mean();
  expect_near(signal->delta(0, {}, labels(), kSteps, {}), torch::autograd::grad({loss}, {a})[0]);
}

/// Of the sign, an average over steps and samples, whatever the size of the error; undivided, times the samples.
TEST(LearningSignal, SignsAndDivisors) {
  torch::manual_seed(3);
  Tensor error = torch::randn({kSteps, kBatch, kOut});
  error[2][1].zero_();
  const Tensor B = matrix(9, 1, 7, 0), y = torch::one_hot(labels().y, kOut).to(torch::kFloat);
  const auto built = [](const char* name, const Config& options) {
    const auto signal = make<LearningSignal>(name, options);
    signal->build(*three_blocks(), 9);
    return signal;
  };
  const auto plain = built("dfa", {{"divide_by", "one"}});
  EXPECT_TRUE(plain->weighed());
  expect_near(plain->delta(1, error, labels(), kSteps, {}), torch::matmul(error * kBatch, B));
  const auto sign = built("dfa", {{"send", "sign"}}),
             sum = built("dfa", {{"send", "sign"}, {"divide_by", "one"}});
  const Tensor want = torch::matmul(error.sign(), B) / kSteps;
  for (const double size : {1.0, 100.0}) {
    expect_near(sign->delta(1, error * size, labels(), kSteps, {}), want / kBatch);
    expect_near(sum->delta(1, error * size, labels(), kSteps, {}), want);
  }
  EXPECT_FALSE(sign->weighed());
  const auto drtp = built("drtp", {{"divide_by", "one"}});
  EXPECT_FALSE(drtp->weighed());
  expect_near(drtp->delta(1, {}, labels(), kSteps, {}),
              torch::matmul(-y, B).expand({kSteps, kBatch, 7}) / kSteps);
}

TEST(LearningSignal, MatricesAreThere) {
  for (const char* name : {"dfa", "drtp"}) {
    const auto signal = make<LearningSignal>(name);
    signal->build(*three_blocks(), 9);
    std::vector<Tensor> matrices = signal->matrices();
    ASSERT_EQ(matrices.size(), 2U) << name;
    expect_near(matrices[1], matrix(9, 1, 7, 0));
    matrices[1].zero_();  // what is written is what is used
    EXPECT_EQ(signal->delta(1, torch::ones({1, kBatch, kOut}), labels(), 1, {}).norm().item<float>(), 0)
        << name;
  }
  EXPECT_TRUE(make<LearningSignal>("heads")->matrices().empty());
}

TEST(LearningSignal, TypeAndPlaceFollowTheError) {
  const auto signal = make<LearningSignal>("dfa");
  const auto net = network();
  net->to(torch::kDouble);
  signal->build(*net, 4);
  const Tensor error = torch::randn({kSteps, kBatch, kOut}, torch::kDouble);
  EXPECT_EQ(signal->delta(0, error, labels(), kSteps, {}).scalar_type(), torch::kDouble);
  EXPECT_EQ(signal->delta(0, error.to(torch::kFloat), labels(), kSteps, {}).scalar_type(), torch::kFloat);
}

TEST(LearningSignal, WhatDoesNotFitIsRefused) {
  const auto drtp = make<LearningSignal>("drtp"), dfa = make<LearningSignal>("dfa"),
             heads = make<LearningSignal>("heads");
  for (const auto& signal : {drtp, dfa, heads}) signal->build(*network(), 1);
  EXPECT_TRUE(heads->uses_heads());
  EXPECT_THROW(heads->delta(0, {}, labels(), kSteps, {}), UsageError);
  EXPECT_THROW(dfa->delta(0, {}, labels(), kSteps, {}), UsageError);
  EXPECT_THROW(dfa->delta(0, torch::zeros({kSteps, kBatch, kOut + 1}), labels(), kSteps, {}), UsageError);
  EXPECT_THROW(dfa->delta(1, torch::zeros({kSteps, kBatch, kOut}), labels(), kSteps, {}),
               UsageError);  // the last
  const Target sequence = {Target::Kind::sequence, torch::zeros({kSteps, kBatch, kOut})};
  EXPECT_NE(
      message_of<UsageError>([&] { drtp->delta(0, {}, sequence, kSteps, {}); }).find("class_index or values"),
      std::string::npos);
}

}  // namespace spiketrain::learning_signal_test
