// Tables and the HTML page of a sweep, from run directories written by hand.
#include "spiketrain/report/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <regex>

#include "spiketrain/report/plot.h"
#include "tests/support/process.h"
#include "tests/support/sweep_files.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::report_test {

int64_t count_of(const std::string& text, const std::string& part) {
  int64_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == at) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

/// Parses `html` as XML with Python: exit code 0 if it is well-formed, uses no other resource, and every mark
/// is within a group that has a title.
constexpr const char* kCheck = R"py(
import sys, html.parser, xml.etree.ElementTree as tree
text = open(sys.argv[1], encoding='utf-8').read()
root = tree.fromstring(text)
for element in root.iter():
    assert element.tag not in ('script', 'link', 'img', 'iframe'), element.tag
    assert not {'src', 'href', 'onload', 'onclick'} & set(element.attrib), element.attrib
    for child in element:
        if child.get('class') == 'mark' and element.tag != 'svg':
            assert element.find('title') is not None and element.find('title').text
assert 'http' not in text and 'url(' not in text and '@import' not in text and 'nan' not in text
html.parser.HTMLParser().feed(text)
)py";

class Report : public ::testing::Test {
 protected:
  void SetUp() override {
    HandRun run;
    run.cost =
        R"({"ac": 3, "mac_error": 1000, "mac_weight": 3000, "mac_forward": 500, "activation_bytes": 2048})";
    run.more["gradient_cosine"] = {{{"layer", "4C5"}, {"cosine", 0.5}},
                                   {{"layer", "a<b>&\"c\""}, {"cosine", -0.25}}};
    run.write(dir_ / "window=1_seed=1");
    run.test = 0.75;
    run.write(dir_ / "window=1_seed=2");
    HandRun plain;
    plain.test = 0.625;
    plain.write(dir_ / "window=10_seed=1");
  }
  SweepResults results(const std::string& set = "",
                       const std::vector<std::string>& axes = {"schedule.window=1,10"}) {
    SweepGrid grid = sweep_grid(axes);
    if (!set.empty()) apply_set(grid.base, set);
    return collect(plan_sweep(grid), "by <hand> & \"quoted\"", dir_.path(), {});
  }
  void expect_well_formed(const std::string& html) {
    write_file_atomic(dir_ / "page.html", html);
    const int code =
        wait_for(spawn({"/usr/bin/env", "python3", "-c", kCheck, dir_ / "page.html"}, dir_ / "output"));
    const Bytes output = read_file(dir_ / "output");
    EXPECT_EQ(code, 0) << std::string(output.begin(), output.end());
  }
  TempDir dir_;
};

TEST_F(Report, CsvHasEveryColumnAndNoInventedZero) {
  const std::vector<std::string> lines = split(csv_table(results()), '\n');
  ASSERT_EQ(lines.size(), 4u);
  const std::vector<std::string> head = split(lines[0], ','), first = split(lines[1], ','),
                                 second = split(lines[2], ',');
  ASSERT_EQ(first.size(), second.size());
  const auto at = [&](const std::vector<std::string>& row, const std::string& column) {
    const auto it = std::find(head.begin(), head.end(), column);
    EXPECT_NE(it, head.end()) << column;
    return it == head.end() ? "" : row.at(static_cast<size_t>(it - head.begin()));
  };
  EXPECT_EQ(at(first, "schedule.window"), "1");
  EXPECT_EQ(at(first, "seeds"), "2");
  EXPECT_EQ(at(first, "last_test_accuracy_mean"), "0.625");
  EXPECT_EQ(at(first, "last_test_accuracy_sd"), "0.176776695");
  EXPECT_EQ(at(first, "mac_mean"), "4500");
  EXPECT_EQ(at(first, "gradient_cosine_mean"), "0.125");
  EXPECT_EQ(at(first, "gradient_cosine[4C5]_mean"), "0.5");
  EXPECT_EQ(at(first, "energy_uj_mean"), "-");
  EXPECT_EQ(at(second, "seeds"), "1");
  EXPECT_EQ(at(second, "seeds_planned"), "2");
  EXPECT_EQ(at(second, "last_test_accuracy_sd"), "-");
  for (const char* column : {"ac_mean", "mac_mean", "activation_bytes_mean", "gradient_cosine[4C5]_mean"})
    EXPECT_EQ(at(second, column), "-") << column;
  EXPECT_EQ(at(second, "note"), "-");
}

TEST_F(Report, CsvQuotesWhatNeedsIt) {
  const std::string csv = csv_table(results("", {"paper.list=[1,2],\"a\\\"b,\""}));
  EXPECT_NE(csv.find("\n\"[1,2]\","), std::string::npos) << csv;
  EXPECT_NE(csv.find("\n\"a\"\"b,\","), std::string::npos) << csv;
}

TEST_F(Report, MarkdownShowsMeansDeviationsAndGaps) {
  const std::string text = markdown_table(results());
  EXPECT_EQ(text.find("# by &lt;hand> &amp; \"quoted\"\n"), 0u) << text;
  EXPECT_NE(text.find("| schedule.window | seeds |"), std::string::npos) << text;
  EXPECT_NE(text.find("| 1 | 2 | 75.00 \u00b1 17.68 | 62.50 \u00b1 17.68 | - | 75.00 \u00b1 0.00 |"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("| 10 | 1 of 2 | 75.00 | 62.50 | - |"), std::string::npos) << text;
  EXPECT_NE(text.find("| 1 | 0.500 \u00b1 0.000 | -0.250 \u00b1 0.000 |"), std::string::npos) << text;
  EXPECT_NE(text.find("window=10\\_seed=2: not finished"), std::string::npos) << text;
  EXPECT_NE(text.find("optimiser steps |"), std::string::npos);
  EXPECT_EQ(text.find("energy (uJ) |"), std::string::npos) << "no run has it";
  EXPECT_EQ(text.find("Warning"), std::string::npos);
}

TEST_F(Report, EverythingWarnsOfUnequalSteps) {
  const SweepResults unequal = results("schedule.update=window");
  const std::string warning =
      "Warning: the settings made different numbers of optimiser steps, 59 to 599; their results are not "
      "compared at equal numbers of steps.";
  for (const std::string& text : {csv_table(unequal), markdown_table(unequal), html_report(unequal, "")})
    EXPECT_NE(text.find(warning), std::string::npos);
  EXPECT_NE(markdown_table(unequal).find("| 599 \u00b1 0 |"), std::string::npos);
}

TEST_F(Report, HtmlIsWellFormedAndComplete) {
  const std::string html = html_report(results(), "title = \"<&>\"\n");
  expect_well_formed(html);
  EXPECT_EQ(count_of(html, "<figure"), 5);
  for (const char* text :
       {"by &lt;hand&gt; &amp; &quot;quoted&quot;", "activation memory per sample (KiB)",
        "MACs per sample: forward, errors and weight gradients (thousands)", "test accuracy, last epoch (%)",
        ">epoch<", "train - test accuracy, last epoch (percentage points)",
        "1 settings without these numbers", "columns; the table scrolls sideways", ">schedule.window</th>",
        "prefers-color-scheme",
        "<title>window=1: 62.50 \u00b1 17.68 % (2 seeds), 2.000 \u00b1 0.000 KiB (2 seeds)</title>",
        "<title>window=10, 4C5: not measured</title>", "window=10_seed=2: not finished", "&lt;&amp;&gt;"})
    EXPECT_NE(html.find(text), std::string::npos) << text;
}

TEST_F(Report, HtmlOfNothingAndOfMuchIsWellFormed) {
  expect_well_formed(html_report(results("", {"optimizer.lr=0.5,0.25"}), ""));
  expect_well_formed(html_report(results("", {}), ""));
  std::vector<PlotPoint> points;
  for (int i = 0; i < 60; ++i)
    points.push_back({1.0 + i * i, 50, 1e4, 60, "label", "ti<tle", {size_t(i), size_t(i)}});
  EXPECT_EQ(count_of(scatter_plot(points, "x", "y"), "class=\"mark\""), 60);
  EXPECT_EQ(count_of(scatter_plot({{0, 0, {}, {}, "l", "t", {}}}, "x", "y"), "nan"), 0);
  EXPECT_EQ(count_of(bar_plot({{"zero", "t", 0, {}, {}}}, "x"), "nan"), 0);
  EXPECT_NE(bar_plot({{"below", "t", -2, 0.5, {}}}, "x").find("-2.00"), std::string::npos);
}

TEST_F(Report, ShowsEveryMetricInItsOwnWay) {
  HandRun run;
  run.more = {{"train_mse", 0.25}, {"test_mse", 0.3125}};
  run.summary = {{"best_test_mse", 0.28125}, {"last_test_mse", 0.3125}};
  run.write(dir_ / "window=1_seed=1");
  SweepGrid grid = sweep_grid({"schedule.window=1,10"});
  SweepPlan plan = plan_sweep(grid);
  plan.metrics = {{"mse", false}, {"accuracy", true}};
  const SweepResults all = collect(plan, "two metrics", dir_.path(), {});
  const std::string text = markdown_table(all);
  EXPECT_NE(text.find("| test mse, best epoch | test mse, last epoch |"), std::string::npos) << text;
  EXPECT_NE(text.find("| test - train mse |"), std::string::npos) << text;
  EXPECT_NE(text.find("| 0.2812 (n = 1) | 0.3125 (n = 1) | - | 0.2500 (n = 1) | 0.06250 (n = 1) |"),
            std::string::npos)
      << text;
  EXPECT_LT(text.find("mse, best"), text.find("test accuracy, best epoch (%)"))
      << "in the order of the recipe";
  EXPECT_NE(csv_table(all).find("best_test_mse_mean"), std::string::npos);
  const std::string html = html_report(all, "");
  expect_well_formed(html);
  EXPECT_EQ(count_of(html, "<figure"), 9) << "four for each metric, and the cosines";
  EXPECT_NE(html.find("Mse against activation memory"), std::string::npos);
  EXPECT_EQ(html.find("mse, last epoch (%)"), std::string::npos);
  EXPECT_NE(html.find(": epoch 2, 0.3125</title>"), std::string::npos) << "no percent sign behind an error";
}

TEST(Plot, ScalesPutValuesWhereTheAxisSays) {
  const std::string svg =
      scatter_plot({{10, 20, {}, {}, "a", "t", {}}, {20, 40, {}, {}, "b", "t", {}}}, "x", "y");
  // Marks and tick labels of the same value share the coordinate.
  std::smatch tick, mark;
  ASSERT_TRUE(std::regex_search(svg, tick, std::regex("<text x=\"([0-9.]+)\"[^>]*>10</text>"))) << svg;
  ASSERT_TRUE(std::regex_search(svg, mark, std::regex("<circle cx=\"([0-9.]+)\"")));
  EXPECT_EQ(tick[1], mark[1]);
  const std::string wide =
      scatter_plot({{1, 1, {}, {}, "a", "t", {}}, {100, 2, {}, {}, "b", "t", {}}}, "x", "y");
  ASSERT_TRUE(std::regex_search(wide, tick, std::regex("<text x=\"([0-9.]+)\"[^>]*>100</text>"))) << wide;
  EXPECT_NE(wide.find("<circle cx=\"" + tick[1].str()), std::string::npos);
  EXPECT_NE(wide.find(">10</text>"), std::string::npos) << "logarithmic over a factor of 100";
}

/// The coordinate `y` of the first text with this content.
double text_y(const std::string& svg, const std::string& what) {
  std::smatch found;
  const std::regex place("<text x=\"[0-9.]+\" y=\"([0-9.]+)\"[^>]*>" + what + "</text>");
  return std::regex_search(svg, found, place) ? std::stod(found[1]) : NAN;
}

TEST(Plot, LabelsAreNotOnErrorBars) {
  const PlotPoint other{20, 40, {}, {}, "b", "t", {}};
  const double plain = text_y(scatter_plot({{10, 20, {}, {}, "a", "t", {}}, other}, "x", "y"), "a");
  const double beside = text_y(scatter_plot({{10, 20, 9, {}, "a", "t", {}}, other}, "x", "y"), "a");
  EXPECT_GT(std::abs(beside - plain), 6) << plain << " " << beside;
}

TEST(Plot, EscapesAndFormats) {
  EXPECT_EQ(escape_html("<a b='c' d=\"e\">&\x01"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;?");
  EXPECT_EQ(fixed_number(1234567.891, 1), "1,234,567.9");
  EXPECT_EQ(fixed_number(-1234, 0), "-1,234");
  EXPECT_EQ(fixed_number(-123, 0), "-123");
  EXPECT_EQ(format_stat({0.01234567, 0.000012, 2}, 1, -1), "0.01235 \u00b1 0.00001");
  EXPECT_EQ(format_stat({123456, {}, 1}, 1, -1), "123,456");
  EXPECT_EQ(format_stat({0, 0.0, 2}, 1, 2), "0.00 \u00b1 0.00");
}

}  // namespace spiketrain::report_test
