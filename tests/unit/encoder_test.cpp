// Encoders: segments join, and what a sample becomes depends on the sample alone.
#include "spiketrain/core/encoder.h"

#include <gtest/gtest.h>

#include "spiketrain/base/rng.h"
#include "tests/support/message.h"

namespace spiketrain::encoder_test {

Batch images(Tensor x, std::vector<int64_t> ids = {}, int64_t epoch = 0) {
  Batch batch;
  batch.x = std::move(x);
  if (!ids.empty()) batch.ids = torch::tensor(ids);
  batch.epoch = epoch;
  return batch;
}

TEST(Encoder, SegmentsJoin) {
  for (const std::string& name : Registry<Encoder>::get().names()) {
    if (name == "delta") continue;  // encoder_codes_test: it reads sequences
    const auto encoder = make<Encoder>(name.c_str());
    const Batch batch = images(torch::rand({3, 2, 5, 5}), {4, 0, 9}, 1);
    const Tensor whole = encoder->encode(batch, {0, 7, 7, 3}).values();
    for (const int64_t K : {1, 2, 3}) {
      for (int64_t t = 0; t < 7; t += K) {
        const int64_t end = std::min<int64_t>(7, t + K);
        const Signal part = encoder->encode(batch, {t, end, 7, 3});
        EXPECT_EQ(part.steps(), end - t);
        EXPECT_TRUE(torch::equal(part.values(), whole.slice(0, t, end))) << name;
      }
    }
  }
}

TEST(Encoder, LatencySendsExactTimes) {
  const auto encoder = make<Encoder>("latency", {{"exact", true}, {"cutoff", 0.2}});
  const Tensor x =
      torch::tensor({0.5, 0.1, 1.0, 0.85, 0.2, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}).view({2, 2, 3});
  const SpikeTimes s = encoder->encode(images(x), {0, 11, 11}).spike_times();
  s.check();
  EXPECT_EQ(s.elements, 6);
  EXPECT_EQ(s.steps, 11);
  EXPECT_TRUE(torch::equal(s.offset, torch::tensor({0, 4, 4})));
  EXPECT_TRUE(torch::equal(s.index, torch::tensor({2, 3, 0, 5})));  // equal times in the order of the pixels
  EXPECT_TRUE(torch::allclose(s.time, torch::tensor({0.0, 1.5, 5.0, 5.0}, torch::kDouble), 0, 1e-6));
}

TEST(Encoder, DirectIsConstantAndTakesFrames) {
  const auto direct = make<Encoder>("direct");
  const Tensor x = torch::rand({3, 2});
  const Signal still = direct->encode(images(x), {1, 4, 5});
  EXPECT_TRUE(still.is_constant());
  EXPECT_TRUE(torch::equal(still.image()[0], x));
  EXPECT_TRUE(torch::equal(still.gain(), torch::ones({3})));
  Batch frames;
  frames.form = Batch::Form::frames;
  frames.x = torch::randint(0, 3, {5, 3, 2, 4, 4}, torch::kUInt8);
  direct->check_frames();
  EXPECT_TRUE(
      torch::equal(direct->frames(frames, {1, 4, 5}).values(), frames.x.slice(0, 1, 4).to(torch::kFloat)));
  frames.x = torch::rand({5, 3, 2}, torch::kDouble);
  EXPECT_TRUE(torch::equal(direct->frames(frames, {0, 5, 5}).values(), frames.x));
  for (const char* name : {"poisson", "latency"}) {
    const auto other = make<Encoder>(name);
    EXPECT_NE(message_of<UsageError>([&] { other->check_frames(); }).find("direct"), std::string::npos);
    EXPECT_NE(message_of<UsageError>([&] {
                other->frames(frames, {0, 5, 5});
              }).find("direct"),
              std::string::npos);
  }
}

TEST(Encoder, PoissonSpikesBelongToTheSample) {
  const auto poisson = make<Encoder>("poisson", {{"rate", 0.5}});
  const Tensor x = torch::rand({4, 700});
  const Encoder::Request request = {2, 5, 6, 11};
  const auto spikes = [&](const Batch& batch) { return poisson->encode(batch, request).spikes().bytes(); };
  const Tensor all = spikes(images(x, {7, 3, 9, 1}, 2));
  EXPECT_TRUE(torch::equal(spikes(images(x.index_select(0, torch::tensor({2, 0})), {9, 7}, 2)),
                           all.index_select(1, torch::tensor({2, 0}))));
  EXPECT_FALSE(torch::equal(spikes(images(x, {7, 3, 9, 1}, 3)), all));
  EXPECT_TRUE(torch::equal(spikes(images(x)), spikes(images(x, {0, 1, 2, 3}))));
  // As defined: one word per step and value.
  Rng rng(11, Purpose::encoder, 2, 9);
  for (int i = 0; i < 2 * 700; ++i) rng.next();
  for (int64_t t = 0; t < 3; ++t) {
    for (int64_t i = 0; i < 700; ++i) {
      const double p = static_cast<double>(x[2][i].item<float>() * 0.5F);
      ASSERT_EQ(all[t][2][i].item<int64_t>(), static_cast<double>(rng.next()) * 0x1.0p-32 < p);
    }
  }
}

TEST(Encoder, PoissonRate) {
  const auto poisson = make<Encoder>("poisson");
  const Tensor x = torch::tensor({0., 1., 0.25, 2., -1.}).to(torch::kFloat).unsqueeze(1).expand({5, 1000});
  const Signal signal = poisson->encode(images(x.contiguous()), {0, 10, 10, 1});
  const Tensor rate = signal.values().mean(std::vector<int64_t>{0, 2});
  EXPECT_EQ(rate[0].item<float>(), 0);
  EXPECT_EQ(rate[1].item<float>(), 1);
  EXPECT_NEAR(rate[2].item<float>(), 0.25, 0.02);
  EXPECT_EQ(rate[3].item<float>(), 1);
  EXPECT_EQ(rate[4].item<float>(), 0);
  EXPECT_EQ(signal.spikes().total(), signal.spikes().bytes().sum().item<int64_t>());
}

TEST(Encoder, ConstantCurrentFiresAsOftenAsTheValueIsGreat) {
  const auto encoder = make<Encoder>("constant_current", {{"leak", 0.5}, {"threshold", 1.0}});
  // u of 4: 2, spike at once.  Of 2.5: 1.25, spike at once.  Of 1.5: 0.75, 1.125, spike at every other step.  Of 1: never above 1.
  const Tensor s =
      encoder->encode(images(torch::tensor({4.F, 2.5F, 1.5F, 1.F}).view({1, 4})), {0, 4, 4}).values();
  EXPECT_TRUE(torch::equal(s.sum(0)[0], torch::tensor({4.F, 4.F, 2.F, 0.F})));
  EXPECT_TRUE(torch::equal(s.select(1, 0).select(1, 2), torch::tensor({0.F, 1.F, 0.F, 1.F})));
}

TEST(Encoder, LatencyFiresOnceTheEarlierTheGreater) {
  const auto latency = make<Encoder>("latency", {{"cutoff", 0.1}});
  const Tensor x = torch::tensor({1., 0.5, 0.25, 0.1}).to(torch::kFloat).unsqueeze(0);
  const Tensor s = latency->encode(images(x), {0, 5, 5}).values();
  EXPECT_TRUE(torch::equal(s.sum(0)[0], torch::tensor({1., 1., 1., 0.}).to(torch::kFloat)));
  EXPECT_EQ(s[0][0][0].item<float>(), 1);
  EXPECT_EQ(s[2][0][1].item<float>(), 1);
  EXPECT_EQ(s[3][0][2].item<float>(), 1);
}

}  // namespace spiketrain::encoder_test
