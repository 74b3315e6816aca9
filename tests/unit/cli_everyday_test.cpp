// Everyday work at the command line: weights to begin with, frozen layers, early stopping, confusions, predictions, the spikes of one
// sample, and a first recipe.
#include <fstream>
#include <sstream>

#include "spiketrain/base/safetensors.h"
#include "spiketrain/recipe/recipe.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/cli.h"
#include "tests/support/tensors.h"

namespace spiketrain::cli_everyday_test {

class CliEveryday : public Cli {
 protected:
  /// A trained run of LIF neurons.
  std::string trained(const std::string& name, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"train", recipe(), "--out", dir_ / name, "--threads", "1"};
    for (const char* set : {"neuron=lif", "readout=leaky_readout", "rule=bptt", "objective=rate_ce"})
      arguments.insert(arguments.end(), {"--set", set});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const CliResult result = run(arguments);
    EXPECT_EQ(result.code, 0) << result.text;
    output_ = result.text;
    return dir_ / name;
  }
  static NamedTensors weights(const std::string& run,
                              const char* checkpoint = "/ckpt/0000000003.safetensors") {
    NamedTensors list;
    const SafetensorsFile file = SafetensorsFile::open(run + checkpoint);
    for (const TensorEntry& entry : file.entries())
      if (entry.name.rfind("optimizer.", 0) != 0) list.emplace_back(entry.name, to_tensor(entry));
    return list;
  }
  static std::vector<std::vector<std::string>> csv(const std::string& path) {
    std::ifstream file(path);
    std::vector<std::vector<std::string>> rows;
    for (std::string line; std::getline(file, line);) {
      std::istringstream cells(line);
      rows.emplace_back();
      for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(cell);
    }
    return rows;
  }
  std::string output_;
};

TEST_F(CliEveryday, BeginsWithWeightsAndFreezes) {
  const std::string first = trained("first");
  const std::string file = first + "/ckpt/best.safetensors";
  const std::string second =
      trained("second", {"--init", file, "--redraw", "readout", "--freeze", "0", "--set", "seed=2"});
  EXPECT_NE(output_.find("begins with 1 tensor of " + file + "; drawn: readout"), std::string::npos)
      << output_;
  const NamedTensors a = weights(first, "/ckpt/best.safetensors"), b = weights(second);
  ASSERT_EQ(a.size(), 2U);
  EXPECT_TRUE(torch::equal(a[0].second, b[0].second)) << a[0].first;
  EXPECT_FALSE(torch::equal(a[1].second, b[1].second)) << a[1].first;
  const Recipe kept = load_recipe(second + "/config.toml");
  EXPECT_EQ(kept.init.file, file);
  EXPECT_EQ(kept.train.freeze, std::vector<std::string>{"0"});
  // Neither measuring it nor going on needs the file.
  std::remove(file.c_str());
  EXPECT_EQ(run({"eval", second, "--threads", "1"}).code, 0);
  EXPECT_EQ(run({"train", "--resume", "--out", second, "--threads", "1", "--set", "epochs=2"}).code, 0);
  // The recipe may come after a list of places; the activations of the whole network are measured all the same.
  const CliResult last = run({"train", "--freeze", "1", recipe(), "--out", dir_ / "last", "--threads", "1",
                              "--set", "blocks.size=1"});
  EXPECT_EQ(last.code, 0) << last.text;
  const Bytes cost = read_file(dir_ / "last/cost.json");
  EXPECT_TRUE(Config::parse(cost.begin(), cost.end()).contains("activation_bytes_end_to_end"));
  expect_error({"train", recipe(), "--out", dir_ / "third", "--init", file}, 3, "best.safetensors");
  expect_error({"train", recipe("init = \"x\"\n"), "--out", dir_ / "fifth", "--init", file}, 2, "init");
  expect_error({"train", recipe(), "--out", dir_ / "fourth", "--freeze", "7"}, 2, "Places: block0");
}

TEST_F(CliEveryday, StopsEarly) {
  const std::string out = trained("run", {"--set", "epochs=9", "--set", "data.validation=20", "--set",
                                          "train.patience=2", "--set", "optimizer.lr=0"});
  EXPECT_NE(output_.find("stopped early"), std::string::npos) << output_;
  const Bytes cost = read_file(out + "/cost.json");
  EXPECT_TRUE(Config::parse(cost.begin(), cost.end()).contains("activation_bytes_end_to_end"));
  EXPECT_EQ(csv(out + "/metrics.jsonl").size(), 3U);
  EXPECT_TRUE(file_exists(out + "/DONE"));
  expect_error({"train", recipe(), "--out", dir_ / "none", "--set", "train.patience=2"}, 2,
               "data.validation");
}

TEST_F(CliEveryday, PredictionsAndConfusionsAgree) {
  const std::string out = trained("run"), table = dir_ / "predictions.csv";
  const CliResult result =
      run({"eval", out, "--json", "--confusion", "--predictions", table, "--threads", "1"});
  ASSERT_EQ(result.code, 0) << result.text;
  const Config json = Config::parse(result.text);
  const auto rows = csv(table);
  ASSERT_EQ(rows.size(), 41U);
  EXPECT_EQ(rows[0].size(), 13U);
  EXPECT_EQ(rows[0][3], "output0");
  std::vector<std::vector<int64_t>> counts(10, std::vector<int64_t>(10));
  int64_t right = 0;
  for (size_t i = 1; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i][0], std::to_string(i - 1));
    const size_t label = std::stoul(rows[i][1]), predicted = std::stoul(rows[i][2]);
    ++counts.at(label).at(predicted);
    right += label == predicted ? 1 : 0;
    for (size_t c = 0; c < 10; ++c)
      EXPECT_LE(std::stof(rows[i][3 + c]), std::stof(rows[i][3 + predicted])) << i;
  }
  EXPECT_EQ(json["confusion"].get<std::vector<std::vector<int64_t>>>(), counts);
  EXPECT_DOUBLE_EQ(json["accuracy"].get<double>(), static_cast<double>(right) / 40);
  int64_t of_three = 0;
  for (const int64_t n : counts[3]) of_three += n;
  EXPECT_DOUBLE_EQ(json["class_accuracy"][3].get<double>(),
                   static_cast<double>(counts[3][3]) / static_cast<double>(of_three));
  EXPECT_TRUE(run({"eval", out, "--confusion", "--threads", "1"}).has("as 9"));
}

TEST_F(CliEveryday, LimitTakesSamplesAtEqualDistances) {
  const std::string out = trained("run"), table = dir_ / "some.csv";
  const CliResult result =
      run({"eval", out, "--json", "--limit", "10", "--predictions", table, "--threads", "1"});
  ASSERT_EQ(result.code, 0) << result.text;
  EXPECT_EQ(Config::parse(result.text)["samples"], 10);
  const auto rows = csv(table);
  ASSERT_EQ(rows.size(), 11U);
  for (size_t i = 1; i < rows.size(); ++i) EXPECT_EQ(rows[i][0], std::to_string(4 * (i - 1)));
  expect_error({"eval", out, "--predictions", ""}, 2, "expected a name");
  expect_error({"eval", out, "--predictions", dir_ / "no/such/folder.csv"}, 3, "folder.csv");
}

TEST_F(CliEveryday, PredictsValues) {
  const std::string path = ST_SOURCE_DIR "/recipes/regression-waves.toml", table = dir_ / "values.csv";
  const std::string echo = ST_SOURCE_DIR "/recipes/regression-echo.toml";
  for (const std::string name : {"waves", "echo"})
    ASSERT_EQ(run({"train", name == "waves" ? path : echo, "--out", dir_ / name, "--threads", "1", "--set",
                   "epochs=1", "--set", "data.train_size=50", "--set", "data.test_size=20"})
                  .code,
              0);
  const CliResult result = run({"eval", dir_ / "waves", "--json", "--predictions", table, "--threads", "1"});
  ASSERT_EQ(result.code, 0) << result.text;
  const auto rows = csv(table);
  ASSERT_EQ(rows.size(), 21U);
  EXPECT_EQ(rows[0], (std::vector<std::string>{"sample", "target0", "target1", "output0", "output1"}));
  double squares = 0;
  for (size_t i = 1; i < rows.size(); ++i)
    for (size_t k = 1; k < 3; ++k) squares += std::pow(std::stod(rows[i][k]) - std::stod(rows[i][k + 2]), 2);
  EXPECT_NEAR(squares / 40, Config::parse(result.text)["mse"].get<double>(), 1e-6);
  expect_error({"eval", dir_ / "waves", "--confusion"}, 2, "no classes");
  expect_error({"eval", dir_ / "echo", "--predictions", table}, 2, "sequence");
}

TEST_F(CliEveryday, ShowsTheSpikesOfASample) {
  const std::string out = trained("run", {"--set", "neuron.threshold=0.1"}), svg = dir_ / "raster.svg",
                    tensors = dir_ / "raster.safetensors";
  const CliResult picture = run({"spikes", out, "--sample", "7", "--out", svg});
  ASSERT_EQ(picture.code, 0) << picture.text;
  EXPECT_TRUE(picture.has("test sample 7, class ")) << picture.text;
  EXPECT_TRUE(picture.has("firing rate")) << picture.text;
  const Bytes bytes = read_file(svg);
  EXPECT_EQ(std::string(bytes.begin(), bytes.end()).rfind("<svg xmlns", 0), 0U);
  ASSERT_EQ(run({"spikes", out, "--sample", "7", "--split", "train", "--out", tensors}).code, 0);
  const SafetensorsFile file = SafetensorsFile::open(tensors);
  for (const char* name : {"input", "0.output", "0.membrane", "2.output", "prediction"})
    EXPECT_NE(file.find(name), nullptr) << name;
  EXPECT_EQ(file.metadata().at("sample"), "7");
  EXPECT_EQ(file.metadata().at("split"), "train");
  EXPECT_EQ(run({"spikes", out}).code, 0);
  // Padding is no part of a sample: the rate is that of an evaluation.
  const std::string echo = dir_ / "echo";
  ASSERT_EQ(run({"train", ST_SOURCE_DIR "/recipes/regression-echo.toml", "--out", echo, "--threads", "1",
                 "--set", "epochs=1", "--set", "data.train_size=50", "--set", "data.test_size=1"})
                .code,
            0);
  const CliResult one = run({"spikes", echo});
  const Config measured = Config::parse(run({"eval", echo, "--json", "--threads", "1"}).text);
  char rate[32];
  std::snprintf(rate, sizeof rate, "%.2f %%", 100 * measured["rates"][0]["rate"].get<double>());
  EXPECT_TRUE(one.has(rate)) << rate << " in " << one.text;
  expect_error({"spikes", out, "--sample", "40"}, 2, "expected 0 to 39");
  expect_error({"spikes", out, "--out", dir_ / "raster.png"}, 2, ".svg");
}

TEST_F(CliEveryday, SpikesRefusesNetworksOfSpikeTimes) {
  const std::string out = dir_ / "event";
  ASSERT_EQ(run({"train", ST_SOURCE_DIR "/recipes/event-glyphs.toml", "--out", out, "--threads", "1", "--set",
                 "epochs=1", "--set", "data.train_size=50", "--set", "data.test_size=20", "--set",
                 "network.hidden=[10]"})
                .code,
            0);
  expect_error({"spikes", out}, 2, "spike times");
}

TEST_F(CliEveryday, WritesARecipeThatTrains) {
  const std::string path = dir_ / "mine.toml";
  const CliResult made = run({"new", path, "--data", "waves", "--rule", "bptt", "--size", "small"});
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_TRUE(made.has("spiketrain train " + path)) << made.text;
  EXPECT_EQ(run({"train", path, "--out", dir_ / "mine", "--threads", "1", "--set", "epochs=1", "--set",
                 "data.train_size=60", "--set", "data.validation=10", "--set", "data.test_size=20"})
                .code,
            0);
  expect_error({"new", path}, 2, "there already");
  expect_error({"new", dir_ / "other.toml", "--data", "wave"}, 2, "waves");
  EXPECT_FALSE(file_exists(dir_ / "other.toml"));
  // Without a terminal nothing is asked.
  EXPECT_EQ(run({"new", dir_ / "default.toml"}).code, 0);
  EXPECT_EQ(load_recipe(dir_ / "default.toml").data.name, "glyphs");
}

}  // namespace spiketrain::cli_everyday_test
