#include "spiketrain/report/plot.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/report/svg.h"

namespace spiketrain {
namespace {

using namespace svg;

constexpr double kWidth = 560, kHeight = 360;
constexpr double kLetter = 6.8;    ///< width of a letter of 11 px, roughly
constexpr size_t kMaxMarks = 120;  ///< in a plot of lines
constexpr double kMaxLabel = 220;  ///< room for labels of rows

std::string shortened(const std::string& label) {
  const auto most = static_cast<size_t>(kMaxLabel / kLetter);
  return label.size() <= most ? label : label.substr(0, most - 3) + "...";
}

struct Box {
  double x1, y1, x2, y2;
  bool meets(const Box& o) const { return x1 < o.x2 && o.x1 < x2 && y1 < o.y2 && o.y1 < y2; }
};

/// Puts a label where it meets nothing drawn so far, near its point, with a leader if it is not beside it.
void place_label(Svg& svg, const std::string& label, double x, double y, const Box& area,
                 std::vector<Box>& taken) {
  const double width = kLetter * static_cast<double>(label.size()), height = 12;
  for (double distance = 9; distance < 120; distance += 9) {
    for (const double turn : {0.0, 180.0, 40.0, 140.0, 320.0, 220.0, 90.0, 270.0}) {
      const double cosine = std::cos(turn * M_PI / 180), sine = std::sin(turn * M_PI / 180);
      const double middle = x + distance * cosine + (width / 2) * cosine, base = y - distance * sine;
      const Box box{middle - width / 2, base - height / 2, middle + width / 2, base + height / 2};
      const bool inside = box.x1 >= area.x1 && box.x2 <= area.x2 && box.y1 >= area.y1 && box.y2 <= area.y2;
      if (!inside || std::any_of(taken.begin(), taken.end(), [&](const Box& b) { return box.meets(b); }))
        continue;
      taken.push_back(box);
      if (distance > 20)
        svg.line(x, y, std::clamp(x, box.x1, box.x2), std::clamp(y, box.y1, box.y2), "leader");
      svg.text(middle, base + 4, label, "middle", "label");
      return;
    }
  }
}

}  // namespace

std::string scatter_plot(const std::vector<PlotPoint>& points, const std::string& x_title,
                         const std::string& y_title) {
  double x1 = INFINITY, x2 = -INFINITY, y1 = INFINITY, y2 = -INFINITY;
  for (const PlotPoint& p : points) {
    const double ex = p.x_error.value_or(0), ey = p.y_error.value_or(0);
    x1 = std::min(x1, p.x - (ex < p.x ? ex : 0)), x2 = std::max(x2, p.x + ex);
    y1 = std::min(y1, p.y - ey), y2 = std::max(y2, p.y + ey);
  }
  const double right = kWidth - 16, top = 12, bottom = kHeight - 52;
  const Scale y = fit_percent(y1, y2, bottom, top);
  const double left = 36 + widest_tick(y);
  const Scale x = fit_positive(x1, x2, left, right);
  Svg svg(kWidth, kHeight, y_title + " against " + x_title);
  draw_x_axis(svg, x, top, bottom, x_title);
  draw_y_axis(svg, y, left, right, y_title);
  std::vector<Box> taken;
  for (const PlotPoint& p : points) {
    const double ey = p.y_error.value_or(0);
    taken.push_back({x(p.x) - 6, y(p.y) - 6, x(p.x) + 6, y(p.y) + 6});
    if (ey > 0) taken.push_back({x(p.x) - 3, y(p.y + ey), x(p.x) + 3, y(p.y - ey)});
    const double ex = p.x_error.value_or(0);
    if (ex > 0 && ex < p.x) taken.push_back({x(p.x - ex), y(p.y) - 3, x(p.x + ex), y(p.y) + 3});
  }
  for (const PlotPoint& p : points)
    place_label(svg, p.label, x(p.x), y(p.y), {left + 2, top, right + 14, bottom - 2}, taken);
  for (const PlotPoint& p : points) {
    svg.open(p.look, p.title);
    if (const double e = p.y_error.value_or(0); e > 0) {
      svg.line(x(p.x), y(p.y - e), x(p.x), y(p.y + e), "error");
      for (const double end : {p.y - e, p.y + e}) svg.line(x(p.x) - 4, y(end), x(p.x) + 4, y(end), "error");
    }
    if (const double e = p.x_error.value_or(0); e > 0 && e < p.x)
      svg.line(x(p.x - e), y(p.y), x(p.x + e), y(p.y), "error");
    svg.raw(mark(x(p.x), y(p.y), 5, p.look.mark));
    svg.close();
  }
  return svg.end();
}

std::string line_plot(const std::vector<PlotLine>& lines, const std::string& x_title,
                      const std::string& y_title) {
  double x1 = INFINITY, x2 = -INFINITY, y1 = INFINITY, y2 = -INFINITY;
  size_t count = 0;
  for (const PlotLine& line : lines) {
    count += line.points.size();
    for (const auto& [px, py] : line.points)
      x1 = std::min(x1, px), x2 = std::max(x2, px), y1 = std::min(y1, py), y2 = std::max(y2, py);
  }
  const double right = kWidth - 16, top = 12, bottom = kHeight - 52;
  const double room = x1 == x2 ? 0.5 : 0.02 * (x2 - x1);
  const Scale y = fit_percent(y1, y2, bottom, top);
  const double left = 36 + widest_tick(y);
  const Scale x{x1 - room, x2 + room, left, right, false};
  Svg svg(kWidth, kHeight, y_title + " against " + x_title);
  draw_x_axis(svg, x, top, bottom, x_title, x1 == x2 ? 1 : static_cast<int>(std::min(x2 - x1 + 1, 9.0)));
  draw_y_axis(svg, y, left, right, y_title);
  const bool percent = y_title.find("(%)") != std::string::npos;
  for (const PlotLine& line : lines) {
    std::string corners;
    for (const auto& [px, py] : line.points)
      corners += (corners.empty() ? "" : " ") + fixed(x(px)) + "," + fixed(y(py));
    svg.open(line.look, line.title);
    svg.raw("<polyline points=\"" + corners + "\" class=\"line\"" + dashes(line.look.dashes()) + "/>\n");
    svg.raw("<polyline points=\"" + corners + "\" class=\"hit\"/>\n");
    svg.close();
    for (const auto& [px, py] : line.points) {
      svg.open(line.look, line.title + ": " + x_title + " " + tick_text(px) + ", " +
                              (percent ? fixed(py, 2) + " %" : tick_text(py)));
      if (count <= kMaxMarks) {
        svg.raw(mark(x(px), y(py), 3.5, line.look.mark));
      } else {  // marks would cover the lines; the place still has its title
        svg.rect(x(px) - 4, y(py) - 4, 8, 8, "class=\"place\"");
      }
      svg.close();
    }
  }
  return svg.end();
}

std::string bar_plot(const std::vector<PlotBar>& bars, const std::string& x_title) {
  double low = 0, high = 0;
  size_t letters = 0;
  for (const PlotBar& bar : bars) {
    const double error = bar.error.value_or(0);
    low = std::min(low, bar.value - error), high = std::max(high, bar.value + error);
    letters = std::max(letters, bar.label.size());
  }
  const double row = 24, top = 8, bottom = top + row * static_cast<double>(bars.size());
  const double left = 16 + std::min(kMaxLabel, kLetter * static_cast<double>(letters));
  Scale x = fit(low, high == low ? low + 1 : high, left, kWidth - 56);
  if (low >= 0) x.low = 0;
  Svg svg(kWidth, bottom + 48, x_title + " of each setting");
  draw_x_axis(svg, x, top, bottom, x_title);
  for (size_t i = 0; i < bars.size(); ++i) {
    const PlotBar& bar = bars[i];
    const double y = top + row * (static_cast<double>(i) + 0.5), error = bar.error.value_or(0);
    const double from = x(std::min(0.0, bar.value)), to = x(std::max(0.0, bar.value));
    svg.open(bar.look, bar.title);
    svg.text(left - 8, y + 4, shortened(bar.label), "end", "label");
    svg.rect(from, y - 7, to - from, 14, "class=\"bar\"");
    if (error > 0) {
      svg.line(x(bar.value - error), y, x(bar.value + error), y, "whisker");
      for (const double end : {bar.value - error, bar.value + error})
        svg.line(x(end), y - 4, x(end), y + 4, "whisker");
    }
    svg.text(x(std::max(0.0, bar.value + error)) + 6, y + 4, fixed(bar.value, 2), "start", "label");
    svg.close();
  }
  svg.line(x(0), top, x(0), bottom, "axis");
  return svg.end();
}

std::string heat_map(const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                     const std::vector<std::vector<HeatCell>>& cells, const std::string& row_title,
                     const std::string& column_title) {
  size_t row_letters = row_title.size(), column_letters = 0;
  for (const std::string& row : rows) row_letters = std::max(row_letters, row.size());
  for (const std::string& column : columns) column_letters = std::max(column_letters, column.size());
  const double left = 16 + std::min(kMaxLabel, kLetter * static_cast<double>(row_letters));
  const auto count = static_cast<double>(columns.size());
  const double cell = std::clamp((kWidth - left - 8) / count, 46.0, 90.0), row = 24;
  const bool turned = kLetter * static_cast<double>(column_letters) > cell - 4;
  const double top = 26 + (turned ? 0.6 * kLetter * static_cast<double>(column_letters) + 10 : 18);
  const double right = left + cell * count;
  // Turned labels lean to the right.
  Svg svg(std::max(kWidth, right + (turned ? kLetter * static_cast<double>(column_letters) : 8)),
          top + row * static_cast<double>(rows.size()) + 8, column_title + " and " + row_title);
  svg.text(left, 14, column_title, "start", "title");
  svg.text(left - 8, top - 8, row_title, "end", "title");
  for (size_t c = 0; c < columns.size(); ++c) {
    const double x = left + cell * (static_cast<double>(c) + 0.5);
    svg.text(x, top - 8, columns[c], turned ? "start" : "middle", "", turned ? -35 : 0);
  }
  for (size_t r = 0; r < rows.size(); ++r) {
    const double y = top + row * static_cast<double>(r);
    svg.text(left - 8, y + 16, shortened(rows[r]), "end", "label");
    for (size_t c = 0; c < columns.size(); ++c) {
      const HeatCell& item = cells.at(r).at(c);
      const double x = left + cell * static_cast<double>(c);
      const double shade =
          item.value ? 0.04 + 0.56 * std::min(1.0, std::abs(*item.value)) : 0;  // text stays legible
      svg.open({}, item.title);
      svg.rect(x + 1, y + 1, cell - 2, row - 2,
               std::string("class=\"") + (item.value && *item.value < 0 ? "negative" : "cell") +
                   "\" fill-opacity=\"" + fixed(shade, 3) + "\"");
      svg.text(x + cell / 2, y + 16, item.value ? fixed(*item.value, 3) : "-", "middle", "title");
      svg.close();
    }
  }
  return svg.end();
}

std::string swatch(const PlotLook& look) {
  const std::string color = std::to_string(look.color % kPlotColors);
  return "<svg viewBox=\"0 0 40 14\" width=\"40\" height=\"14\" class=\"c" + color +
         "\" aria-hidden=\"true\"><polyline points=\"1,7 39,7\" class=\"line\"" + dashes(look.dashes()) +
         "/>" + mark(20, 7, 4, look.mark) + "</svg>";
}

}  // namespace spiketrain
