// What a run would fail of later is refused before it starts, in one line that says what to do.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "spiketrain/recipe/memory.h"
#include "tests/support/process.h"
#include "tests/support/runs.h"

namespace spiketrain::limits_test {

class Limits : public ::testing::Test {
 protected:
  Limits() : recipe_(write_recipe(dir_)) {}
  /// One line that holds `part`, and this exit code.
  void expect_error(std::vector<std::string> arguments, int code, const std::string& part,
                    const std::string& shell = "") {
    arguments.insert(arguments.begin(), {ST_CLI, "train"});
    if (!shell.empty()) arguments.insert(arguments.begin(), {"/bin/sh", "-c", shell + "; exec \"$@\"", "sh"});
    EXPECT_EQ(wait_for(spawn(arguments, dir_ / "log.txt")), code);
    const std::string text = text_of(dir_ / "log.txt");
    EXPECT_NE(text.find(part), std::string::npos) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  }
  TempDir dir_;
  std::string recipe_;
};

TEST_F(Limits, EmptyOut) { expect_error({recipe_, "--out", ""}, 2, "--out: expected a name"); }

TEST_F(Limits, MemoryOfTheMachine) {
  expect_error({recipe_, "--out", dir_ / "run", "--set", "steps=100000", "--set", "data.batch=600"}, 2,
               "memory: the run needs at least");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "run"));
}

TEST_F(Limits, MemoryOfAnEvaluation) {
  expect_error({recipe_, "--out", dir_ / "run", "--set", "steps=10000", "--set", "data.batch=1", "--set",
                "train.eval_batch=2000", "--set", "data.test_size=2000"},
               2, "memory: evaluation needs at least");
}

TEST_F(Limits, LittleAddressSpace) {
  for (const char* limit : {"ulimit -v 400000", "ulimit -v 700000"})
    expect_error({recipe_, "--out", dir_ / "run"}, 2, "expected at least 1024 MiB", limit);
}

TEST_F(Limits, AddressSpace) {
  expect_error({recipe_, "--out", dir_ / "run", "--threads", "64"}, 2, "64 threads need",
               "ulimit -v 8000000");
}

TEST_F(Limits, NeedIsToldAndRisesWithTheBatch) {
  const auto need = [](const char* batch) {
    const Experiment e = tiny_experiment({str("data.batch=", batch), "network.spec=64C3-64C3-P2-4"});
    const std::string text = check_memory(e.recipe, e.training);
    EXPECT_EQ(text.find("at least "), 0u) << text;
    return std::stoi(text.substr(9));
  };
  EXPECT_GT(need("32"), need("4"));
}

TEST_F(Limits, MemoryLimitTakesFewerSamplesAtATime) {
  const std::vector<std::string> sets = {"neuron=lif", "rule=bptt", "objective=rate_ce", "data.batch=32"};
  const auto fitted = [&](const std::string& limit, const std::string& more = "epochs=1") {
    std::vector<std::string> all = sets;
    all.insert(all.end(), {"compute.memory_limit=" + limit, more});
    Experiment e = tiny_experiment(all);
    fit_memory(e);
    EXPECT_EQ(e.training.config.at("compute").at("samples").get<int64_t>(), e.recipe.compute.samples);
    EXPECT_EQ(e.training.learner->parts().samples_at_once, e.recipe.compute.samples);
    return e.recipe.compute.samples;
  };
  EXPECT_EQ(fitted("1GiB"), 0);
  const int64_t half = fitted("60 KiB"), few = fitted("20KiB");
  EXPECT_GT(half, few);
  EXPECT_GT(few, 0);
  // What was taken is what a second look takes.
  EXPECT_EQ(fitted("60 KiB", "compute.samples=" + std::to_string(half)), half);
  const auto refused = [&](const std::string& limit, const std::string& more) {
    return message_of<UsageError>([&] { fitted(limit, more); });
  };
  EXPECT_NE(refused("1KiB", "epochs=1").find("1 samples at a time need"), std::string::npos);
  EXPECT_NE(refused("20KiB", "compute.samples=32").find("make compute.samples"), std::string::npos);
  EXPECT_NE(refused("20KiB", "network.norm=bn").find("takes a batch whole"), std::string::npos);
  for (const char* text : {"2GB", "-1GiB", "GiB", "2GiBs", "0KiB", "nanKiB"})
    EXPECT_NE(refused(text, "epochs=1").find("compute.memory_limit: expected a number of KiB, MiB or GiB"),
              std::string::npos)
        << text;
}

/// Shares of a product that are there at once depend on the threads, and so does what a pass takes.
TEST_F(Limits, MemoryLimitDoesNotDependOnThreads) {
  const int before = omp_get_max_threads();
  std::set<int64_t> taken;
  for (const int threads : {1, 2, 8, 8, 8}) {
    omp_set_num_threads(threads);
    Experiment e =
        tiny_experiment({"neuron=lif", "rule=bptt", "objective=rate_ce", "data.batch=64", "steps=2",
                         "network.spec=32C3p1-32C3p1-4", "compute.memory_limit=700KiB"});
    fit_memory(e);
    taken.insert(e.recipe.compute.samples);
  }
  omp_set_num_threads(before);
  EXPECT_EQ(taken.size(), 1U);
  EXPECT_GT(*taken.begin(), 1);
}

TEST_F(Limits, MetricsThatAreNoFileAreNamed) {
  const std::string run = dir_ / "run";
  EXPECT_FALSE(run_part(run, {}, false, 2));
  std::filesystem::remove(run + "/metrics.jsonl");
  std::filesystem::create_directory(run + "/metrics.jsonl");
  EXPECT_NE(message_of<DataError>([&] { run_part(run, {}, true, 0); }).find("run/metrics.jsonl"),
            std::string::npos);
  for (const std::string& path : list_checkpoints(run + "/ckpt")) std::filesystem::remove(path);
  EXPECT_NE(message_of<DataError>([&] { run_part(run, {}, true, 0); }).find("run/metrics.jsonl"),
            std::string::npos);
}

/// Updates can be left out, a broken evaluation cannot.
TEST_F(Limits, SkippingUpdatesDoesNotSaveAnEvaluation) {
  const std::string message = message_of<NumericError>([&] {
    run_part(dir_ / "run",
             {"train.on_nan=skip", "neuron=lif", "rule=bptt", "readout=leaky_readout", "objective=mse",
              "network.linear_scale=1e30", "network.conv_scale=1e9"},
             false, 0);
  });
  EXPECT_NE(message.find("leaves out updates"), std::string::npos) << message;
}

}  // namespace spiketrain::limits_test
