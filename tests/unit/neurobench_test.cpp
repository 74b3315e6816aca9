// NeuroBench's metrics on networks counted by hand.
#include "spiketrain/cost/neurobench.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/recipe/experiment.h"
#include "tests/support/message.h"

namespace spiketrain::neurobench_test {

/// Frames in, classes out.
Learner learner_of(const Config& network, const Config& neuron, const Shape& input, int64_t classes,
                   int64_t steps, const Config& readout = nullptr) {
  Config config = {{"steps", steps},
                   {"network", network},
                   {"neuron", neuron},
                   {"rule", {{"name", "bptt"}}},
                   {"objective", {{"name", "rate_ce"}}}};
  if (!readout.is_null()) config["readout"] = readout;
  const Recipe recipe = make_recipe(config);
  LearnerParts parts;
  parts.network = make_network(recipe, input, {classes});
  parts.method = make_method(recipe, *parts.network);
  parts.objective = make<Objective>(recipe.objective);
  parts.steps = steps;
  return Learner(parts);
}

void set_weights(const Learner& learner, const std::vector<Tensor>& weights) {
  const torch::NoGradGuard no_grad;
  size_t k = 0;
  for (const auto& item : learner.network().named_parameters()) {
    ASSERT_LT(k, weights.size()) << item.key();
    Tensor(item.value()).copy_(weights[k++].view(item.value().sizes()));
  }
  ASSERT_EQ(k, weights.size());
}

Batch frames(const Tensor& x) {
  Batch batch;
  batch.form = Batch::Form::frames;
  batch.x = x;
  batch.target.y = torch::zeros({x.size(1)}, torch::kLong);
  return batch;
}

const Config kIf = {{"name", "if"}, {"threshold", 1.0}, {"reset", "none"}, {"strict", true}};

// Two inputs, two neurons.  W = [[1, 0], [0.25, 0.5]]; the third weight of four that is not zero makes 3 products.
TEST(NeuroBenchByHand, OneLayer) {
  const Learner learner = learner_of({{"name", "spec"}, {"spec", "2"}}, kIf, {2}, 2, 3);
  set_weights(learner, {torch::tensor({1.0F, 0.0F, 0.25F, 0.5F})});
  // Steps: both inputs; none; the first only, as 2.
  const Tensor x = torch::tensor({1.0F, 1.0F, 0.0F, 0.0F, 2.0F, 0.0F}).view({3, 1, 2});
  const NeuroBench n = neurobench(learner, {frames(x)});
  EXPECT_EQ(n.parameter_count, 4);
  EXPECT_EQ(n.footprint, 16);
  EXPECT_EQ(n.connection_sparsity, 0.25);
  EXPECT_EQ(n.dense, 12);
  ASSERT_TRUE(n.activity);
  EXPECT_EQ(n.activity->samples, 1);
  EXPECT_EQ(n.activity->effective_acs, 3);   // step 1; step 2 has none, but counts as accumulates, too
  EXPECT_EQ(n.activity->effective_macs, 2);  // step 3: an input of 2 makes it products
  // u: (1, 0.75), (1, 0.75), (3, 1.25); spikes above 1: none, none, both.
  EXPECT_EQ(n.activity->activation_sparsity, 1 - 2.0 / 6);
  ASSERT_TRUE(n.activity->membrane_updates);
  EXPECT_EQ(*n.activity->membrane_updates, 2 + 0 + 2);
}

// The decision between AC and MAC is one of the whole batch at a step; sparsity is weighed by the size of the batch.
TEST(NeuroBenchByHand, BatchesDecideTogether) {
  const Learner learner = learner_of({{"name", "spec"}, {"spec", "2"}}, kIf, {2}, 2, 1);
  set_weights(learner, {torch::tensor({2.0F, 0.0F, 0.25F, 0.5F})});
  const Tensor spikes = torch::tensor({1.0F, 0.0F}).view({1, 1, 2}),
               real = torch::tensor({0.5F, 0.0F}).view({1, 1, 2});
  const Batch both = frames(torch::cat({spikes, real}, 1));
  const NeuroBench together = neurobench(learner, {both}),
                   apart = neurobench(learner, {frames(spikes), frames(real)});
  EXPECT_EQ(together.activity->effective_macs, 2);  // (2 + 2) / 2 samples
  EXPECT_EQ(together.activity->effective_acs, 0);
  EXPECT_EQ(apart.activity->effective_macs, 1);
  EXPECT_EQ(apart.activity->effective_acs, 1);
  const NeuroBench uneven = neurobench(learner, {both, frames(real)});
  // Spikes: u = (2, 0.25) fires once of two; (1, 0.125) not.  Batches: 1 - 1/4 of two samples, 1 of one.
  EXPECT_DOUBLE_EQ(uneven.activity->activation_sparsity, (2 * 0.75 + 1) / 3);
  EXPECT_EQ(uneven.activity->samples, 3);
}

// A kernel of 3 on 3 x 3 with padding 1: 49 products of 81 lie in the image.
TEST(NeuroBenchByHand, PaddingIsNoOperation) {
  const Learner learner = learner_of({{"name", "spec"}, {"spec", "1C3p1-2"}},
                                     {{"name", "if"}, {"threshold", 100.0}}, {1, 3, 3}, 2, 2);
  set_weights(learner, {torch::ones({9}), torch::zeros({18})});
  Tensor x = torch::zeros({2, 1, 1, 3, 3});
  x[0][0][0][0][0] = 1;  // a corner meets 4 of the kernel's places
  x[1][0][0][1][1] = 1;  // the middle all 9
  const NeuroBench n = neurobench(learner, {frames(x)});
  EXPECT_EQ(n.dense, 2 * (49 + 18));
  EXPECT_EQ(n.activity->effective_acs, 4 + 9);  // the second layer reads no spike
  EXPECT_EQ(n.activity->effective_macs, 0);
  EXPECT_DOUBLE_EQ(*n.connection_sparsity, 18.0 / 27);
  EXPECT_EQ(n.activity->activation_sparsity, 1);
}

TEST(NeuroBenchByHand, AveragesAreMultipliedAndReadoutsCount) {
  const Learner learner = learner_of({{"name", "spec"}, {"spec", "1C1-AP2-2"}}, kIf, {1, 2, 2}, 2, 1,
                                     {{"name", "leaky_readout"}, {"leak", 0.5}});
  set_weights(learner, {torch::full({1}, 2.0F), torch::tensor({1.0F, 0.0F})});
  Tensor x = torch::zeros({1, 1, 1, 2, 2});
  x[0][0][0][0][1] = 1;
  const NeuroBench n = neurobench(learner, {frames(x)});
  EXPECT_EQ(n.dense, 4 + 2);
  EXPECT_EQ(n.activity->effective_acs, 1);
  EXPECT_EQ(n.activity->effective_macs, 1);  // a quarter, times the weight that is not zero
  EXPECT_DOUBLE_EQ(n.activity->activation_sparsity,
                   1 - (1 + 1) / 6.0);  // one spike, one output that is not zero
  EXPECT_EQ(*n.activity->membrane_updates, 4 + 2);
}

/// A soft reset in the same step: the membrane after the step is what counts.
TEST(NeuroBenchByHand, UpdatesAreOfTheMembraneAfterReset) {
  const Config neuron = {{"name", "if"}, {"threshold", 1.0}, {"reset", "soft_decayed"}, {"strict", false}};
  const Learner learner = learner_of({{"name", "spec"}, {"spec", "1x(2)"}}, neuron, {2}, 2, 4);
  set_weights(learner, {torch::tensor({1.0F, 0.0F, 0.0F, 0.5F})});
  const Tensor x = torch::ones({4, 1, 2});
  // Neuron 0: u = 1, fires, 0 again: never another.  Neuron 1: 0.5, 0 (fires), 0.5, 0: always another.
  const NeuroBench n = neurobench(learner, {frames(x)});
  EXPECT_EQ(n.activity->activation_sparsity, 1 - 6.0 / 8);
  EXPECT_EQ(*n.activity->membrane_updates, 2 + 3);
}

TEST(NeuroBenchByHand, PaddingInTimeDoesNotCount) {
  const Learner learner = learner_of({{"name", "spec"}, {"spec", "2"}}, kIf, {2}, 2, 3);
  set_weights(learner, {torch::ones({4})});
  Batch batch = frames(torch::ones({3, 2, 2}));
  batch.lengths = torch::tensor({1, 3}, torch::kLong);
  const NeuroBench n = neurobench(learner, {batch});
  EXPECT_EQ(n.dense, 4 * (1 + 3) / 2.0);
  EXPECT_EQ(n.activity->effective_acs, 4 * (1 + 3) / 2.0);
  EXPECT_EQ(n.activity->activation_sparsity, 0);
  EXPECT_EQ(*n.activity->membrane_updates, (4 + 2 * 2) / 2.0);
}

TEST(NeuroBenchByHand, WithoutSamplesOnlyWhatIsThere) {
  const Learner learner = learner_of({{"name", "spec"}, {"spec", "2"}}, kIf, {2}, 2, 3);
  const Config json = to_json(neurobench(learner.network(), 3));
  EXPECT_EQ(json["synaptic_operations"]["Dense"], 12);
  EXPECT_FALSE(json.contains("activation_sparsity"));
  EXPECT_FALSE(json["synaptic_operations"].contains("Effective_ACs"));
  EXPECT_NE(message_of<UsageError>([&] { neurobench(learner, {}); }).find("at least one sample"),
            std::string::npos);
}

/// Of connections with delays the weights count, not their places at the taps.
TEST(NeuroBenchByHand, ADelayedWeightIsOneWeight) {
  const Learner learner =
      learner_of({{"name", "spec"}, {"spec", "3-2"}, {"longest_delay", 3}}, kIf, {2}, 2, 4);
  set_weights(learner,
              {torch::tensor({1.0F, 0.0F, 0.25F, 0.5F, 0.5F, 0.5F}), torch::zeros({6}), torch::ones({6})});
  Tensor x = torch::zeros({4, 1, 2});
  x[0][0][0] = 1;
  const NeuroBench n = neurobench(learner, {frames(x)});
  EXPECT_EQ(n.parameter_count, 18) << "delays are parameters, too";
  EXPECT_EQ(n.connection_sparsity, 1.0 / 12);
  EXPECT_EQ(n.dense, 4 * (6 + 6));
  EXPECT_EQ(n.activity->effective_acs, 3) << "a spike meets each of its weights once";
  EXPECT_EQ(n.activity->effective_macs, 0);
}

/// Heads are not deployed.
TEST(NeuroBenchByHand, HeadsCountNowhere) {
  const Config plain = {{"steps", 2},
                        {"network", {{"name", "spec"}, {"spec", "5-4-3"}}},
                        {"neuron", kIf},
                        {"rule", {{"name", "bptt"}}},
                        {"objective", {{"name", "rate_ce"}}}};
  Config blocks = plain;
  blocks["blocks"] = {{"size", 1}};
  const auto network = [](const Config& config) { return make_network(make_recipe(config), {6}, {3}); };
  const auto whole = network(plain), cut = network(blocks);
  ASSERT_GT(cut->parameter_count(), whole->parameter_count());
  for (const auto& made : {whole, cut}) {
    const NeuroBench n = neurobench(*made, 2);
    EXPECT_EQ(n.parameter_count, 6 * 5 + 5 * 4 + 4 * 3);
    EXPECT_EQ(n.footprint, 4 * (6 * 5 + 5 * 4 + 4 * 3));
    EXPECT_EQ(n.dense, 2 * (6 * 5 + 5 * 4 + 4 * 3));
  }
}

TEST(NeuroBenchByHand, EventDrivenLayersAreRefused) {
  const Recipe recipe = load_recipe(std::string(ST_SOURCE_DIR) + "/recipes/event-glyphs.toml");
  LearnerParts parts;
  parts.network = make_network(recipe, {1, 28, 28}, {10});
  parts.method = make_method(recipe, *parts.network);
  parts.objective = make<Objective>(recipe.objective);
  parts.steps = recipe.steps;
  const Learner learner(parts);
  EXPECT_NE(message_of<UsageError>([&] { neurobench(learner, {}); }).find("does not run step by step"),
            std::string::npos);
  const Config json = to_json(neurobench(*parts.network, parts.steps));
  EXPECT_GT(json["parameter_count"].get<int64_t>(), 0);
  EXPECT_FALSE(json.contains("connection_sparsity")) << json;
  EXPECT_FALSE(json.contains("synaptic_operations")) << json;
}

}  // namespace spiketrain::neurobench_test
