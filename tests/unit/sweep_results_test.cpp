// Numbers of a sweep from run directories written by hand.
#include "spiketrain/report/sweep_results.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "tests/support/sweep_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::sweep_results_test {

double number(const Measured& value) { return value.value_or(NAN); }

TEST(SweepResults, ReadsARun) {
  TempDir dir;
  HandRun run;
  run.cost =
      R"({"ac": 10, "mac_error": 20, "mac_weight": 30, "mac_forward": 5, "vector": 40, "memory_words": 50, "energy_uj": 0.5})";
  run.more["gradient_cosine"] = {{{"layer", "4C5"}, {"cosine", 0.5}},
                                 {{"layer", "10"}, {"cosine", 1.0}},
                                 {{"layer", "10"}, {"cosine", nullptr}}};
  run.summary["test_accuracy_at_best_validation"] = 0.375;
  run.write(dir / "run");
  const RunResult result = read_run(dir / "run", 3, kAccuracy);
  EXPECT_EQ(number(result["best_test_accuracy"]), 0.625);
  EXPECT_EQ(number(result["last_test_accuracy"]), 0.5);
  EXPECT_EQ(number(result["test_accuracy_at_best_validation"]), 0.375);
  EXPECT_EQ(number(result["last_train_accuracy"]), 0.75);
  EXPECT_EQ(number(result["gap_accuracy"]), 0.25);
  EXPECT_EQ(number(result["epoch_seconds"]), 2.0);
  EXPECT_EQ(number(result["peak_memory_mib"]), 80.0);
  EXPECT_EQ(number(result["optimizer_steps"]), 60.0 * 3 - 1);
  EXPECT_EQ(number(result["mac"]), 55.0);
  EXPECT_EQ(number(result["energy_uj"]), 0.5);
  EXPECT_FALSE(result["activation_bytes"]);
  EXPECT_EQ(number(result["gradient_cosine"]), 0.75);
  ASSERT_EQ(result.cosines.size(), 3u);
  EXPECT_EQ(result.cosines[1].first, "10");
  EXPECT_EQ(result.cosines[2].first, "10 #2");
  EXPECT_FALSE(result.cosines[2].second);
  ASSERT_EQ(result.test_by_epoch.at("accuracy").size(), 2u);
  EXPECT_EQ(number(result.test_by_epoch.at("accuracy")[0]), 0.25);
}

TEST(SweepResults, ReadsTheMemoryOfOlderRuns) {
  for (const char* name : {"activation_bytes", "activation_bytes_measured"}) {
    TempDir dir;
    HandRun run;
    run.cost = str(R"({"ac": 10, "activation_bytes_predicted": 70, ")", name, "\": 80}");
    run.write(dir / "run");
    EXPECT_EQ(number(read_run(dir / "run", 1, kAccuracy)["activation_bytes"]), 80.0) << name;
  }
}

TEST(SweepResults, ReadsEveryMetric) {
  TempDir dir;
  HandRun run;
  run.more = {{"train_mse", 0.25}, {"test_mse", 1.0}, {"test_top3", 0.875}};
  run.summary = {{"last_test_mse", 1.0}, {"best_test_mse", 0.5}, {"last_test_top3", nullptr}};
  run.write(dir / "run");
  const RunResult result = read_run(dir / "run", 1, {{"mse", false}, {"top3", true}});
  EXPECT_EQ(number(result["best_test_mse"]), 0.5);
  EXPECT_EQ(number(result["gap_mse"]), 0.75) << "positive: the test split is worse";
  EXPECT_FALSE(result["last_test_top3"]) << "NaN is written as null";
  EXPECT_FALSE(result["last_test_accuracy"]) << "not asked for";
  ASSERT_EQ(result.test_by_epoch.at("top3").size(), 2u);
  EXPECT_FALSE(result.test_by_epoch.at("top3")[0]);
  EXPECT_EQ(number(result.test_by_epoch.at("top3")[1]), 0.875);
}

TEST(SweepResults, WhatIsAbsentStaysAbsent) {
  TempDir dir;
  HandRun run;
  run.more = {{"train_accuracy", nullptr}, {"optimizer_steps", 777}};
  run.write(dir / "run");
  const RunResult result = read_run(dir / "run", 3, kAccuracy);
  for (const char* m : {"test_accuracy_at_best_validation", "last_train_accuracy", "gap_accuracy", "ac",
                        "mac", "energy_uj", "gradient_cosine"})
    EXPECT_FALSE(result[m]) << m;
  EXPECT_EQ(number(result["optimizer_steps"]), 777) << "a recorded number wins";

  write_file_atomic(dir / "run/summary.json", std::string(R"({"epochs": 0, "best_test_accuracy": -1})"));
  EXPECT_FALSE(read_run(dir / "run", 1, kAccuracy)["best_test_accuracy"])
      << "placeholders of a run without epochs";
}

TEST(SweepResults, RefusesBrokenFiles) {
  TempDir dir;
  const auto error_after = [&](const std::string& file, const std::string& text) {
    HandRun().write(dir / "run");
    write_file_atomic(dir / ("run/" + file), text);
    return message_of<DataError>([&] { read_run(dir / "run", 1, kAccuracy); });
  };
  EXPECT_NE(error_after("metrics.jsonl", "{}\n{\n").find("metrics.jsonl: byte 3"), std::string::npos);
  EXPECT_NE(error_after("summary.json", "[]").find("summary.json"), std::string::npos);
  EXPECT_NE(error_after("cost.json", R"({"ac": "much"})").find("expected a number as ac"), std::string::npos);
  std::filesystem::remove(dir / "run/cost.json");
  EXPECT_NE(error_after("metrics.jsonl", R"({"gradient_cosine": [1]})").find("gradient_cosine"),
            std::string::npos);
}

TEST(SweepResults, MeanAndDeviation) {
  EXPECT_FALSE(statistics({}));
  EXPECT_FALSE(statistics({Measured(), Measured()}));
  const auto one = statistics({Measured(3.0), Measured()});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->mean, 3.0);
  EXPECT_EQ(one->n, 1u);
  EXPECT_FALSE(one->sd);
  const auto many = statistics({2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0});
  EXPECT_DOUBLE_EQ(many->mean, 5.0);
  EXPECT_DOUBLE_EQ(*many->sd, std::sqrt(32.0 / 7));
}

class Collected : public ::testing::Test {
 protected:
  void write(const std::string& name, double test, Config more = Config::object(), std::string cost = "") {
    HandRun run;
    run.test = test;
    run.more = std::move(more);
    run.cost = std::move(cost);
    run.write(dir_ / name);
  }
  SweepResults results(const SweepGrid& grid, const std::map<std::string, std::string>& failures = {}) {
    return collect(plan_sweep(grid), "by hand", dir_.path(), failures);
  }
  TempDir dir_;
};

TEST_F(Collected, SaysThatNothingIsBetterThanChance) {
  const SweepGrid grid = sweep_grid({"schedule.window=1,2"}, {1});
  write("window=1_seed=1", 0.0);  // its best epoch has 0.125 of 10 classes
  write("window=2_seed=1", 0.02);
  const SweepResults lost = results(grid);
  EXPECT_NE(lost.chance_warning.find("no setting is better than chance, an accuracy of 10 %"),
            std::string::npos)
      << lost.chance_warning;
  write("window=2_seed=1", 0.5);
  EXPECT_EQ(results(grid).chance_warning, "");
  EXPECT_EQ(plan_sweep(grid).chance, 0.1);
}

TEST_F(Collected, AveragesOverSeedsAndNamesWhatIsMissing) {
  write("window=1_seed=1", 0.5, {{"gradient_cosine", {{{"layer", "a"}, {"cosine", 0.5}}}}}, R"({"ac": 8})");
  write("window=1_seed=2", 0.75);
  write("window=2_seed=1", 0.625);
  write("window=5_seed=1", 0.5);
  write("window=5_seed=2", 0.5);
  write_file_atomic(dir_ / "window=5_seed=2/metrics.jsonl", std::string("{"));
  const SweepResults all =
      results(sweep_grid({"schedule.window=1,2,5"}), {{"window=2_seed=2", "failed (exit code 4): NaN"}});
  ASSERT_EQ(all.settings.size(), 3u);
  const SettingResult& first = all.settings[0];
  EXPECT_EQ(first.done, 2u);
  EXPECT_DOUBLE_EQ(first["last_test_accuracy"]->mean, 0.625);
  EXPECT_DOUBLE_EQ(*first["last_test_accuracy"]->sd, std::sqrt(0.03125));
  EXPECT_EQ(first["ac"]->mean, 8);
  EXPECT_EQ(first["ac"]->n, 1u);
  EXPECT_EQ(all.layers, (std::vector<std::string>{"a"}));
  EXPECT_EQ(first.cosines[0]->n, 1u);
  EXPECT_FALSE(all.settings[1].cosines[0]);
  EXPECT_EQ(all.settings[1].done, 1u);
  EXPECT_EQ(all.settings[1].planned, 2u);
  ASSERT_EQ(all.incomplete.size(), 2u);
  EXPECT_EQ(all.incomplete[0], "window=2_seed=2: failed (exit code 4): NaN");
  EXPECT_NE(all.incomplete[1].find("metrics.jsonl"), std::string::npos);
  EXPECT_EQ(all.steps_warning, "");
  EXPECT_TRUE(all.has("ac"));
  EXPECT_FALSE(all.has("energy_uj"));
}

TEST_F(Collected, WarnsOfUnequalSteps) {
  for (const char* name : {"window=5_seed=1", "window=10_seed=1"}) write(name, 0.5);
  const std::vector<std::string> axis = {"schedule.window=5,10"};
  EXPECT_EQ(results(sweep_grid(axis, {1})).steps_warning, "") << "one update per batch in both";

  SweepGrid per_window = sweep_grid(axis, {1});
  apply_set(per_window.base, "schedule.update=window");
  EXPECT_NE(results(per_window).steps_warning.find("59 to 119"), std::string::npos);

  write("window=5_seed=1", 0.5, {{"optimizer_steps", 40}});
  EXPECT_NE(results(sweep_grid(axis, {1})).steps_warning.find("40 to 59"), std::string::npos);
}

}  // namespace spiketrain::sweep_results_test
