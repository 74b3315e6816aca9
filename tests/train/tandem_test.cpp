// Progressive tandem learning as a run: its stages, what each begins with, that a run which was stopped anywhere and resumed is the same, and what is
// refused.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "spiketrain/core/watch.h"
#include "spiketrain/recipe/tandem_stages.h"
#include "spiketrain/recipe/toml.h"
#include "tests/support/network_fixture.h"
#include "tests/support/runs.h"

namespace spiketrain::tandem_train_test {

namespace fs = std::filesystem;

/// Settings of both networks.
std::vector<std::string> common(const char* spec = "12-8-4") {
  return {str("network={name=\"spec\", spec=\"", spec, "\", norm=\"count_bn\", pool=\"avg\"}"),
          "readout={name=\"leaky_readout\", leak=0}", "optimizer={name=\"adamw\", lr=0.02}",
          "train={checkpoint_batches=2, keep=99}"};
}

/// Trains the analog network for some epochs; where its weights are.
std::string analog_weights(const TempDir& dir, const char* spec = "12-8-4") {
  std::vector<std::string> sets = common(spec);
  for (const char* set : {"steps=1", "epochs=12", "neuron=relu", "rule=bptt", "objective=rate_ce"})
    sets.emplace_back(set);
  EXPECT_TRUE(run_part(dir / "analog", sets, false, 0));
  return dir / "analog/ckpt/best.safetensors";
}

std::vector<std::string> stage_settings(const std::string& init, const std::vector<std::string>& more = {},
                                        const char* spec = "12-8-4") {
  std::vector<std::string> sets = common(spec);
  for (const char* set : {"steps=8", "epochs=2", "encoder=zero_expand", "neuron={name=\"if\"}", "rule=tandem",
                          "objective={name=\"rate_ce\", scale=8}", "tandem.progressive=true"})
    sets.emplace_back(set);
  sets.push_back("init.file=" + init);
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

/// One process's share, as run_part().
bool stages_part(const std::string& path, const std::vector<std::string>& sets, bool resume,
                 size_t stop_after, LossRecorder* recorder = nullptr) {
  Experiment experiment = tiny_experiment(sets);
  RunDir dir(path, resume);
  StopAfter observer(stop_after == 0 ? SIZE_MAX : stop_after);
  RunSettings settings;
  settings.resume = resume;
  settings.observers = {&observer};
  if (recorder) settings.observers.push_back(recorder);
  settings.stop = &observer.stop;
  return run_training(experiment, &dir, settings).complete;
}

Config story_of(const std::string& run) { return Config::parse(text_of(run + "/stages.json")); }
/// Without what a clock tells.
Config timeless(Config story) {
  for (Config& stage : story["stages"])
    for (const char* key : {"seconds", "metrics_bytes"}) stage["progress"].erase(key);
  return story;
}

TEST(Tandem, StagesConvertLayerByLayer) {
  TempDir dir;
  const std::string init = analog_weights(dir);
  LossRecorder recorder;
  ASSERT_TRUE(stages_part(dir / "run", stage_settings(init), false, 0, &recorder));
  const Config story = story_of(dir / "run");
  ASSERT_EQ(story["thresholds"].size(), 2u);
  ASSERT_EQ(story["stages"].size(), 3u);
  for (size_t k = 0; k < 3; ++k) {
    const std::string stage = dir / str("run/stages/", k + 1);
    EXPECT_TRUE(run_is_done(stage));
    const Config recipe = Config::parse(text_of(stage + "/config.json"));
    EXPECT_EQ(recipe["tandem"]["stage"], k + 1);
    EXPECT_EQ(recipe["tandem"]["thresholds"].size(), std::min<size_t>(k + 1, 2));
    EXPECT_EQ(recipe["train"]["freeze"].size(), k);
    EXPECT_DOUBLE_EQ(recipe["optimizer"]["lr"].get<double>(), k == 2 ? 0.002 : 0.02);
    const auto network = load_network(stage + "/ckpt/best.safetensors");
    EXPECT_EQ(layer_of(*network, "0").neuron()->part_name(), "if");
    EXPECT_EQ(layer_of(*network, "1").neuron()->part_name(), k == 0 ? "count_relu" : "if");
    EXPECT_EQ(layer_of(*network, "2").neuron()->part_name(), "leaky_readout");
  }
  ASSERT_EQ(recorder.epochs.size(), 6u);
  EXPECT_EQ(recorder.epochs[2].stage.number, 2);
  EXPECT_EQ(recorder.epochs[2].stage.of, 3);
  EXPECT_EQ(recorder.epochs[0].rates.size(), 1u);
  EXPECT_EQ(recorder.epochs[5].rates.size(), 2u);

  // The whole: its recipe builds the network of its weights, and its metrics are those of all stages.
  EXPECT_TRUE(run_is_done(dir / "run"));
  const Recipe whole = make_recipe(parse_toml(text_of(dir / "run/config.toml"), "config.toml"));
  EXPECT_EQ(whole.tandem.stage, 0);
  Experiment e = build_experiment(whole, tiny_data());
  load_weights(open_checkpoint(dir / "run/ckpt/best.safetensors"), e.training.network());
  EXPECT_TRUE(same_tensors(tensors_of(dir / "run/ckpt/best.safetensors"),
                           tensors_of(dir / "run/stages/3/ckpt/best.safetensors")));
  const Config summary = Config::parse(text_of(dir / "run/summary.json"));
  const Evaluation test = evaluate(e.training, *e.training.data.test, 8);
  EXPECT_EQ(summary["spiking"]["test"]["accuracy"].get<double>(), test.at("accuracy"));
  EXPECT_GT(test.at("accuracy"), 0.6);
  const std::vector<Config> lines = metrics(dir / "run");
  ASSERT_EQ(lines.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(lines[i]["epoch"], i + 1);
    EXPECT_EQ(lines[i]["stage"], i / 2 + 1);
  }
}

/// Layer 0 is the same from the end of its stage on, batch norm included; the layers above go on learning.
TEST(Tandem, FrozenLayersStayAsTheyWere) {
  TempDir dir;
  const std::string init = analog_weights(dir);
  for (const char* freeze : {"after", "before"}) {
    SCOPED_TRACE(freeze);
    const std::string run = dir / freeze;
    ASSERT_TRUE(stages_part(run, stage_settings(init, {str("tandem.freeze=", freeze)}), false, 0));
    const auto layer = [&](int stage, const char* prefix) {
      return of(newest(str(run, "/stages/", stage)), prefix);
    };
    EXPECT_FALSE(layer(1, "0.").empty());
    EXPECT_TRUE(same_tensors(layer(2, "0."), of(tensors_of(run + "/stages/1/ckpt/best.safetensors"), "0.")));
    EXPECT_TRUE(same_tensors(layer(2, "0."), layer(3, "0.")));
    EXPECT_FALSE(same_tensors(layer(2, "2."), layer(3, "2.")));
    // Before its conversion layer 1 learns; in stage 2 only if it is frozen after it.
    const NamedTensors first = of(tensors_of(run + "/stages/1/ckpt/best.safetensors"), "1.synapse");
    const double theta = story_of(run)["thresholds"][0].get<double>();
    EXPECT_GT(theta, 0);
    EXPECT_EQ(same_tensors(layer(2, "1.synapse"), first), freeze == std::string("before"));
  }
}

/// Without epochs a stage is a conversion: weights are those of the analog network, scaled by the thresholds before them.
TEST(Tandem, WithoutEpochsItConvertsAndNothingElse) {
  TempDir dir;
  const std::string init = analog_weights(dir);
  LossRecorder recorder;
  ASSERT_TRUE(stages_part(dir / "run", stage_settings(init, {"epochs=0", "steps=200", "objective.scale=200"}),
                          false, 0, &recorder));
  EXPECT_TRUE(recorder.epochs.empty());
  const NamedTensors before = tensors_of(init), after = tensors_of(dir / "run/ckpt/best.safetensors");
  const Config thetas = story_of(dir / "run")["thresholds"];
  for (const auto& [name, tensor] : after) {
    const auto it =
        std::find_if(before.begin(), before.end(), [&](const auto& b) { return b.first == name; });
    ASSERT_NE(it, before.end()) << name;
    const double factor = name == "1.synapse.weight"   ? thetas[0].get<double>()
                          : name == "2.synapse.weight" ? thetas[1].get<double>()
                                                       : 1;
    EXPECT_TRUE(torch::allclose(tensor, it->second * factor, 1e-6, 0)) << name;
  }
  // The threshold is the percentile of what the layer sends in the analog network.
  const auto network = load_network(init);
  const Datasets data = tiny_data();
  Tensor x = torch::empty({8, 1, 6, 6});
  for (int64_t i = 0; i < 8; ++i) data.train->read(i, 0, x[i].data_ptr<float>());
  Recorder seen;
  seen.ask(0, 0);
  evaluate(*network, Signal::dense(x.unsqueeze(0)));
  const Tensor sorted = std::get<0>(seen.traces().at(0).output.at(0).flatten().sort()).to(torch::kDouble);
  const double h = 0.999 * static_cast<double>(sorted.numel() - 1);
  const auto low = static_cast<int64_t>(h);
  const double p = sorted[low].item<double>() +
                   (h - static_cast<double>(low)) * (sorted[low + 1] - sorted[low]).item<double>();
  EXPECT_NEAR(thetas[0].get<double>(), p / 200, 1e-6 * p);
  // With so many steps little is lost.
  const Config summary = Config::parse(text_of(dir / "run/summary.json"));
  EXPECT_GE(summary["spiking"]["test"]["accuracy"].get<double>(),
            summary["analog"]["test"]["accuracy"].get<double>() - 0.07);
}

TEST(Tandem, TheAnalogNetworkIsThatOfOneStep) {
  TempDir dir;
  const std::string init = analog_weights(dir);
  ASSERT_TRUE(stages_part(dir / "run", stage_settings(init, {"epochs=0"}), false, 0));
  const std::vector<Config> lines = metrics(dir / "analog");
  const Config summary = Config::parse(text_of(dir / "analog/summary.json"));
  EXPECT_EQ(story_of(dir / "run")["analog"]["test"]["accuracy"], summary["test_accuracy_at_best_validation"]);
  EXPECT_EQ(story_of(dir / "run")["analog"]["validation"]["accuracy"], summary["best_validation_accuracy"]);
}

TEST(Tandem, PatienceEndsAStageAndTheLastKeepsTheBest) {
  TempDir dir;
  const std::string init = analog_weights(dir);
  // With a learning rate of nothing no epoch is better than the first of its stage.
  const std::vector<std::string> sets = stage_settings(
      init, {"epochs=9", "optimizer.lr=1e-30", "train.patience=3",
             "network={name=\"spec\", spec=\"12-8-4\", norm={name=\"count_bn\", momentum=0}}"});
  ASSERT_TRUE(stages_part(dir / "run", sets, false, 0));
  const Config story = story_of(dir / "run");
  EXPECT_EQ(story["stages"][0]["epochs"], 4);  // the first is the best, and three more
  EXPECT_EQ(story["stages"][1]["epochs"], 4);
  EXPECT_EQ(story["stages"][2]["epochs"], 3);  // none beats that of the stage before
  EXPECT_TRUE(same_tensors(tensors_of(dir / "run/ckpt/best.safetensors"),
                           tensors_of(dir / "run/stages/2/ckpt/best.safetensors")));
}

void expect_same_stages(const std::string& a, const std::string& b) {
  EXPECT_EQ(timeless(story_of(a)), timeless(story_of(b)));
  EXPECT_EQ(metrics(a), metrics(b));
  EXPECT_TRUE(
      same_tensors(tensors_of(a + "/ckpt/best.safetensors"), tensors_of(b + "/ckpt/best.safetensors")));
  for (int k = 1; k <= 3; ++k) expect_same_run(str(a, "/stages/", k), str(b, "/stages/", k));
}

/// Stopped within the first, second and third stage and at the border of two.
TEST(Tandem, AResumedRunHasTheSameBits) {
  TempDir dir;
  const std::string init = analog_weights(dir);
  const std::vector<std::string> sets = stage_settings(init);
  ASSERT_TRUE(stages_part(dir / "whole", sets, false, 0));
  EXPECT_FALSE(stages_part(dir / "parts", sets, false, 3));
  fs::rename(dir / "analog", dir / "gone");  // it is not needed any more
  EXPECT_FALSE(stages_part(dir / "parts", sets, true, 9));
  EXPECT_FALSE(stages_part(dir / "parts", sets, true, 8));
  EXPECT_FALSE(stages_part(dir / "parts", sets, true, 6));
  EXPECT_TRUE(stages_part(dir / "parts", sets, true, 0));
  expect_same_stages(dir / "whole", dir / "parts");
  const NamedTensors before = tensors_of(dir / "parts/ckpt/best.safetensors");
  EXPECT_TRUE(stages_part(dir / "parts", sets, true, 0));  // there is nothing left to do
  EXPECT_TRUE(same_tensors(before, tensors_of(dir / "parts/ckpt/best.safetensors")));
}

/// What a process leaves that was killed between two files.
TEST(Tandem, ResumesBetweenTwoFiles) {
  TempDir dir;
  const std::string init = analog_weights(dir);
  const std::vector<std::string> sets = stage_settings(init);
  ASSERT_TRUE(stages_part(dir / "whole", sets, false, 0));
  const auto cut = [&](const char* name, const std::function<void(const std::string&)>& damage) {
    SCOPED_TRACE(name);
    fs::copy(dir / "whole", dir / name, fs::copy_options::recursive);
    fs::remove(dir / str(name, "/DONE"));
    fs::remove(dir / str(name, "/ckpt/best.safetensors"));
    damage(dir / name);
    EXPECT_TRUE(stages_part(dir / name, sets, true, 0));
    expect_same_stages(dir / "whole", dir / name);
  };
  const auto edit = [](const std::string& run, const std::function<void(Config&)>& change) {
    Config story = story_of(run);
    change(story);
    write_file_atomic(run + "/stages.json", story.dump());
  };
  cut("finished", [](const std::string&) {});
  cut("stage_untold", [&](const std::string& run) {  // done, but stages.json does not say so yet
    fs::remove_all(run + "/stages/3");
    edit(run, [](Config& story) {
      story["stages"].erase(2);
      story["stages"][1].erase("progress");
    });
  });
  cut("begun", [&](const std::string& run) {  // the third has weights to begin with, and no checkpoint
    for (const std::string& path : list_checkpoints(run + "/stages/3/ckpt")) fs::remove(path);
    for (const char* file : {"/metrics.jsonl", "/DONE", "/summary.json"})
      fs::remove(run + "/stages/3" + file);
    edit(run, [](Config& story) { story["stages"][2].erase("progress"); });
  });
}

TEST(Tandem, WhatItRefuses) {
  TempDir dir;
  const std::string init = analog_weights(dir);
  const auto refusal = [&](std::vector<std::string> sets, bool resume = false) {
    return message_of<UsageError>([&] { stages_part(dir / "run", sets, resume, 3); });
  };
  const auto expect = [](const std::string& message, const char* words) {
    EXPECT_NE(message.find(words), std::string::npos) << message;
  };
  expect(refusal(stage_settings("")), "begin with a trained analog network");
  fs::remove_all(dir / "run");
  expect(refusal(stage_settings(init, {"tandem.percentile=0"})), "gives no threshold");
  fs::remove_all(dir / "run");
  expect(message_of<UsageError>([&] {
           Experiment e = tiny_experiment(stage_settings(init));
           run_training(e, nullptr, {});
         }),
         "run directory; give one");
  expect(message_of<UsageError>([&] {
           Datasets data = tiny_data();
           data.validation = nullptr;
           Experiment e = tiny_experiment(stage_settings(init), data);
           RunDir run(dir / "no_validation", false);
           run_training(e, &run, {});
         }),
         "set data.validation");
  EXPECT_FALSE(stages_part(dir / "run", stage_settings(init), false, 3));
  expect(refusal(stage_settings(init, {"tandem.last_rate=0.5"}), true), "last_rate");
  write_file_atomic(dir / "run/stages.json", "{\"thresholds\": [0], \"stages\": [], \"analog\": 0}");
  EXPECT_THROW(stages_part(dir / "run", stage_settings(init), true, 3), DataError);
}

TEST(Tandem, ConvolutionsAndPooling) {
  TempDir dir;
  const char* spec = "6C3p1-AP2-5C2-8-4";
  const std::string init = analog_weights(dir, spec);
  ASSERT_TRUE(stages_part(dir / "run", stage_settings(init, {"epochs=1"}, spec), false, 0));
  const Config story = story_of(dir / "run");
  EXPECT_EQ(story["thresholds"].size(), 3u);
  EXPECT_EQ(story["stages"].size(), 4u);
  EXPECT_EQ(story["stages"][1]["layer"], "2");  // behind the pooling
  const Config summary = Config::parse(text_of(dir / "run/summary.json"));
  EXPECT_GT(summary["spiking"]["test"]["accuracy"].get<double>(), 0.5);
}

}  // namespace spiketrain::tandem_train_test
