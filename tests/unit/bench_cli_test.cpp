// `spiketrain bench`: what it times, prints, writes and refuses; tools/bench_compare.py and
// tools/bench_curves.py.  No time is asserted.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/kernels/isa.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::bench_cli_test {

using Json = nlohmann::json;

struct Result {
  int code;
  std::string text;
  bool has(const std::string& part) const { return text.find(part) != std::string::npos; }
  int64_t lines() const { return std::count(text.begin(), text.end(), '\n'); }
};

class BenchCli : public ::testing::Test {
 protected:
  Result run_program(const std::vector<std::string>& arguments) {
    const int code = wait_for(spawn(arguments, dir_ / "output"));
    const Bytes bytes = read_file(dir_ / "output");
    return {code, std::string(bytes.begin(), bytes.end())};
  }
  Result run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {ST_CLI, "bench"});
    return run_program(arguments);
  }
  void expect_error(const std::vector<std::string>& arguments, const std::string& part) {
    const Result result = run(arguments);
    EXPECT_EQ(result.code, 2) << result.text;
    EXPECT_TRUE(result.has(part)) << result.text;
    EXPECT_EQ(result.lines(), 1) << result.text;
  }
  Json read_json(const std::string& name) {
    const Bytes bytes = read_file(dir_ / name);
    return Json::parse(bytes.begin(), bytes.end());
  }
  Result compare(const Json& before, const Json& now, std::vector<std::string> more = {}) {
    write_file_atomic(dir_ / "old.json", before.dump());
    write_file_atomic(dir_ / "new.json", now.dump());
    std::vector<std::string> arguments = {"/usr/bin/env", "python3", ST_SOURCE_DIR "/tools/bench_compare.py",
                                          dir_ / "old.json", dir_ / "new.json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  }
  Result curves(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"/usr/bin/env", "python3", ST_SOURCE_DIR "/tools/bench_curves.py",
                                         "--plots", dir_ / "plots"});
    return run_program(arguments);
  }
  std::string read_text(const std::string& name) {
    const Bytes bytes = read_file(dir_ / name);
    return {bytes.begin(), bytes.end()};
  }
  TempDir dir_;
};

TEST_F(BenchCli, TimesKernelsBesidePlainLibTorch) {
  const Result result = run({"kernel", "--case", "32->32", "--density", "0.1", "--rounds", "1", "--threads",
                             "1", "--json", dir_ / "out.json"});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_EQ(result.lines(), 5) << result.text;  // settings, blank, head, forward, gradient
  EXPECT_TRUE(result.has("threads 1, SIMD ")) << result.text;
  for (const char* part : {"spike density", "ours ms (least)", "plain ms (least)", "plain / ours"})
    EXPECT_TRUE(result.has(part)) << part << '\n' << result.text;
  const Json json = read_json("out.json");
  EXPECT_EQ(json.at("rounds"), 1);
  EXPECT_TRUE(json.at("version").is_string());
  for (const char* key : {"cpu", "isa", "torch", "compiler"})
    EXPECT_TRUE(json.at("machine").at(key).is_string()) << key;
  EXPECT_EQ(json.at("machine").at("threads"), 1);
  ASSERT_EQ(json.at("cases").size(), 2U);
  const Json& forward = json.at("cases")[0];
  EXPECT_EQ(forward.at("level"), "kernel");
  EXPECT_EQ(forward.at("product"), "forward");
  EXPECT_EQ(json.at("cases")[1].at("product"), "gradient");
  EXPECT_TRUE(result.has(forward.at("name").get<std::string>())) << result.text;
  EXPECT_EQ(forward.at("density"), 0.1);
  EXPECT_NEAR(forward.at("measured_density").get<double>(), 0.1, 0.01);
  EXPECT_EQ(forward.at("threads"), 1);
  EXPECT_GT(forward.at("ours_ms").get<double>(), 0);
  EXPECT_NEAR(forward.at("ratio").get<double>(),
              forward.at("plain_ms").get<double>() / forward.at("ours_ms").get<double>(), 1e-2);
}

// All forms of a step have the same loss and gradients, or the command fails.
TEST_F(BenchCli, StepsOfAllFormsAgree) {
  const Result result =
      run({"step", "--case", "mnist", "--density", "0.1", "--rounds", "1", "--json", dir_ / "out.json"});
  EXPECT_EQ(result.code, 0) << result.text;
  const Json json = read_json("out.json");
  ASSERT_EQ(json.at("cases").size(), 1U);
  for (const char* form : {"ours_ms", "plain_ms", "naive_ms", "relu_ms"})
    EXPECT_GT(json.at("cases")[0].at(form).get<double>(), 0) << form;
  EXPECT_NEAR(json.at("cases")[0].at("measured_density").get<double>(), 0.1, 0.02);
}

// Ten output neurons for each class, one step: the sum of a class is the same in all forms.
TEST_F(BenchCli, StepsOfPopulationsAgreeAndTellTheirThroughput) {
  const Result result = run({"step", "--case", "POP10", "--batch", "16", "--density", "0.1", "--rounds", "1",
                             "--json", dir_ / "out.json"});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_TRUE(result.has("ours, samples/s")) << result.text;
  const Json json = read_json("out.json");
  ASSERT_EQ(json.at("cases").size(), 1U);
  const Json& one = json.at("cases")[0];
  for (const char* form : {"ours", "plain", "naive", "relu", "mixed"})
    EXPECT_NEAR(one.at(std::string(form) + "_samples_per_s").get<double>() *
                    one.at(std::string(form) + "_ms").get<double>(),
                16e3, 16e3 * 1e-2)
        << form;
}

// Blocks with heads: plain LibTorch end to end and with the same local losses.
TEST_F(BenchCli, LocalStepsAgree) {
  const Result result = run({"step", "--case", "local", "--steps", "2", "--batch", "3", "--density", "0.1",
                             "--rounds", "1", "--json", dir_ / "out.json"});
  EXPECT_EQ(result.code, 0) << result.text;
  const Json json = read_json("out.json");
  ASSERT_EQ(json.at("cases").size(), 1U);
  for (const char* form : {"ours_ms", "plain_ms", "local_ms", "mixed_ms"})
    EXPECT_GT(json.at("cases")[0].at(form).get<double>(), 0) << form;
  EXPECT_FALSE(json.at("cases")[0].contains("relu_ms"));
}

TEST_F(BenchCli, StepsTellWhatTheyAskOfTheSystem) {
  const Result result = run({"step", "--case", "dense", "--steps", "20", "--density", "0.1", "--rounds", "1",
                             "--json", dir_ / "out.json"});
  EXPECT_EQ(result.code, 0) << result.text;
  for (const char* part : {"ours MiB", "ours, new bytes", "ours, page faults"})
    EXPECT_TRUE(result.has(part)) << part << '\n' << result.text;
  const Json json = read_json("out.json");
  EXPECT_GT(json.at("cases")[0].at("ours_bytes").get<double>(), 0);
  EXPECT_EQ(json.at("cases")[0].at("new_bytes_per_step"), 0);  // blocks are kept and taken again
  EXPECT_TRUE(json.at("cases")[0].at("page_faults_per_step").is_number());
}

TEST_F(BenchCli, RunsEachCaseWithEachNumberOfThreads) {
  const Result result = run({"kernel", "--case", "400->400 n=200", "--density", "0.1", "--rounds", "1",
                             "--threads", "2,1,2", "--json", dir_ / "out.json"});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_TRUE(result.has("threads 1, 2, SIMD ")) << result.text;
  EXPECT_TRUE(result.has("1 -> 2 threads")) << result.text;
  const Json json = read_json("out.json");
  EXPECT_EQ(json.at("machine").at("threads"), Json({1, 2}));
  ASSERT_EQ(json.at("cases").size(), 4U);
  for (const size_t k : {0, 1, 2, 3}) {
    EXPECT_EQ(json.at("cases")[k].at("threads"), k % 2 + 1);
    EXPECT_EQ(json.at("cases")[k].at("product"), k < 2 ? "forward" : "gradient");
  }
}

// Beside LibTorch's products of bfloat16 where it has fast ones.
TEST_F(BenchCli, KernelsBesideBfloat16) {
  const std::vector<std::string> isas = supported_isas();
  if (std::none_of(isas.begin(), isas.end(), [](const auto& isa) { return isa.compare(0, 4, "AVX3") == 0; }))
    GTEST_SKIP() << "without AVX-512";
  const Result result = run({"kernel", "--case", "400->400 n=200", "--density", "0.1", "--rounds", "1",
                             "--json", dir_ / "out.json"});
  EXPECT_TRUE(result.has("mixed ms (least)")) << result.text;
  EXPECT_TRUE(result.has("mixed / ours")) << result.text;
  for (const Json& one : read_json("out.json").at("cases"))
    EXPECT_NEAR(one.at("mixed_ratio").get<double>(),
                one.at("mixed_ms").get<double>() / one.at("ours_ms").get<double>(), 1e-2);
}

TEST_F(BenchCli, FindsBreakEvenDensities) {
  const Result result = run({"kernel", "--breakeven", "--case", "400->400 n=200", "--rounds", "1",
                             "--threads", "1", "--json", dir_ / "out.json"});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_EQ(result.lines(), 5) << result.text;  // settings, blank, head, forward, gradient
  for (const char* part : {"break-even", "model / measured"}) EXPECT_TRUE(result.has(part)) << result.text;
  const Json balances = read_json("out.json").at("balances");
  ASSERT_EQ(balances.size(), 2U);
  for (const Json& one : balances) {
    EXPECT_GE(one.at("break_even").get<double>(), 0.005);
    EXPECT_LE(one.at("break_even").get<double>(), 1);
    EXPECT_GT(one.at("model").get<double>(), 0);
    EXPECT_LE(one.at("model").get<double>(), 1);
  }
}

TEST_F(BenchCli, LayersOfAllFormsAgree) {
  const Result result = run({"layer", "--case", "linear", "--density", "0.05", "--rounds", "1"});
  EXPECT_EQ(result.code, 0) << result.text;
  EXPECT_TRUE(result.has("naive ms (least)")) << result.text;
}

TEST_F(BenchCli, RefusesWhatThereIsNot) {
  expect_error({"kernels"},
               "unknown level 'kernels'; did you mean 'kernel'? Levels: kernel, layer, neuron, step");
  expect_error({"layer", "--case", "transformer"},
               "expected a part of one of: conv 128->128 3x3 @16 T=4 B=32");
  for (const char* density : {"0", "1.5", "-0.1"})
    expect_error({"kernel", "--density", density}, "above 0 and at most 1");
  expect_error({"kernel", "--rounds", "-1"}, "--rounds");
  expect_error({"kernel", "--threads", "1,-1"}, "--threads");
  expect_error({"step", "--breakeven"}, "expected it with level kernel");
  expect_error({"kernel", "--breakeven", "--density", "0.1"}, "without --density");
  expect_error({"kernel", "--breakeven", "--case", "transformer"},
               "expected a part of one of: conv 128->128");
  expect_error({"kernel", "--json", dir_ / "missing/out.json"}, "make its folder first");
}

TEST_F(BenchCli, IsListed) { EXPECT_TRUE(run_program({ST_CLI, "help"}).has("\n  bench ")); }

Json one_case(double ours_ms) {
  return {{"machine", {{"cpu", "a"}}},
          {"cases",
           {{{"level", "step"},
             {"name", "mnist"},
             {"product", "training step"},
             {"density", nullptr},
             {"threads", 2},
             {"ours_ms", ours_ms},
             {"plain_ms", 30},
             {"ratio", 30 / ours_ms}}}}};
}

TEST_F(BenchCli, CompareFindsWhatBecameSlower) {
  const Result slower = compare(one_case(10), one_case(11.5));
  EXPECT_EQ(slower.code, 1) << slower.text;
  EXPECT_TRUE(slower.has("SLOWER")) << slower.text;
  EXPECT_TRUE(slower.has("10.000  11.500  1.15")) << slower.text;
  EXPECT_TRUE(slower.has("1 of 1 cases slower by more than 10 %")) << slower.text;
  const Result within = compare(one_case(10), one_case(11.5), {"--margin", "0.2"});
  EXPECT_EQ(within.code, 0) << within.text;
  EXPECT_FALSE(within.has("SLOWER")) << within.text;
  EXPECT_EQ(compare(one_case(10), one_case(5)).code, 0);
}

TEST_F(BenchCli, CompareMatchesCasesByWhatTheyAre) {
  Json other = one_case(100);
  other["cases"][0]["threads"] = 4;
  const Result result = compare(one_case(10), other);
  EXPECT_EQ(result.code, 2) << result.text;
  EXPECT_TRUE(result.has("no case is in both files")) << result.text;
  Json more = one_case(10);
  more["cases"].push_back(other["cases"][0]);
  more["machine"]["cpu"] = "b";
  const Result partly = compare(one_case(10), more);
  EXPECT_EQ(partly.code, 0) << partly.text;
  EXPECT_TRUE(partly.has("1 cases are in")) << partly.text;
  EXPECT_TRUE(partly.has("cpu was a, is b")) << partly.text;
}

TEST_F(BenchCli, CompareRefusesOtherFiles) {
  const Result result = compare(Json::object(), one_case(10));
  EXPECT_EQ(result.code, 2) << result.text;
  EXPECT_TRUE(result.has("expected a file of `spiketrain bench --json`")) << result.text;
}

TEST_F(BenchCli, CurvesMeasureAndDraw) {
  const Result measured =
      curves({"--cli", ST_CLI, "--case", "dense", "--name", "dense", "--steps", "6,3,6", "--batch", "",
              "--density", "0.1", "--threads", "", "--rounds", "1", "--data", dir_ / "data.json"});
  EXPECT_EQ(measured.code, 0) << measured.text;
  const Json axes = read_json("data.json").at("axes");
  ASSERT_EQ(axes.size(), 2U);
  ASSERT_EQ(axes.at("steps").size(), 2U);  // ascending, each once
  EXPECT_EQ(axes.at("steps")[0][0], 3);
  EXPECT_GT(axes.at("steps")[1][1].at("ours_ms").get<double>(), 0);
  EXPECT_EQ(axes.at("density").size(), 1U);
  const std::string drawn = read_text("plots/bench-dense-steps.svg");
  for (const char* part : {"<svg ", "</svg>", "time steps: ms of a step", "time steps: MiB held at once",
                           ">ours<", ">plain<", ">naive<", ">relu<"})
    EXPECT_NE(drawn.find(part), std::string::npos) << part;
  std::filesystem::remove(dir_ / "plots/bench-dense-steps.svg");
  const Result again = curves({"--draw", dir_ / "data.json"});
  EXPECT_EQ(again.code, 0) << again.text;
  EXPECT_EQ(read_text("plots/bench-dense-steps.svg"), drawn);
}

TEST_F(BenchCli, CurvesAreWhereTheirNumbersSay) {
  const auto point = [](int steps, double ours, double plain) {
    return Json({steps,
                 {{"name", "small"},
                  {"ours_ms", ours},
                  {"plain_ms", plain},
                  {"ours_bytes", 1 << 20},
                  {"plain_bytes", 2 << 20}}});
  };
  const Json data = {{"name", "small"},
                     {"axes", {{"steps", {point(1, 1, 10), point(10, 10, 100), point(100, 100, 100)}}}}};
  write_file_atomic(dir_ / "data.json", data.dump());
  EXPECT_EQ(curves({"--draw", dir_ / "data.json"}).code, 0);
  const std::string drawn = read_text("plots/bench-small-steps.svg");
  // Logarithmic: the frame is 420 x 330 at (45, 20), with margins of 15, and of 70 for names at the right.
  for (const char* path : {"M60.0 335.0L235.0 185.0L410.0 35.0", "M60.0 185.0L235.0 35.0L410.0 35.0"})
    EXPECT_NE(drawn.find(path), std::string::npos) << path << '\n' << drawn;
  EXPECT_EQ(drawn.find(">naive<"), std::string::npos);  // not measured
}

TEST_F(BenchCli, CurvesRefuse) {
  const Result several = curves({"--cli", ST_CLI, "--case", "transformer", "--steps", "2"});
  EXPECT_EQ(several.code, 2) << several.text;
  EXPECT_TRUE(several.has("no case has 'transformer' in its name")) << several.text;
  write_file_atomic(dir_ / "data.json", "{}");
  const Result other = curves({"--draw", dir_ / "data.json"});
  EXPECT_EQ(other.code, 2) << other.text;
  EXPECT_TRUE(other.has("expected a file of --data")) << other.text;
}

}  // namespace spiketrain::bench_cli_test
