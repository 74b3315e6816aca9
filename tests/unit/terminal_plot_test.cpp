// Curves as text: what is drawn where, in braille and in ASCII, and frames that fit.
#include "spiketrain/report/terminal_plot.h"

#include <gtest/gtest.h>

#include "spiketrain/base/check.h"

namespace spiketrain::terminal_plot_test {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(TerminalPlot, DrawsInAscii) {
  const std::vector<Curve> curves = {{"up", {{1, 0}, {5, 1}}}, {"down", {{1, 1}, {5, 0}}}};
  const TerminalStyle style{40, 7, false};
  const std::vector<std::string> lines = terminal_plot(curves, "title", 100, " %", style);
  ASSERT_EQ(lines.size(), 7U);
  EXPECT_EQ(lines[0], "title");
  EXPECT_TRUE(has(lines[1], "100.00 |x"));
  EXPECT_TRUE(has(lines[1], "o o up 100.00 %"));
  EXPECT_TRUE(has(lines[5], "0.00 |o"));
  EXPECT_TRUE(has(lines[5], "x x down 0.00 %"));
  EXPECT_EQ(lines[6].substr(11, 1), "1");
  EXPECT_TRUE(has(lines[6], "5"));
  for (const std::string& line : lines) {
    EXPECT_LE(line.size(), 40U);
    for (const char c : line) EXPECT_EQ(c & 0x80, 0);
  }
}

TEST(TerminalPlot, DrawsInBraille) {
  const std::vector<std::string> lines = terminal_plot({{"up", {{1, 0}, {2, 1}}}}, "t", 1, "", {40, 6, true});
  // It begins with the two lowest dots at the left: code point 0x28C0.
  EXPECT_TRUE(has(lines[4], "\xE2\x94\x82\xE2\xA3\x80")) << lines[4];
  EXPECT_TRUE(has(lines[1], "\xE2\xA0"));
  EXPECT_TRUE(has(lines[1], "up 1"));
  for (const std::string& line : lines) EXPECT_LE(places(line), 40);
}

TEST(TerminalPlot, OneValueNothingAndNoRoom) {
  EXPECT_EQ(terminal_plot({}, "t", 1, "", {40, 6, true}).size(), 1U);
  EXPECT_EQ(terminal_plot({{"c", {}}}, "t", 1, "", {40, 6, true}).size(), 1U);
  EXPECT_EQ(terminal_plot({{"c", {{1, 2}}}}, "t", 1, "", {40, 6, true}).size(), 6U);
  EXPECT_EQ(terminal_plot({{"c", {{1, 2}}}}, "t", 1, "", {20, 6, true}).size(), 1U) << "no room to draw";
  EXPECT_EQ(terminal_plot({{"c", {{1, 0}, {2, 0}}}}, "t", 1, "", {60, 5, false}).size(), 5U);
}

TEST(TerminalPlot, LabelsHaveRowsOfTheirOwn) {
  std::vector<Curve> curves;
  for (int k = 0; k < 5; ++k) curves.push_back({str("curve", k), {{1, 0}, {2, 1}}});
  const std::vector<std::string> lines = terminal_plot(curves, "t", 1, "", {60, 10, true});
  for (int k = 0; k < 5; ++k) {
    int found = 0;
    for (const std::string& line : lines) found += has(line, str("curve", k));
    EXPECT_EQ(found, 1);
  }
}

RunData run() {
  RunData data;
  data.path = "runs/x";
  data.status = RunStatus::training;
  data.title = "a long title that does not fit into a narrow terminal at all, however one looks at it";
  data.epochs_planned = 10;
  data.epochs_done = 2;
  data.seconds = 20;
  data.first_metric = "accuracy";
  Best best;
  best.test = 0.5, best.test_epoch = 2;
  data.metrics = {{"accuracy", {{"train", {{1, 0.25}, {2, 0.4}}}, {"test", {{1, 0.3}, {2, 0.5}}}}, best},
                  {"loss", {{"train", {{1, 2}, {2, 1}}}}, {}}};
  data.rates = {{"0 4C5", {{1, 0.1}, {2, 0.2}}}};
  data.warnings = {"something"};
  return data;
}

TEST(WatchFrame, FitsAnyTerminal) {
  for (const bool utf8 : {false, true}) {
    for (const int64_t width : {1, 7, 20, 40, 79, 200}) {
      for (const int64_t height : {4, 10, 24, 60}) {
        const std::vector<std::string> lines = watch_frame(run(), {width, height, utf8});
        EXPECT_LE(static_cast<int64_t>(lines.size()), height);
        for (const std::string& line : lines) EXPECT_LE(places(line), width);
      }
    }
  }
}

std::string text_of(const RunData& data, const TerminalStyle& style) {
  std::string text;
  for (const std::string& line : watch_frame(data, style)) text += line + "\n";
  return text;
}

/// Many warnings leave the curves where they are; what does not fit into a line goes on in the next.
TEST(WatchFrame, CurvesComeBeforeWarnings) {
  RunData data = run();
  for (int k = 0; k < 50; ++k) data.warnings.push_back(str("warning number ", k));
  const std::string text = text_of(data, {60, 40, false});
  EXPECT_TRUE(has(text, "test 50.00 %")) << text;
  EXPECT_TRUE(has(text, "train 1")) << text;
  EXPECT_LT(text.find("train 1"), text.find("warning number 0"));
  EXPECT_FALSE(has(text, "warning number 49"));
  EXPECT_TRUE(has(text, "terminal at\n  all")) << text;
}

TEST(WatchFrame, APipeGetsWholeLines) {
  RunData data = run();
  data.warnings.assign(
      60, "a warning that is longer than a line of a terminal, and shall not be cut at its end at all");
  TerminalStyle style{79, 40, false};
  style.fits = false;
  const std::string text = text_of(data, style);
  EXPECT_TRUE(has(text, data.title + "\n"));
  EXPECT_TRUE(has(text, data.warnings[0] + "\n"));
  EXPECT_GT(std::count(text.begin(), text.end(), '\n'), 60);
}

TEST(WatchFrame, ControlCharactersDoNotReachTheTerminal) {
  RunData data = run();
  data.title = "red \x1b[31m\rtitle";
  data.warnings = {"bell \a"};
  for (const char c : text_of(data, {79, 40, false}))
    EXPECT_TRUE(c == '\n' || static_cast<uint8_t>(c) >= ' ');
}

TEST(WatchFrame, OnlyATrainingRunHasTimeToGo) {
  for (const auto& [state, word] : std::vector<std::pair<RunStatus, std::string>>{
           {RunStatus::stopped, "stopped: epoch 2 of 10"},
           {RunStatus::failed, "failed (NaN, see nan_dump.safetensors): epoch 2 of 10"},
           {RunStatus::untrained, "not trained yet: epoch 2 of 10"},
           {RunStatus::complete, "complete, stopped early: epoch 2 of 10"}}) {
    RunData data = run();
    data.status = state;
    const std::string text = text_of(data, {79, 40, false});
    EXPECT_TRUE(has(text, word)) << text;
    EXPECT_FALSE(has(text, "to go")) << text;
  }
}

TEST(WatchFrame, SaysWhereTheRunStands) {
  std::string text;
  for (const std::string& line : watch_frame(run(), {79, 40, false})) text += line + "\n";
  for (const char* part :
       {"training: epoch 2 of 10, 20.0 s, about 1 min 20 s to go", "best test accuracy 50.00 % (epoch 2)",
        "rates  0 4C5 0.2", "warning: something", "test 50.00 %", "train 40.00 %", "train 1"})
    EXPECT_TRUE(has(text, part)) << part << "\n" << text;
  RunData fresh = run();
  fresh.epochs_done = 0;
  fresh.metrics.clear();
  fresh.rates.clear();
  text.clear();
  for (const std::string& line : watch_frame(fresh, {79, 40, true})) text += line + "\n";
  EXPECT_TRUE(has(text, "no epoch is complete yet")) << text;
}

}  // namespace spiketrain::terminal_plot_test
