// The PSN family against records of SpikingJelly's code and of its papers' equations in float64, computed by another program:
// golden/related, and every further file of the same kind in the folder that SPIKETRAIN_GOLDEN names.  Spikes, bits and integers
// are equal; everything else is within 1e-10 of the reference, relative to 1 + max |reference|.
#include <gtest/gtest.h>

#include "spiketrain/core/extras.h"
#include "spiketrain/cost/neuron_energy.h"
#include "spiketrain/ops/power_of_two.h"
#include "spiketrain/parts/neurons/shift_add.h"
#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::psn_golden_test {

void expect_close(const Tensor& ours, const Tensor& reference, const std::string& what) {
  ASSERT_TRUE(ours.defined()) << what;
  ASSERT_EQ(ours.numel(), reference.numel()) << what;
  const Tensor r = reference.to(torch::kDouble).flatten(), o = ours.detach().to(torch::kDouble).flatten();
  EXPECT_LE((o - r).abs().max().item<double>() / (1.0 + r.abs().max().item<double>()), 1e-10) << what;
}
void expect_equal(const Tensor& ours, const Tensor& reference, const std::string& what) {
  EXPECT_TRUE(torch::equal(ours.to(torch::kDouble).flatten(), reference.to(torch::kDouble).flatten()))
      << what;
}

/// Records whose name begins so.
std::vector<std::string> records(const std::string& prefix) {
  std::vector<std::string> list;
  for (const std::string& file : golden_files("related")) {
    if (std::filesystem::path(file).filename().string().rfind(prefix, 0) == 0) list.push_back(file);
  }
  EXPECT_FALSE(list.empty()) << prefix;
  return list;
}

int64_t whole(const GoldenRecord& r, const char* key) { return std::llround(r.number(key)); }

/// A neuron in float64 with the record's values for these parameters.
std::shared_ptr<Neuron> neuron_of(const GoldenRecord& r, const Config& config, const Shape& shape,
                                  const std::vector<std::pair<std::string, Tensor>>& values) {
  const torch::NoGradGuard no_grad;
  auto neuron = make_neuron(config, shape);
  neuron->to(torch::kDouble);
  auto named = neuron->named_parameters();
  for (const auto& buffer : neuron->named_buffers()) named.insert(buffer.key(), buffer.value());
  for (const auto& [name, value] : values) named[name].copy_(value.view(named[name].sizes()));
  EXPECT_GT(r.number("min_abs_z"), 0);
  return neuron;
}

Shape shape_of(const Tensor& x) { return x.sizes().slice(2).vec(); }

/// Spikes, membranes and gradients of weight and bias, of which the file has `factor` times the gradient as `bias`.
void check(const GoldenRecord& r, const Neuron& neuron, const char* membrane, const char* bias,
           double factor) {
  const auto record = run_all(neuron, r.at("x"), {}, kU);
  expect_equal(record->s, r.at("spikes"), "spikes");
  const Tensor h = r.at(membrane);
  expect_close(r.has("threshold") ? record->u + r.at("threshold").view({-1, 1}) : record->u, h, membrane);
  const Credit credit = neuron.vjp(*record, r.at("grad_out"), {});
  expect_close(credit.g, r.at("grad_x"), "grad_x");
  ASSERT_EQ(credit.g_params.size(), 2U);
  expect_close(credit.g_params[0], r.at("grad_weight"), "grad_weight");
  expect_close(credit.g_params[1] * factor, r.at(bias), bias);
}

TEST(PsnGolden, FullMaskedAndSliding) {
  for (const char* kind : {"psn_full", "psn_masked", "psn_sliding"}) {
    for (const std::string& file : records(kind)) {
      SCOPED_TRACE(file);
      const GoldenRecord r(file);
      Config config = {{"name", "psn"}, {"steps", whole(r, "T")}};
      if (r.word("kind") == "masked")
        config = {{"name", "masked_psn"},
                  {"steps", whole(r, "T")},
                  {"k", whole(r, "k")},
                  {"mask", r.number("lambda")}};
      if (r.word("kind") == "sliding") config = {{"name", "sliding_psn"}, {"k", whole(r, "k")}};
      const auto neuron =
          neuron_of(r, config, shape_of(r.at("x")), {{"weight", r.at("weight")}, {"bias", r.at("bias")}});
      check(r, *neuron, "z", "grad_bias", 1);
    }
  }
}

TEST(PsnGolden, SlidingStartsWithHalves) {
  for (const std::string& file : records("psn_sliding")) {
    const GoldenRecord r(file);
    if (r.word("exp_init") != "True") continue;
    expect_equal(make_neuron({{"name", "sliding_psn"}, {"k", whole(r, "k")}})->parameters()[0],
                 r.at("weight"), "weight");
  }
}

TEST(PsnGolden, LifWithoutResetIsOne) {
  for (const std::string& file : records("psn_equals_lif")) {
    const GoldenRecord r(file);
    const auto neuron = neuron_of(r, {{"name", "psn"}, {"steps", whole(r, "T")}}, shape_of(r.at("x")),
                                  {{"weight", r.at("weight")}, {"bias", r.at("bias")}});
    const auto record = run_all(*neuron, r.at("x"), {}, kU);
    expect_equal(record->s, r.at("spikes"), "spikes");
    expect_close(record->u - r.at("bias").unsqueeze(2), r.at("h_lif"), "h");
    const double leak = 1 - 1 / r.number("tau");
    const auto lif = make_neuron(
        {{"name", "lif"}, {"leak", leak}, {"decay_input", true}, {"reset", "none"}, {"threshold", 0.5}});
    const auto same = run_all(*lif, r.at("x"), {}, kU);
    expect_equal(record->s, same->s, "spikes of lif");
    expect_close(record->u + 0.5, same->u, "membrane of lif");
  }
}

TEST(PsnGolden, ChannelWise) {
  for (const std::string& file : records("cwpsn_float")) {
    SCOPED_TRACE(file);
    const GoldenRecord r(file);
    const auto neuron =
        neuron_of(r, {{"name", "cw_psn"}, {"k", whole(r, "k")}, {"dilation", whole(r, "dilation")}},
                  shape_of(r.at("x")), {{"weight", r.at("weight")}, {"bias", -r.at("threshold")}});
    check(r, *neuron, "h", "grad_threshold", -1);
  }
}

TEST(PsnGolden, ReceptiveFieldOfDilations) {
  for (const std::string& file : records("cwpsn_receptive_field")) {
    const GoldenRecord r(file);
    const Tensor dilations = r.at("dilations");
    Tensor y = r.at("impulse").view({-1, 1, 1});
    for (int64_t l = 0; l < dilations.numel(); ++l) {
      const TimeFilter filter = {
          std::vector<Tensor>(static_cast<size_t>(whole(r, "k")), torch::ones({}, torch::kDouble)),
          dilations[l].item<int64_t>()};
      y = filtered(filter, y, silent_past(filter.depth(), {1, 1}, y.options()));
    }
    expect_equal(y, r.at("response"), "response");
  }
}

Config mul_free(const GoldenRecord& r) {
  return {{"name", "cw_psn"},
          {"k", whole(r, "k")},
          {"dilation", whole(r, "dilation")},
          {"quantizer", "power_of_two"},
          {"norm", "batch"},
          {"eps", r.number("eps")},
          {"momentum", r.number("momentum")}};
}

TEST(PsnGolden, MultiplicationFree) {
  for (const std::string& file : records("mulfree_psn_T")) {
    SCOPED_TRACE(file);
    const GoldenRecord r(file);
    const auto neuron = neuron_of(r, mul_free(r), shape_of(r.at("x")),
                                  {{"weight", r.at("weight")},
                                   {"gamma", r.at("gamma")},
                                   {"bias", r.at("beta")},
                                   {"running_mean", r.at("running_mean_before")},
                                   {"running_var", r.at("running_var_before")}});
    auto& psn = dynamic_cast<ChannelPsn&>(*neuron);
    const auto record = record_of(*neuron, r.at("x"), {}, kU);
    psn.run_training(*record, /*moves=*/true);
    expect_close(record->u, r.at("h"), "h");
    expect_equal(record->s, r.at("spikes"), "spikes");
    const Credit credit = neuron->vjp(*record, r.at("grad_out"), {});
    expect_close(credit.g, r.at("grad_x"), "grad_x");
    const std::vector<std::string> names = {"weight", "gamma", "beta"};
    for (size_t i = 0; i < names.size(); ++i)
      expect_close(credit.g_params.at(i), r.at("grad_" + names[i]), "grad_" + names[i]);
    expect_close(psn.statistics()[0], r.at("running_mean_after"), "running_mean");
    expect_close(psn.statistics()[1], r.at("running_var_after"), "running_var");

    const auto evaluated = run_all(*neuron, r.at("x"), {}, kU);
    expect_close(evaluated->u, r.at("eval_h"), "eval_h");
    expect_equal(evaluated->s, r.at("eval_spikes"), "eval_spikes");
    expect_equal(psn.deployed_weight(), r.at("eval_quantised_weight"), "eval_quantised_weight");
    expect_close(psn.deployed_bias(), r.at("eval_bias"), "eval_bias");
    const ops::PowersOfTwo powers = ops::powers_of_two(psn.deployed_weight());
    expect_equal(powers.sign, r.at("eval_sign"), "eval_sign");
    expect_equal(powers.exponent, r.at("eval_exponent"), "eval_exponent");
  }
}

TEST(PsnGolden, ShiftsAndAdditions) {
  for (const std::string& file : records("mulfree_psn_integer")) {
    const GoldenRecord r(file);
    ShiftAdd integers;
    integers.sign = r.at("sign");
    integers.shift = r.at("exponent") + whole(r, "fraction_bits");
    integers.threshold = r.at("threshold");
    integers.dilation = whole(r, "dilation");
    const ShiftAdd::Sent sent = integers.run(r.at("x").unsqueeze(1));
    expect_equal(sent.h, r.at("h"), "h");
    expect_equal(sent.s, r.at("spikes"), "spikes");
  }
}

TEST(PsnGolden, Quantizer) {
  for (const std::string& file : records("pow2_quantiser")) {
    const GoldenRecord r(file);
    expect_equal(make<Quantizer>("power_of_two")->apply(r.at("w")), r.at("q"), "q");
  }
}

TEST(PsnGolden, EnergyOfTable6) {
  for (const std::string& file : records("psn_energy_table6")) {
    const GoldenRecord r(file);
    const int64_t neurons = 18688, T = 32;
    const auto full = make<Neuron>("psn", {{"steps", T}});
    const auto ours = make<Neuron>("cw_psn", {{"k", 16}, {"dilation", 3}, {"quantizer", "power_of_two"}});
    const NeuronOperations a = neuron_operations(*full, neurons, T),
                           b = neuron_operations(*ours, neurons, T, /*published=*/true);
    expect_close(torch::tensor(
                     {static_cast<double>(a.multiplications), static_cast<double>(a.additions), a.energy_uj(),
                      static_cast<double>(b.shifts), static_cast<double>(b.additions), b.energy_uj()},
                     torch::kDouble),
                 r.at("values"), "values");
    EXPECT_EQ(a.shifts + b.multiplications, 0);
    // A dilation of 3 leaves fewer taps inside the sequence: that of lag 45 none.
    EXPECT_EQ(neuron_operations(*ours, 1, T).shifts, 11 * T - 3 * (10 * 11) / 2);
  }
}

}  // namespace spiketrain::psn_golden_test
