// Checkpoints and run directories: what is written is read back, and what does not fit is named.
#include "spiketrain/train/checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "spiketrain/base/file.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/resume.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::checkpoint_test {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Parts {
  explicit Parts(const std::vector<std::string>& sets = {})
      : network(make_network(tiny_recipe(sets), {1, 6, 6}, {4})), optimizer(make<Optimizer>("adamw")) {
    network->initialise(1);
    optimizer->attach(named_parameters(*network));
  }
  void step() {
    for (const auto& [name, parameter] : optimizer->parameters()) {
      Tensor(parameter).mutable_grad() = parameter.detach() + 0.5;
    }
    optimizer->step(0.1);
  }
  std::shared_ptr<Network> network;
  std::shared_ptr<Optimizer> optimizer;
};

Progress sample_progress() {
  Progress progress;
  progress.epoch = 3;
  progress.batch = 7;
  progress.iteration = 1234567890123;
  progress.epochs = 40;
  progress.sums.loss = 1.0 / 3;
  progress.sums.head_losses = {0.1, 0.7};
  progress.sums.activity = {{1, 10}, {2, 20}, {3, 30}};
  progress.sums.metrics = {{"accuracy", {17, 56}}, {"r2", {0.1, 1.0 / 3}}};
  progress.sums.penalties = {1.0 / 7, 0};
  progress.best["accuracy"].test = 0.1 + 0.2;
  progress.best["accuracy"].test_epoch = 2;
  progress.metrics_bytes = 99;
  return progress;
}

/// Files of earlier revisions lack options that have come since, and hold values that were renamed.
TEST(Checkpoint, OlderDescriptionsAreRead) {
  TempDir dir;
  Parts saved, loaded({"seed=2"});
  Config old = resolve(tiny_recipe({"rule.variant=dec2020"}));
  old["rule"]["variant"] = "head";
  save_checkpoint(dir / "c", *saved.network, *saved.optimizer, {old, {{"threads", 2}}}, sample_progress());
  const SafetensorsFile file = open_checkpoint(dir / "c");
  EXPECT_EQ(checkpoint_config(file)["rule"]["variant"], "dec2020");
  EXPECT_EQ(make_recipe(old).rule["variant"], "dec2020");
  NamedTensors tensors;
  for (const TensorEntry& entry : file.entries()) tensors.emplace_back(entry.name, to_tensor(entry));
  std::map<std::string, std::string> metadata = file.metadata();
  metadata.erase(SafetensorsFile::kSeal);
  const std::string option = ",\"bias_init\":\"zero\"";
  size_t found = 0;
  for (size_t at; (at = metadata["network"].find(option)) != std::string::npos; ++found)
    metadata["network"].erase(at, option.size());
  ASSERT_GT(found, 0U);
  save_tensors(dir / "old", tensors, metadata);
  load_checkpoint(open_checkpoint(dir / "old"), *loaded.network, *loaded.optimizer);
  EXPECT_TRUE(same_tensors(network_tensors(*saved.network), network_tensors(*loaded.network)));
  Parts other({"neuron.tau_m=7"});
  EXPECT_NE(message_of<UsageError>([&] {
              load_checkpoint(open_checkpoint(dir / "old"), *other.network, *other.optimizer);
            }).find("another network"),
            std::string::npos);
}

TEST(Checkpoint, RoundTrip) {
  TempDir dir;
  Parts saved, loaded({"seed=2"});
  saved.step();
  const Progress progress = sample_progress();
  const RunInfo info{resolve(tiny_recipe()), {{"threads", 2}}};
  save_checkpoint(dir / "c.safetensors", *saved.network, *saved.optimizer, info, progress);
  const SafetensorsFile file = SafetensorsFile::open(dir / "c.safetensors");
  EXPECT_FALSE(same_tensors(network_tensors(*saved.network), network_tensors(*loaded.network)));
  const Progress again = load_checkpoint(file, *loaded.network, *loaded.optimizer);
  EXPECT_TRUE(same_tensors(network_tensors(*saved.network), network_tensors(*loaded.network)));
  EXPECT_TRUE(same_tensors(saved.optimizer->state(), loaded.optimizer->state()));
  EXPECT_EQ(to_json(again), to_json(progress));
  EXPECT_EQ(again.best.at("accuracy").test, 0.1 + 0.2);
  EXPECT_TRUE(std::isnan(again.best.at("accuracy").validation));
  EXPECT_EQ(again.sums.metrics, progress.sums.metrics);
  EXPECT_EQ(again.sums.penalties, progress.sums.penalties);
  EXPECT_EQ(again.sums.activity[2].sites, 30);
  EXPECT_EQ(checkpoint_config(file), info.config);
}

TEST(Checkpoint, WhatALearnerCarries) {
  TempDir dir;
  Parts parts;
  const Tensor scores = torch::rand({5}, torch::kDouble);
  save_checkpoint(dir / "c", *parts.network, *parts.optimizer, {}, {}, {{"scores", scores}});
  const SafetensorsFile file = SafetensorsFile::open(dir / "c");
  const Tensor loaded = torch::zeros({5}, torch::kDouble);
  load_checkpoint(file, *parts.network, *parts.optimizer, {{"scores", loaded}});
  EXPECT_TRUE(torch::equal(loaded, scores));
  load_weights(file, *parts.network);
  load_checkpoint(file, *parts.network, *parts.optimizer);

  const auto refusal = [&](const char* name, int64_t steps) {
    const NamedTensors target = {{name, torch::zeros({steps}, torch::kDouble)}};
    return message_of<UsageError>([&] { load_checkpoint(file, *parts.network, *parts.optimizer, target); });
  };
  EXPECT_TRUE(contains(refusal("others", 5), "'learner.others' of the learner is missing"));
  EXPECT_TRUE(contains(refusal("scores", 4), "the learner has"));
}

TEST(Checkpoint, MismatchIsNamedAndChangesNothing) {
  TempDir dir;
  Parts small, large({"network.spec=6C3-P2-8-4"});
  save_checkpoint(dir / "small", *small.network, *small.optimizer, {}, {});
  save_checkpoint(dir / "large", *large.network, *large.optimizer, {}, {});
  const auto refuse = [](const std::string& path, Parts& parts) {
    const NamedTensors before = copy_of(network_tensors(*parts.network));
    const SafetensorsFile file = SafetensorsFile::open(path);
    const std::string message = message_of<UsageError>([&] { load_weights(file, *parts.network); });
    EXPECT_TRUE(same_tensors(before, network_tensors(*parts.network)));
    return message;
  };
  EXPECT_TRUE(contains(refuse(dir / "small", large), "synapse.weight"));
  EXPECT_TRUE(contains(refuse(dir / "large", small), "synapse.weight"));

  NamedTensors tensors = network_tensors(*small.network);
  tensors[0].second = tensors[0].second.to(torch::kDouble);
  save_tensors(dir / "double", tensors, {});
  EXPECT_TRUE(contains(refuse(dir / "double", small), tensors[0].first));
  tensors = network_tensors(*small.network);
  tensors.emplace_back("extra", torch::zeros({2}));
  save_tensors(dir / "extra", tensors, {});
  EXPECT_TRUE(contains(refuse(dir / "extra", small), "extra"));
}

TEST(Checkpoint, WeightsAloneCannotBeResumed) {
  TempDir dir;
  Parts parts;
  save_weights(dir / "w", *parts.network, {}, {});
  const SafetensorsFile file = SafetensorsFile::open(dir / "w");
  EXPECT_NO_THROW(load_weights(file, *parts.network));
  EXPECT_THROW(load_checkpoint(file, *parts.network, *parts.optimizer), UsageError);
}

/// Tensors of the same names and shapes are not enough.
TEST(Checkpoint, AnotherNetworkOfTheSameShapesIsRefused) {
  TempDir dir;
  Parts saved, other({"neuron.tau_m=4"});
  save_checkpoint(dir / "c", *saved.network, *saved.optimizer, {}, {});
  const SafetensorsFile file = SafetensorsFile::open(dir / "c");
  const NamedTensors before = copy_of(network_tensors(*other.network));
  const std::string message =
      message_of<UsageError>([&] { load_checkpoint(file, *other.network, *other.optimizer); });
  EXPECT_TRUE(contains(message, "another network")) << message;
  EXPECT_TRUE(same_tensors(before, network_tensors(*other.network)));
}

TEST(Checkpoint, ANetworkIsLoadedWithoutItsRecipe) {
  TempDir dir;
  for (const std::vector<std::string>& sets : std::vector<std::vector<std::string>>{
           {},
           {"network.norm=bn", "network.spec=6C3-D0.2-P2-8-4", "blocks.size=1"},
           {"neuron={name=\"lif\", leak=0.75}", "readout.name=leaky_readout", "rule.name=bptt",
            "objective.name=tet_ce"}}) {
    SCOPED_TRACE(sets.empty() ? "" : sets[0]);
    Parts saved(sets);
    saved.step();
    save_weights(dir / "w", *saved.network, {}, {});
    save_checkpoint(dir / "c", *saved.network, *saved.optimizer, {}, {});
    for (const char* name : {"w", "c"}) {
      const std::shared_ptr<Network> loaded = load_network(dir / name);
      EXPECT_TRUE(same_tensors(network_tensors(*saved.network), network_tensors(*loaded)));
      EXPECT_EQ(loaded->notation(), saved.network->notation());
      EXPECT_EQ(loaded->config(), saved.network->config());
      EXPECT_EQ(loaded->blocks(), saved.network->blocks());
    }
  }
}

TEST(Checkpoint, AFileWithoutANetworkIsNamed) {
  TempDir dir;
  Parts parts;
  const NamedTensors tensors = network_tensors(*parts.network);
  save_tensors(dir / "none", tensors, {});
  const std::string none = message_of<DataError>([&] { load_network(dir / "none"); });
  EXPECT_TRUE(contains(none, "metadata holds no 'network'")) << none;
  save_tensors(dir / "text", tensors, {{"network", "[1]"}});
  EXPECT_THROW(load_network(dir / "text"), DataError);
  save_tensors(dir / "empty", tensors, {{"network", "{}"}});
  EXPECT_THROW(load_network(dir / "empty"), DataError);
  Config other = parts.network->config();
  for (Config& node : other["nodes"]) {
    if (node["stage"]["name"] == "layer") node["stage"]["neuron"]["name"] = "unheard_of";
  }
  save_tensors(dir / "other", tensors, {{"network", other.dump()}});
  const std::string unheard = message_of<DataError>([&] { load_network(dir / "other"); });
  EXPECT_TRUE(contains(unheard, "unheard_of")) << unheard;
}

TEST(Checkpoint, WeightsWithoutARecipeSayWhoReadsThem) {
  TempDir dir;
  Parts parts;
  save_tensors(dir / "plain", network_tensors(*parts.network), {});
  const std::string text = message_of<DataError>([&] { checkpoint_config(open_checkpoint(dir / "plain")); });
  EXPECT_TRUE(contains(text, "without a recipe")) << text;
  EXPECT_TRUE(contains(text, "[init]")) << text;
}

TEST(Checkpoint, ProgressIsChecked) {
  Config json = to_json(sample_progress());
  json["epoch"] = "three";
  EXPECT_THROW(progress_from_json(json), UsageError);
  json.erase("epoch");
  EXPECT_THROW(progress_from_json(json), UsageError);
  json["epoch"] = -1;
  EXPECT_THROW(progress_from_json(json), UsageError);
}

TEST(Checkpoint, EveryTypeSurvives) {
  TempDir dir;
  NamedTensors tensors;
  for (const auto type : {torch::kFloat, torch::kDouble, torch::kHalf, torch::kBFloat16, torch::kInt64,
                          torch::kInt32, torch::kInt16, torch::kInt8, torch::kUInt8, torch::kBool}) {
    tensors.emplace_back(c10::toString(type), torch::arange(6).reshape({2, 3}).to(type).t());
  }
  tensors.emplace_back("empty", torch::zeros({0, 3}));
  tensors.emplace_back("scalar", torch::tensor(2.5));
  save_tensors(dir / "t", tensors, {{"k", "v"}});
  const SafetensorsFile file = SafetensorsFile::open(dir / "t");
  NamedTensors again;
  for (const auto& [name, tensor] : tensors) again.emplace_back(name, to_tensor(file.at(name)));
  EXPECT_TRUE(same_tensors(tensors, again));
}

TEST(Checkpoint, ListsNewestFirstAndPrunes) {
  TempDir dir;
  for (const int64_t iteration : {5, 1000, 20, 7}) {
    write_file_atomic(checkpoint_path(dir.path(), iteration), std::string("x"));
  }
  write_file_atomic(dir / "best.safetensors", std::string("x"));
  write_file_atomic(dir / "notes.txt", std::string("x"));
  prune_checkpoints(dir.path(), 2);
  EXPECT_EQ(list_checkpoints(dir.path()),
            (std::vector<std::string>{checkpoint_path(dir.path(), 1000), checkpoint_path(dir.path(), 20)}));
  EXPECT_EQ(dir.count(), 4u);
  EXPECT_TRUE(list_checkpoints(dir / "missing").empty());
}

TEST(RunDir, RefusesAFolderWithFilesOrAnotherOwner) {
  TempDir dir;
  const std::string path = dir / "run";
  {
    RunDir run(path, false);
    run.write_text("config.toml", write_toml(resolve(tiny_recipe())));
    EXPECT_THROW(RunDir(path, true), UsageError) << "in use";
    EXPECT_EQ(resolve(load_recipe(run.file("config.toml"))), resolve(tiny_recipe()));
  }
  EXPECT_THROW(RunDir(path, false), UsageError);
  EXPECT_NO_THROW(RunDir(path, true));
  EXPECT_THROW(RunDir("/proc/nowhere/run", false), DataError);
}

TEST(RunDir, MetricsAreCutBack) {
  TempDir dir;
  RunDir run(dir / "run", false);
  const int64_t first = run.append_metrics({{"epoch", 1}});
  const int64_t second = run.append_metrics({{"epoch", 2}});
  EXPECT_EQ(second, 2 * first);
  run.truncate_metrics(first);
  EXPECT_EQ(file_size(run.file("metrics.jsonl")), static_cast<uint64_t>(first));
  EXPECT_THROW(run.truncate_metrics(second), DataError);
}

TEST(RunDir, AFullDiskIsAnError) {
  TempDir dir;
  RunDir run(dir / "run", false);
  std::filesystem::create_symlink("/dev/full", run.file("metrics.jsonl"));
  EXPECT_THROW(run.append_metrics({{"epoch", 1}}), DataError);
}

void expect_may_change(const std::vector<std::string>& before, const std::vector<std::string>& now,
                       bool may) {
  SCOPED_TRACE(now.empty() ? "" : now[0]);
  const Recipe recipe = tiny_recipe(now);
  const Config was = resolve(tiny_recipe(before)), is = resolve(recipe);
  if (may) {
    EXPECT_NO_THROW(check_resumable(was, is, resolved_options(recipe)));
  } else {
    EXPECT_THROW(check_resumable(was, is, resolved_options(recipe)), UsageError);
  }
}

TEST(Resume, OnlyHarmlessOptionsMayChange) {
  expect_may_change({}, {}, true);
  for (const char* set :
       {"epochs=9", "title=x", "train.keep=1", "train.checkpoint_batches=5", "train.on_nan=skip",
        "train.dead_below=0.5", "train.gradient_cosine=8", "data.loader_threads=3", "blocks.order=time",
        "cost.pj_mac=1", "paper.value=1", "paper={source={author=\"x\"}}"}) {
    expect_may_change({}, {set}, true);
    expect_may_change({set}, {}, true);
  }
  for (const char* set : {"seed=9", "optimizer.lr=1", "neuron.tau_m=4", "data.batch=4", "network.spec=6C3-4",
                          "train.clip_norm=2", "train.eval_batch=4", "optimizer.name=sgd", "metrics=[]",
                          "learning_rate={name=\"cosine\"}"}) {
    const bool same = resolve(tiny_recipe({set})) == resolve(tiny_recipe());
    expect_may_change({}, {set}, same);
    expect_may_change({set}, {}, same);
  }
}

TEST(Resume, AnOptionThatIsMissingCountsAsItsDefault) {
  const Recipe recipe = tiny_recipe();
  const OptionDocs docs = resolved_options(recipe);
  const Config now = resolve(recipe);
  Config before = now;
  before["train"].erase("eval_batch");
  before["optimizer"].erase("eps");
  EXPECT_NO_THROW(check_resumable(before, now, docs));
  EXPECT_NO_THROW(check_resumable(now, before, docs));
  before = now;
  before["optimizer"].erase("lr");  // not at its default
  const std::string message = message_of<UsageError>([&] { check_resumable(before, now, docs); });
  EXPECT_TRUE(contains(message, "optimizer.lr was 0.001 and is now 0.01")) << message;
  before = now;
  before["unheard_of"] = 1;
  EXPECT_THROW(check_resumable(before, now, docs), UsageError);
  EXPECT_NO_THROW(check_resumable(Config::object(), Config::object(), {})) << "without a recipe";
}

}  // namespace spiketrain::checkpoint_test
