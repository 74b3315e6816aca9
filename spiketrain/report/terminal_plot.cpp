#include "spiketrain/report/terminal_plot.h"

#include <algorithm>
#include <cmath>

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
void spread(std::vector<Label>& labels, int64_t rows) {
  std::stable_sort(labels.begin(), labels.end(),
                   [](const Label& a, const Label& b) { return a.height < b.height; });
  for (size_t i = 1; i < labels.size(); ++i) labels[i].row = std::max(labels[i].row, labels[i - 1].row + 1);
  int64_t last = rows - 1;
  for (size_t i = labels.size(); i-- > 0; --last) labels[i].row = std::min(labels[i].row, last);
}

std::string value_text(double value, double scale, const std::string& unit) {
  return (scale == 100 ? fixed_number(scale * value, 2) : short_text(scale * value)) + unit;
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
  spread(labels, height);
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
  std::vector<std::string> lines = {run.title, run.path + "  " + run.method};
  std::string state = run.done ? "complete" : "training";
  state += ": epoch " + std::to_string(run.epochs_done) + " of " + std::to_string(run.epochs_planned);
  if (run.epochs_done == 0) {
    lines.push_back(state + "; no epoch is complete yet, so there is nothing to draw");
  } else {
    const double each = run.seconds / static_cast<double>(run.epochs_done);
    state += ", " + page::seconds_text(run.seconds);
    if (!run.done)
      state += ", about " +
               page::seconds_text(each * static_cast<double>(run.epochs_planned - run.epochs_done)) +
               " to go";
    if (!run.learning_rate.points.empty())
      state += ", learning rate " + short_text(run.learning_rate.points.back().second);
    lines.push_back(state);
  }
  const MetricCurves* first = run.curves(run.first_metric);
  if (first && first->best.test_epoch > 0)
    lines.push_back("best test " + first->metric + " " + page::metric_text(first->metric, first->best.test) +
                    " (epoch " + std::to_string(first->best.test_epoch) + ")" +
                    (first->best.validation_epoch > 0
                         ? ", at best validation " +
                               page::metric_text(first->metric, first->best.test_at_validation) + " (epoch " +
                               std::to_string(first->best.validation_epoch) + ")"
                         : ""));
  if (!run.rates.empty()) {
    std::string rates = "rates";
    for (const Curve& layer : run.rates)
      if (!layer.points.empty()) rates += "  " + layer.name + " " + short_text(layer.points.back().second);
    lines.push_back(rates);
  }
  for (const std::string& warning : run.warnings) lines.push_back("warning: " + warning);
  const auto room = static_cast<size_t>(std::max<int64_t>(1, style.height));
  std::vector<const MetricCurves*> shown;
  for (const MetricCurves& m : run.metrics)
    if (!m.splits.empty() && (m.metric == run.first_metric || m.metric == "loss")) shown.push_back(&m);
  if (!shown.empty() && lines.size() + 5 < room) {
    TerminalStyle plot = style;
    plot.height = static_cast<int64_t>((room - lines.size()) / shown.size());
    if (plot.height > 16) plot.height = 16;
    for (const MetricCurves* m : shown) {
      std::vector<Curve> curves(m->splits.rbegin(), m->splits.rend());  // test first
      const Shown as = shown_as(m->metric);
      for (std::string& line : terminal_plot(curves, m->metric, as.scale, as.unit, plot))
        lines.push_back(std::move(line));
    }
  }
  if (lines.size() > room) lines.resize(room);
  for (std::string& line : lines) line = cut(line, style.width);
  return lines;
}

}  // namespace spiketrain
