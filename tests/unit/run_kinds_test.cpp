// What a report says of runs of all kinds: unfinished, failed, imported, distilled, without classes, without steps, without data.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>

#include "spiketrain/base/text.h"
#include "spiketrain/data/tensor_dataset.h"
#include "spiketrain/report/run_data.h"
#include "tests/support/report_runs.h"

namespace spiketrain::run_kinds_test {

bool any_has(const std::vector<std::string>& list, const std::string& part) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

TEST(RunDataWithout, DataTheRestIsThere) {
  const TempDir dir;
  train_for_report(dir / "run", {"epochs=1"});
  Config config = load_config(dir / "run/config.toml");
  config["data"]["name"] = "mnist";
  write_file_atomic(dir / "run/config.toml", write_toml(config));
  RunData data = read_run_data(dir / "run");
  PassOptions options;
  options.data_dir = dir / "nothing";
  measure_run(data, options);
  EXPECT_FALSE(data.passes);
  ASSERT_EQ(data.missing.size(), 1U);
  EXPECT_NE(data.missing[0].find("--data-dir"), std::string::npos) << data.missing[0];
  EXPECT_EQ(data.weights.size(), 2U);
  EXPECT_NE(data.command.find("--data-dir"), std::string::npos);
}

/// Tensors with classes, and what a teacher says of them.
std::shared_ptr<const Dataset> taught(int64_t size) {
  Target target;
  target.kind = Target::Kind::class_index;
  target.y = torch::arange(size, torch::kLong) % 10;
  target.teacher = torch::rand({size, 10});
  return tensor_dataset(torch::rand({size, 1, 8, 8}), target, {"taught", Batch::Form::image, 10});
}

TEST(RunDataOf, ADistilledRunOnTensors) {
  const TempDir dir;
  const Datasets data = {taught(60), nullptr, taught(30)};
  train_for_report(
      dir / "run",
      {"objective=distillation", "neuron=lif", "rule=bptt", "data.name=given", "data.validation=0"}, 0, data);
  RunData run = read_run_data(dir / "run");
  EXPECT_EQ(run.command, "") << "no command line has these data";
  PassOptions options;
  options.data = data;
  measure_run(run, options);
  ASSERT_TRUE(run.passes) << join(run.missing);
  EXPECT_EQ(run.passes->rasters.size(), 10U);
  ASSERT_TRUE(run.passes->neurobench && run.passes->neurobench->activity) << join(run.passes->notes);
  run = read_run_data(dir / "run");
  measure_run(run, {});
  EXPECT_FALSE(run.passes);
  EXPECT_TRUE(any_has(run.missing, "tensors that a program had given"));
}

TEST(RunDataOf, EveryStateIsTold) {
  const TempDir dir;
  train_for_report(dir / "run", {"epochs=3"}, 2);
  const std::string run = dir / "run";
  EXPECT_EQ(run_status(run), RunStatus::stopped);
  {
    const FileLock lock(run + "/lock", "the run");
    EXPECT_EQ(run_status(run), RunStatus::training);
    EXPECT_NE(read_run_data(run).missing[0].find("no epoch is complete yet; wait for it"), std::string::npos);
  }
  write_file_atomic(run + "/nan_dump.safetensors", std::string("x"));
  EXPECT_EQ(run_status(run), RunStatus::failed);
  write_file_atomic(run + "/log.txt", std::string("2026-01-01 10:00:00 error: epoch 1, batch 3: loss nan\n"));
  const RunData failed = read_run_data(run);
  EXPECT_EQ(failed.warnings.front(), "the run ended with an error: epoch 1, batch 3: loss nan");
  EXPECT_FALSE(any_has(failed.missing, "train on"));
  EXPECT_EQ(status_text(failed.status), "failed (NaN, see nan_dump.safetensors)");
  const auto later =
      std::filesystem::last_write_time(run + "/nan_dump.safetensors") + std::chrono::seconds(1);
  std::filesystem::last_write_time(list_checkpoints(run + "/ckpt").front(), later);
  EXPECT_EQ(run_status(run), RunStatus::stopped) << "it has gone on since";
  std::filesystem::remove(run + "/config.json");
  std::filesystem::remove(run + "/nan_dump.safetensors");
  EXPECT_EQ(run_status(run), RunStatus::untrained) << "as after an import";
  EXPECT_TRUE(any_has(read_run_data(run).missing, "the network has not been trained here"));
}

TEST(RunDataOf, TheCommandCanBeCopied) {
  const TempDir dir;
  const std::string run = dir / "it's a run";
  train_for_report(run, {"epochs=1"});
  write_file_atomic(run + "/environment.json",
                    std::string("{\"device\": \"cuda\", \"threads\": 2, \"plugins\": "
                                "[{\"path\": \"/lib/my part.so\", \"sha256\": \"0\"}]}"));
  const std::string quoted = "'" + (dir / "it'\\''s a run");
  EXPECT_EQ(read_run_data(run).command, "spiketrain train " + quoted + "/config.toml' --out " + quoted +
                                            "-again' --device cuda --threads 2 --plugin '/lib/my part.so'");
}

TEST(RunDataOf, AnUnfinishedRun) {
  const TempDir dir;
  train_for_report(dir / "first", {"epochs=3"}, 2);  // no epoch is complete
  RunData data = read_run_data(dir / "first");
  EXPECT_EQ(data.status, RunStatus::stopped);
  EXPECT_EQ(data.epochs_done, 0);
  ASSERT_EQ(data.missing.size(), 1U);
  EXPECT_NE(data.missing[0].find("no epoch is complete yet; train on: spiketrain train --resume --out "),
            std::string::npos)
      << data.missing[0];
  measure_run(data, {});  // with the newest checkpoint
  EXPECT_TRUE(data.passes);
  train_for_report(dir / "second", {"epochs=3", "data.validation=0"}, 9);
  data = read_run_data(dir / "second");
  EXPECT_EQ(data.epochs_done, 1);
  EXPECT_EQ(data.curves("accuracy")->splits.size(), 2U);
  EXPECT_TRUE(data.missing.empty());
}

TEST(RunDataOf, ARegressionHasNoClasses) {
  const TempDir dir;
  train_for_report(dir / "run", {"data.name=waves", "data.validation=0", "steps=20", "network.spec=12-2",
                                 "neuron=lif", "rule=bptt", "readout=leaky_readout", "objective=mse"});
  RunData data = read_run_data(dir / "run");
  measure_run(data, {});
  ASSERT_TRUE(data.passes);
  EXPECT_EQ(data.first_metric, "mse");
  EXPECT_TRUE(data.passes->confusion.empty());
  EXPECT_FALSE(data.passes->rasters.empty());
  const auto notes = data.passes->notes;
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(),
                          [](const std::string& n) { return n.find("no confusion matrix") == 0; }));
}

TEST(RunDataOf, EventDrivenLayersSayWhatIsMissing) {
  const TempDir dir;
  train_for_report(dir / "run", {"network={name=\"event\", hidden=[20], readout=\"membrane\"}",
                                 "encoder={name=\"latency\", exact=true}", "data.mean=[0]", "data.std=[1]",
                                 "neuron=lif", "rule=bptt", "objective=rate_ce"});
  RunData data = read_run_data(dir / "run");
  measure_run(data, {});
  ASSERT_TRUE(data.passes);
  EXPECT_EQ(data.passes->confusion.size(), 10U);
  EXPECT_TRUE(data.passes->latency.empty());
  EXPECT_FALSE(data.passes->neurobench->activity);
  EXPECT_FALSE(data.passes->neurobench->dense) << "weights that nobody counts are no zeros";
  EXPECT_FALSE(data.passes->neurobench->connection_sparsity);
  EXPECT_GE(data.passes->notes.size(), 2U);
}

TEST(RunDataOf, NoRunIsRefused) {
  const TempDir dir;
  EXPECT_NE(message_of<UsageError>([&] { read_run_data(dir / "none"); }).find("is no run directory"),
            std::string::npos);
}

}  // namespace spiketrain::run_kinds_test
