// What a run must not lose, overwrite or hide: other people's folders, finished runs, broken weights.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

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

TEST(Guard, ALossOfEvaluationThatIsNotFiniteStopsTheRun) {
  TempDir dir;
  Datasets data = tiny_data();
  data.test = std::make_shared<BrokenDataset>(16, 3);
  EXPECT_THROW(train(dir / "run", lif_sets({"network.spec=\"4\""}), false, data), NumericError);
  EXPECT_TRUE(file_exists(dir / "run/nan_dump.safetensors"));
  EXPECT_FALSE(run_is_done(dir / "run"));
  EXPECT_FALSE(file_exists(dir / "run/ckpt/best.safetensors"));
}

TEST(Guard, ASkippedBatchLeavesNoTraceInTheStatisticsOfANorm) {
  Datasets data = tiny_data();
  data.train = std::make_shared<BrokenDataset>(16, 3);
  Experiment e = build_experiment(
      tiny_recipe({"network.norm=bn", "train.on_nan=skip", "optimizer={name=\"sgd\", lr=0.01}"}), data);
  Recorder recorder;
  TrainerOptions options;
  options.observer = &recorder;
  EXPECT_TRUE(Trainer(e, options).run());
  EXPECT_EQ(recorder.epochs[0].skipped, 1);
  for (const Tensor& buffer : e.network->buffers()) EXPECT_TRUE(torch::isfinite(buffer).all().item<bool>());
}

TEST(Guard, ResumeKeepsItsData) {
  TempDir dir;
  EXPECT_TRUE(train(dir / "run", {}, false));
  Datasets more = tiny_data();
  more.train = std::make_shared<TinyDataset>(44, 1);
  const std::string message = message_of<UsageError>([&] { train(dir / "run", {"epochs=3"}, true, more); });
  EXPECT_NE(message.find("the train split was 40 samples"), std::string::npos) << message;
  EXPECT_NE(message.find("is now 44 samples"), std::string::npos) << message;
  EXPECT_TRUE(run_is_done(dir / "run"));
  EXPECT_TRUE(train(dir / "run", {"epochs=3"}, true));
}

/// The class of every sample is another one.
class Relabelled : public TinyDataset {
 public:
  using TinyDataset::TinyDataset;
  int64_t label(int64_t index) const override { return (index + 1) % 4; }
};

TEST(Guard, ResumeTellsOtherLabels) {
  TempDir dir;
  EXPECT_TRUE(train(dir / "run", {}, false));
  Datasets other = tiny_data();
  other.test = std::make_shared<Relabelled>(16, 3);
  const std::string message = message_of<UsageError>([&] { train(dir / "run", {"epochs=3"}, true, other); });
  EXPECT_NE(message.find("the test split was 16 samples"), std::string::npos) << message;
}

TEST(Guard, ResumeDoesNotEndARunBeforeWhereItStands) {
  TempDir dir;
  EXPECT_TRUE(train(dir / "run", {}, false));
  const std::string message = message_of<UsageError>([&] { train(dir / "run", {"epochs=1"}, true); });
  EXPECT_NE(message.find("expected epochs >= 2, got 1"), std::string::npos) << message;
  EXPECT_TRUE(train(dir / "run", {"epochs=2"}, true));

  Experiment experiment = build_experiment(tiny_recipe(), tiny_data());
  {
    RunDir run(dir / "stopped", false);
    StopAfter observer(7);  // of five batches an epoch
    TrainerOptions options;
    options.run_dir = &run;
    options.observer = &observer;
    options.stop = &observer.stop;
    EXPECT_FALSE(Trainer(experiment, options).run());
  }
  const std::string within = message_of<UsageError>([&] { train(dir / "stopped", {"epochs=1"}, true); });
  EXPECT_NE(within.find("1 epochs and 2 batches; expected epochs >= 2"), std::string::npos) << within;
  EXPECT_FALSE(run_is_done(dir / "stopped"));
}

TEST(Guard, WeightsThatAreNotFiniteStopTheRunAndAreNotLoaded) {
  TempDir dir;
  Experiment e = build_experiment(tiny_recipe(), tiny_data());
  const NamedTensors good = copy_of(network_tensors(*e.network));
  EXPECT_EQ(first_not_finite(good), "");
  NamedTensors bad = copy_of(good);
  bad.back().second.view(-1)[0] = std::numeric_limits<float>::quiet_NaN();
  save_tensors(dir / "bad.safetensors", bad, {});
  EXPECT_EQ(first_not_finite(bad), bad.back().first);
  const std::string message = message_of<DataError>(
      [&] { load_weights(SafetensorsFile::open(dir / "bad.safetensors"), *e.network); });
  EXPECT_NE(message.find(bad.back().first), std::string::npos) << message;
  EXPECT_TRUE(same_tensors(network_tensors(*e.network), good));
  // Decay makes the weights grow until the last update of an epoch overflows; loss and gradient stay finite.
  const std::vector<std::string> sets = {"network.spec=\"4\"", "data.batch=40", "epochs=30", "train.clamp=0",
                                         "optimizer={name=\"sgd\", lr=1e6, weight_decay=1e3}"};
  const std::string numeric = message_of<NumericError>([&] { train(dir / "run", sets, false); });
  EXPECT_NE(numeric.find("NaN or infinity"), std::string::npos) << numeric;
  EXPECT_FALSE(run_is_done(dir / "run"));
}

TEST(Guard, AnEpochOfSkippedUpdatesHasNoLoss) {
  TempDir dir;
  Datasets data = tiny_data();
  data.train = std::make_shared<BrokenDataset>(40, 1);
  EXPECT_TRUE(train(dir / "run", {"train.on_nan=skip", "data.batch=40", "epochs=1"}, false, data));
  std::ifstream file(dir / "run/metrics.jsonl");
  const Config line = Config::parse(file);
  EXPECT_EQ(line.at("skipped"), 1);
  EXPECT_TRUE(line.at("train_loss").is_null());
  EXPECT_TRUE(line.at("grad_norm").is_null());
}

TEST(Evaluate, TheLossOfAMeanDoesNotDependOnTheBatch) {
  const Experiment e = build_experiment(tiny_recipe(lif_sets({})), tiny_data());
  const double whole = evaluate(e, *e.data.test, 16).loss;
  for (const int64_t batch : {1, 5, 7, 15}) EXPECT_NEAR(evaluate(e, *e.data.test, batch).loss, whole, 1e-6);
  EXPECT_THROW(evaluate(e, TinyDataset(0, 1), 16), UsageError);
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
