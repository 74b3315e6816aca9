// What a run remembers of its results: metrics, best epochs, the summary, warnings of rates.
#include "spiketrain/train/progress.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/train/rates.h"
#include "tests/support/message.h"

namespace spiketrain::progress_test {

constexpr double kNan = Best::kNone;

MetricP metric(const Config& config) { return make<Metric>(config); }

PassResult predicts(const std::vector<int64_t>& classes) {
  PassResult result;
  result.prediction = torch::one_hot(torch::tensor(classes), 4).to(torch::kFloat);
  return result;
}
Target labels(const std::vector<int64_t>& classes) {
  return {Target::Kind::class_index, torch::tensor(classes)};
}

TEST(MetricLabel, TakesTheOptionThatEndsTheName) {
  EXPECT_EQ(label(*metric({{"name", "accuracy"}})), "accuracy");
  EXPECT_EQ(label(*metric({{"name", "top_k"}})), "top5");
  EXPECT_EQ(label(*metric({{"name", "top_k"}, {"k", 2}})), "top2");
}

TEST(MetricSet, RefusesWhatItCannotReport) {
  const auto kind = Target::Kind::class_index;
  EXPECT_NO_THROW(
      MetricSet({metric({{"name", "top_k"}, {"k", 2}}), metric({{"name", "top_k"}, {"k", 3}})}, kind));
  EXPECT_THROW(MetricSet({metric({{"name", "accuracy"}}), metric({{"name", "accuracy"}})}, kind), UsageError);
  EXPECT_THROW(MetricSet({metric({{"name", "mse"}})}, kind), UsageError);
  EXPECT_EQ(MetricSet({}, kind).labels(), std::vector<std::string>{"loss"});
}

TEST(MetricSet, SumsContinueWhereTheyStood) {
  const std::vector<MetricP> list = {metric({{"name", "accuracy"}}), metric({{"name", "top_k"}, {"k", 1}})};
  MetricSet whole(list, Target::Kind::class_index), resumed(list, Target::Kind::class_index);
  EXPECT_TRUE(std::isnan(whole.values(whole.totals()).at("accuracy"))) << "nothing was judged yet";
  whole.add(whole.sums(predicts({0, 1, 2}), labels({0, 1, 3})));
  resumed.start(whole.totals());
  for (MetricSet* set : {&whole, &resumed}) set->add(set->sums(predicts({3, 3}), labels({3, 3})));
  EXPECT_EQ(whole.totals(), resumed.totals());
  EXPECT_DOUBLE_EQ(whole.values(whole.totals()).at("accuracy"), 4.0 / 5);
  EXPECT_EQ(whole.labels(), (std::vector<std::string>{"accuracy", "top1"}));
  whole.start({});
  EXPECT_TRUE(whole.totals().empty());
}

TEST(TrackBest, TheGreaterAccuracyOrTheSmallerErrorAndTheFirstOfEquals) {
  const MetricSet accuracy({metric({{"name", "accuracy"}})}, Target::Kind::class_index);
  const MetricSet error({metric({{"name", "mse"}})}, Target::Kind::values);
  const MetricSet loss({}, Target::Kind::class_index);
  const auto best_epochs = [](const MetricSet& metrics, const std::vector<double>& values) {
    std::map<std::string, Best> best;
    std::vector<int64_t> epochs;
    for (size_t i = 0; i < values.size(); ++i) {
      const std::string& label = metrics.labels()[0];
      const Scores scores = {label == "loss" ? values[i] : 7, {{label, values[i]}}};
      if (track_best(metrics, static_cast<int64_t>(i) + 1, scores, nullptr, best))
        epochs.push_back(best.at(label).test_epoch);
    }
    return epochs;
  };
  const std::vector<double> values = {0.0, 0.5, 0.5, 0.25, kNan, 0.75};
  EXPECT_EQ(best_epochs(accuracy, values), (std::vector<int64_t>{1, 2, 6}));
  EXPECT_EQ(best_epochs(error, {3, 4, 2, 2, kNan, 1}), (std::vector<int64_t>{1, 3, 6}));
  EXPECT_EQ(best_epochs(loss, {3, 4, 2}), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(best_epochs(accuracy, {kNan, 0.0}), std::vector<int64_t>{2}) << "NaN is never the best";
}

TEST(TrackBest, ValidationDecidesIfThereIsOne) {
  const MetricSet metrics({metric({{"name", "accuracy"}})}, Target::Kind::class_index);
  std::map<std::string, Best> best;
  const auto epoch = [&](int64_t number, double test, double validation) {
    const Scores on_test = {1, {{"accuracy", test}}}, on_validation = {1, {{"accuracy", validation}}};
    return track_best(metrics, number, on_test, &on_validation, best);
  };
  EXPECT_TRUE(epoch(1, 0.5, 0.6));
  EXPECT_FALSE(epoch(2, 0.9, 0.4));
  EXPECT_TRUE(epoch(3, 0.7, 0.8));
  const Best& b = best.at("accuracy");
  EXPECT_EQ(b.test, 0.9);
  EXPECT_EQ(b.test_epoch, 2);
  EXPECT_EQ(b.validation, 0.8);
  EXPECT_EQ(b.validation_epoch, 3);
  EXPECT_EQ(b.test_at_validation, 0.7);
  EXPECT_EQ(b.last_test, 0.7);
}

TEST(Summary, NamesEveryMetricAndKeepsThePlainKeysForTheFirst) {
  const MetricSet metrics({metric({{"name", "accuracy"}}), metric({{"name", "top_k"}, {"k", 2}})},
                          Target::Kind::class_index);
  Progress progress;
  const Scores test = {1, {{"accuracy", 0.5}, {"top2", 0.75}}};
  track_best(metrics, 4, test, &test, progress.best);
  const Config json = summarize(metrics, progress, true);
  EXPECT_EQ(json.at("last_test_accuracy"), 0.5);
  EXPECT_EQ(json.at("best_test_accuracy"), 0.5);
  EXPECT_EQ(json.at("best_test_epoch"), 4);
  EXPECT_EQ(json.at("best_validation_accuracy"), 0.5);
  EXPECT_EQ(json.at("best_validation_epoch"), 4);
  EXPECT_EQ(json.at("test_accuracy_at_best_validation"), 0.5);
  EXPECT_EQ(json.at("best_test_top2"), 0.75);
  EXPECT_EQ(json.at("best_test_epoch_top2"), 4);
  EXPECT_EQ(summarize(metrics, progress, false).count("best_validation_accuracy"), 0u);
  EXPECT_TRUE(summarize(metrics, {}, false).at("best_test_accuracy").is_null()) << "no epoch was measured";
}

TEST(Progress, NumbersThatAreNoneSurvive) {
  Progress progress;
  progress.sums.metrics["r2"] = {1, kNan, 0.1};
  progress.sums.loss = 1.0 / 3;
  const Progress again = progress_from_json(Config::parse(to_json(progress).dump()));
  EXPECT_EQ(again.sums.loss, progress.sums.loss);
  ASSERT_EQ(again.sums.metrics.at("r2").size(), 3u);
  EXPECT_TRUE(std::isnan(again.sums.metrics.at("r2")[1]));
  EXPECT_EQ(again.sums.metrics.at("r2")[2], 0.1);
}

TEST(Progress, OlderCheckpointsHaveNoNormsOfLayers) {
  Progress progress;
  progress.sums.layer_norms = {0.5, 2};
  progress.sums.clipped = 3;
  Config json = to_json(progress);
  EXPECT_EQ(progress_from_json(json).sums.layer_norms, progress.sums.layer_norms);
  EXPECT_EQ(progress_from_json(json).sums.clipped, 3);
  json.erase("layer_norms");
  json.erase("clipped");
  EXPECT_TRUE(progress_from_json(json).sums.layer_norms.empty());
  json.erase("skipped");
  EXPECT_NE(message_of<UsageError>([&] { progress_from_json(json); }).find("skipped"), std::string::npos);
}

TEST(Scores, AnUnknownLabelIsNamed) {
  const Scores scores = {2.5, {{"accuracy", 0.5}}};
  EXPECT_EQ(scores.at("loss"), 2.5);
  EXPECT_EQ(scores.at("accuracy"), 0.5);
  EXPECT_NE(message_of<UsageError>([&] { scores.at("mse"); }).find("'mse'"), std::string::npos);
}

TEST(RateWarnings, OnceForEachLayer) {
  RateWarnings warnings(0.01, 0.9, {"raise the one", "lower the other"});
  EXPECT_TRUE(warnings.of({{"8", 0, 0.01}, {"4", 1, 0.9}}).empty()) << "the bounds are allowed";
  EXPECT_EQ(warnings.of({{"8", 0, 0.001}, {"4", 1, 0.95}}),
            (std::vector<std::string>{
                "layer 8 (rate 0.001) is nearly silent and hardly learns: raise the one",
                "layer 4 (rate 0.95) fires nearly always and tells little: lower the other"}));
  EXPECT_TRUE(warnings.of({{"8", 0, 0.0}, {"4", 1, 1.0}}).empty());
  EXPECT_EQ(
      RateWarnings(0.01, 0.9).of({{"8", 0, 0, "3"}, {"8", 1, 0, "5"}}),
      (std::vector<std::string>{"layers 3 8 (rate 0), 5 8 (rate 0) are nearly silent and hardly learn"}))
      << "many layers, one warning";
}

TEST(RateWarnings, CountsAddUp) {
  std::vector<Tally::Count> sum;
  add_counts(sum, {{1, 10}, {2, 20}});
  add_counts(sum, {{3, 10}, {4, 20}, {5, 30}});
  ASSERT_EQ(sum.size(), 3u);
  EXPECT_EQ(sum[0].spikes, 4);
  EXPECT_EQ(sum[1].sites, 40);
  EXPECT_EQ(sum[2].rate(), 5.0 / 30);
}

}  // namespace spiketrain::progress_test
