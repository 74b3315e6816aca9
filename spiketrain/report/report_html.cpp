// The HTML page of a report; see report.h.
#include <algorithm>

#include "spiketrain/report/plot.h"
#include "spiketrain/report/report.h"

namespace spiketrain {
namespace {

constexpr const char* kPageStyle = R"css(
body{margin:0 auto;padding:24px;max-width:1720px;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:22px;margin:0 0 4px}h2{font-size:15px;margin:0 0 8px}
p.facts{color:var(--soft);margin:0 0 16px}
.warning{background:var(--warn);border-left:4px solid var(--warn-line);padding:8px 12px;margin:0 0 16px}
.warning ul{margin:4px 0 0;padding-left:20px}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;margin:0 0 16px;padding:0;list-style:none;font-size:13px}
.key svg{vertical-align:-2px;margin-right:6px}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr));gap:28px 32px;margin:0 0 32px}
figure{margin:0;min-width:0}figure>svg{width:100%;max-width:680px;height:auto;display:block}
figcaption,p.none,.notes{color:var(--soft);font-size:13px}
.scroll{overflow-x:scroll;margin:0 0 12px;padding:0 0 8px;border-right:1px solid var(--rule)}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th,td{padding:5px 10px;text-align:right;border-bottom:1px solid var(--grid);white-space:nowrap}
th{white-space:normal;vertical-align:bottom;border-bottom-color:var(--rule);font-weight:600}
td.setting,th.setting{text-align:left}
td.setting:first-child,th.setting:first-child{position:sticky;left:0;background:var(--page)}
summary{cursor:pointer}pre{font-size:12px;overflow-x:auto}p,.notes,.warning{max-width:78em}
@media (max-width:560px){body{padding:14px;overflow-wrap:break-word}th,td{padding:4px 6px}figure{overflow-x:auto}figure>svg{min-width:460px}}
@page{size:landscape}
@media print{body{max-width:none;padding:0;font-size:11px}figure,tr{break-inside:avoid}h2{break-after:avoid}.plots{grid-template-columns:1fr 1fr 1fr}
.scroll{overflow:visible;border:0}table{font-size:7px}th,td{padding:2px 3px}pre{white-space:pre-wrap}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

/// The first axis gives the colour, the others the mark; more values than colours go on with the next marks.
PlotLook look_of(const SweepResults& results, size_t setting) {
  std::vector<size_t> sizes(results.keys.size(), 1);
  for (const SettingResult& s : results.settings) {
    for (size_t a = 0; a < sizes.size(); ++a) sizes[a] = std::max(sizes[a], s.setting.at[a] + 1);
  }
  if (sizes.empty()) return {};
  const std::vector<size_t>& at = results.settings[setting].setting.at;
  size_t rest = 0;
  for (size_t a = 1; a < at.size(); ++a) rest = rest * sizes[a] + at[a];
  const size_t turns = (sizes[0] + kPlotColors - 1) / kPlotColors;
  return {at[0] % kPlotColors, at[0] / kPlotColors + turns * rest};
}

/// For hover titles.
std::string stat_text(const Stat& stat, double scale, const std::string& unit, int digits) {
  return format_stat(stat, scale, digits) + unit +
         (stat.n == 1 ? " (1 seed)" : " (" + std::to_string(stat.n) + " seeds)");
}

std::string figure(const std::string& heading, const std::string& svg, const std::string& caption,
                   bool wide = false) {
  return std::string("<figure") + (wide ? " class=\"wide\"" : "") + "><h2>" + escape_html(heading) +
         "</h2>\n" + svg + (caption.empty() ? "" : "<figcaption>" + escape_html(caption) + "</figcaption>") +
         "</figure>\n";
}

/// The first letter made a capital.
std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

std::string point_label(const SweepResults& results, const SettingResult& s) {
  return results.keys.empty() ? s.setting.label : join(s.setting.values, " / ");
}

/// A metric on the test split, for plots: chosen without that split where that is possible for all.
struct TestValue {
  std::string name, title;
  Shown shown;
  TestValue(const SweepResults& results, const SweepMetric& metric)
      : name("test_" + metric.label + "_at_best_validation"), shown(shown_as(metric.label)) {
    const bool validated = std::all_of(results.settings.begin(), results.settings.end(),
                                       [&](const auto& s) { return s.done == 0 || s[name].has_value(); });
    title = "test " + metric.label + (validated ? " at best validation" : ", last epoch") +
            (is_share(metric.label) ? " (%)" : "");
    if (!validated) name = "last_test_" + metric.label;
  }
};

struct Unit {
  double scale;
  const char* name;
};
Unit byte_unit(double largest) {
  return largest >= 1 << 20   ? Unit{1.0 / (1 << 20), "MiB"}
         : largest >= 1 << 10 ? Unit{1.0 / (1 << 10), "KiB"}
                              : Unit{1, "bytes"};
}
Unit count_unit(double largest) {
  return largest >= 1e6   ? Unit{1e-6, "millions"}
         : largest >= 1e3 ? Unit{1e-3, "thousands"}
                          : Unit{1, "number"};
}

/// A quantity of cost.json, as an axis.
struct Cost {
  std::string name, title;
  Unit (*unit_for)(double);
};

std::string no_numbers(const std::string& heading, const char* why) {
  return figure(heading, std::string("<p class=\"none\">") + why + "</p>", "");
}

PlotPoint tradeoff_point(const SettingResult& s, const Stat& x, const Stat& y, const Unit& unit,
                         const Shown& shown) {
  PlotPoint point{x.mean * unit.scale, shown.scale * y.mean, {}, {}, "", "", {}};
  if (x.sd) point.x_error = *x.sd * unit.scale;
  if (y.sd) point.y_error = shown.scale * *y.sd;
  point.title = s.setting.label + ": " + stat_text(y, shown.scale, shown.unit, shown.digits) + ", " +
                stat_text(x, unit.scale, std::string(" ") + unit.name, -1);
  return point;
}

std::string tradeoff(const SweepResults& results, const SweepMetric& metric, const std::string& against,
                     const Cost& cost) {
  const std::string heading = capital(metric.label) + " against " + against;
  const TestValue value(results, metric);
  double largest = 0;
  for (const SettingResult& s : results.settings)
    if (const auto x = s[cost.name]) largest = std::max(largest, x->mean);
  const Unit unit = cost.unit_for(largest);
  std::vector<PlotPoint> points;
  size_t missing = 0;
  for (size_t i = 0; i < results.settings.size(); ++i) {
    const SettingResult& s = results.settings[i];
    const auto x = s[cost.name], y = s[value.name];
    missing += !x || !y;
    if (!x || !y) continue;
    points.push_back(tradeoff_point(s, *x, *y, unit, value.shown));
    points.back().label = point_label(results, s);
    points.back().look = look_of(results, i);
  }
  if (points.empty()) return no_numbers(heading, "No run directory has these numbers (cost.json).");
  std::string caption = "Mean and standard deviation over seeds.";
  if (!results.keys.empty()) caption += " Labels: " + join(results.short_names, " / ") + ".";
  if (missing > 0)
    caption += " " + std::to_string(missing) + " settings without these numbers are not shown.";
  return figure(heading, scatter_plot(points, cost.title + " (" + unit.name + ")", value.title), caption);
}

std::string gaps(const SweepResults& results, const SweepMetric& metric) {
  const Shown shown = shown_as(metric.label);
  const char* unit = is_share(metric.label) ? " points" : "";
  std::vector<PlotBar> bars;
  for (size_t i = 0; i < results.settings.size(); ++i) {
    const SettingResult& s = results.settings[i];
    const auto gap = s["gap_" + metric.label];
    if (!gap) continue;
    PlotBar bar{s.setting.label,
                s.setting.label + ": " + stat_text(*gap, shown.scale, unit, shown.digits),
                shown.scale * gap->mean,
                {},
                look_of(results, i)};
    if (gap->sd) bar.error = shown.scale * *gap->sd;
    bars.push_back(std::move(bar));
  }
  const std::string heading = "Generalisation gap in " + metric.label;
  if (bars.empty()) return no_numbers(heading, "No finished run.");
  const std::string axis = is_share(metric.label) ? " (percentage points)" : "";
  return figure(heading, bar_plot(bars, gap_title(metric) + ", last epoch" + axis),
                "Mean and standard deviation over seeds.");
}

std::string curves(const SweepResults& results, const SweepMetric& metric) {
  const Shown shown = shown_as(metric.label);
  std::vector<PlotLine> lines;
  for (size_t i = 0; i < results.settings.size(); ++i) {
    const SettingResult& s = results.settings[i];
    const auto it = s.test_by_epoch.find(metric.label);
    if (it == s.test_by_epoch.end()) continue;
    PlotLine line{{}, s.setting.label, look_of(results, i)};
    for (size_t e = 0; e < it->second.size(); ++e)
      if (const auto& stat = it->second[e])
        line.points.emplace_back(static_cast<double>(e + 1), shown.scale * stat->mean);
    if (!line.points.empty()) lines.push_back(std::move(line));
  }
  const std::string heading = "Test " + metric.label + " while training";
  if (lines.empty()) return no_numbers(heading, "No finished run.");
  return figure(heading,
                line_plot(lines, "epoch", "test " + metric.label + (is_share(metric.label) ? " (%)" : "")),
                "Mean over seeds.");
}

std::string cosines(const SweepResults& results) {
  const std::string heading = "Gradient cosine to full BPTT, per layer (measured)";
  if (results.layers.empty())
    return no_numbers(heading, "No run measured it (gradient_cosine in metrics.jsonl).");
  std::vector<std::string> rows;
  std::vector<std::vector<HeatCell>> cells;
  for (const SettingResult& s : results.settings) {
    if (s.done == 0) continue;
    rows.push_back(s.setting.label);
    cells.emplace_back();
    for (size_t l = 0; l < results.layers.size(); ++l) {
      const auto& cosine = s.cosines[l];
      const std::string where = s.setting.label + ", " + results.layers[l] + ": ";
      cells.back().push_back({cosine ? Measured(cosine->mean) : Measured(),
                              where + (cosine ? stat_text(*cosine, 1, "", 4) : "not measured")});
    }
  }
  return figure(
      heading, heat_map(rows, results.layers, cells, "setting", "layer, from input to output"),
      "Cosine of the angle between the gradient and that of full BPTT on the same batch; 1: the same "
      "direction, 0: unrelated. Mean over the epochs that have it and over seeds.");
}

std::string warnings(const SweepResults& results) {
  std::string html;
  for (const std::string& warning : {results.steps_warning, results.chance_warning})
    if (!warning.empty()) html += "<p class=\"warning\">" + escape_html(warning) + "</p>\n";
  if (results.incomplete.empty()) return html;
  html += "<div class=\"warning\">Not in these numbers:<ul>\n";
  for (const std::string& run : results.incomplete) html += "<li>" + escape_html(run) + "</li>\n";
  return html + "</ul></div>\n";
}

std::string key(const SweepResults& results) {
  std::string html = "<ul class=\"key\">\n";
  for (size_t i = 0; i < results.settings.size(); ++i)
    html += "<li>" + swatch(look_of(results, i)) + escape_html(results.settings[i].setting.label) + "</li>\n";
  return html + "</ul>\n";
}

std::string html_table(const SweepResults& results) {
  const ReportTable table = report_table(results);
  const size_t keys = results.keys.size();
  const auto add = [keys](const char* tag, const std::vector<std::string>& row, std::string& html) {
    html += "<tr>";
    for (size_t i = 0; i < row.size(); ++i) {
      html += std::string("<") + tag + (i < keys ? " class=\"setting\">" : ">") + escape_html(row[i]) + "</" +
              tag + ">";
    }
    html += "</tr>\n";
  };
  std::string html =
      "<p class=\"notes\">" + std::to_string(table.head.size()) +
      " columns; the table scrolls sideways.</p>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<thead>\n";
  add("th", table.head, html);
  html += "</thead>\n<tbody>\n";
  for (const auto& row : table.rows) add("td", row, html);
  return html + "</tbody>\n</table></div>\n";
}

/// The plots of every metric.
std::string metric_plots(const SweepResults& results) {
  const Cost memory = {"activation_bytes", "activation memory per sample", byte_unit};
  const Cost products = {"mac", "MACs per sample: forward, errors and weight gradients", count_unit};
  std::string html;
  for (const SweepMetric& metric : results.metrics) {
    html += tradeoff(results, metric, "activation memory", memory);
    html += tradeoff(results, metric, "multiply-accumulates", products);
    html += curves(results, metric) + gaps(results, metric);
  }
  return html;
}

std::string facts(const SweepResults& results) {
  std::vector<std::string> seeds;
  for (const int64_t seed : results.seeds) seeds.push_back(std::to_string(seed));
  return "Swept: " + (results.keys.empty() ? "nothing" : join(results.keys)) +
         ". Settings: " + std::to_string(results.settings.size()) + ". Seeds: " + join(seeds) + ".";
}

}  // namespace

std::string html_report(const SweepResults& results, const std::string& recipe) {
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
      escape_html(results.title) + "</title>\n<style>" + kPlotStyle + kPageStyle +
      "</style>\n</head>\n<body>\n<h1>" + escape_html(results.title) + "</h1>\n<p class=\"facts\">" +
      escape_html(facts(results)) + "</p>\n";
  html += warnings(results) + key(results) + "<div class=\"plots\">\n";
  html += metric_plots(results) + cosines(results) + "</div>\n";
  html += "<h2>Table</h2>\n" + html_table(results) + "<ul class=\"notes\">\n";
  for (const std::string& note : report_notes(results)) html += "<li>" + escape_html(note) + "</li>\n";
  html += "</ul>\n<details><summary>Recipe</summary><pre>" + escape_html(recipe) + "</pre></details>\n";
  return html + "</body>\n</html>\n";
}

}  // namespace spiketrain
