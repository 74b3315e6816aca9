// What a run must not lose, overwrite or hide: other people's folders, finished runs, broken weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

#include "spiketrain/base/file.h"
#include "spiketrain/train/probe.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::guard_test {

namespace fs = std::filesystem;

void write(const std::string& path, const std::string& text) { write_file_atomic(path, text); }

/// Three hidden layers and an output layer of `lif` on the tiny images, T = 6, BPTT, a loss at every step.
std::vector<std::string> deep_sets(const std::vector<std::string>& more = {}) {
  std::vector<std::string> sets = {"steps=6",
                                   "network.spec=6C3-P2-12-8-4",
                                   "neuron={name=\"lif\", leak=0.5, reset=\"soft\"}",
                                   "readout={name=\"leaky_readout\", leak=0.5}",
                                   "rule={name=\"bptt\"}",
                                   "objective={name=\"tet_ce\"}"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

bool train(const std::string& path, const std::vector<std::string>& sets, bool resume,
           const Datasets& data = tiny_data(), Observer* observer = nullptr) {
  Experiment experiment = tiny_experiment(sets, data);
  RunDir dir(path, resume);
  TrainerOptions options;
  options.run_dir = &dir;
  if (observer) options.observers = {observer};
  Trainer trainer(experiment.training, options);
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
  { RunDir(dir / "run", false).write_json("config.json", Config::object()); }
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
  { RunDir(dir / "run", false).write_json("config.json", resolve(tiny_recipe())); }
  Experiment other = tiny_experiment({"seed=7"});
  RunDir run(dir / "run", true);
  TrainerOptions options;
  options.run_dir = &run;
  EXPECT_THROW(Trainer(other.training, options).resume(), UsageError);
}

TEST(Guard, ALossOfEvaluationThatIsNotFiniteStopsTheRun) {
  TempDir dir;
  Datasets data = tiny_data();
  data.test = std::make_shared<BrokenDataset>(16, 3);
  EXPECT_THROW(train(dir / "run", deep_sets({"network.spec=\"4\""}), false, data), NumericError);
  EXPECT_TRUE(file_exists(dir / "run/nan_dump.safetensors"));
  EXPECT_FALSE(run_is_done(dir / "run"));
  EXPECT_FALSE(file_exists(dir / "run/ckpt/best.safetensors"));
}

TEST(Guard, ASkippedBatchLeavesNoTraceInTheStatisticsOfANorm) {
  Datasets data = tiny_data();
  data.train = std::make_shared<BrokenDataset>(16, 3);
  Experiment e =
      tiny_experiment({"network.norm=bn", "train.on_nan=skip", "optimizer={name=\"sgd\", lr=0.01}"}, data);
  LossRecorder recorder;
  TrainerOptions options;
  options.observers = {&recorder};
  EXPECT_TRUE(Trainer(e.training, options).run());
  EXPECT_EQ(recorder.epochs[0].skipped, 1);
  for (const Tensor& buffer : e.training.network().buffers())
    EXPECT_TRUE(torch::isfinite(buffer).all().item<bool>());
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
  int64_t class_of(int64_t index) const override { return (index + 1) % 4; }
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

  Experiment experiment = tiny_experiment();
  {
    RunDir run(dir / "stopped", false);
    StopAfter observer(7);  // of five batches an epoch
    TrainerOptions options;
    options.run_dir = &run;
    options.observers = {&observer};
    options.stop = &observer.stop;
    EXPECT_FALSE(Trainer(experiment.training, options).run());
  }
  const std::string within = message_of<UsageError>([&] { train(dir / "stopped", {"epochs=1"}, true); });
  EXPECT_NE(within.find("1 epochs and 2 batches; expected epochs >= 2"), std::string::npos) << within;
  EXPECT_FALSE(run_is_done(dir / "stopped"));
}

TEST(Guard, WeightsThatAreNotFiniteStopTheRunAndAreNotLoaded) {
  TempDir dir;
  Experiment e = tiny_experiment();
  const NamedTensors good = copy_of(network_tensors(e.training.network()));
  EXPECT_EQ(first_not_finite(good), "");
  NamedTensors bad = copy_of(good);
  bad.back().second.view(-1)[0] = std::numeric_limits<float>::quiet_NaN();
  save_tensors(dir / "bad.safetensors", bad, {});
  EXPECT_EQ(first_not_finite(bad), bad.back().first);
  const std::string message = message_of<DataError>(
      [&] { load_weights(SafetensorsFile::open(dir / "bad.safetensors"), e.training.network()); });
  EXPECT_NE(message.find(bad.back().first), std::string::npos) << message;
  EXPECT_TRUE(same_tensors(network_tensors(e.training.network()), good));
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
  LossRecorder recorder;
  EXPECT_TRUE(train(dir / "run", {"train.on_nan=skip", "data.batch=40", "epochs=1"}, false, data, &recorder));
  const std::string messages = join(recorder.messages);
  EXPECT_NE(messages.find("epoch 1: all 1 updates were left out"), std::string::npos) << messages;
  std::ifstream file(dir / "run/metrics.jsonl");
  const Config line = Config::parse(file);
  EXPECT_EQ(line.at("skipped"), 1);
  EXPECT_TRUE(line.at("train_loss").is_null());
  EXPECT_TRUE(line.at("grad_norm").is_null());
}

/// Frames of noise in [0, 1], of which those at steps [begin, end) of one sample may be infinite, and those
/// at steps [2, 4) may be left out.
class NoiseFrames : public TinyDataset {
 public:
  NoiseFrames(int64_t size, int64_t steps, bool broken)
      : TinyDataset(size, 1), steps_(steps), broken_(broken) {
    sample_ = SampleSpec::frames(steps, {1, 6, 6}, torch::kFloat);
  }
  const SampleSpec& sample() const override { return sample_; }
  void read(int64_t index, int64_t /*epoch*/, void* to) const override {
    auto* out = static_cast<float*>(to);
    for (int64_t t = 0; t < steps_; ++t) {
      const int64_t drawn = steps_ == 4 && t >= 2 ? t + 2 : t;  // of six steps the middle two are left out
      Rng rng(3, Purpose::test, static_cast<uint64_t>(drawn), static_cast<uint64_t>(index));
      for (int64_t p = 0; p < 36; ++p) out[t * 36 + p] = static_cast<float>(rng.uniform());
      if (broken_ && index == 5 && (t == 2 || t == 3)) out[t * 36] = std::numeric_limits<float>::infinity();
    }
  }

 private:
  int64_t steps_;
  bool broken_;
  SampleSpec sample_;
};

/// Runs an epoch of one batch in windows of two steps with an update after each, and a learning rate of 0.
EpochReport run_windows(Experiment& e) {
  LossRecorder recorder;
  TrainerOptions options;
  options.observers = {&recorder};
  EXPECT_TRUE(Trainer(e.training, options).run());
  return recorder.epochs.at(0);
}

std::vector<std::string> window_sets(const std::string& steps) {
  return deep_sets({"steps=" + steps, "network.norm=bn", "train.on_nan=skip", "epochs=1", "data.batch=16",
                    "optimizer={name=\"sgd\", lr=0}",
                    "schedule={name=\"truncated\", window=2, update=\"window\"}"});
}

TEST(Guard, ASkippedWindowLosesNeitherWhatWasBeforeNorWhatComesAfter) {
  const auto data = [](int64_t steps, bool broken) {
    Datasets sets;
    sets.train = std::make_shared<NoiseFrames>(16, steps, broken);
    sets.test = std::make_shared<NoiseFrames>(16, steps, false);
    return sets;
  };
  Experiment broken = tiny_experiment(window_sets("6"), data(6, true));
  const EpochReport report = run_windows(broken);
  EXPECT_EQ(report.skipped, 1) << "the membranes must start anew, or the third window is lost too";
  EXPECT_EQ(report.optimizer_steps, 2);
  // The first layer's statistics depend on the input alone: they are those of the two good windows.
  Experiment good = tiny_experiment(window_sets("4"), data(4, false));
  EXPECT_EQ(run_windows(good).skipped, 0);
  const auto before = tiny_experiment(window_sets("4"), data(4, false)).training.network().named_buffers();
  const auto now = broken.training.network().named_buffers(),
             expected = good.training.network().named_buffers();
  int compared = 0;
  for (const auto& item : now) {
    EXPECT_TRUE(torch::isfinite(item.value()).all().item<bool>()) << item.key();
    if (item.key().rfind("0.norm.", 0) != 0) continue;
    ++compared;
    EXPECT_TRUE(torch::allclose(item.value(), expected[item.key()], 1e-6, 1e-7)) << item.key();
    EXPECT_FALSE(torch::allclose(item.value(), before[item.key()], 1e-3, 1e-3)) << item.key();
  }
  EXPECT_EQ(compared, 2);
}

TEST(Evaluate, TheLossDoesNotDependOnTheBatch) {
  const std::vector<std::vector<std::string>> objectives = {deep_sets(),  // a mean over samples, then a sum
                                                            {"objective.name=van_rossum"}};
  for (const auto& sets : objectives) {
    const Experiment e = tiny_experiment(sets);
    const Training& t = e.training;
    const double whole = evaluate(t, *t.data.test, 16).loss;
    for (const int64_t batch : {1, 5, 7, 15})
      EXPECT_NEAR(evaluate(t, *t.data.test, batch).loss, whole, 1e-6 * std::max(1.0, whole)) << sets.back();
    EXPECT_THROW(evaluate(t, TinyDataset(0, 1), 16), UsageError);
  }
}

TEST(Evaluate, LeavesNoTrace) {
  const Experiment e = tiny_experiment(deep_sets({"network.norm=bn"}));
  Network& network = e.training.network();
  const NamedTensors before = copy_of(network_tensors(network));
  evaluate(e.training, *e.training.data.test, 8);
  EXPECT_TRUE(same_tensors(before, network_tensors(network)));
  for (const Tensor& p : network.parameters()) EXPECT_FALSE(p.grad().defined());
}

TEST(Probe, TheCosineOfFullBpttIsOneAndThatOfOtherMethodsIsNot) {
  const auto cosines = [](const std::vector<std::string>& more) {
    const Experiment e = tiny_experiment(deep_sets(more));
    Network& network = e.training.network();
    const NamedTensors before = copy_of(network_tensors(network));
    const auto list = gradient_cosines(e.training, 16);
    EXPECT_TRUE(same_tensors(before, network_tensors(network)));
    for (const Tensor& p : network.parameters()) EXPECT_FALSE(p.grad().defined());
    return list;
  };
  EXPECT_EQ(cosines({}).size(), 4u);
  for (const LayerCosine& layer : cosines({})) EXPECT_NEAR(layer.cosine, 1, 1e-6) << layer.spec;
  for (const LayerCosine& layer : cosines({"network.norm=bn"}))
    EXPECT_NEAR(layer.cosine, 1, 1e-6) << layer.spec;
  EXPECT_LT(cosines({"schedule={name=\"truncated\", window=1}"})[0].cosine, 0.9999);
  EXPECT_LT(cosines({"blocks.size=1"})[0].cosine, 0.99);
  const auto tssl = cosines({"neuron={name=\"psp_lif\"}", "readout={name=\"psp_lif\"}",
                             "rule={name=\"tssl_bp\"}", "objective={name=\"van_rossum\"}"});
  EXPECT_LT(tssl[0].cosine, 0.9999) << "measured against BPTT, not against the rule itself";
}

TEST(Probe, MeasuringMemoryLeavesNoTrace) {
  const Experiment e = tiny_experiment(deep_sets({"network.norm=bn", "blocks.size=1"}));
  Network& network = e.training.network();
  const NamedTensors before = copy_of(network_tensors(network));
  const int64_t four = measure_activation_bytes(e.training, 4),
                eight = measure_activation_bytes(e.training, 8);
  EXPECT_GT(four, 0);
  EXPECT_GT(eight, four);
  EXPECT_EQ(estimate_activation_bytes(e.training, 8), eight);
  EXPECT_TRUE(same_tensors(before, network_tensors(network)));
  for (const Tensor& p : network.parameters()) EXPECT_FALSE(p.grad().defined());
}

}  // namespace spiketrain::guard_test
