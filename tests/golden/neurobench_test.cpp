// The metrics of NeuroBench against its own code, on an snnTorch network (tools/neurobench_record.py).
#include "spiketrain/cost/neurobench.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/file.h"
#include "spiketrain/recipe/experiment.h"

namespace spiketrain::neurobench_golden_test {

Config record() {
  const Bytes bytes = read_file(std::string(ST_SOURCE_DIR) + "/golden/neurobench/snntorch_conv.json");
  return Config::parse(bytes.begin(), bytes.end());
}

/// snnTorch's Leaky: fires above the threshold, and is reset in the next step.
Recipe recipe_of(const Config& r) {
  return make_recipe({{"steps", r["steps"]},
                      {"network", {{"name", "spec"}, {"spec", r["spec"]}}},
                      {"neuron",
                       {{"name", "lif"},
                        {"leak", r["leak"]},
                        {"threshold", 1.0},
                        {"strict", true},
                        {"reset", "soft"},
                        {"reset_delay", true}}},
                      {"rule", {{"name", "bptt"}}},
                      {"objective", {{"name", "rate_ce"}}}});
}

Learner learner_of(const Config& r) {
  const torch::NoGradGuard no_grad;
  const Recipe recipe = recipe_of(r);
  LearnerParts parts;
  parts.network = make_network(recipe, r["input"].get<Shape>(), {5});
  parts.method = make_method(recipe, *parts.network);
  parts.objective = make<Objective>(recipe.objective);
  parts.steps = recipe.steps;
  size_t k = 0;
  for (const auto& item : parts.network->named_parameters()) {
    const Tensor W = torch::tensor(r["weights"].at(k++).get<std::vector<double>>(), torch::kFloat) /
                     r["unit"].get<double>();
    Tensor(item.value()).copy_(W.view(item.value().sizes()));
  }
  EXPECT_EQ(k, r["weights"].size());
  return Learner(parts);
}

std::vector<Batch> batches_of(const Config& r) {
  std::vector<Batch> batches;
  for (const Config& given : r["batches"]) {
    const auto spikes = given["spikes"].get<std::string>();
    std::vector<int64_t> sizes = {r["steps"], given["size"]};
    for (const int64_t n : r["input"].get<Shape>()) sizes.push_back(n);
    Batch batch;
    batch.form = Batch::Form::frames;
    batch.x = torch::empty({static_cast<int64_t>(spikes.size())});
    for (size_t i = 0; i < spikes.size(); ++i)
      batch.x.data_ptr<float>()[i] = static_cast<float>(spikes[i] - '0');
    batch.x = batch.x.view(sizes);
    batch.target.y = torch::zeros({sizes[1]}, torch::kLong);
    batches.push_back(batch);
  }
  return batches;
}

TEST(NeuroBenchGolden, EqualsItsOwnCode) {
  const Config r = record(), metrics = r["metrics"], operations = metrics["SynapticOperations"];
  const Learner learner = learner_of(r);
  const NeuroBench ours = neurobench(learner, batches_of(r));
  EXPECT_EQ(ours.parameter_count, metrics["ParameterCount"].get<int64_t>());
  EXPECT_EQ(std::round(1e4 * *ours.connection_sparsity) / 1e4, metrics["ConnectionSparsity"].get<double>());
  EXPECT_EQ(ours.dense, operations["Dense"].get<double>());
  ASSERT_TRUE(ours.activity);
  EXPECT_EQ(ours.activity->samples, 5);
  EXPECT_NEAR(ours.activity->activation_sparsity, metrics["ActivationSparsity"].get<double>(), 1e-12);
  EXPECT_EQ(ours.activity->effective_acs, operations["Effective_ACs"].get<double>());
  EXPECT_EQ(ours.activity->effective_macs, operations["Effective_MACs"].get<double>());
  ASSERT_TRUE(ours.activity->membrane_updates);
  EXPECT_EQ(*ours.activity->membrane_updates, metrics["MembraneUpdates"].get<double>());
}

/// snnTorch keeps constants and membranes in buffers, which ours are not.
TEST(NeuroBenchGolden, FootprintDiffersByBuffersOnly) {
  const Config r = record();
  const NeuroBench ours = neurobench(learner_of(r).network(), r["steps"]);
  int64_t others = 0;
  for (const auto& item : r["other_bytes"].items()) others += item.value().get<int64_t>();
  EXPECT_EQ(ours.footprint, r["weight_bytes"].get<int64_t>());
  EXPECT_EQ(ours.footprint + others, r["metrics"]["Footprint"].get<int64_t>());
}

}  // namespace spiketrain::neurobench_golden_test
