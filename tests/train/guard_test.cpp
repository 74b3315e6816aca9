// What a run must not lose, overwrite or hide: other people's folders, finished runs, broken weights.
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "spiketrain/base/file.h"
#include "spiketrain/train/probe.h"
#include "tests/support/blocks.h"
#include "tests/support/temp_dir.h"

namespace spiketrain {
namespace {

namespace fs = std::filesystem;

void write(const std::string& path, const std::string& text) { write_file_atomic(path, text); }

bool train(const std::string& path, const std::vector<std::string>& sets, bool resume,
           const Datasets& data = tiny_data()) {
  Experiment experiment = build_experiment(tiny_recipe(sets), data);
  RunDir dir(path, resume);
  dir.write_config(resolve(experiment.recipe));
  TrainerOptions options;
  options.run_dir = &dir;
  Trainer trainer(experiment, options);
  if (resume) trainer.resume();
  return trainer.run();
}

TEST(Guard, ResumeLeavesAFolderAloneThatIsNoRun) {
  TempDir dir;
  fs::create_directories(dir / "mine");
  write(dir / "mine/notes.tmp.txt", "mine");
  write(dir / "mine/config.toml", "a = 1\n");
  EXPECT_THROW(RunDir(dir / "mine", true), UsageError);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "mine"), {}), 2);
}

TEST(Guard, OnlyFilesOfAKilledWriterAreRemoved) {
  TempDir dir;
  { RunDir(dir / "run", false).write_config(Config::object()); }
  write(dir / "run/notes.tmp.txt", "mine");
  write(dir / "run/config.toml.tmp.123.0", "half");
  write(dir / "run/ckpt/0000000005.safetensors.tmp.77.12", "half");
  RunDir again(dir / "run", true);
  EXPECT_TRUE(file_exists(dir / "run/notes.tmp.txt"));
  EXPECT_FALSE(file_exists(dir / "run/config.toml.tmp.123.0"));
  EXPECT_FALSE(file_exists(dir / "run/ckpt/0000000005.safetensors.tmp.77.12"));
}

TEST(Guard, ResumeDoesNotStartAFinishedRunOver) {
  TempDir dir;
  EXPECT_TRUE(train(dir / "run", {}, false));
  for (const std::string& path : list_checkpoints(dir / "run/ckpt")) fs::remove(path);
  EXPECT_THROW(train(dir / "run", {}, true), UsageError);
  EXPECT_TRUE(run_is_done(dir / "run"));
  // Nor one that had more epochs behind it than lie between two checkpoints.
  fs::remove(dir / "run/DONE");
  EXPECT_THROW(train(dir / "run", {}, true), UsageError);
  EXPECT_GT(file_size(dir / "run/metrics.jsonl"), 0U);
}

TEST(Guard, ResumeWithoutACheckpointComparesTheRecipe) {
  TempDir dir;
  { RunDir(dir / "run", false).write_config(resolve(tiny_recipe())); }
  Experiment other = build_experiment(tiny_recipe({"seed=7"}), tiny_data());
  RunDir run(dir / "run", true);
  TrainerOptions options;
  options.run_dir = &run;
  EXPECT_THROW(Trainer(other, options).resume(), UsageError);
}

/// One sample is infinite.
class BrokenDataset : public TinyDataset {
 public:
  BrokenDataset() : TinyDataset(16, 3) {}
  void get(int64_t index, int64_t epoch, float* out) const override {
    TinyDataset::get(index, epoch, out);
    if (index == 5) out[0] = std::numeric_limits<float>::infinity();
  }
};

TEST(Guard, ALossOfEvaluationThatIsNotFiniteStopsTheRun) {
  TempDir dir;
  Datasets data = tiny_data();
  data.test = std::make_shared<BrokenDataset>();
  EXPECT_THROW(train(dir / "run", lif_sets({"network.spec=\"4\""}), false, data), NumericError);
  EXPECT_TRUE(file_exists(dir / "run/nan_dump.safetensors"));
  EXPECT_FALSE(run_is_done(dir / "run"));
  EXPECT_FALSE(file_exists(dir / "run/ckpt/best.safetensors"));
}

TEST(Guard, ASkippedBatchLeavesNoTraceInTheStatisticsOfANorm) {
  Datasets data = tiny_data();
  data.train = std::make_shared<BrokenDataset>();
  Experiment e = build_experiment(
      tiny_recipe({"network.norm=bn", "train.on_nan=skip", "optimizer={name=\"sgd\", lr=0.01}"}), data);
  Recorder recorder;
  TrainerOptions options;
  options.observer = &recorder;
  EXPECT_TRUE(Trainer(e, options).run());
  EXPECT_EQ(recorder.epochs[0].skipped, 1);
  for (const Tensor& buffer : e.network->buffers()) EXPECT_TRUE(torch::isfinite(buffer).all().item<bool>());
}

TEST(Probe, TheCosineOfFullBpttIsOneAndThatOfOtherMethodsIsNot) {
  const auto cosines = [](const std::vector<std::string>& more) {
    const Experiment e = build_experiment(tiny_recipe(lif_sets(more)), tiny_data());
    e.network->train();
    const NamedTensors before = copy_of(network_tensors(*e.network));
    const auto list = gradient_cosines(e, 16);
    EXPECT_TRUE(same_tensors(before, network_tensors(*e.network)));
    EXPECT_TRUE(gradients(*e.network).empty());
    return list;
  };
  for (const LayerCosine& layer : cosines({})) EXPECT_NEAR(layer.cosine, 1, 1e-6) << layer.spec;
  EXPECT_LT(cosines({"schedule={name=\"truncated\", window=1}"})[0].cosine, 0.9999);
  EXPECT_LT(cosines({"blocks.size=1"})[0].cosine, 0.99);
  const auto tssl = cosines({"neuron={name=\"psp_lif\"}", "readout={name=\"psp_lif\"}",
                             "rule={name=\"tssl_bp\"}", "objective={name=\"kernel\"}"});
  EXPECT_LT(tssl[0].cosine, 0.9999) << "measured against BPTT, not against the rule itself";
}

}  // namespace
}  // namespace spiketrain
