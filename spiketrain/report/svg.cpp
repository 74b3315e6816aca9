#include "spiketrain/report/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace spiketrain {

const char* const kPlotStyle = R"css(
:root{color-scheme:light dark;--page:#fff;--ink:#1c1e21;--soft:#5b6067;--rule:#c9cdd2;--grid:#e8eaed;
--p0:#0b6fb8;--p1:#d9820a;--p2:#0a8f68;--p3:#6b5bd2;--p4:#c9481c;--p5:#b0568c;--p6:#8a6d1f;--p7:#73777d;
--warm:#c9481c;--warn:#fff4d6;--warn-line:#d9a514}
@media (prefers-color-scheme:dark){:root{--page:#16181b;--ink:#e8eaed;--soft:#a3a9b1;--rule:#4a4f56;--grid:#2a2e33;
--p0:#5aaef0;--p1:#f0b042;--p2:#3ccf9f;--p3:#a599ff;--p4:#f5835a;--p5:#e394c4;--p6:#cfb060;--p7:#a8a8a8;
--warm:#f5835a;--warn:#3a3115;--warn-line:#b88f1d}}
.c0{--c:var(--p0)}.c1{--c:var(--p1)}.c2{--c:var(--p2)}.c3{--c:var(--p3)}
.c4{--c:var(--p4)}.c5{--c:var(--p5)}.c6{--c:var(--p6)}.c7{--c:var(--p7)}
svg text{font:12px system-ui,sans-serif;fill:var(--soft)}svg .label{fill:var(--ink);font-size:11px;paint-order:stroke;
stroke:var(--page);stroke-width:3px;stroke-linejoin:round}
svg .title{fill:var(--ink)}svg .axis{stroke:var(--rule)}svg .grid{stroke:var(--grid)}
svg .mark{fill:var(--c);stroke:var(--page);stroke-width:1.5}svg .error{stroke:var(--c);stroke-width:1.5}
svg .bar{fill:var(--c)}svg .whisker{stroke:var(--ink);stroke-width:1.2}svg .line{fill:none;stroke:var(--c);stroke-width:2;stroke-linejoin:round}
svg .hit{fill:none;stroke:transparent;stroke-width:12}svg .place{fill:transparent}svg .leader{stroke:var(--rule)}
svg .cell{fill:var(--p0)}svg .negative{fill:var(--warm)}svg .frame{fill:none;stroke:var(--grid)}
svg g.hover:hover .mark,svg g.hover:hover .bar{opacity:.75}
)css";

std::string escape_html(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        result += byte < 0x20 && c != '\n' && c != '\t' ? '?' : c;  // XML has no way to write these
      }
    }
  }
  return result;
}

std::string fixed_number(double value, int digits) {
  const std::string text = svg::fixed(value, digits);
  const size_t point = std::min(text.find('.'), text.size()), first = value < 0 ? 1 : 0;
  std::string grouped;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i > first && i < point && (point - i) % 3 == 0) grouped += ',';
    grouped += text[i];
  }
  return grouped;
}

namespace svg {
namespace {

/// Polygon corners of mark shapes other than the circle, for a radius of 1.
const std::vector<std::vector<std::pair<double, double>>>& shapes() {
  static const std::vector<std::vector<std::pair<double, double>>> list = {
      {{-.9, -.9}, {.9, -.9}, {.9, .9}, {-.9, .9}},
      {{0, -1.2}, {1.1, .8}, {-1.1, .8}},
      {{0, -1.3}, {1.3, 0}, {0, 1.3}, {-1.3, 0}},
      {{0, 1.2}, {1.1, -.8}, {-1.1, -.8}},
      {{-.4, -1.2},
       {.4, -1.2},
       {.4, -.4},
       {1.2, -.4},
       {1.2, .4},
       {.4, .4},
       {.4, 1.2},
       {-.4, 1.2},
       {-.4, .4},
       {-1.2, .4},
       {-1.2, -.4},
       {-.4, -.4}}};
  return list;
}

}  // namespace

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

std::string tick_text(double value) {
  if (std::abs(value) >= 1e4) return fixed_number(value, 0);
  char text[64];
  std::snprintf(text, sizeof(text), "%.6g", std::abs(value) < 1e-12 ? 0.0 : value);
  return text;
}

Svg::Svg(double width, double height, const std::string& about) {
  text_ = "<svg viewBox=\"0 0 " + fixed(width, 0) + " " + fixed(height, 0) + "\" role=\"img\" aria-label=\"" +
          escape_html(about) + "\">\n";
}

void Svg::line(double x1, double y1, double x2, double y2, const char* type) {
  text_ += "<line x1=\"" + fixed(x1) + "\" y1=\"" + fixed(y1) + "\" x2=\"" + fixed(x2) + "\" y2=\"" +
           fixed(y2) + "\" class=\"" + type + "\"/>\n";
}

void Svg::rect(double x, double y, double w, double h, const std::string& attributes) {
  text_ += "<rect x=\"" + fixed(x) + "\" y=\"" + fixed(y) + "\" width=\"" + fixed(w) + "\" height=\"" +
           fixed(h) + "\" " + attributes + "/>\n";
}

void Svg::text(double x, double y, const std::string& what, const char* anchor, const char* type,
               double turn) {
  text_ += "<text x=\"" + fixed(x) + "\" y=\"" + fixed(y) + "\" text-anchor=\"" + anchor + "\"";
  if (*type) text_ += std::string(" class=\"") + type + "\"";
  if (turn != 0) text_ += " transform=\"rotate(" + fixed(turn, 0) + " " + fixed(x) + " " + fixed(y) + ")\"";
  text_ += ">" + escape_html(what) + "</text>\n";
}

void Svg::open(const PlotLook& look, const std::string& title) {
  text_ += "<g class=\"hover c" + std::to_string(look.color % kPlotColors) + "\"><title>" +
           escape_html(title) + "</title>\n";
}

std::string mark(double x, double y, double radius, size_t shape) {
  shape %= shapes().size() + 1;
  if (shape == 0) {
    return "<circle cx=\"" + fixed(x) + "\" cy=\"" + fixed(y) + "\" r=\"" + fixed(radius) +
           "\" class=\"mark\"/>\n";
  }
  std::string points;
  for (const auto& [dx, dy] : shapes()[shape - 1])
    points += (points.empty() ? "" : " ") + fixed(x + radius * dx) + "," + fixed(y + radius * dy);
  return "<polygon points=\"" + points + "\" class=\"mark\"/>\n";
}

std::string dashes(size_t style) {
  static const char* const patterns[] = {"", "7 4", "2 3", "9 3 2 3", "12 5", "4 2 1 2"};
  const char* pattern = patterns[style % 6];
  return *pattern ? std::string(" stroke-dasharray=\"") + pattern + "\"" : "";
}

double Scale::operator()(double value) const {
  const auto place = [this](double v) { return logarithmic ? std::log10(v) : v; };
  return from + (place(value) - place(low)) / (place(high) - place(low)) * (to - from);
}

namespace {

/// Powers of ten in [low, high], `wanted` at most, or with 2 and 5 times them if that is not too many.
std::vector<double> logarithmic_ticks(double low, double high, int wanted) {
  const auto first = static_cast<int>(std::floor(std::log10(low))),
             last = static_cast<int>(std::floor(std::log10(high)));
  const auto list = [&](int every, const std::vector<double>& digits) {
    std::vector<double> ticks;
    for (int n = first; n <= last; ++n)
      for (const double digit : digits)
        if (n % every == 0 && digit * std::pow(10, n) >= low && digit * std::pow(10, n) <= high)
          ticks.push_back(digit * std::pow(10, n));
    return ticks;
  };
  std::vector<double> ticks = list(1, {1, 2, 5});
  for (int every = 1; static_cast<int>(ticks.size()) > wanted + 2; ++every) ticks = list(every, {1});
  return ticks;
}

}  // namespace

std::vector<double> Scale::ticks(int wanted) const {
  if (logarithmic) {
    std::vector<double> list = logarithmic_ticks(low, high, wanted);
    if (list.size() >= 2) return list;
  }
  const double raw = (high - low) / wanted, power = std::pow(10, std::floor(std::log10(raw)));
  double step = power * 10;
  for (const double digit : {5, 2, 1})
    if (power * digit >= raw) step = power * digit;
  std::vector<double> list;
  const double first = std::ceil(low / step - 1e-9);
  const auto count = static_cast<int>(std::floor(high / step + 1e-9) - first) + 1;
  for (int i = 0; i < count; ++i) list.push_back((first + i) * step);
  return list;
}

std::string Scale::text(double tick) const {
  if (!logarithmic) return tick_text(tick);
  char text[64];
  std::snprintf(text, sizeof(text), "%g", tick);
  return text;
}

bool is_constant(double low, double high) {
  return high - low <= 1e-9 * std::max(std::abs(low), std::abs(high));
}

Scale fit(double low, double high, double from, double to) {
  const double pad = !is_constant(low, high) ? 0.08 * (high - low) : low == 0 ? 1 : 0.05 * std::abs(low);
  return {low - pad, high + pad, from, to, false};
}

Scale fit_logarithmic(double low, double high, double from, double to) {
  const double pad = is_constant(low, high) ? 1.3 : std::pow(high / low, 0.08);
  return {low / pad, high * pad, from, to, true};
}

Scale fit_positive(double low, double high, double from, double to) {
  if (low > 0 && high > 25 * low) return {low / 1.25, high * 1.25, from, to, true};
  Scale scale = fit(low, high, from, to);
  if (low >= 0) scale.low = std::max(scale.low, 0.0);
  return scale;
}

Scale fit_percent(double low, double high, double from, double to) {
  Scale scale = fit(low, high, from, to);
  scale.high = std::min(scale.high, std::max(high, 100.5));
  return scale;
}

double widest_tick(const Scale& scale) {
  constexpr double kDigit = 8.5;
  size_t longest = 3;
  for (const double tick : scale.ticks(6)) longest = std::max(longest, scale.text(tick).size());
  return kDigit * static_cast<double>(longest);
}

void draw_x_axis(Svg& svg, const Scale& x, double top, double bottom, const std::string& title, int wanted) {
  for (const double tick : x.ticks(wanted)) {
    svg.line(x(tick), top, x(tick), bottom, "grid");
    svg.text(x(tick), bottom + 17, x.text(tick), "middle");
  }
  svg.line(x.from, bottom, x.to, bottom, "axis");
  svg.text((x.from + x.to) / 2, bottom + 36, title, "middle", "title");
}

void draw_y_axis(Svg& svg, const Scale& y, double left, double right, const std::string& title) {
  for (const double tick : y.ticks(6)) {
    svg.line(left, y(tick), right, y(tick), "grid");
    svg.text(left - 7, y(tick) + 4, y.text(tick), "end");
  }
  svg.line(left, y.from, left, y.to, "axis");
  svg.text(14, (y.from + y.to) / 2, title, "middle", "title", -90);
}

}  // namespace svg
}  // namespace spiketrain
