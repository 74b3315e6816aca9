// The page of a run: sound, complete, and nothing in it that report.json does not say.
#include "spiketrain/report/run_page.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/report/chart.h"
#include "tests/support/report_runs.h"

namespace spiketrain::run_page_test {

size_t count_of(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

/// A run made by hand.
RunData by_hand(const std::string& path) {
  RunData run;
  run.path = path;
  run.title = "a <run> & more";
  run.network = "2-3";
  run.method = "rule bptt";
  run.data = "glyphs";
  run.steps = 10;
  run.batch = 20;
  run.epochs_planned = 3;
  run.epochs_done = 2;
  run.seconds = 75;
  run.updates = 40;
  run.skipped = 1;
  run.clipped = 7;
  run.step_milliseconds = 12.5;
  run.first_metric = "accuracy";
  Best best;
  best.test = 0.875, best.test_epoch = 1;
  run.metrics = {{"accuracy", {{"train", {{1, 0.5}, {2, 0.75}}}, {"test", {{1, 0.875}, {2, 0.8125}}}}, best},
                 {"loss", {{"train", {{1, 2.5}, {2, 0.0625}}}, {"test", {{1, 2}, {2, 1}}}}, {}}};
  run.learning_rate = {"learning rate", {{1, 1e-3}, {2, 1e-4}}};
  run.rates = {{"0 2", {{1, 0.1}, {2, 0.203125}}}};
  run.grad_norms = {{"0 2", {{1, 10}, {2, 0.015625}}}};
  run.weights = {{"0 2 weight", 4, 0.25, {-1, 1, 0.5, 1, {-1, 0, 1}, {3, 1}}}};
  run.config = {{"seed", 1}, {"rule", {{"name", "bptt"}}}};
  run.recipe = "seed = 1 # <&>\n";
  run.command = "spiketrain train x/config.toml";
  run.cost = {{"ac", 1234567}, {"energy_uj", 0.125}};
  return run;
}

RunPasses passes() {
  RunPasses p;
  p.weights = "w.safetensors";
  p.samples = 8;
  p.available = 100;
  p.metric = "accuracy";
  p.value = 0.75;
  p.loss = 0.375;
  p.layers = {{"0 2", 2, 0.125, 0.5, {0, 0.5, 0.5, 0.25, {0, 0.25, 0.5}, {1, 1}}}};
  p.confusion = {{3, 1}, {1, 3}};
  p.mistakes = {{0, 1, 1, {{5, 1, 1, "png"}}}, {1, 0, 1, {}}};
  p.latency = {{1, 0.25}, {2, 0.75}};
  p.rasters = {
      {5,
       0,
       1,
       {{"input", 100, {0, 7}, false, {{0, 0.5}, {1, 0}}}, {"0 2", 2, {0, 1}, true, {{0, 1}, {1, 0}}}},
       {{0.5, 1.5}, {0, -1}}}};
  p.notes = {"a <note>"};
  NeuroBench n;
  n.footprint = 4096;
  n.parameter_count = 1024;
  n.activity = NeuroBench::Activity{8, 0.875, 2.5, 100.25, 12.0};
  p.neurobench = n;
  return p;
}

TEST(RunPage, ShowsTheNumbers) {
  RunData run = by_hand("runs/a");
  run.passes = passes();
  run.warnings = {"a <warning>"};
  const std::string html = run_page({run});
  expect_sound_page(html);
  for (const char* text : {"a &lt;run&gt; &amp; more",
                           ">81.25 %</p>",
                           "best of all epochs 87.50 % (epoch 1)",
                           "not finished, 2 of 3 epochs",
                           "a &lt;warning&gt;",
                           "1 min 15 s",
                           "40, 7 of them clipped, 1 left out",
                           "best epoch 1",
                           ">0.2031<",
                           ">0.01562<",
                           "25.00 %",
                           "50.00 % of 2 never fire",
                           "class 0, taken for 1 (test sample 5)",
                           "2 of 100",
                           "75.0</span>",
                           "0 taken for 1: 1",
                           "alt=\"test sample 5, class 0\"",
                           "base64,cG5n\"",
                           "over 8 of 100 test samples",
                           "1,234,567",
                           ">12.5<",
                           ">1.25<",
                           "Effective_ACs",
                           ">100.2<",
                           "seed = 1 # &lt;&amp;&gt;",
                           "spiketrain train x/config.toml",
                           "a &lt;note&gt;",
                           "@media print",
                           "prefers-color-scheme"})
    EXPECT_TRUE(has(html, text)) << text;
  EXPECT_EQ(count_of(html, "<section"), 7U);
  EXPECT_EQ(count_of(html, "<h1"), 1U);
}

TEST(RunPage, OfSeveralRunsHasAllCurvesAndDifferences) {
  RunData a = by_hand("runs/a"), b = by_hand("other/b"), c = by_hand("third/b");
  b.config["rule"]["name"] = "sltt";
  b.metrics[0].best.test = 0.90625;
  a.passes = passes();
  const std::string html = run_page({a, b, c});
  expect_sound_page(html);
  for (const char* text :
       {"3 runs", ">a</th>", ">other/b</th>", ">third/b</th>", "90.62 % (epoch 1)", "rule.name",
        "&quot;sltt&quot;", "a, train", "other/b, test", "Not measured: the data set is not at hand"})
    EXPECT_TRUE(has(html, text)) << text;
  a.passes.reset();
  EXPECT_EQ(count_of(run_page({a, b, c}), "class=\"hit\""), 3 * count_of(run_page({a}), "class=\"hit\""))
      << "every curve";
}

TEST(RunPage, OfNothingIsSound) {
  RunData run;
  run.path = "runs/new";
  run.title = "new";
  run.first_metric = "accuracy";
  run.metrics = {{"accuracy", {}, {}}, {"loss", {}, {}}};
  run.missing = {"curves: no epoch is complete yet; train on"};
  const std::string html = run_page({run});
  expect_sound_page(html);
  EXPECT_TRUE(has(html, "No epoch is complete yet."));
  EXPECT_TRUE(has(html, "train on"));
  EXPECT_NE(message_of<UsageError>([] { run_page({}); }).find("at least one run"), std::string::npos);
}

TEST(RunPage, ManyClassesBecomeAList) {
  RunData run = by_hand("runs/a");
  run.passes = passes();
  run.passes->confusion.assign(100, std::vector<int64_t>(100, 1));
  const std::string html = run_page({run});
  expect_sound_page(html);
  EXPECT_FALSE(has(html, "class=\"matrix\""));
  EXPECT_TRUE(has(html, "The matrix of 100 classes is in report.json"));
  EXPECT_TRUE(has(html, ">1.00 %<"));
}

/// Text of the cells of a page.
std::vector<std::string> cells_of(const std::string& html) {
  std::vector<std::string> cells;
  for (size_t at = 0; (at = html.find("<td", at)) != std::string::npos;) {
    const size_t from = html.find('>', at) + 1, end = html.find("</td>", from);
    cells.push_back(html.substr(from, html.find('<', from) - from));
    at = end;
  }
  return cells;
}

/// Every number of a JSON document, as it may be shown: itself, and in percent.
void add_numbers(const Config& json, std::vector<double>& numbers) {
  if (json.is_number()) {
    numbers.push_back(json.get<double>());
    numbers.push_back(100 * json.get<double>());
  } else if (json.is_structured()) {
    for (const auto& item : json.items()) add_numbers(item.value(), numbers);
  }
}

TEST(RunPage, CellsAreNumbersOfTheJson) {
  const TempDir dir;
  train_for_report(dir / "run", {});
  RunData run = read_run_data(dir / "run");
  measure_run(run, {});
  const std::string html = run_page({run});
  expect_sound_page(html);
  std::vector<double> numbers;
  add_numbers(run_report_json({run}), numbers);
  // What is worked out of them: means of weights, sums of rows, shares of a row, times per step.
  for (const WeightValues& w : run.weights) numbers.push_back(w.values.sum / static_cast<double>(w.count));
  for (const auto& row : run.passes->confusion) {
    int64_t all = 0;
    for (const int64_t n : row) all += n;
    numbers.push_back(static_cast<double>(all));
  }
  numbers.push_back(run.step_milliseconds / 4);
  const auto known = [&](double value) {
    return std::any_of(numbers.begin(), numbers.end(), [&](double n) {
      return std::abs(n - value) <= 0.5e-2 || std::abs(n - value) <= 6e-4 * std::abs(n);
    });
  };
  size_t checked = 0;
  for (std::string cell : cells_of(html)) {
    cell.erase(std::remove(cell.begin(), cell.end(), ','), cell.end());
    char* end = nullptr;
    const double value = std::strtod(cell.c_str(), &end);
    const std::string rest = end;
    if (end == cell.c_str() || (!rest.empty() && rest != " %")) continue;  // text
    EXPECT_TRUE(known(value)) << cell;
    ++checked;
  }
  EXPECT_GT(checked, 150U);
}

TEST(RunChart, PutsPointsWhereTheAxisSays) {
  Chart c{"n", "a", "x", "y", {{{{1, 10}, {2, 1000}}, "line", {}}}};
  c.logarithmic = true;
  const std::string svg = chart(c);
  EXPECT_TRUE(has(svg, "<title>n</title>"));
  EXPECT_TRUE(has(svg, ">100</text>"));
  c.lines[0].points.emplace_back(3, 0);  // no place on this axis
  EXPECT_EQ(count_of(chart(c), "class=\"mark\""), 2U);
  c.lines[0].points = {{1, -1}};
  EXPECT_EQ(chart(c), "");
  c.lines.clear();
  EXPECT_EQ(chart(c), "");
  EXPECT_EQ(histogram_chart("n", "a", {}, "x", {}), "");
  EXPECT_EQ(raster_chart({}, "n"), "");
}

}  // namespace spiketrain::run_page_test
