// A run that was stopped anywhere and resumed equals one that was not, bit for bit: weights, optimizer state,
// metrics.
#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/event_settings.h"
#include "tests/support/process.h"
#include "tests/support/runs.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::resume_test {

namespace fs = std::filesystem;

TEST(Resume, EqualsAnUninterruptedRunForEveryOptimizer) {
  const std::vector<std::vector<std::string>> optimizers = {
      {"optimizer={name=\"sgd\", lr=0.01}"},
      {"optimizer={name=\"sgd\", lr=0.01, momentum=0.9, nesterov=true}"},
      {"optimizer={name=\"adam\", lr=0.01}"},
      {"optimizer={name=\"adamw\", lr=0.01, weight_decay=0.01}",
       "learning_rate={name=\"cosine\", warmup_epochs=0.5}"}};
  TempDir dir;
  int number = 0;
  for (std::vector<std::string> sets : optimizers) {
    SCOPED_TRACE(sets[0]);
    sets.push_back("epochs=3");
    const std::string whole = dir / ("whole" + std::to_string(number)),
                      parts = dir / ("parts" + std::to_string(number));
    ++number;
    EXPECT_TRUE(run_part(whole, sets, false, 0));
    EXPECT_FALSE(run_part(parts, sets, false, 2));  // within the first epoch of five batches
    EXPECT_FALSE(run_part(parts, sets, true, 6));   // within the second
    EXPECT_TRUE(run_part(parts, sets, true, 0));
    expect_same_run(whole, parts);
    EXPECT_EQ(metrics(whole).size(), 3u);
    EXPECT_TRUE(run_is_done(parts));
  }
}

TEST(Resume, RandomEncodingAndDropoutContinueTheSame) {
  TempDir dir;
  const std::vector<std::string> sets = {"encoder.name=poisson", "network.spec=6C3-D0.3-P2-4",
                                         "data.validation=1"};
  EXPECT_TRUE(run_part(dir / "whole", sets, false, 0));
  EXPECT_FALSE(run_part(dir / "parts", sets, false, 3));
  EXPECT_TRUE(run_part(dir / "parts", sets, true, 0));
  expect_same_run(dir / "whole", dir / "parts");
}

TEST(Resume, UpdatesWithinABatch) {
  TempDir dir;
  const std::vector<std::string> sets = {"rule={name=\"bptt\"}",
                                         "schedule={name=\"truncated\", window=2, update=\"window\"}"};
  EXPECT_TRUE(run_part(dir / "whole", sets, false, 0));
  EXPECT_FALSE(run_part(dir / "parts", sets, false, 7));
  EXPECT_TRUE(run_part(dir / "parts", sets, true, 0));
  expect_same_run(dir / "whole", dir / "parts");
}

TEST(Resume, EventDrivenLayers) {
  TempDir dir;
  const std::vector<std::string> sets = event_settings("first_spike", "first_spike_ce");
  EXPECT_TRUE(run_part(dir / "whole", sets, false, 0));
  EXPECT_FALSE(run_part(dir / "parts", sets, false, 3));
  EXPECT_TRUE(run_part(dir / "parts", sets, true, 0));
  expect_same_run(dir / "whole", dir / "parts");
}

TEST(Resume, RegularizersContinue) {
  TempDir dir;
  std::vector<std::string> sets = rule_settings("bptt");
  sets.emplace_back("regularizers=[{name=\"rate\", lower=0.1, upper=0.1}, {name=\"voltage\", upper=0.5}]");
  EXPECT_TRUE(run_part(dir / "whole", sets, false, 0));
  EXPECT_FALSE(run_part(dir / "parts", sets, false, 3));  // within the first epoch
  EXPECT_TRUE(run_part(dir / "parts", sets, true, 0));
  expect_same_run(dir / "whole", dir / "parts");
  for (const Config& epoch : metrics(dir / "whole")) {
    EXPECT_GT(epoch.at("train_penalty_rate").get<double>(), 0);
    EXPECT_GT(epoch.at("train_penalty_voltage").get<double>(), 0);
  }
}

TEST(Resume, EveryRuleStepByStep) {
  TempDir dir;
  for (const auto* rule : Registry<Rule>::get().entries()) {
    if (reads_counts(rule->name)) continue;  // tandem_test
    for (const char* schedule : {"truncated\", update=\"step", "random_steps\", live=2, divide_by=\"steps"}) {
      SCOPED_TRACE(str(rule->name, ", ", schedule));
      std::vector<std::string> sets = rule_settings(rule->name);
      sets.push_back(str("schedule={name=\"", schedule, "\"}"));
      sets.emplace_back("epochs=1");
      const std::string whole = dir / str("whole_", rule->name, std::strlen(schedule)),
                        parts = dir / str("parts_", rule->name, std::strlen(schedule));
      EXPECT_TRUE(run_part(whole, sets, false, 0));
      EXPECT_FALSE(run_part(parts, sets, false, 3));
      EXPECT_TRUE(run_part(parts, sets, true, 0));
      expect_same_run(whole, parts);
    }
  }
}

/// Scores of steps are kept; what is skipped follows from the batch.
TEST(Resume, SchedulesThatChooseSteps) {
  TempDir dir;
  int number = 0;
  for (const char* schedule :
       {"top_steps\", live=2", "top_steps\", live=2, refresh=3, smoothing=0.5", "skipper\", segment=3",
        "skipper\", segment=3, mode=\"mask\", divide_by=\"one"}) {
    SCOPED_TRACE(schedule);
    std::vector<std::string> sets = rule_settings("bptt");
    std::string set = str("schedule={name=\"", schedule);
    if (std::count(set.begin(), set.end(), '"') % 2 == 1) set += '"';
    sets.push_back(set + "}");
    const std::string whole = dir / str("whole", number), parts = dir / str("parts", number);
    ++number;
    EXPECT_TRUE(run_part(whole, sets, false, 0));
    EXPECT_FALSE(run_part(parts, sets, false, 2));  // within an epoch, and between two measurements
    EXPECT_FALSE(run_part(parts, sets, true, 5));
    EXPECT_TRUE(run_part(parts, sets, true, 0));
    expect_same_run(whole, parts);
  }
}

TEST(Resume, BetweenTwoFiles) {
  TempDir dir;
  EXPECT_TRUE(run_part(dir / "whole", {"train.keep=9"}, false, 0));
  fs::copy(dir / "whole", dir / "late", fs::copy_options::recursive);
  // Metrics and best weights of the second epoch are written, its checkpoint is not.
  fs::remove(list_checkpoints(dir / "late/ckpt").front());
  fs::remove(dir / "late/DONE");
  EXPECT_TRUE(run_part(dir / "late", {"train.keep=9"}, true, 0));
  expect_same_run(dir / "whole", dir / "late");
}

TEST(Resume, PassesOverADamagedCheckpoint) {
  TempDir dir;
  EXPECT_TRUE(run_part(dir / "whole", {"train.keep=9"}, false, 0));
  fs::copy(dir / "whole", dir / "damaged", fs::copy_options::recursive);
  const std::string newest_path = list_checkpoints(dir / "damaged/ckpt").front();
  fs::resize_file(newest_path, 1000);
  EXPECT_TRUE(run_part(dir / "damaged", {"train.keep=9"}, true, 0));
  expect_same_run(dir / "whole", dir / "damaged");
}

TEST(Resume, DamagedCheckpointsDoNotPushOutGoodOnes) {
  TempDir dir;
  EXPECT_TRUE(run_part(dir / "whole", {"train.keep=1"}, false, 0));
  EXPECT_FALSE(run_part(dir / "run", {"train.keep=9"}, false, 5));
  const std::string newest = list_checkpoints(dir / "run/ckpt").front();
  fs::copy(newest, checkpoint_path(dir / "run/ckpt", 99999));
  fs::resize_file(checkpoint_path(dir / "run/ckpt", 99999), 1000);
  EXPECT_FALSE(run_part(dir / "run", {"train.keep=1"}, true, 2));
  ASSERT_EQ(list_checkpoints(dir / "run/ckpt").size(), 1u);
  EXPECT_TRUE(run_part(dir / "run", {"train.keep=1"}, true, 0));
  expect_same_run(dir / "whole", dir / "run");
}

TEST(Resume, RefusesToStartOverWhenEveryCheckpointIsDamaged) {
  TempDir dir;
  EXPECT_FALSE(run_part(dir / "run", {}, false, 3));
  for (const std::string& path : list_checkpoints(dir / "run/ckpt")) fs::resize_file(path, 100);
  EXPECT_THROW(run_part(dir / "run", {}, true, 0), DataError);
}

TEST(Resume, AnEndedRunThatGoesOnIsNotDone) {
  TempDir dir;
  EXPECT_TRUE(run_part(dir / "run", {}, false, 0));
  EXPECT_TRUE(run_is_done(dir / "run"));
  EXPECT_FALSE(run_part(dir / "run", {"epochs=9"}, true, 1));
  EXPECT_FALSE(run_is_done(dir / "run"));
}

TEST(Resume, RefusesAnotherRecipe) {
  TempDir dir;
  EXPECT_FALSE(run_part(dir / "run", {}, false, 2));
  EXPECT_THROW(run_part(dir / "run", {"seed=7"}, true, 0), UsageError);
  EXPECT_TRUE(run_part(dir / "run", {"epochs=3"}, true, 0));
}

TEST(Resume, ACourseOfTheLearningRateKeepsItsLength) {
  TempDir dir;
  const std::string cosine = "learning_rate.name=cosine";
  EXPECT_FALSE(run_part(dir / "run", {cosine}, false, 2));
  const std::string message = message_of<UsageError>([&] {
    run_part(dir / "run", {cosine, "epochs=3"}, true, 0);
  });
  EXPECT_NE(message.find("epochs was 2 and is now 3"), std::string::npos) << message;
  EXPECT_TRUE(run_part(dir / "run", {cosine}, true, 0));
}

/// Sums of several metrics cross the checkpoint within an epoch.
TEST(Resume, EveryMetricContinues) {
  TempDir dir;
  const std::vector<std::string> sets = {"metrics=[\"accuracy\", {name=\"top_k\", k=2}]"};
  EXPECT_TRUE(run_part(dir / "whole", sets, false, 0));
  EXPECT_FALSE(run_part(dir / "parts", sets, false, 3));
  EXPECT_TRUE(run_part(dir / "parts", sets, true, 0));
  expect_same_run(dir / "whole", dir / "parts");
  const std::vector<Config> lines = metrics(dir / "whole");
  ASSERT_EQ(lines.size(), 2u);
  for (const char* split : {"train", "validation", "test"}) {
    const double accuracy = lines[1].at(std::string(split) + "_accuracy"),
                 top2 = lines[1].at(std::string(split) + "_top2");
    EXPECT_LE(accuracy, top2) << split;
  }
  std::ifstream file(dir / "parts/summary.json");
  const Config summary = Config::parse(file);
  EXPECT_LE(summary.at("best_test_accuracy").get<double>(), summary.at("best_test_top2").get<double>());
}

TEST(Resume, RefusesAnotherNetworkThatNoRecipeTells) {
  TempDir dir;
  EXPECT_FALSE(run_part(dir / "run", {}, false, 2));
  Experiment other = tiny_experiment({"neuron.tau_m=4"});
  other.training.config = resolve(tiny_recipe());
  RunDir run(dir / "run", true);
  TrainerOptions options;
  options.run_dir = &run;
  const std::string message = message_of<UsageError>([&] { Trainer(other.training, options).resume(); });
  EXPECT_NE(message.find("another network"), std::string::npos) << message;
}

/// Killed twice and resumed, a run with these settings is the same as one that was left alone.
void expect_survives_kills(const TempDir& dir, const std::vector<std::string>& sets) {
  const std::string recipe = write_recipe(dir);
  const auto train = [&](const std::string& out, bool resume) {
    std::vector<std::string> arguments = {ST_CLI, "train", recipe, "--out", dir / out, "--threads", "1"};
    if (resume) arguments.push_back("--resume");
    for (const std::string& set : sets) arguments.insert(arguments.end(), {"--set", set});
    return spawn(arguments, dir / (out + ".txt"));
  };
  ASSERT_EQ(wait_for(train("whole", false)), 0) << text_of(dir / "whole.txt");

  // Killed as soon as a checkpoint from the middle of an epoch exists, then once more later on.
  for (const bool resume : {false, true}) {
    const size_t before = list_checkpoints(dir / "killed/ckpt").size();
    const std::string newest_before = before ? list_checkpoints(dir / "killed/ckpt").front() : "";
    const pid_t child = train("killed", resume);
    for (int i = 0; i < 30000; ++i) {
      const auto now = list_checkpoints(dir / "killed/ckpt");
      if (!now.empty() && now.front() > newest_before) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    kill(child, SIGKILL);
    ASSERT_EQ(wait_for(child), 1000 + SIGKILL) << "it ended before it could be killed";
  }
  ASSERT_FALSE(run_is_done(dir / "killed"));
  ASSERT_EQ(wait_for(train("killed", true)), 0) << text_of(dir / "killed.txt");
  expect_same_run(dir / "whole", dir / "killed");
  EXPECT_EQ(metrics(dir / "whole").size(), 2u);
}

TEST(Resume, AfterKillingTheProcess) {
  TempDir dir;
  expect_survives_kills(dir, {});
}

TEST(Resume, AMemoryLimitIsMetInTheSameShares) {
  TempDir dir;
  const std::vector<std::string> sets = {"neuron=lif", "rule=bptt", "objective=rate_ce",
                                         "compute.memory_limit=300KiB"};
  expect_survives_kills(dir, sets);
  const auto samples = [&](const char* run) {
    return Config::parse(text_of(dir / (std::string(run) + "/config.json")))
        .at("compute")
        .at("samples")
        .get<int64_t>();
  };
  EXPECT_GT(samples("whole"), 0);
  EXPECT_EQ(samples("killed"), samples("whole"));
}

TEST(Resume, AfterCtrlC) {
  TempDir dir;
  const std::string recipe = write_recipe(dir), out = dir / "run";
  const pid_t child = spawn({ST_CLI, "train", recipe, "--out", out, "--threads", "1"}, dir / "log.txt");
  for (int i = 0; i < 30000 && list_checkpoints(out + "/ckpt").empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child), 130);
  EXPECT_FALSE(run_is_done(out));
  EXPECT_EQ(wait_for(spawn({ST_CLI, "train", "--resume", "--out", out, "--threads", "1"}, dir / "log2.txt")),
            0);
  EXPECT_TRUE(run_is_done(out));
}

}  // namespace spiketrain::resume_test
