// What a report says of a run: read from its directory, and measured by passes.
#include "spiketrain/report/run_data.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "spiketrain/base/text.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/data/source.h"
#include "spiketrain/report/metrics_file.h"
#include "spiketrain/report/some_samples.h"
#include "spiketrain/train/evaluate.h"
#include "tests/support/report_runs.h"

namespace spiketrain::run_data_test {

/// One run for all tests.
class RunDataTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new TempDir;
    train_for_report(*dir_ / "run", {});
  }
  static void TearDownTestSuite() { delete dir_; }
  static std::string run() { return *dir_ / "run"; }
  static TempDir* dir_;
};
TempDir* RunDataTest::dir_ = nullptr;

const Points& points(const RunData& data, const std::string& metric, const std::string& split) {
  for (const Curve& curve : data.curves(metric)->splits)
    if (curve.name == split) return curve.points;
  throw UsageError("no such curve");
}

bool any_has(const std::vector<std::string>& list, const std::string& part) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

TEST_F(RunDataTest, CurvesAreThoseOfTheMetrics) {
  const RunData data = read_run_data(run() + "/");
  EXPECT_EQ(data.path, run());
  EXPECT_EQ(data.status, RunStatus::complete);
  EXPECT_EQ(data.title, "drawn <digits> & \"more\"");
  EXPECT_EQ(data.epochs_done, 2);
  EXPECT_EQ(data.first_metric, "accuracy");
  EXPECT_EQ(data.network, "4C5-P2-10");
  const std::vector<Config> lines = metrics(run());
  for (const char* split : {"train", "validation", "test"}) {
    for (const char* metric : {"accuracy", "loss"}) {
      const Points& p = points(data, metric, split);
      ASSERT_EQ(p.size(), 2U);
      for (size_t e = 0; e < 2; ++e) {
        EXPECT_EQ(p[e].first, static_cast<double>(e + 1));
        EXPECT_EQ(p[e].second, lines[e][str(split, "_", metric)].get<double>());
      }
    }
  }
  const Config summary = Config::parse(text_of(run() + "/summary.json"));
  const Best& best = data.curves("accuracy")->best;
  EXPECT_EQ(best.test, summary["best_test_accuracy"].get<double>());
  EXPECT_EQ(best.test_epoch, summary["best_test_epoch"].get<int64_t>());
  EXPECT_EQ(best.validation, summary["best_validation_accuracy"].get<double>());
  EXPECT_EQ(best.test_at_validation, summary["test_accuracy_at_best_validation"].get<double>());
  EXPECT_EQ(data.parameters, summary["parameters"].get<int64_t>());
  EXPECT_NEAR(data.seconds, summary["seconds"].get<double>(), 1e-9);
}

TEST_F(RunDataTest, LayersHaveRatesNormsAndWeights) {
  const RunData data = read_run_data(run());
  ASSERT_EQ(data.rates.size(), 2U);
  ASSERT_EQ(data.grad_norms.size(), 2U);
  const std::vector<Config> lines = metrics(run());
  for (size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(data.rates[k].name, data.grad_norms[k].name);
    for (size_t e = 0; e < 2; ++e) {
      EXPECT_EQ(data.rates[k].points[e].second, lines[e]["rates"][k]["rate"].get<double>());
      EXPECT_EQ(data.grad_norms[k].points[e].second, lines[e]["grad_norms"][k]["norm"].get<double>());
    }
  }
  for (const Config& line :
       lines) {  // one block: layers add up to no less than the mean norm of all, by the triangle
    double sum = 0, most = 0;
    for (const Config& layer : line["grad_norms"]) {
      sum += layer["norm"].get<double>();
      most = std::max(most, layer["norm"].get<double>());
    }
    EXPECT_GE(sum, line["grad_norm"].get<double>() * (1 - 1e-9));
    EXPECT_LE(most, line["grad_norm"].get<double>() * (1 + 1e-9));
  }
  ASSERT_EQ(data.weights.size(), 2U);
  const NamedTensors saved = tensors_of(run() + "/ckpt/best.safetensors");
  EXPECT_EQ(data.weights[0].count, 100);
  EXPECT_EQ(data.weights[0].values.least, saved[0].second.min().item<double>());
  double counted = 0;
  for (const double n : data.weights[0].values.counts) counted += n;
  EXPECT_EQ(counted, 100);
  EXPECT_FALSE(data.fingerprint.empty());
}

TEST_F(RunDataTest, WarningsAreOfClippingAndRates) {
  const RunData data = read_run_data(run());
  int64_t clipped = 0;
  for (const Config& line : metrics(run())) clipped += line["clipped"].get<int64_t>();
  EXPECT_EQ(data.clipped, clipped);
  EXPECT_EQ(data.updates, 10);
  const auto warns = [](const RunData& of, const std::string& what) {
    return std::any_of(of.warnings.begin(), of.warnings.end(),
                       [&](const std::string& text) { return text.find(what) != std::string::npos; });
  };
  EXPECT_EQ(warns(data, "was clipped"), 2 * clipped > 10);
  EXPECT_FALSE(warns(data, "no validation split"));
  const TempDir dir;
  std::filesystem::copy(run(), dir / "run", std::filesystem::copy_options::recursive);
  Config line = Config::parse(
      text_of(run() + "/metrics.jsonl").substr(0, text_of(run() + "/metrics.jsonl").find('\n')));
  line["rates"][0]["rate"] = 0.0;
  line["rates"][1]["rate"] = 0.99;
  line["skipped"] = 3;
  line["clipped"] = 5;
  line.erase("validation_loss");
  write_file_atomic(dir / "run/metrics.jsonl", line.dump() + "\n{\"epoch\": 2, \"unfinished");
  write_file_atomic(dir / "run/log.txt",
                    std::string("2026-01-01 10:00:00 warning: the disk is warm\n2026 warning: layer x\n"));
  const RunData bad = read_run_data(dir / "run");
  EXPECT_EQ(bad.epochs_done, 1) << "a line that is being written is left out";
  for (const char* what :
       {"nearly silent in the last epoch: 1 4C5 (rate 0)",
        "fire nearly always in the last epoch: 3 10 (rate 0.99)", "3 updates were left out",
        "clipped to the norm 1 in 5 of 5", "no validation split", "the disk is warm"})
    EXPECT_TRUE(warns(bad, what)) << what;
  EXPECT_FALSE(warns(bad, "layer x"));
}

/// [label][predicted] of the test samples, read from the first `steps` steps; a pass of a network built for so many, a sample at a time.
std::vector<std::vector<int64_t>> predicted_by(const Experiment& e, int64_t steps) {
  std::vector<std::vector<int64_t>> counts(10, std::vector<int64_t>(10, 0));
  LearnerParts parts = e.training.learner->parts();
  parts.steps = steps;
  Config objective = e.recipe.objective;
  objective["target"] = std::vector<int64_t>(static_cast<size_t>(steps),
                                             1);  // it has one for some lengths only; the loss is not read
  parts.objective = make<Objective>(objective);
  const Learner learner(parts);
  LoaderOptions options;
  options.batch_size = 1;
  options.shuffle = false;
  Loader loader(*e.training.data.test, options);
  loader.start(0);
  for (Batch batch; loader.next(batch);) {
    const auto label = static_cast<size_t>(batch.target.y.item<int64_t>());
    const auto taken = static_cast<size_t>(learner.infer(batch).prediction.argmax(1).item<int64_t>());
    ++counts[label][taken];
  }
  return counts;
}

TEST_F(RunDataTest, PassesAgreeWithEvaluation) {
  RunData data = read_run_data(run());
  measure_run(data, {});
  ASSERT_TRUE(data.passes);
  EXPECT_TRUE(data.missing.empty());
  const RunPasses& p = *data.passes;
  EXPECT_EQ(p.samples, 60);
  EXPECT_EQ(p.available, 60);
  const Recipe recipe = load_recipe(run() + "/config.toml");
  const Experiment e = build_experiment(recipe, open_datasets(recipe, ""));
  load_weights(open_checkpoint(run() + "/ckpt/best.safetensors"), e.training.network());
  const Evaluation evaluation = evaluate(e.training, *e.training.data.test, 20);
  EXPECT_EQ(p.value, evaluation.at("accuracy"));
  EXPECT_EQ(p.loss, evaluation.loss);
  ASSERT_EQ(p.layers.size(), evaluation.rates.size());
  for (size_t k = 0; k < p.layers.size(); ++k) EXPECT_NEAR(p.layers[k].rate, evaluation.rates[k].rate, 1e-12);
  EXPECT_EQ(p.confusion, predicted_by(e, 4)) << "[label][predicted]";
  ASSERT_EQ(p.latency.size(), 4U);
  for (int64_t t = 1; t <= 4; ++t) {
    const std::vector<std::vector<int64_t>> counts = predicted_by(e, t);
    double right = 0;
    for (size_t c = 0; c < 10; ++c) right += static_cast<double>(counts[c][c]);
    EXPECT_EQ(p.latency[static_cast<size_t>(t - 1)], (std::pair<double, double>(t, right / 60))) << t;
  }
  EXPECT_NE(p.latency[3].second, p.latency[0].second) << "the points can be told apart";
  ASSERT_FALSE(p.mistakes.empty());
  for (const Mistake& m : p.mistakes) {
    EXPECT_NE(m.label, m.predicted);
    EXPECT_EQ(m.count, p.confusion[static_cast<size_t>(m.label)][static_cast<size_t>(m.predicted)]);
    EXPECT_EQ(m.pictures.size(), static_cast<size_t>(std::min<int64_t>(4, m.count)));
    for (const SamplePicture& picture : m.pictures)
      EXPECT_EQ(e.training.data.test->class_of(picture.sample), m.label);
  }
  ASSERT_TRUE(p.neurobench && p.neurobench->activity);
  EXPECT_EQ(p.neurobench->activity->samples, 60);
}

TEST_F(RunDataTest, RastersAreWhatTheLayersSent) {
  RunData data = read_run_data(run());
  measure_run(data, {});
  ASSERT_TRUE(data.passes);
  const std::vector<Raster>& rasters = data.passes->rasters;
  ASSERT_EQ(rasters.size(), 10U);
  const Recipe recipe = load_recipe(run() + "/config.toml");
  const Datasets sets = open_datasets(recipe, "");
  for (size_t k = 0; k < rasters.size(); ++k) {
    const Raster& r = rasters[k];
    EXPECT_EQ(r.label, static_cast<int64_t>(k));
    EXPECT_EQ(sets.test->class_of(r.sample), r.label);
    ASSERT_EQ(r.layers.size(), 3U);
    EXPECT_EQ(r.layers[0].name, "input");
    EXPECT_FALSE(r.layers[0].spikes);
    EXPECT_EQ(r.layers[0].neurons, 784);
    EXPECT_EQ(r.layers[1].shown, rasters[0].layers[1].shown) << "the same neurons in all pictures";
    EXPECT_EQ(r.layers[2].shown.size(), 10U);
    for (const RasterLayer& layer : r.layers) {
      EXPECT_LE(layer.shown.size(), 40U);
      for (const auto& values : layer.values) EXPECT_EQ(values.size(), 4U);
    }
    ASSERT_EQ(r.membranes.size(), 10U);
    std::vector<float> image(784);
    sets.test->read(r.sample, -1, image.data());
    for (size_t n = 0; n < r.layers[0].shown.size(); ++n)
      EXPECT_EQ(r.layers[0].values[n][2],
                static_cast<double>(image[static_cast<size_t>(r.layers[0].shown[n])]));
    for (size_t n = 0; n < 10; ++n) {
      for (size_t t = 0; t < 4; ++t)  // psp_lif fires above its threshold of 1
        EXPECT_EQ(r.layers[2].values[n][t],
                  r.membranes[static_cast<size_t>(r.layers[2].shown[n])][t] > 1 ? 1 : 0);
    }
  }
}

TEST_F(RunDataTest, SamplesAreAtEqualDistances) {
  RunData data = read_run_data(run());
  PassOptions options;
  options.samples = 15;
  options.rasters = 3;
  measure_run(data, options);
  EXPECT_EQ(data.passes->samples, 15);
  EXPECT_EQ(data.passes->rasters.size(), 3U);
  for (const Raster& r : data.passes->rasters) EXPECT_EQ(r.sample % 4, 0);
  const auto notes = data.passes->notes;
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const std::string& n) {
    return n == "rasters: a sample of 3 of the 10 classes";
  }));
}

TEST_F(RunDataTest, JsonHoldsAllOfIt) {
  RunData data = read_run_data(run());
  measure_run(data, {});
  const Config json = Config::parse(to_json(data).dump());
  EXPECT_EQ(json["metrics"][0]["best_test"], data.curves("accuracy")->best.test);
  EXPECT_EQ(json["passes"]["confusion"].size(), 10U);
  EXPECT_EQ(json["passes"]["latency"][3][1], data.passes->value);
  EXPECT_EQ(json["passes"]["rasters"][1]["membranes"][2][3], data.passes->rasters[1].membranes[2][3]);
  EXPECT_EQ(json["status"], "complete");
  EXPECT_EQ(json["passes"]["sets"], Config::array());
  size_t spikes = 0;
  for (size_t r = 0; r < 10; ++r) {  // lists of steps say what rows of zeros and ones do
    const RasterLayer& layer = data.passes->rasters[r].layers[2];
    const Config& rows = json["passes"]["rasters"][r]["layers"][2]["spikes"];
    ASSERT_EQ(rows.size(), layer.values.size());
    for (size_t n = 0; n < rows.size(); ++n) {
      std::vector<double> row(4, 0);
      for (const Config& step : rows[n]) row[step.get<size_t>()] = 1;
      EXPECT_EQ(row, layer.values[n]);
      spikes += rows[n].size();
    }
  }
  EXPECT_GT(spikes, 0U);
  EXPECT_FALSE(json["passes"]["rasters"][0]["layers"][2].contains("values"));
  EXPECT_EQ(json["passes"]["rasters"][0]["layers"][0]["values"][0].size(), 4U);
  EXPECT_EQ(json["weights"][1]["values"]["counts"], data.weights[1].values.counts);
  EXPECT_EQ(json["cost"]["neurobench"]["samples"], 60);
  EXPECT_EQ(json["config"]["network"]["spec"], "4C5-P2-10");
  EXPECT_NE(json["command"].get<std::string>().find("spiketrain train "), std::string::npos);
}

TEST_F(RunDataTest, OtherOptionsLeaveATrace) {
  RunData data = read_run_data(run());
  PassOptions options;
  options.sets = {"steps=8"};
  measure_run(data, options);
  ASSERT_TRUE(data.passes);
  EXPECT_TRUE(any_has(data.warnings, "were measured with --set steps=8"));
  EXPECT_FALSE(any_has(data.warnings, "another than the run was measured on"));
  const Config json = to_json(data);
  EXPECT_EQ(json["passes"]["sets"], Config({"steps=8"}));
  EXPECT_EQ(json["passes"]["steps"], 8);
  EXPECT_EQ(json["steps"], 4);
  RunData plain = read_run_data(run());
  measure_run(plain, {});
  EXPECT_FALSE(any_has(plain.warnings, "--set"));
  options.samples = -3;
  EXPECT_NE(message_of<UsageError>([&] { measure_run(plain, options); }).find("got -3"), std::string::npos);
}

TEST_F(RunDataTest, OtherDataAreNoticed) {
  const TempDir dir;
  std::filesystem::copy(run(), dir / "run", std::filesystem::copy_options::recursive);
  Config config = load_config(dir / "run/config.toml");
  config["data"]["test_size"] = 50;  // as if the files of a data set were others
  write_file_atomic(dir / "run/config.toml", write_toml(config));
  RunData data = read_run_data(dir / "run");
  measure_run(data, {});
  ASSERT_TRUE(data.passes);
  EXPECT_TRUE(any_has(data.warnings, "the test split is another than the run was measured on"))
      << join(data.warnings);
  data = read_run_data(run());
  PassOptions options;
  options.sets = {"data.test_size=50"};  // asked for
  measure_run(data, options);
  EXPECT_TRUE(any_has(data.warnings, "--set data.test_size=50"));
  EXPECT_FALSE(any_has(data.warnings, "another than the run was measured on"));
}

TEST_F(RunDataTest, DamagedFilesAreLeftOut) {
  const TempDir dir;
  const auto copy = [&](const std::string& name) {
    std::filesystem::copy(run(), dir / name, std::filesystem::copy_options::recursive);
    return dir / name;
  };
  const std::string best = copy("best");
  write_file_atomic(best + "/ckpt/best.safetensors", std::string("damaged"));
  write_file_atomic(best + "/cost.json", std::string("{\"ac\": "));
  write_file_atomic(best + "/environment.json", std::string("[]"));
  RunData data = read_run_data(best);
  EXPECT_EQ(data.weights_file, list_checkpoints(best + "/ckpt").front()) << "the newest checkpoint";
  EXPECT_EQ(data.weights.size(), 2U);
  ASSERT_EQ(data.missing.size(), 2U);
  EXPECT_TRUE(any_has(data.missing, "environment.json: expected a JSON object"));
  EXPECT_TRUE(any_has(data.missing, "cost.json: expected a JSON object"));
  measure_run(data, {});
  EXPECT_TRUE(data.passes);

  const std::string all = copy("all");
  for (const auto& entry : std::filesystem::directory_iterator(all + "/ckpt"))
    write_file_atomic(entry.path().string(), std::string("damaged"));
  data = read_run_data(all);
  measure_run(data, {});
  EXPECT_FALSE(data.passes);
  EXPECT_EQ(data.epochs_done, 2);
  EXPECT_TRUE(any_has(data.missing, "weights: no file in"));
}

TEST(MetricsFile, IsReadToItsLastCompleteLine) {
  const TempDir dir;
  EXPECT_TRUE(read_metrics(dir / "none").empty());
  const auto read = [&](const std::string& text) {
    write_file_atomic(dir / "m", text);
    return read_metrics(dir / "m");
  };
  EXPECT_TRUE(read("").empty());
  EXPECT_EQ(read("{\"epoch\": 1}\n{\"epoch\": 2}\n").size(), 2U);
  EXPECT_EQ(read("{\"epoch\": 1}\n{\"epoch\": 2").size(), 1U);
  for (const char* bad :
       {"\n", "[1]\n", "{}\n", "{\"epoch\": 1.5}\n", "{\"epoch\": \"1\"}\n", "nonsense\n"}) {
    const std::string what = message_of<DataError>([&] { read(std::string("{\"epoch\": 1}\n") + bad); });
    EXPECT_NE(what.find("line 2"), std::string::npos) << bad << what;
    EXPECT_NE(what.find("byte 13"), std::string::npos) << bad << what;
  }
  for (const char* bad : {"{\"epoch\": 2, \"rates\": 3}\n", "{\"epoch\": 2, \"rates\": [3]}\n",
                          "{\"epoch\": 2, \"grad_norms\": [{\"layer\": 5}]}\n",
                          "{\"epoch\": 2, \"rates\": [{\"node\": []}]}\n"}) {
    const std::string what = message_of<DataError>([&] { read(std::string("{\"epoch\": 1}\n") + bad); });
    EXPECT_NE(what.find("in line 2"), std::string::npos) << bad << what;
  }
}

TEST(SomeSamplesOf, ASet) {
  DataOptions options;
  options.split = "test";
  const std::shared_ptr<const Dataset> data = open_dataset(options);
  const SomeSamples all(data, 0), more(data, 100000), few(data, 3);
  EXPECT_EQ(all.size(), 2000);
  EXPECT_EQ(more.size(), 2000);
  ASSERT_EQ(few.size(), 3);
  EXPECT_EQ(few.index(2), 1333);
  EXPECT_EQ(few.class_of(2), data->class_of(1333));
  EXPECT_EQ(few.id(2), data->id(1333));
}

}  // namespace spiketrain::run_data_test
