// Encoders, population losses and the phase-coded neuron against the records of golden/related.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/extras.h"
#include "spiketrain/parts/encoders/gaussian_fields.h"
#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::encoders_test {

/// Of this name, from golden/related.
GoldenRecord record(const std::string& name) {
  return GoldenRecord(std::string(ST_SOURCE_DIR) + "/golden/related/" + name + ".safetensors");
}

/// x [*] -> what the encoder sends of a batch of one sample [T,*].
Tensor sent(const Config& encoder, const Tensor& x, int64_t T) {
  Batch batch;
  batch.x = x.unsqueeze(0);
  return make<Encoder>(encoder)->encode(batch, {0, T, T}).values().select(1, 0);
}

TEST(PhaseGolden, EncoderSendsTheDigitsAndRepeatsThem) {
  for (const int64_t K : {5, 8}) {
    const GoldenRecord r = record(str("phase_encoder_K", K));
    const Config encoder = {{"name", "phase"}, {"bits", K}};
    const Tensor s = sent(encoder, r.at("x"), 2 * K);
    EXPECT_TRUE(torch::equal(s.slice(0, 0, K), r.at("spikes"))) << K;
    EXPECT_TRUE(torch::equal(s.slice(0, K), r.at("spikes"))) << K;
    Tensor decoded = torch::zeros_like(r.at("x"));
    for (int64_t i = 0; i < K; ++i) decoded = decoded + s[i] * std::pow(0.5, i + 1);
    EXPECT_TRUE(torch::equal(decoded, r.at("decoded"))) << K;
  }
}

/// The record's bias enters once a period: in phase 0, whose weight is 1/2.
Tensor pipelined_current(const GoldenRecord& r) {
  const Tensor I = r.at("spikes_in").matmul(r.at("weight").t());
  I.select(1, 0).add_(2 * r.at("bias"));
  return I;
}

TEST(PhaseGolden, AlignedAndPipelinedAreTheTruncatedRelu) {
  const GoldenRecord r = record("phase_if_K6");
  constexpr int64_t K = 6;
  const Tensor I = pipelined_current(r);  // [period, phase, neuron]
  const auto aligned = make_neuron({{"name", "phase_if"}, {"bits", K}, {"form", "aligned"}}, {5});
  const auto run = run_all(*aligned, I.flatten(0, 1).unsqueeze(1));
  EXPECT_TRUE(torch::equal(output_of(*run).view({3, K, 5}), r.at("spikes_pipelined")));

  const auto pipelined = make_neuron({{"name", "phase_if"}, {"bits", K}, {"form", "pipelined"}}, {5});
  for (int64_t period = 0; period < 3; ++period) {  // each is a sample of its own
    const Tensor two = torch::cat({I[period], torch::zeros_like(I[period])}).unsqueeze(1);
    const auto late = run_all(*pipelined, two);
    EXPECT_EQ(output_of(*late).slice(0, 0, K).abs().sum().item<double>(), 0);
    EXPECT_TRUE(torch::equal(output_of(*late).slice(0, K).squeeze(1), r.at("spikes_pipelined")[period]));
    EXPECT_TRUE(torch::equal(late->state[1].squeeze(0), r.at("residue_pipelined")[period]));
    // relu cut to as many bits computes the same number.
    Tensor u = torch::zeros({5}, torch::kDouble);
    for (int64_t i = 0; i < K; ++i) u = u + I[period][i] * std::pow(0.5, i + 1);
    const auto relu = make_neuron({{"name", "relu"}, {"bits", K}, {"ceiling", 1.0}}, {5});
    const auto analog = run_all(*relu, u.view({1, 1, 5}));
    EXPECT_TRUE(torch::equal(analog->a.flatten(), r.at("decoded")[period]));
  }
}

TEST(PhaseGolden, OnlineCarriesTheMembrane) {
  const GoldenRecord r = record("phase_if_K6");
  constexpr int64_t K = 6;
  // Its bias enters at every step as it is, in K parts; ours weighs what enters.
  Tensor I = r.at("spikes_in").matmul(r.at("weight").t()).clone();
  for (int64_t i = 0; i < K; ++i) I.select(1, i).add_(r.at("bias") / K * std::pow(2.0, i + 1));
  const auto online = make_neuron({{"name", "phase_if"}, {"bits", K}}, {5});
  const auto run = run_all(*online, I.flatten(0, 1).unsqueeze(1), {}, kU);
  EXPECT_TRUE(torch::equal(output_of(*run).view({3, K, 5}), r.at("spikes_online")));
  const Tensor after = run->state[0].flatten();
  expect_golden(after, r.at("membrane_online").reshape({3 * K, 5})[3 * K - 1], "membrane");
}

TEST(EncoderGolden, PopulationOfGaussianFields) {
  const GoldenRecord r = record("population_gauss_deterministic");
  // The record draws its centres and widths, ours follow from the range.  So of the record the spikes, and the responses below.
  const Signal fired = integrate_and_fire(r.at("activity"), 0.999, {0, 6, 6});
  EXPECT_TRUE(torch::equal(fired.values(), r.at("spikes")));
  EXPECT_TRUE(torch::equal(integrate_and_fire(r.at("activity"), 0.999, {2, 5, 6}).values(),
                           r.at("spikes").slice(0, 2, 5)));
  const Tensor x = r.at("x");
  Batch batch;
  batch.x = x;
  const Config options = {{"name", "population"}, {"fields", 5}, {"low", -1.0}, {"high", 1.0}};
  const auto encoder = make<Encoder>(options);
  EXPECT_EQ(step_shape(*encoder, {2}), Shape{10});
  const Tensor s = encoder->encode(batch, {0, 6, 6}).values();
  for (int64_t b = 0; b < 3; ++b) {
    for (int64_t d = 0; d < 2; ++d) {
      for (int64_t i = 0; i < 5; ++i) {
        const double centre = -1 + (2.0 * static_cast<double>(i + 1) - 3) / 2 * 2 / 3, width = 2 / 1.5 / 3;
        const double a = std::exp(-0.5 * std::pow((x[b][d].item<double>() - centre) / width, 2));
        double h = 0;
        for (int64_t t = 0; t < 6; ++t) {
          h += a;
          const bool fires = h >= 0.999;
          if (fires) h -= 0.999;
          EXPECT_EQ(s[t][b][d * 5 + i].item<double>(), fires ? 1 : 0) << b << d << i << t;
        }
      }
    }
  }
}

TEST(EncoderGolden, ReceptiveFieldLatencies) {
  const GoldenRecord r = record("receptive_field_latency");
  Batch batch;
  batch.x = r.at("x").unsqueeze(1);  // six samples of one value
  const Config options = {{"name", "receptive_fields"}, {"fields", 8}, {"exact", true}};
  const SpikeTimes times = make<Encoder>(options)->encode(batch, {0, 11, 11}).spike_times();
  const Tensor silent = r.at("silent").to(torch::kBool);
  for (int64_t b = 0; b < 6; ++b) {
    const int64_t begin = times.offset[b].item<int64_t>(), end = times.offset[b + 1].item<int64_t>();
    EXPECT_EQ(end - begin, 8 - silent[b].sum().item<int64_t>()) << b;
    for (int64_t k = begin; k < end; ++k) {
      const int64_t field = times.index[k].item<int64_t>();
      EXPECT_FALSE(silent[b][field].item<bool>());
      EXPECT_NEAR(times.time[k].item<double>(), r.at("t")[b][field].item<double>(), 1e-10);
    }
  }
  // By steps: the nearest one.
  Config steps = options;
  steps["exact"] = false;
  const Tensor s = make<Encoder>(steps)->encode(batch, {0, 11, 11}).values();
  const Tensor expected =
      torch::arange(11, torch::kDouble).view({11, 1, 1}).eq(torch::round(r.at("t"))) & silent.logical_not();
  EXPECT_TRUE(torch::equal(s.gt(0), expected));
}

TEST(EncoderGolden, SigmaDelta) {
  const Tensor half = torch::full({1}, 0.5, torch::kDouble);
  EXPECT_TRUE(torch::equal(sent({{"name", "sigma_delta"}}, half, 400).squeeze(1).to(torch::kUInt8),
                           record("sigma_delta_dc_half").at("bits")));
  const std::vector<std::pair<std::string, Config>> cases = {
      {"sigma_delta_order1_R8_hold", {{"name", "sigma_delta"}}},
      {"sigma_delta_order2_R16_linear",
       {{"name", "sigma_delta"}, {"order", 2}, {"interpolation", "linear"}, {"limit", 0.9}}}};
  for (const auto& [name, options] : cases) {
    const GoldenRecord r = record(name);
    const int64_t R = std::stol(r.word("R")), L = std::stol(r.word("L"));
    const Tensor s = sent(options, r.at("x"), R);  // [R,2,L]
    EXPECT_TRUE(torch::equal(s.permute({1, 2, 0}).reshape({2, L * R}), r.at("bits").to(torch::kDouble)))
        << name;
    expect_golden((s * 2 - 1).mean(0), r.at("block_mean"), name);
  }
}

TEST(EncoderGolden, SendOnDelta) {
  const GoldenRecord r = record("delta_snntorch");
  Batch batch;
  batch.form = Batch::Form::frames;
  batch.x = r.at("x").unsqueeze(1);  // [T,1,N]
  for (const bool pad : {false, true}) {
    for (const bool off : {false, true}) {
      Config options = {{"name", "delta"}, {"threshold", r.number("threshold")}};
      options["start"] = pad ? "first" : "zero";
      options["off"] = off ? "channel" : "none";
      const Tensor s = make<Encoder>(options)->frames(batch, {0, 12, 12}).values().squeeze(1);
      const Tensor signs = off ? s.slice(1, 0, 4) - s.slice(1, 4) : s;
      EXPECT_TRUE(torch::equal(signs, r.at(str("spikes_pad", pad ? 1 : 0, "_off", off ? 1 : 0))))
          << pad << off;
    }
  }
}

}  // namespace spiketrain::encoders_test
