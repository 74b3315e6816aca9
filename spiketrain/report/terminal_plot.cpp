#include "spiketrain/report/terminal_plot.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/report/chart.h"
#include "spiketrain/report/report.h"
#include "spiketrain/report/run_page_parts.h"

namespace spiketrain {
namespace {

constexpr int64_t kScale = 9;  ///< places of the numbers at the left
constexpr const char* kMarks = "ox+*#@";

/// Code points of the Basic Multilingual Plane above 0x7FF, as UTF-8.
std::string utf8(uint32_t point) {
  return {static_cast<char>(0xE0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 0x3F)),
          static_cast<char>(0x80 | (point & 0x3F))};
}

/// The first so many places of a text.
std::string cut(const std::string& text, int64_t most) {
  std::string result;
  int64_t count = 0;
  for (const char c : text) {
    const bool begins = (static_cast<uint8_t>(c) & 0xC0) != 0x80;
    if (begins && ++count > most) break;
    result += c;
  }
  return result;
}

std::string padded_left(const std::string& text, int64_t width) {
  return std::string(static_cast<size_t>(std::max<int64_t>(0, width - places(text))), ' ') + text;
}

std::string padded(const std::string& text, int64_t width) {
  return text + std::string(static_cast<size_t>(std::max<int64_t>(0, width - places(text))), ' ');
}

/// Dots, 2 x 4 a place in braille, one in ASCII.
class Canvas {
 public:
  Canvas(int64_t width, int64_t height, bool braille)
      : width_(width), height_(height), braille_(braille), cells_(static_cast<size_t>(width * height), 0) {}
  int64_t dots_across() const { return braille_ ? 2 * width_ : width_; }
  int64_t dots_down() const { return braille_ ? 4 * height_ : height_; }
  void set(int64_t x, int64_t y, char mark) {
    x = std::clamp<int64_t>(x, 0, dots_across() - 1);
    y = std::clamp<int64_t>(y, 0, dots_down() - 1);
    if (!braille_) {
      cells_[static_cast<size_t>(y * width_ + x)] = static_cast<uint8_t>(mark);
      return;
    }
    static constexpr uint8_t kDots[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    cells_[static_cast<size_t>(y / 4 * width_ + x / 2)] |= kDots[y % 4][x % 2];
  }
  void line(double x1, double y1, double x2, double y2, char mark) {
    const auto steps = static_cast<int64_t>(std::max({1.0, std::abs(x2 - x1), std::abs(y2 - y1)}));
    for (int64_t i = 0; i <= steps; ++i) {
      const double share = static_cast<double>(i) / static_cast<double>(steps);
      set(std::llround(x1 + share * (x2 - x1)), std::llround(y1 + share * (y2 - y1)), mark);
    }
  }
  std::string row(int64_t y) const {
    std::string text;
    for (int64_t x = 0; x < width_; ++x) {
      const uint8_t cell = cells_[static_cast<size_t>(y * width_ + x)];
      text += cell == 0 ? " " : braille_ ? utf8(0x2800U + cell) : std::string(1, static_cast<char>(cell));
    }
    return text;
  }

 private:
  int64_t width_, height_;
  bool braille_;
  std::vector<uint8_t> cells_;
};

struct Label {
  double height;  ///< where its curve ends, in dots from the top
  int64_t row;
  std::string text;
};

/// Moves labels to rows of their own, near where they belong.
void spread_labels(std::vector<Label>& labels, int64_t rows) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const Label& a, const Label& b) { return a.height < b.height; });
  for (size_t i = 1; i < labels.size(); ++i) labels[i].row = std::max(labels[i].row, labels[i - 1].row + 1);
  int64_t last = rows - 1;
  for (size_t i = labels.size(); i-- > 0; --last) labels[i].row = std::min(labels[i].row, last);
}

std::string value_text(double value, double scale, const std::string& unit) {
  return (scale == 100 ? fixed_number(scale * value, 2) : short_text(scale * value)) + unit;
}

/// Lines of at most `width` places, broken at blanks where there are some, those behind the first indented.
std::vector<std::string> wrapped(const std::string& text, int64_t width) {
  std::vector<std::string> lines;
  std::string rest = text;
  const std::string indent = width > 8 ? "  " : "";
  while (places(rest) > width) {
    std::string line = cut(rest, width);
    const size_t blank = line.rfind(' ');
    if (blank != std::string::npos && blank > indent.size()) line.resize(blank);
    rest.erase(0, line.size());
    rest = indent + rest.substr(std::min(rest.size(), rest.find_first_not_of(' ')));
    lines.push_back(std::move(line));
  }
  lines.push_back(rest);
  return lines;
}

/// Where a run stands, and how long it still takes.
std::string progress_text(const RunData& run) {
  std::string text = status_text(run.status) + (stopped_early(run) ? ", stopped early: epoch " : ": epoch ") +
                     std::to_string(run.epochs_done) + " of " + std::to_string(run.epochs_planned);
  if (run.epochs_done == 0) return text + "; no epoch is complete yet, so there is nothing to draw";
  text += ", " + page::seconds_text(run.seconds);
  const double each = run.seconds / static_cast<double>(run.epochs_done),
               left = each * static_cast<double>(run.epochs_planned - run.epochs_done);
  if (run.status == RunStatus::training) text += ", about " + page::seconds_text(left) + " to go";
  if (!run.learning_rate.points.empty())
    text += ", learning rate " + short_text(run.learning_rate.points.back().second);
  return text;
}

std::string best_text(const MetricCurves& m) {
  std::string text = "best test " + m.metric + " " + page::metric_text(m.metric, m.best.test) + " (epoch " +
                     std::to_string(m.best.test_epoch) + ")";
  if (m.best.validation_epoch > 0)
    text += ", at best validation " + page::metric_text(m.metric, m.best.test_at_validation) + " (epoch " +
            std::to_string(m.best.validation_epoch) + ")";
  return text;
}

/// Lines under the curves.
std::vector<std::string> remarks(const RunData& run) {
  std::vector<std::string> lines;
  std::string rates;
  for (const Curve& layer : run.rates)
    if (!layer.points.empty()) rates += "  " + layer.name + " " + short_text(layer.points.back().second);
  if (!rates.empty()) lines.push_back("rates" + rates);
  for (const std::string& warning : run.warnings) lines.push_back("warning: " + warning);
  return lines;
}

/// The curves of the first metric and of the loss in `room` lines.
std::vector<std::string> plots(const RunData& run, int64_t room, TerminalStyle style) {
  constexpr int64_t kTallest = 16;
  std::vector<const MetricCurves*> shown;
  for (const MetricCurves& m : run.metrics)
    if (!m.splits.empty() && (m.metric == run.first_metric || m.metric == "loss")) shown.push_back(&m);
  if (!shown.empty() && room < 5 * static_cast<int64_t>(shown.size())) shown.resize(1);
  std::vector<std::string> lines;
  if (shown.empty() || room < 5) return lines;
  style.height = std::min(kTallest, room / static_cast<int64_t>(shown.size()));
  for (const MetricCurves* m : shown) {
    std::vector<Curve> curves(m->splits.rbegin(), m->splits.rend());  // test first
    const Shown as = shown_as(m->metric);
    for (std::string& line : terminal_plot(curves, m->metric, as.scale, as.unit, style))
      lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

int64_t places(const std::string& text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; });
}

std::vector<std::string> terminal_plot(const std::vector<Curve>& curves, const std::string& title,
                                       double scale, const std::string& unit, const TerminalStyle& style) {
  double x1 = INFINITY, x2 = -INFINITY, y1 = INFINITY, y2 = -INFINITY;
  int64_t longest = 0;
  for (const Curve& curve : curves) {
    if (curve.points.empty()) continue;
    longest = std::max(longest, places(curve.name + value_text(curve.points.back().second, scale, unit)));
    for (const auto& [x, y] : curve.points)
      x1 = std::min(x1, x), x2 = std::max(x2, x), y1 = std::min(y1, y), y2 = std::max(y2, y);
  }
  std::vector<std::string> lines = {cut(title, style.width)};
  const int64_t labels_width = longest + 4, width = style.width - kScale - 2 - labels_width,
                height = style.height - 2;
  if (x1 > x2 || width < 8 || height < 2) return lines;
  if (y1 == y2) y1 -= y1 == 0 ? 1 : 0.05 * std::abs(y1), y2 += y2 == 0 ? 1 : 0.05 * std::abs(y2);
  Canvas canvas(width, height, style.utf8);
  const auto across = static_cast<double>(canvas.dots_across() - 1),
             down = static_cast<double>(canvas.dots_down() - 1);
  const auto px = [&](double x) { return x1 == x2 ? 0 : (x - x1) / (x2 - x1) * across; };
  const auto py = [&](double y) { return (y2 - y) / (y2 - y1) * down; };
  std::vector<Label> labels;
  for (size_t k = curves.size(); k-- > 0;) {  // the first is drawn last, over the others
    const Points& points = curves[k].points;
    const char mark = kMarks[k % 6];
    for (size_t i = 0; i < points.size(); ++i) {
      const auto& from = points[i > 0 ? i - 1 : 0];
      canvas.line(px(from.first), py(from.second), px(points[i].first), py(points[i].second), mark);
    }
    if (points.empty()) continue;
    const auto row =
        static_cast<int64_t>(py(points.back().second) / (down + 1) * static_cast<double>(height));
    const std::string name = style.utf8 ? "  " : std::string(" ") + mark + " ";
    labels.push_back({py(points.back().second), row,
                      name + curves[k].name + " " + value_text(points.back().second, scale, unit)});
  }
  spread_labels(labels, height);
  for (int64_t y = 0; y < height; ++y) {
    std::string number;
    if (y == 0) number = value_text(y2, scale, "");
    if (y == height - 1) number = value_text(y1, scale, "");
    std::string line =
        padded_left(cut(number, kScale), kScale) + (style.utf8 ? " " + utf8(0x2502) : " |") + canvas.row(y);
    for (const Label& label : labels)
      if (label.row == y) line += label.text;
    lines.push_back(cut(line, style.width));
  }
  const std::string first = short_text(x1), last = short_text(x2);
  lines.push_back(std::string(kScale + 2, ' ') + padded(first, width - places(last)) + last);
  return lines;
}

std::vector<std::string> watch_frame(const RunData& run, const TerminalStyle& style) {
  const auto broken = [&](const std::vector<std::string>& texts) {
    std::vector<std::string> lines;
    for (const std::string& text : texts) {
      const std::string line = one_line(text);  // a title may hold anything
      if (!style.fits) lines.push_back(line);
      for (std::string& part : style.fits ? wrapped(line, style.width) : std::vector<std::string>())
        lines.push_back(std::move(part));
    }
    return lines;
  };
  std::vector<std::string> head = {run.title, run.path + "  " + run.method, progress_text(run)};
  const MetricCurves* first = run.curves(run.first_metric);
  if (first && first->best.test_epoch > 0) head.push_back(best_text(*first));
  std::vector<std::string> lines = broken(head);
  const std::vector<std::string> tail = broken(remarks(run));
  const auto size = [](const auto& list) { return static_cast<int64_t>(list.size()); };
  // Curves come first: of the remarks a third of the lines is kept free.
  const int64_t kept = style.fits ? std::min(size(tail), style.height / 3) : 0;
  for (std::string& line : plots(run, style.height - size(lines) - kept, style))
    lines.push_back(std::move(line));
  lines.insert(lines.end(), tail.begin(), tail.end());
  const auto room = static_cast<size_t>(std::max<int64_t>(1, style.height));
  if (style.fits && lines.size() > room) lines.resize(room);
  return lines;
}

}  // namespace spiketrain
