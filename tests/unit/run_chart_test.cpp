// Charts of a run's page: where things are drawn, and how many of them.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/text.h"
#include "spiketrain/report/chart.h"

namespace spiketrain::run_chart_test {

size_t count_of(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++n;
  return n;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

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
  EXPECT_EQ(histogram_chart("n", "a", {}, "x", "y", {}), "");
  EXPECT_EQ(raster_chart({}, "n"), "");
}

TEST(RunChart, MembranesHaveMoreThanOneNumberAtTheirAxis) {
  const Raster raster = {0, 0, 0, {{"layer", 1, {0}, true, {{0, 1}}}}, {{-4, 4}}};
  const std::string svg = raster_chart(raster, "n");
  EXPECT_TRUE(has(svg, ">-4</text>") && has(svg, ">0</text>") && has(svg, ">4</text>")) << svg;
}

/// A raster grows neither with steps in which nothing changes, nor beyond its width.
TEST(RunChart, StrokesAreJoinedAndStepsBinned) {
  const auto strokes = [](const std::vector<double>& row) {
    const Raster raster = {0, -1, -1, {{"layer", 1, {0}, true, {row}}}, {}};
    const std::string svg = raster_chart(raster, "n");
    const size_t path = svg.find("<path d=\""), end = svg.find('"', path + 9);
    return path == std::string::npos ? std::string() : svg.substr(path + 9, end - path - 9);
  };
  EXPECT_EQ(strokes({0, 0, 0}), "");
  EXPECT_EQ(count_of(strokes({1, 1, 1, 0, 1, 1}), "M"), 2U);
  EXPECT_EQ(strokes({0, 1, 1, 0}).substr(0, 7), "M159.5 ");  // 62 + 390/4, two steps long but for the gap
  EXPECT_TRUE(has(strokes({0, 1, 1, 0}), "h180.4"));
  std::vector<double> row(10000, 0);
  row[5000] = 1;
  EXPECT_EQ(count_of(strokes(row), "M"), 1U) << "a spike is seen in its bin";
  for (size_t t = 0; t < row.size(); t += 2) row[t] = 1;
  EXPECT_EQ(count_of(strokes(row), "M"), 1U) << "every bin has one";
  for (size_t t = 0; t < row.size(); ++t) row[t] = t / 100 % 2 == 0 ? 1 : 0;
  EXPECT_LE(count_of(strokes(row), "M"), 100U);
  Raster raster = {
      0, 0, 0, {{"layer", 1, {0}, true, {std::vector<double>(10000, 0)}}}, {std::vector<double>(10000, 0)}};
  raster.membranes[0][5001] = 9;
  const std::string svg = raster_chart(raster, "n");
  const size_t line = svg.find("<polyline"), end = svg.find('"', line + 18);
  EXPECT_LE(count_of(svg.substr(line, end - line), ","), 200U);
  const std::string corners = svg.substr(line + 18, end - line - 18);
  const std::string flat = corners.substr(corners.find(','), corners.find(' ') - corners.find(',') + 1);
  EXPECT_EQ(count_of(corners + " ", flat), count_of(corners, ",") - 1)
      << "one point is another: the peak is drawn";
}

/// Values that differ by a rounding error are one value; the axis once went on for ever.
TEST(RunChart, OneUlpIsNoSpan) {
  for (const double x : {1.0, 1e-3, -7e12, 3e-300, 1e300}) {
    Chart c{"n", "a", "x", "y", {{{{1, x}, {2, std::nextafter(x, 2 * x)}}, "line", {}}}};
    EXPECT_TRUE(has(chart(c), "class=\"line\""));
    c.logarithmic = x > 0;
    EXPECT_TRUE(has(chart(c), "class=\"line\""));
    const Histogram h = {x, std::nextafter(x, 2 * x), x, x, {x, std::nextafter(x, 2 * x)}, {3}};
    EXPECT_TRUE(has(histogram_chart("n", "a", h, "x", "y", {}), "class=\"bar\"")) << x;
    EXPECT_TRUE(has(histogram_chart("n", "a", h, "name of x", "name of y", {}), ">name of y</text>"));
  }
}

std::vector<std::string> y_ticks(double low, double high) {
  Chart c{"n", "a", "x", "y", {{{{1, low}, {2, high}}, "line", {}}}};
  c.logarithmic = true;
  const std::string svg = chart(c);
  std::vector<std::string> ticks;
  for (size_t at = 0; (at = svg.find("text-anchor=\"end\">", at)) != std::string::npos; ++at) {
    const size_t from = at + 18;
    ticks.push_back(svg.substr(from, svg.find('<', from) - from));
  }
  return ticks;
}

TEST(RunChart, LogarithmicTicksArePowersOfTen) {
  EXPECT_EQ(y_ticks(1e-6, 1),
            (std::vector<std::string>{"1e-06", "1e-05", "0.0001", "0.001", "0.01", "0.1", "1"}));
  EXPECT_EQ(y_ticks(1, 30), (std::vector<std::string>{"1", "2", "5", "10", "20"}));
  const std::vector<std::string> wide = y_ticks(1e-20, 1e12);
  EXPECT_GE(wide.size(), 3U);
  EXPECT_LE(wide.size(), 8U) << join(wide);
  EXPECT_EQ(wide.front(), "1e-20") << join(wide);
}

}  // namespace spiketrain::run_chart_test
