#include "spiketrain/report/chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "spiketrain/report/svg.h"

namespace spiketrain {

const char* const kChartStyle = R"css(
svg .strong{stroke-width:3}svg .place-line{stroke:var(--soft);stroke-dasharray:3 3}
svg .spike{stroke:var(--ink);fill:none}svg .other{fill:none;stroke:var(--rule);stroke-width:1}
svg .right{fill:none;stroke:var(--p0);stroke-width:2.2}svg .wrong{fill:none;stroke:var(--p4);stroke-width:2.2}
@media (max-width:560px){.plots svg text{font-size:15px}.plots svg .label{font-size:13px}}
)css";
namespace {

using namespace svg;

constexpr size_t kManyMarks = 150;  ///< of a picture; beyond it a line has about kSomeMarks
constexpr size_t kSomeMarks = 8;
constexpr size_t kColumns = 200;  ///< of a raster

Svg picture(double width, double height, const std::string& name, const std::string& about) {
  Svg svg(width, height, name);
  svg.raw("<title>" + escape_html(name) + "</title>\n<desc>" + escape_html(about) + "</desc>\n");
  return svg;
}

struct Range2 {
  double x1 = INFINITY, x2 = -INFINITY, y1 = INFINITY, y2 = -INFINITY;
  size_t count = 0;
};
Range2 range_of(const std::vector<ChartLine>& lines) {
  Range2 r;
  for (const ChartLine& line : lines) {
    r.count += line.points.size();
    for (const auto& [x, y] : line.points)
      r.x1 = std::min(r.x1, x), r.x2 = std::max(r.x2, x), r.y1 = std::min(r.y1, y), r.y2 = std::max(r.y2, y);
  }
  return r;
}

/// Every `every`th point has a mark, and the last.
void draw_line(Svg& svg, const ChartLine& line, const Chart& chart, const Scale& x, const Scale& y,
               size_t every) {
  std::string corners;
  for (const auto& [px, py] : line.points)
    corners += (corners.empty() ? "" : " ") + fixed(x(px)) + "," + fixed(y(py));
  svg.open(line.look, line.title);
  svg.raw("<polyline points=\"" + corners + "\" class=\"line" + (line.strong ? " strong" : "") + "\"" +
          dashes(line.look.dashes()) + "/>\n<polyline points=\"" + corners + "\" class=\"hit\"/>\n");
  svg.close();
  const size_t last = line.points.size() - 1;
  for (size_t i = last % every; i <= last; i += every) {
    const auto& [px, py] = line.points[i];
    svg.open(line.look, line.title + ": " + chart.x_title + " " + tick_text(px) + ", " + short_text(py));
    svg.raw(mark(x(px), y(py), 3.2, line.look.mark));
    svg.close();
  }
}

void draw_places(Svg& svg, const Chart& chart, const Scale& x, double top, double bottom) {
  for (size_t i = 0; i < chart.places.size(); ++i) {
    const ChartPlace& place = chart.places[i];
    const double at = x(place.x);
    const bool right = at < (x.from + x.to) / 2;
    svg.line(at, top, at, bottom, "place-line");
    svg.text(at + (right ? 4 : -4), bottom - 6 - 15 * static_cast<double>(i), place.text,
             right ? "start" : "end", "label");
  }
}

/// Steps that are drawn as one, in so many columns.
size_t bin_of(size_t steps, size_t columns) { return std::max<size_t>(1, (steps + columns - 1) / columns); }

/// The greatest magnitude in each bin of steps.
std::vector<double> binned(const std::vector<double>& row, size_t bin) {
  std::vector<double> columns((row.size() + bin - 1) / bin, 0);
  for (size_t t = 0; t < row.size(); ++t) columns[t / bin] = std::max(columns[t / bin], std::abs(row[t]));
  return columns;
}

/// One layer's rows from `top` on, strokes as long as a neuron sends the same; real numbers in five shades.
void draw_band(Svg& svg, const RasterLayer& layer, double left, double top, double right, double row) {
  constexpr int kShades = 5;
  double most = 0;
  for (const auto& values : layer.values)
    for (const double v : values) most = std::max(most, std::abs(v));
  std::array<std::string, kShades> paths;
  for (size_t n = 0; n < layer.values.size(); ++n) {
    const size_t steps = layer.values[n].size(), bin = bin_of(steps, kColumns);
    const std::vector<double> columns = binned(layer.values[n], bin);
    const double cell = (right - left) * static_cast<double>(bin) / static_cast<double>(steps),
                 y = top + row * (static_cast<double>(n) + 0.5);
    const auto shade = [&](size_t c) {
      const double share = most > 0 ? columns[c] / most : 0;
      return layer.spikes ? (share > 0 ? kShades : 0) : static_cast<int>(std::ceil(share * kShades - 1e-9));
    };
    for (size_t from = 0, to = 0; from < columns.size(); from = to) {
      for (to = from + 1; to < columns.size() && shade(to) == shade(from);) ++to;
      if (shade(from) == 0) continue;
      const double length = cell * (static_cast<double>(to - from) - 0.15);
      paths[static_cast<size_t>(shade(from) - 1)] += "M" + fixed(left + cell * static_cast<double>(from)) +
                                                     " " + fixed(y) + "h" + fixed(std::max(1.0, length));
    }
  }
  for (int k = 0; k < kShades; ++k) {
    if (paths[static_cast<size_t>(k)].empty()) continue;
    svg.raw("<path d=\"" + paths[static_cast<size_t>(k)] + "\" class=\"spike\" stroke-width=\"" +
            fixed(row * 0.8, 2) + "\" stroke-opacity=\"" + fixed(0.2 * (k + 1), 1) + "\"/>\n");
  }
}

/// Steps and values of a curve as it is drawn: of many steps the least and the greatest of each bin.
Points drawn_points(const std::vector<double>& values) {
  Points points;
  const size_t bin = bin_of(values.size(), kColumns / 2);
  for (size_t from = 0; from < values.size(); from += bin) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(from),
               end = values.begin() + static_cast<std::ptrdiff_t>(std::min(values.size(), from + bin));
    const auto [least, most] = std::minmax_element(begin, end);
    for (const auto it : {std::min(least, most), std::max(least, most)})
      if (points.empty() || it - values.begin() > points.back().first)
        points.emplace_back(it - values.begin(), *it);
  }
  return points;
}

void draw_membranes(Svg& svg, const Raster& raster, double left, double top, double height, double cell) {
  Range2 r;
  for (const auto& values : raster.membranes)
    for (const double v : values) r.y1 = std::min(r.y1, v), r.y2 = std::max(r.y2, v);
  const Scale y = fit(r.y1, r.y2, top + height, top);
  std::vector<double> ticks = y.ticks(3);
  if (ticks.size() < 2) ticks = y.ticks(5);  // one number says nothing of the scale
  for (const double tick : ticks) svg.text(left - 6, y(tick) + 4, tick_text(tick), "end");
  const double right = left + cell * static_cast<double>(raster.membranes[0].size());
  if (y.low < 0 && y.high > 0) svg.line(left, y(0), right, y(0), "grid");
  const auto draw = [&](size_t k, const char* type, const std::string& dash) {
    std::string corners;
    for (const auto& [t, u] : drawn_points(raster.membranes[k]))
      corners += (corners.empty() ? "" : " ") + fixed(left + cell * (t + 0.5)) + "," + fixed(y(u));
    svg.raw("<g><title>output " + std::to_string(k) + "</title><polyline points=\"" + corners +
            "\" class=\"" + type + "\"" + dash + "/></g>\n");
  };
  const bool classes = raster.label >= 0;  // else every output counts
  for (size_t k = 0; k < raster.membranes.size(); ++k)
    draw(k, classes ? "other" : "right", classes ? "" : dashes(k));
  const auto label = static_cast<size_t>(raster.label), predicted = static_cast<size_t>(raster.predicted);
  if (classes && label < raster.membranes.size()) draw(label, "right", "");
  if (classes && predicted != label && predicted < raster.membranes.size())
    draw(predicted, "wrong", dashes(1));
}

}  // namespace

std::string short_text(double value) {
  if (std::abs(value) >= 1e4) return fixed_number(value, 0);
  char text[48];
  std::snprintf(text, sizeof(text), "%.4g", value);
  return text;
}

std::string chart(const Chart& given) {
  Chart c = given;
  if (c.logarithmic) {
    for (ChartLine& line : c.lines) {
      const auto bad = [](const auto& point) { return !(point.second > 0); };
      line.points.erase(std::remove_if(line.points.begin(), line.points.end(), bad), line.points.end());
    }
  }
  const Range2 r = range_of(c.lines);
  if (r.count == 0) return "";
  const double right = c.width - 14, top = 12, bottom = c.height - 50;
  const Scale y = c.logarithmic ? fit_logarithmic(r.y1, r.y2, bottom, top) : fit(r.y1, r.y2, bottom, top);
  const double left = 36 + widest_tick(y);
  const double room = is_constant(r.x1, r.x2) ? 0.5 : 0.02 * (r.x2 - r.x1);
  const Scale x{r.x1 - room, r.x2 + room, left, right, false};
  Svg svg = picture(c.width, c.height, c.name, c.about);
  draw_x_axis(svg, x, top, bottom, c.x_title,
              r.x1 == r.x2 ? 1 : static_cast<int>(std::min(r.x2 - r.x1 + 1, 9.0)));
  draw_y_axis(svg, y, left, right, c.y_title);
  draw_places(svg, c, x, top, bottom);
  for (const ChartLine& line : c.lines) {
    const size_t every = r.count <= kManyMarks ? 1 : std::max<size_t>(1, line.points.size() / kSomeMarks);
    if (!line.points.empty()) draw_line(svg, line, c, x, y, every);
  }
  return svg.end();
}

std::string histogram_chart(const std::string& name, const std::string& about, const Histogram& histogram,
                            const std::string& x_title, const std::string& y_title, const PlotLook& look) {
  if (histogram.counts.empty()) return "";
  const double width = 300, height = 210, left = 50, right = width - 10, top = 20, bottom = height - 44;
  const double most = *std::max_element(histogram.counts.begin(), histogram.counts.end());
  const double first = histogram.limits.front(), last = histogram.limits.back();
  const Scale x =
      is_constant(first, last) ? fit(first, last, left, right) : Scale{first, last, left, right, false};
  const Scale y{0, most * 1.05, bottom, top, false};
  Svg svg = picture(width, height, name, about);
  for (const double tick : y.ticks(3)) {
    svg.line(left, y(tick), right, y(tick), "grid");
    svg.text(left - 6, y(tick) + 4, tick_text(tick), "end");
  }
  for (const double tick : x.ticks(4)) svg.text(x(tick), bottom + 16, tick_text(tick), "middle");
  svg.text((left + right) / 2, bottom + 36, x_title, "middle", "title");
  svg.text(left - 6, 11, y_title, "start", "title");
  for (size_t i = 0; i < histogram.counts.size(); ++i) {
    const double from = x(histogram.limits[i]), to = x(histogram.limits[i + 1]), at = y(histogram.counts[i]);
    if (histogram.counts[i] == 0) continue;
    svg.open(look, short_text(histogram.limits[i]) + " to " + short_text(histogram.limits[i + 1]) + ": " +
                       fixed_number(histogram.counts[i], 0));
    const double tall = std::max(1.0, bottom - at);  // what is there is seen
    svg.rect(from + 0.3, bottom - tall, std::max(0.5, to - from - 0.6), tall, "class=\"bar\"");
    svg.close();
  }
  svg.line(left, bottom, right, bottom, "axis");
  return svg.end();
}

std::string raster_chart(const Raster& raster, const std::string& name) {
  if (raster.layers.empty() || raster.layers[0].values.empty()) return "";
  const size_t T = raster.layers[0].values[0].size();
  const double left = 62, right = 452, gap = 20, curves = raster.membranes.empty() ? 0 : 74;
  const double cell = (right - left) / static_cast<double>(std::max<size_t>(1, T));
  const auto row_of = [](const RasterLayer& layer) { return layer.shown.size() < 12 ? 5.0 : 2.2; };
  double height = 34 + (curves > 0 ? curves + gap : 0);
  for (const RasterLayer& layer : raster.layers)
    height += gap + row_of(layer) * static_cast<double>(layer.shown.size());
  Svg svg = picture(
      right + 12, height, name,
      "Time runs to the right, neurons downwards: the input, then each layer; marks are spikes, of real "
      "numbers their size. Below them the membrane potentials of the output neurons.");
  double top = 0;
  for (const RasterLayer& layer : raster.layers) {
    const double row = row_of(layer), tall = row * static_cast<double>(layer.shown.size());
    svg.text(left, top + 13, layer.name, "start", "label");
    const size_t shown = layer.shown.size();
    if (static_cast<int64_t>(shown) < layer.neurons)
      svg.text(right, top + 13,
               std::to_string(shown) + " of " + fixed_number(static_cast<double>(layer.neurons), 0), "end");
    top += gap;
    svg.rect(left, top, right - left, tall, "class=\"frame\"");
    draw_band(svg, layer, left, top, right, row);
    top += tall;
  }
  if (curves > 0) {
    svg.text(left, top + 13, "membrane potentials of the outputs, before reset", "start", "label");
    top += gap;
    svg.rect(left, top, right - left, curves, "class=\"frame\"");
    draw_membranes(svg, raster, left, top, curves, cell);
    top += curves;
  }
  const Scale x{0, static_cast<double>(T), left, right, false};
  for (const double tick : x.ticks(static_cast<int>(std::min<size_t>(T, 6))))
    svg.text(x(tick), top + 15, tick_text(tick), "middle");
  svg.text((left + right) / 2, top + 29, "step", "middle", "title");
  return svg.end();
}

}  // namespace spiketrain
