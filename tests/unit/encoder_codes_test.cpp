// Phase, population, sigma-delta, send on delta and receptive fields: properties that the golden records do not show.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/extras.h"
#include "spiketrain/recipe/experiment.h"
#include "tests/support/message.h"
#include "tests/support/tiny.h"

namespace spiketrain::encoder_codes_test {

Batch images(Tensor x) {
  Batch batch;
  batch.x = std::move(x);
  return batch;
}

TEST(EncoderCodes, PhaseClipsWhatIsNoFraction) {
  const auto phase = make<Encoder>("phase", {{"bits", 3}});
  const Tensor s =
      phase->encode(images(torch::tensor({-0.5, 0.0, 0.124, 0.125, 1.0, 7.0}).view({1, 6})), {0, 3, 3})
          .values()
          .select(1, 0);
  const Tensor level = s[0] * 4 + s[1] * 2 + s[2];
  EXPECT_TRUE(torch::equal(level, torch::tensor({0.F, 0.F, 0.F, 1.F, 7.F, 7.F})));
}

TEST(EncoderCodes, FieldsLieSideBySide) {
  const auto encoder = make<Encoder>("receptive_fields", {{"fields", 4}});
  EXPECT_EQ(encoder->step_shape({3}), Shape{12});
  EXPECT_EQ(encoder->step_shape({2, 5, 6}), (Shape{8, 5, 6}));
  EXPECT_EQ(make<Encoder>("latency")->step_shape({2, 5, 6}), (Shape{2, 5, 6}));
  // Centres at -1/4, 1/4, 3/4, 5/4: a value at a centre makes that neuron spike at once.
  const Tensor x = torch::tensor({0.25, 0.75}).view({1, 2, 1, 1}).expand({1, 2, 2, 2}).contiguous();
  const Tensor s = encoder->encode(images(x), {0, 9, 9}).values();
  EXPECT_EQ(s.sizes(), (std::vector<int64_t>{9, 1, 8, 2, 2}));
  for (int64_t c = 0; c < 8; ++c) EXPECT_EQ(s[0][0][c][1][0].item<float>(), c == 1 || c == 6 ? 1 : 0) << c;
  EXPECT_LE(s.sum(0).max().item<float>(), 1);
  EXPECT_THROW(make<Encoder>("population", {{"low", 1.0}}), UsageError);
}

TEST(EncoderCodes, TheNearerTheMoreOftenAPopulationFires) {
  const auto encoder = make<Encoder>("population", {{"fields", 7}, {"low", -2.0}, {"high", 2.0}});
  const Tensor s = encoder->encode(images(torch::tensor({{0.0F}})), {0, 50, 50}).values().sum(0)[0];
  EXPECT_EQ(s.argmax().item<int64_t>(), 3);  // the middle one's centre is 0
  EXPECT_EQ(s[3].item<float>(), 50);
  EXPECT_TRUE(torch::equal(s, s.flip(0)));
  EXPECT_TRUE((s.slice(0, 1, 4) >= s.slice(0, 0, 3)).all().item<bool>());
}

TEST(EncoderCodes, SigmaDeltaSumsFollowTheSignal) {
  constexpr int64_t T = 16, L = 40;
  torch::manual_seed(4);
  const Tensor x = torch::rand({3, 2, 1, L}, torch::kDouble) * 2 - 1;
  const auto first = make<Encoder>("sigma_delta");
  const Tensor y = first->encode(images(x), {0, T, T}).values() * 2 - 1;  // [T,3,2,1,L]
  const Tensor slots = y.permute({1, 2, 3, 4, 0}).reshape({3, 2, L * T});
  const Tensor up = x.view({3, 2, L, 1}).expand({3, 2, L, T}).reshape({3, 2, L * T});
  EXPECT_LE((slots.cumsum(2) - up.cumsum(2)).abs().max().item<double>(), 1 + 1e-9);
}

/// Noise within the band of a slow sine, in dB below it, over a whole number of its periods away from both ends.
double in_band_ratio(int64_t order, int64_t R) {
  constexpr int64_t L = 64, kPeriods = 5;
  const Tensor x = torch::sin(torch::arange(3 * L, torch::kDouble) * (2 * M_PI * kPeriods / L)) * 0.6;
  const Config options = {{"name", "sigma_delta"}, {"order", order}, {"interpolation", "linear"}};
  const Tensor y = make<Encoder>(options)->encode(images(x.view({1, 1, 3 * L})), {0, R, R}).values() * 2 - 1;
  const Tensor slots = y.permute({1, 2, 3, 0}).reshape({3 * L * R}).slice(0, L * R, 2 * L * R);
  const Tensor spectrum = torch::fft_rfft(slots).abs().square();
  double signal = 0, noise = 0;
  for (int64_t k = 1; k <= L / 2; ++k) (k == kPeriods ? signal : noise) += spectrum[k].item<double>();
  return 10 * std::log10(signal / noise);
}

TEST(EncoderCodes, SigmaDeltaShapesItsNoise) {
  for (const int64_t order : {1, 2}) {
    const double few = in_band_ratio(order, 8), many = in_band_ratio(order, 64);  // three octaves
    EXPECT_GT(many - few, order == 1 ? 15 : 25) << few << ' ' << many;  // 9 and 15 dB an octave in theory
  }
  EXPECT_GT(in_band_ratio(2, 64), in_band_ratio(1, 64));
}

TEST(EncoderCodes, SendOnDeltaReadsSequencesOnly) {
  const auto encoder = make<Encoder>("delta", {{"threshold", 0.5}, {"reference", "sent"}});
  EXPECT_EQ(encoder->step_shape({3}), Shape{6});
  EXPECT_EQ(make<Encoder>("delta", {{"off", "none"}})->step_shape({3}), Shape{3});
  encoder->check_frames();
  Batch batch;
  batch.form = Batch::Form::frames;
  batch.x = torch::tensor({0.2F, 0.6F, 0.9F, 1.8F, 1.8F, 0.1F}).view({6, 1, 1});
  const Tensor s = encoder->frames(batch, {0, 6, 6}).values().squeeze(1);
  // What was sent: 0, 0.5, 0.5, 1, 1.5, 1.
  EXPECT_TRUE(torch::equal(s.select(1, 0), torch::tensor({0.F, 1.F, 0.F, 1.F, 1.F, 0.F})));
  EXPECT_TRUE(torch::equal(s.select(1, 1), torch::tensor({0.F, 0.F, 0.F, 0.F, 0.F, 1.F})));
  for (int64_t t = 0; t < 6; ++t)
    EXPECT_TRUE(torch::equal(encoder->frames(batch, {t, t + 1, 6}).values().squeeze(1)[0], s[t])) << t;
  batch.x = (batch.x * 10).to(torch::kUInt8);
  EXPECT_GT(encoder->frames(batch, {0, 6, 6}).spikes().total(), 0);
  const std::string message = message_of<UsageError>([&] {
    encoder->encode(images(torch::rand({1, 2})), {0, 2, 2});
  });
  EXPECT_NE(message.find("still images"), std::string::npos) << message;
}

TEST(EncoderCodes, NetworksReadWhatIsSent) {
  const std::vector<std::string> sets = {"neuron=lif",         "readout=leaky_readout",
                                         "rule=bptt",          "objective=rate_ce",
                                         "data.mean=[0]",      "data.std=[1]",
                                         "network.spec=6C3-4", "encoder={name=\"population\", fields=3}"};
  const Experiment e = tiny_experiment(sets);
  EXPECT_EQ(e.training.network().input_shape(), (Shape{3, 6, 6}));
  Batch batch = images(torch::rand({2, 1, 6, 6}));
  batch.target = {Target::Kind::class_index, torch::tensor({0, 1})};
  EXPECT_EQ(e.training.learner->infer(batch).prediction.sizes(), (std::vector<int64_t>{2, 4}));
}

}  // namespace spiketrain::encoder_codes_test
