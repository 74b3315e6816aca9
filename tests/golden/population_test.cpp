// Losses and accuracy of a population code against snnTorch, and the leaky neuron of its fork for the IPU.
#include <gtest/gtest.h>

#include "spiketrain/core/objective.h"
#include "spiketrain/core/stage.h"
#include "tests/support/golden_record.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::population_golden_test {

GoldenRecord record(const std::string& name) {
  return GoldenRecord(std::string(ST_SOURCE_DIR) + "/golden/related/" + name + ".safetensors");
}

/// Loss behind POP4 and its gradient by the spikes.
void check_loss(const GoldenRecord& r, const Config& options, const std::string& name) {
  const auto stage = make<Stage>("population", {{"size", 4}});
  ASSERT_EQ(stage->build({{12}}), Shape{3});
  const Tensor spikes = r.at("spikes").clone().requires_grad_();
  Context context;
  Carry carry;
  const Signal sums = stage->forward({Signal::dense(spikes)}, context, carry);
  const auto objective = make<Objective>(options);
  objective->prepare({{3}, 5});
  const Target target = {Target::Kind::class_index, r.at("label")};
  const Output out = {sums, {0, 5}, 5};
  const Tensor loss = objective->loss(out, target);
  expect_golden(loss, r.at("loss_" + name), name);
  expect_golden(torch::autograd::grad({loss}, {spikes})[0], r.at("grad_" + name), "gradient of " + name);
  const auto accuracy = make<Metric>("accuracy");
  const Tensor right = accuracy->sums(objective->prediction(objective->evidence(out), {}), target, {});
  EXPECT_NEAR((right[0] / right[1]).item<double>(), r.at("accuracy").item<double>(), 1e-12) << name;
}

TEST(PopulationGolden, CountLossesAndAccuracy) {
  const GoldenRecord r = record("population_loss");
  check_loss(r, {{"name", "rate_ce"}, {"scale", 5.0}}, "ce_count");
  // In the record's unit, spikes of a class a step: 0.8 and 0.2 of the 4 neurons.
  check_loss(r, {{"name", "mse_count"}, {"correct_rate", 3.2}, {"incorrect_rate", 0.8}}, "mse_count");
}

TEST(PopulationGolden, LeakyNeuronOfTheFork) {
  for (const bool hidden : {true, false}) {
    const GoldenRecord r = record(hidden ? "ipu_leaky_hidden" : "ipu_leaky_explicit");
    const auto neuron = make_neuron({{"name", "lif"},
                                     {"leak", 0.9},
                                     {"reset", hidden ? "soft" : "soft_decayed"},
                                     {"reset_delay", true},
                                     {"surrogate", "fast_sigmoid"},
                                     {"surrogate_scale", 1.0}},
                                    {5});
    const auto run = run_all(*neuron, r.at("x"), {}, kU);
    EXPECT_TRUE(torch::equal(output_of(*run), r.at("spikes"))) << hidden;
    expect_golden(run->u, r.at("membrane"), "membrane");
    expect_golden(neuron->vjp(*run, r.at("grad_out"), {}).g, r.at("grad_x"), "gradient");
  }
}

}  // namespace spiketrain::population_golden_test
