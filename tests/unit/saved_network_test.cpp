// network saved: a network of a file of weights, to go on from.
#include "spiketrain/recipe/saved_network.h"

#include "spiketrain/recipe/experiment.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tensors.h"

namespace spiketrain::saved_network_test {

Recipe recipe(const std::string& file, const std::string& more = "") {
  return parse_recipe(
      "steps = 3\n" + more +
      "[data]\nname = \"glyphs\"\ntrain_size = 20\ntest_size = 10\n[network]\nname = \"saved\"\nfile = \"" +
      file + "\"\n[rule]\nname = \"bptt\"\n[objective]\nname = \"rate_ce\"\n");
}

std::shared_ptr<Network> written(const std::string& file, const Shape& input) {
  const auto network = make_spec("20-15-10", make_context({{"name", "lif"}, {"leak", 0.7}}, input, 10));
  network->initialise(5);
  save_weights(file, *network, {}, {});
  return network;
}

TEST(SavedNetwork, BeginsWithTheWeightsOfTheFile) {
  TempDir dir;
  const auto network = written(dir / "w.safetensors", {784});  // the data are 1 x 28 x 28
  const Recipe r = recipe(dir / "w.safetensors");
  const Experiment experiment = build_experiment(r, open_datasets(r, ""), torch::kCPU);
  EXPECT_TRUE(same_tensors(network_tensors(experiment.training.network()), network_tensors(*network)));
  EXPECT_EQ(experiment.training.network().input_shape(), (Shape{1, 28, 28}));
  EXPECT_TRUE(experiment.training.caveats.empty());
  const Recipe other = recipe(dir / "w.safetensors", "neuron = {name = \"lif\", leak = 0.1}\n");
  const Experiment idle = build_experiment(other, open_datasets(other, ""), torch::kCPU);
  ASSERT_EQ(idle.training.caveats.size(), 1U);
  EXPECT_NE(idle.training.caveats[0].find("neurons of its own"), std::string::npos);
}

TEST(SavedNetwork, IsCutAndGetsHeads) {
  TempDir dir;
  const auto network = written(dir / "w.safetensors", {1, 28, 28});
  const Recipe r = recipe(dir / "w.safetensors", "blocks = {size = 1}\n");
  const Experiment experiment = build_experiment(r, open_datasets(r, ""), torch::kCPU);
  EXPECT_EQ(experiment.training.network().blocks(), 2);
  EXPECT_TRUE(experiment.training.network().has_head(0));
  for (const auto& [name, value] : network_tensors(*network))
    EXPECT_TRUE(torch::equal(experiment.training.network().named_parameters()[name], value)) << name;
}

TEST(SavedNetwork, RefusesWhatDoesNotFit) {
  TempDir dir;
  written(dir / "w.safetensors", {30});
  const Recipe r = recipe(dir / "w.safetensors");
  EXPECT_NE(message_of<UsageError>([&] {
              build_experiment(r, open_datasets(r, ""), torch::kCPU);
            }).find("expects an input of [30]"),
            std::string::npos);
  const Recipe missing = recipe(dir / "none.safetensors");
  EXPECT_THROW(build_experiment(missing, open_datasets(missing, ""), torch::kCPU), DataError);
  const Recipe nothing = recipe("");
  EXPECT_NE(message_of<UsageError>([&] {
              build_experiment(nothing, open_datasets(nothing, ""), torch::kCPU);
            }).find("expected file"),
            std::string::npos);
}

}  // namespace spiketrain::saved_network_test
