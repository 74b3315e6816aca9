// Charts of a run's report as inline SVG: curves, histograms and rasters.  As in plot.h: no script, colours by CSS variables, lines
// told apart by dashes and marks as well, and every picture has a title and a description for those who do not see it.
// Tests: unit/run_chart_test.cpp.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/report/plot.h"
#include "spiketrain/report/run_data.h"

namespace spiketrain {

/// Rules for the classes used here, beside kPlotStyle.
extern const char* const kChartStyle;

struct ChartLine {
  Points points;
  std::string title;
  PlotLook look;
  bool strong = false;  ///< drawn thicker
};
/// A place on the x axis.
struct ChartPlace {
  double x = 0;
  std::string text;
};
struct Chart {
  std::string name, about;  ///< title and description
  std::string x_title, y_title;
  std::vector<ChartLine> lines;
  std::vector<ChartPlace> places = {};
  bool logarithmic = false;  ///< the y axis; values that are not positive are left out
  double width = 560, height = 320;
};
/// "" if no line has a point.
std::string chart(const Chart& chart);

/// Bars of a histogram; "" if it counts nothing.
std::string histogram_chart(const std::string& name, const std::string& about, const Histogram& histogram,
                            const std::string& x_title, const std::string& y_title, const PlotLook& look);

/// Rows of neurons over steps, a band a layer, the input on top.  Of more than 200 steps several are one column.
std::string raster_chart(const Raster& raster, const std::string& name);

/// "0.0123", "1,234": four significant digits.
std::string short_text(double value);

}  // namespace spiketrain
