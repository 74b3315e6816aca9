// Coefficients per channel and per neuron: a layer of them is as many neurons, each with its own options, and their
// gradients are those of autograd; float64, 1e-12 relative to 1 + the largest number.
#include <gtest/gtest.h>

#include <map>

#include "spiketrain/parts/neurons/lif_core.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::heterogeneous_neuron_test {

const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);
const Shape kShape = {3, 2, 2};

void expect_near(const Tensor& got, const Tensor& want, const std::string& what) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  const double scale = 1 + want.abs().max().item<double>();
  EXPECT_LE((got - want).abs().max().item<double>(), 1e-12 * scale) << what;
}

/// Random coefficients of a neuron that has some per channel or neuron.
void scatter(Neuron& neuron) {
  torch::manual_seed(11);
  const std::map<std::string, std::pair<double, double>> ranges = {
      {"leak", {0.4, 0.95}},    {"gain", {0.5, 1.5}},     {"v_rest", {-0.2, 0.3}}, {"threshold", {0.7, 1.3}},
      {"v_reset", {-0.4, 0.1}}, {"leak_syn", {0.2, 0.8}}, {"gain_syn", {0.5, 1.5}}};
  torch::NoGradGuard no_grad;
  for (const auto& item : neuron.named_buffers()) {
    const auto [low, high] = ranges.at(item.key());
    set_coefficient(neuron, item.key(), torch::rand_like(item.value()) * (high - low) + low);
  }
  for (Tensor p : neuron.parameters()) {
    if (p.dim() > 0) p.copy_(torch::randn_like(p) * 0.5 - 1);  // w; klif's k is one for the layer
  }
}

/// The options of neuron k of the flattened buffers.
Config one_of(Config config, const Neuron& neuron, int64_t k) {
  config["per"] = "layer";
  for (const auto& item : neuron.named_buffers())
    config[item.key()] = item.value().flatten()[k].item<double>();
  return config;
}

/// The part of x [T,B,C,H,W] or of a state [B,C,H,W] that coefficient k works on, as [..,n].
Tensor part(const Tensor& x, int64_t k, bool per_channel) {
  const Tensor flat = x.flatten(-3);
  const int64_t n = per_channel ? 4 : 1;
  return flat.slice(-1, k * n, (k + 1) * n).contiguous();
}

void check(const Config& config) {
  SCOPED_TRACE(config.dump());
  const bool per_channel = config["per"] == "channel";
  const auto neuron = make_neuron(config, kShape);
  neuron->to(torch::kDouble);
  scatter(*neuron);
  torch::manual_seed(5);
  const Tensor I = torch::randn({8, 2, 3, 2, 2}, kDouble) + 0.4, delta = torch::randn(I.sizes(), kDouble);
  const auto all = run_all(*neuron, I, {}, kU | kPsi);
  const Credit credit = neuron->vjp(*all, delta, {});
  for (int64_t k = 0; k < (per_channel ? 3 : 12); ++k) {
    const auto one = make_neuron(one_of(config, *neuron, k), {per_channel ? 4 : 1});
    one->to(torch::kDouble);
    {
      torch::NoGradGuard no_grad;
      const auto from = neuron->parameters(), to = one->parameters();
      for (size_t i = 0; i < to.size(); ++i) Tensor(to[i]).copy_(from[i].flatten()[from[i].dim() ? k : 0]);
    }
    const auto record = run_all(*one, part(I, k, per_channel), {}, kU | kPsi);
    const std::string which = std::to_string(k);
    expect_near(part(output_of(*all), k, per_channel), output_of(*record), "output " + which);
    expect_near(part(all->u, k, per_channel), record->u, "u " + which);
    expect_near(part(all->psi, k, per_channel), record->psi, "psi " + which);
    for (size_t i = 0; i < record->state.size(); ++i)
      expect_near(part(all->state[i], k, per_channel), record->state[i], "state " + which);
    const Credit want = one->vjp(*record, part(delta, k, per_channel), {});
    expect_near(part(credit.g, k, per_channel), want.g, "g " + which);
    for (size_t i = 0; i < want.g_before.size(); ++i)
      expect_near(part(credit.g_before[i], k, per_channel), want.g_before[i], "g_before " + which);
    for (size_t i = 0; i < want.g_params.size(); ++i) {
      if (credit.g_params[i].dim() > 0)
        expect_near(credit.g_params[i].flatten()[k], want.g_params[i].squeeze(), "g_params " + which);
    }
  }
}

TEST(HeterogeneousNeuron, LifIsOneNeuronPerCoefficient) {
  for (const char* per : {"channel", "neuron"}) {
    for (Config config : lif_resets()) {
      config["per"] = per;
      for (const bool learn : {false, true}) {
        config["learn_leak"] = learn;
        config["decay_input"] = learn;
        check(config);
      }
    }
  }
}

TEST(HeterogeneousNeuron, OthersAreOneNeuronPerCoefficient) {
  for (const char* per : {"channel", "neuron"}) {
    for (const char* reset : {"soft_decayed", "hard", "none"}) {
      check({{"name", "if"}, {"per", per}, {"reset", reset}});
      check({{"name", "klif"}, {"per", per}, {"reset", reset}});
      check({{"name", "liaf"}, {"per", per}, {"reset", reset}, {"threshold_related", true}});
    }
    for (const char* reset : {"soft", "hard_input"})
      check({{"name", "cuba_lif"}, {"per", per}, {"reset", reset}, {"decay_input", true}});
    check({{"name", "leaky_readout"}, {"per", per}});
  }
}

TEST(HeterogeneousNeuron, StartsAtItsOptions) {
  torch::manual_seed(2);
  const Tensor I = torch::randn({12, 2, 3, 2, 2}) + 0.4;
  for (Config config : lif_resets()) {
    const Tensor want = run_all(*make_neuron(config, kShape), I)->s;
    for (const char* per : {"channel", "neuron"}) {
      config["per"] = per;
      EXPECT_TRUE(torch::equal(run_all(*make_neuron(config, kShape), I)->s, want)) << config.dump();
    }
  }
}

TEST(HeterogeneousNeuron, NamesAndShapesOfItsTensors) {
  const auto names = [](const Neuron& neuron) {
    std::map<std::string, std::vector<int64_t>> found;
    for (const auto& item : neuron.named_buffers()) found[item.key()] = item.value().sizes().vec();
    for (const auto& item : neuron.named_parameters()) found[item.key()] = item.value().sizes().vec();
    return found;
  };
  using Names = std::map<std::string, std::vector<int64_t>>;
  const Shape all = kShape, channel = {3, 1, 1};
  EXPECT_EQ(names(*make_neuron({{"name", "lif"}}, kShape)), Names());
  EXPECT_EQ(names(*make_neuron({{"name", "lif"}, {"per", "neuron"}, {"reset", "hard"}}, kShape)),
            (Names{{"leak", all}, {"gain", all}, {"v_rest", all}, {"threshold", all}, {"v_reset", all}}));
  EXPECT_EQ(names(*make_neuron({{"name", "lif"}, {"per", "channel"}, {"learn_leak", true}}, kShape)),
            (Names{{"w", channel}, {"gain", channel}, {"v_rest", channel}, {"threshold", channel}}));
  EXPECT_EQ(names(*make_neuron({{"name", "if"}, {"per", "channel"}}, kShape)),
            (Names{{"gain", channel}, {"threshold", channel}}));
  EXPECT_EQ(names(*make_neuron({{"name", "leaky_readout"}, {"per", "channel"}}, {7})),
            (Names{{"leak", {7}}, {"gain", {7}}, {"v_rest", {7}}}));
}

TEST(HeterogeneousNeuron, SetCoefficientSaysWhatThereIs) {
  const auto neuron = make_neuron({{"name", "lif"}, {"per", "channel"}}, kShape);
  set_coefficient(*neuron, "leak", torch::tensor({0.25F, 0.5F, 0.75F}).view({3, 1, 1}));
  EXPECT_EQ(neuron->named_buffers()["leak"].flatten()[2].item<float>(), 0.75F);
  set_coefficient(*neuron, "threshold", torch::scalar_tensor(2.0));
  EXPECT_TRUE((neuron->named_buffers()["threshold"] == 2).all().item<bool>());
  try {
    set_coefficient(*neuron, "lek", torch::ones({}));
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("leak"), std::string::npos) << error.what();
  }
  EXPECT_THROW(set_coefficient(*neuron, "leak", torch::ones({2, 1, 1})), UsageError);
  EXPECT_THROW(set_coefficient(*make_neuron({{"name", "lif"}}), "leak", torch::ones({})), UsageError);
}

TEST(HeterogeneousNeuron, StateBeginsAtEachRest) {
  const auto neuron = make_neuron({{"name", "lif"}, {"per", "channel"}}, kShape);
  set_coefficient(*neuron, "v_rest", torch::tensor({0.0F, 0.25F, -0.5F}).view({3, 1, 1}));
  const Tensor v = neuron->initial({2, 3, 2, 2}, torch::kFloat)[0];
  EXPECT_TRUE(v.is_contiguous());
  EXPECT_TRUE((v.select(1, 2) == -0.5).all().item<bool>());
  const auto integrator =
      make_neuron({{"name", "if"}, {"per", "neuron"}, {"reset", "hard"}, {"v_reset", -1.0}}, {2});
  EXPECT_TRUE((integrator->initial({4, 2}, torch::kFloat)[0] == -1).all().item<bool>());
}

TEST(HeterogeneousNeuron, SurrogateInUnitsOfTheThresholdIsRefused) {
  for (const char* name : {"single_exponential", "slayer"})
    EXPECT_THROW(make_neuron({{"name", "lif"}, {"per", "channel"}, {"surrogate", name}}), UsageError) << name;
}

TEST(LifCore, FusedScanRefusesAResetItHasNot) {
  LifCore core;
  core.reset = "hard_input";
  torch::nn::Module owner;
  core.build(owner, {1});
  EXPECT_THROW(core.kernel_params(), UsageError);
}

}  // namespace spiketrain::heterogeneous_neuron_test
