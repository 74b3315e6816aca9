// A network that was trained, exported as NIR and imported again sends the same spikes; an imported one learns.
#include <gtest/gtest.h>

#include "spiketrain/nir/export.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/nir/import.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/run_training.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"
#include "tests/support/network_fixture.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::nir_train_test {

const char* kCommon =
    "seed = 2\nsteps = 6\nepochs = 2\n[data]\nname = \"glyphs\"\ntrain_size = 600\ntest_size = 100\n[optimizer]\nname = \"adamw\"\nlr = "
    "0.005\n[rule]\nname = \"bptt\"\n[objective]\nname = \"rate_ce\"\n";

Experiment experiment_of(const std::string& network) {
  const Recipe recipe = parse_recipe(std::string(kCommon) + network);
  return build_experiment(recipe, open_datasets(recipe, ""), torch::kCPU);
}

double accuracy(const Experiment& experiment) {
  return evaluate(experiment.training, *experiment.training.data.test, 50).at("accuracy");
}

void train(Experiment& experiment) { run_training(experiment, nullptr, {}); }

TEST(NirTrain, ATrainedNetworkIsTheSameAfterExportAndImport) {
  TempDir dir;
  for (const char* neuron :
       {"name = \"lif\"\nleak = 0.8\nreset = \"hard\"\n", "name = \"lif\"\nleak = 0.7\nreset = \"soft\"\n",
        "name = \"cuba_lif\"\nleak = 0.8\ndecay_input = true\n"}) {
    SCOPED_TRACE(neuron);
    Experiment experiment = experiment_of(
        std::string("[network]\nname = \"spec\"\nspec = \"6C5-AP2-30-10\"\n[neuron]\n") + neuron);
    train(experiment);
    write_nir(dir / "net.nir", to_nir(experiment.training.network()).graph);
    const NirImport back = network_from_nir(read_nir(dir / "net.nir"));
    torch::manual_seed(1);
    const Tensor image = torch::rand({1, 20, 1, 28, 28});
    const Signal x = Signal::dense(image.expand({12, 20, 1, 28, 28}).contiguous());
    const Tensor a = spiketrain::evaluate(experiment.training.network(), x),
                 b = spiketrain::evaluate(*back.network, x);
    EXPECT_GT(a.sum().item<double>(), 0);
    EXPECT_TRUE(torch::equal(a, b)) << (a - b).abs().sum().item<double>() << " of " << a.sum().item<double>();

    save_weights(dir / "w.safetensors", *back.network, {}, {});
    const std::string saved = "[network]\nname = \"saved\"\nfile = \"" + (dir / "w.safetensors") + "\"\n";
    Experiment imported = experiment_of(saved);
    const double before = accuracy(imported);
    EXPECT_NEAR(before, accuracy(experiment), 1e-9);
    train(imported);
    EXPECT_GE(accuracy(imported), before - 0.05);
  }
}

}  // namespace spiketrain::nir_train_test
