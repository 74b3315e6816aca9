// Plots of a report as inline SVG: no script, no external file.  Colours are CSS variables of the page that
// holds them (kPlotStyle), so that they follow light and dark.  Every mark has a hover title.
// Tests: unit/report_test.cpp.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace spiketrain {

/// Rules for the classes used here; to go into the page's <style>.
extern const char* const kPlotStyle;

/// Text as it may stand in HTML and XML, attributes included.
std::string escape_html(const std::string& text);
/// "1,234.50"
std::string fixed_number(double value, int digits);

/// How a setting looks in every plot.
struct PlotLook {
  size_t color = 0;                 ///< kPlotColors of them; larger numbers start again
  size_t mark = 0;                  ///< shape of points
  std::optional<size_t> dash = {};  ///< of lines; by default as the mark
  size_t dashes() const { return dash.value_or(mark); }
};
constexpr size_t kPlotColors = 8;

struct PlotPoint {
  double x = 0, y = 0;
  std::optional<double> x_error, y_error;  ///< half length of the error bar
  std::string label, title;
  PlotLook look;
};
/// Points with error bars and labels; the x axis is logarithmic if the values span more than a factor of 25.
std::string scatter_plot(const std::vector<PlotPoint>& points, const std::string& x_title,
                         const std::string& y_title);

struct PlotLine {
  std::vector<std::pair<double, double>> points;
  std::string title;
  PlotLook look;
};
/// Lines over integers.
std::string line_plot(const std::vector<PlotLine>& lines, const std::string& x_title,
                      const std::string& y_title);

struct PlotBar {
  std::string label, title;
  double value = 0;
  std::optional<double> error;
  PlotLook look;
};
/// Horizontal bars from zero.
std::string bar_plot(const std::vector<PlotBar>& bars, const std::string& x_title);

struct HeatCell {
  std::optional<double> value;  ///< -1 to 1; absent: "-"
  std::string title;
};
/// Cells shaded by value, with the value written in.
std::string heat_map(const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                     const std::vector<std::vector<HeatCell>>& cells, const std::string& row_title,
                     const std::string& column_title);

/// A small picture of a look, for the key.
std::string swatch(const PlotLook& look);

}  // namespace spiketrain
