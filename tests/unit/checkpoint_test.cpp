// Checkpoints and run directories: what is written is read back, and what does not fit is named.
#include "spiketrain/train/checkpoint.h"

#include <gtest/gtest.h>

#include <fstream>

#include "spiketrain/base/file.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct Parts {
  explicit Parts(const std::vector<std::string>& sets = {})
      : network(make_network(tiny_recipe(sets), {1, 6, 6}, 4)), optimizer({}, parameters(*network)) {}
  static NamedTensors parameters(const Network& network) {
    NamedTensors list;
    for (const auto& item : network.named_parameters()) list.emplace_back(item.key(), item.value());
    return list;
  }
  void step() {
    for (const auto& [name, parameter] : optimizer.parameters()) {
      Tensor(parameter).mutable_grad() = parameter.detach() + 0.5;
    }
    optimizer.step(0.1);
  }
  std::shared_ptr<Network> network;
  Optimizer optimizer;
};

Progress sample_progress() {
  Progress progress;
  progress.epoch = 3;
  progress.batch = 7;
  progress.iteration = 1234567890123;
  progress.sums.loss = 1.0 / 3;
  progress.sums.spikes = {1, 2, 3};
  progress.sums.places = {10, 20, 30};
  progress.best_test = 0.1 + 0.2;
  progress.best_test_epoch = 2;
  progress.metrics_bytes = 99;
  return progress;
}

TEST(Checkpoint, RoundTrip) {
  TempDir dir;
  Parts saved, loaded({"seed=2"});
  saved.step();
  const Progress progress = sample_progress();
  const RunInfo info{resolve(tiny_recipe()), {{"threads", 2}}};
  save_checkpoint(dir / "c.safetensors", *saved.network, saved.optimizer, info, progress);
  const SafetensorsFile file = SafetensorsFile::open(dir / "c.safetensors");
  EXPECT_FALSE(same_tensors(network_tensors(*saved.network), network_tensors(*loaded.network)));
  const Progress again = load_checkpoint(file, *loaded.network, loaded.optimizer);
  EXPECT_TRUE(same_tensors(network_tensors(*saved.network), network_tensors(*loaded.network)));
  EXPECT_TRUE(same_tensors(saved.optimizer.state(), loaded.optimizer.state()));
  EXPECT_EQ(to_json(again), to_json(progress));
  EXPECT_EQ(checkpoint_config(file), info.config);
}

TEST(Checkpoint, MismatchIsNamedAndChangesNothing) {
  TempDir dir;
  Parts small, large({"network.spec=6C3-P2-8-4"});
  save_checkpoint(dir / "small", *small.network, small.optimizer, {}, {});
  save_checkpoint(dir / "large", *large.network, large.optimizer, {}, {});
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
  EXPECT_THROW(load_checkpoint(file, *parts.network, parts.optimizer), UsageError);
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
    run.write_config(resolve(tiny_recipe()));
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

TEST(Resume, OnlyHarmlessOptionsMayChange) {
  const Config before = resolve(tiny_recipe());
  EXPECT_NO_THROW(check_resumable(before, before));
  for (const char* set :
       {"epochs=9", "title=x", "train.keep=1", "train.checkpoint_batches=5", "paper.value=1"}) {
    EXPECT_NO_THROW(check_resumable(before, resolve(tiny_recipe({set})))) << set;
  }
  for (const char* set :
       {"seed=9", "optimizer.lr=1", "neuron.tau_m=4", "data.batch=4", "network.spec=6C3-4"}) {
    EXPECT_THROW(check_resumable(before, resolve(tiny_recipe({set}))), UsageError) << set;
  }
  const Config cosine = resolve(tiny_recipe({"lr.name=cosine"}));
  EXPECT_THROW(check_resumable(cosine, resolve(tiny_recipe({"lr.name=cosine", "epochs=9"}))), UsageError);
}

}  // namespace
}  // namespace spiketrain
