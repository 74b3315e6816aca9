// What the plots are drawn with: SVG elements as text, and scales from values to pixels.  Used by plot.cpp and chart.cpp only.
// Tests: unit/report_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/report/plot.h"

namespace spiketrain::svg {

/// "12.3"
std::string fixed(double value, int digits = 1);
/// A value at an axis.
std::string tick_text(double value);
/// Whether values in [low, high] differ by no more than rounding.
bool is_constant(double low, double high);
/// Shape number `shape` about a point.
std::string mark(double x, double y, double radius, size_t shape);
/// Attribute for dash pattern number `style`; "" for the solid line.
std::string dashes(size_t style);

/// Elements as text.
class Svg {
 public:
  /// `about` is read out to those who cannot see the picture.
  Svg(double width, double height, const std::string& about);
  void line(double x1, double y1, double x2, double y2, const char* type);
  void rect(double x, double y, double w, double h, const std::string& attributes);
  /// `anchor`: start, middle or end; `turn`: degrees about the point.
  void text(double x, double y, const std::string& what, const char* anchor, const char* type = "",
            double turn = 0);
  /// A group in the colour of `look` with a hover title, until close().
  void open(const PlotLook& look, const std::string& title);
  void close() { text_ += "</g>\n"; }
  void raw(const std::string& element) { text_ += element; }
  std::string end() { return text_ + "</svg>\n"; }

 private:
  std::string text_;
};

/// Values -> pixels.
struct Scale {
  double low = 0, high = 1, from = 0, to = 1;
  bool logarithmic = false;
  double operator()(double value) const;
  /// Round values in [low, high], about `wanted` of them; of a logarithmic scale that spans more, powers of ten.
  std::vector<double> ticks(int wanted) const;
  /// A tick as it is written.
  std::string text(double tick) const;
};
/// Pixels of the longest number at an axis, with room for the larger letters of narrow screens.
double widest_tick(const Scale& scale);
/// Scale with some room around [low, high].
Scale fit(double low, double high, double from, double to);
/// Logarithmic; low > 0.
Scale fit_logarithmic(double low, double high, double from, double to);
/// As fit() for values that are never negative; logarithmic if they span more than a factor of 25.
Scale fit_positive(double low, double high, double from, double to);
/// As fit() for percentages, which need no room above 100 unless an error bar reaches there.
Scale fit_percent(double low, double high, double from, double to);

void draw_x_axis(Svg& svg, const Scale& x, double top, double bottom, const std::string& title,
                 int wanted = 6);
void draw_y_axis(Svg& svg, const Scale& y, double left, double right, const std::string& title);

}  // namespace spiketrain::svg
