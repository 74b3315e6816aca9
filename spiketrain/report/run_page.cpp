#include "spiketrain/report/run_page.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "spiketrain/report/report.h"
#include "spiketrain/report/run_page_parts.h"

namespace spiketrain {
namespace {

using namespace page;

constexpr const char* kRunStyle = R"css(
body{margin:0 auto;padding:24px;max-width:1720px;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,sans-serif;overflow-wrap:break-word}
h1{font-size:22px;margin:0 0 4px}h2{font-size:18px;margin:36px 0 10px;padding-top:10px;border-top:1px solid var(--rule)}
h3{font-size:15px;margin:20px 0 8px}figure>h4{font-size:14px;margin:0 0 6px}
p{margin:0 0 10px;max-width:78em}.soft,figcaption,.notes{color:var(--soft);font-size:13px}
nav{font-size:13px;margin:0 0 14px}nav a{color:var(--p0);margin-right:14px}
.big{font-size:30px;font-weight:600;line-height:1.25;margin:12px 0 2px}
.warning{background:var(--warn);border-left:4px solid var(--warn-line);padding:8px 12px;margin:12px 0;max-width:68em}
.warning ul{margin:4px 0 0;padding-left:20px}
.key{display:flex;flex-wrap:wrap;gap:4px 20px;margin:0 0 12px;padding:0;list-style:none;font-size:13px}
.key svg{vertical-align:-2px;margin-right:6px}
.plots{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,460px),1fr));gap:24px 30px;margin:0 0 18px}
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,240px),1fr));gap:18px 22px;margin:0 0 18px}
.rasters{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:22px 26px;margin:0 0 18px}
figure{margin:0;min-width:0}figure>svg{width:100%;max-width:680px;height:auto;display:block}.small svg{max-width:300px}.rasters svg{max-width:480px}
.scroll{overflow-x:auto;margin:0 0 14px}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
p.caption{margin:8px 0 4px;break-after:avoid}
th,td{padding:4px 10px;text-align:right;border-bottom:1px solid var(--grid);vertical-align:top}td{white-space:nowrap}
th{font-weight:600}tbody th,th:first-child{text-align:left}td.text,th.text{text-align:left}
.facts td,.facts thead th{text-align:left}.facts td{white-space:pre-line;overflow-wrap:anywhere;min-width:8em;max-width:70em}.matrix td,.matrix th{padding:3px 6px;text-align:center;min-width:38px}
.matrix td span{display:block;font-size:11px;color:var(--ink)}
.matrix td.hit{font-weight:700;outline:1px solid var(--rule);outline-offset:-1px}
.h1{background:color-mix(in srgb,var(--p0) 14%,transparent)}.h2{background:color-mix(in srgb,var(--p0) 26%,transparent)}
.h3{background:color-mix(in srgb,var(--p0) 40%,transparent)}.m1{background:color-mix(in srgb,var(--p1) 18%,transparent)}
.m2{background:color-mix(in srgb,var(--p1) 34%,transparent)}.m3{background:color-mix(in srgb,var(--p1) 52%,transparent)}
.pictures{display:flex;flex-wrap:wrap;gap:14px 26px;margin:0 0 14px;padding:0;list-style:none}
.pictures img{width:56px;height:56px;object-fit:contain;image-rendering:pixelated;margin:4px 4px 0 0;border:1px solid var(--rule);background:#000}
summary{cursor:pointer;margin:6px 0}pre{font-size:12px;overflow-x:auto;background:var(--grid);padding:10px}
code{background:var(--grid);padding:1px 4px}
@media (max-width:560px){body{padding:14px}.big{font-size:26px}th,td{padding:4px 6px}
.matrix td,.matrix th{padding:2px;min-width:26px;font-size:11px}.matrix td span{font-size:9px}}
@media print{:root{color-scheme:light;--page:#fff;--ink:#000;--soft:#444;--rule:#999;--grid:#ddd;--p0:#0b6fb8;--p1:#d9820a;
--p2:#0a8f68;--p3:#6b5bd2;--p4:#c9481c;--p5:#b0568c;--p6:#8a6d1f;--p7:#73777d;--warn:#fff;--warn-line:#000}
body{max-width:none;padding:0;font-size:11px}nav{display:none}figure,table,.pictures li{break-inside:avoid}h2,h3{break-after:avoid}
.plots{grid-template-columns:1fr 1fr}.small{grid-template-columns:1fr 1fr 1fr}.rasters{grid-template-columns:1fr 1fr 1fr;gap:10px 12px}
.scroll{overflow:visible}pre{white-space:pre-wrap;overflow:visible;columns:2;background:none;padding:0}table{font-size:10px}.matrix td,.matrix th{padding:1px 3px;min-width:0}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
)css";

std::string best_text(const MetricCurves& m, double value, int64_t epoch) {
  return std::isnan(value) ? "-" : metric_text(m.metric, value) + " (epoch " + std::to_string(epoch) + ")";
}

double last_of(const MetricCurves& m, const std::string& split) {
  for (const Curve& c : m.splits)
    if (c.name == split && !c.points.empty()) return c.points.back().second;
  return NAN;
}

/// One row a fact, one column a run.
std::string verdicts(const Runs& runs) {
  Cells rows = {heading_row(runs)};
  const auto add = [&](const std::string& name, const std::function<std::string(const RunData&)>& cell) {
    rows.push_back({name});
    for (const RunData& run : runs) rows.back().push_back(cell(run));
  };
  add("status", [](const RunData& r) {
    return status_text(r.status) + (stopped_early(r) ? ", stopped early, " : ", ") +
           std::to_string(r.epochs_done) + " of " + std::to_string(r.epochs_planned) + " epochs";
  });
  std::vector<std::string> metrics;
  for (const RunData& run : runs)
    for (const MetricCurves& m : run.metrics)
      if (std::find(metrics.begin(), metrics.end(), m.metric) == metrics.end()) metrics.push_back(m.metric);
  for (const std::string& metric : metrics) {
    const auto of = [&](const char* name, const std::function<std::string(const MetricCurves&)>& cell) {
      add(name + (" " + metric), [&](const RunData& run) {
        const MetricCurves* m = run.curves(metric);
        return m ? cell(*m) : std::string("-");
      });
    };
    if (metric != "loss" || metrics.size() == 1)
      of("best test", [](const MetricCurves& m) { return best_text(m, m.best.test, m.best.test_epoch); });
    of("last test", [](const MetricCurves& m) { return metric_text(m.metric, last_of(m, "test")); });
    of("last training", [](const MetricCurves& m) { return metric_text(m.metric, last_of(m, "train")); });
    if (std::none_of(runs.begin(), runs.end(), [&](const RunData& r) {
          const MetricCurves* m = r.curves(metric);
          return m && m->best.validation_epoch > 0;
        }))
      continue;
    of("best validation",
       [](const MetricCurves& m) { return best_text(m, m.best.validation, m.best.validation_epoch); });
    of("test at best validation", [](const MetricCurves& m) {
      return best_text(m, m.best.test_at_validation, m.best.validation_epoch);
    });
  }
  add("network", [](const RunData& r) { return r.network; });
  add("method", [](const RunData& r) { return r.method; });
  add("data, steps, seed", [](const RunData& r) {
    const bool other = r.passes && r.passes->steps != r.steps;
    return r.data + ", T = " + std::to_string(r.steps) +
           (other ? " (measured with " + std::to_string(r.passes->steps) + ")" : "") + ", seed " +
           std::to_string(r.seed);
  });
  add("duration",
      [](const RunData& r) { return r.epochs_done > 0 ? seconds_text(r.seconds) : std::string("-"); });
  add("updates", [](const RunData& r) {
    std::string text = count_text(static_cast<double>(r.updates));
    if (r.clipped > 0) text += ", " + count_text(static_cast<double>(r.clipped)) + " of them clipped";
    return text + (r.skipped > 0 ? ", " + count_text(static_cast<double>(r.skipped)) + " left out" : "");
  });
  return table(rows, "", "facts");
}

/// The number that one looks for first.
std::string headline(const RunData& run) {
  const MetricCurves* m = run.curves(run.first_metric);
  if (!m || m->best.test_epoch == 0) return paragraph("No epoch is complete yet.", "big");
  const bool validated = m->best.validation_epoch > 0;
  const double value = validated ? m->best.test_at_validation : last_of(*m, "test");
  std::string text = paragraph(metric_text(m->metric, value), "big");
  text +=
      paragraph("test " + m->metric +
                    (validated ? " at the best validation epoch, " + std::to_string(m->best.validation_epoch)
                               : std::string(" in the last epoch")) +
                    "; best of all epochs " + best_text(*m, m->best.test, m->best.test_epoch),
                "soft");
  return text;
}

std::string list_box(const std::string& heading, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string html = "<div class=\"warning\">" + escape_html(heading) + "<ul>\n";
  for (const std::string& line : lines) html += "<li>" + escape_html(line) + "</li>\n";
  return html + "</ul></div>\n";
}

std::string verdict(const Runs& runs) {
  std::string body = runs.size() == 1 ? headline(runs[0]) : "";
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string of = runs.size() > 1 ? " of " + run_name(runs, i) : "";
    body +=
        list_box("Warnings" + of, runs[i].warnings) + list_box("Not in this report" + of, runs[i].missing);
  }
  return section("verdict", "Verdict", body + verdicts(runs));
}

std::string head(const std::string& title) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>" +
         escape_html(title) + "</title>\n<style>" + kPlotStyle + kChartStyle + kRunStyle +
         "</style>\n</head>\n<body>\n";
}

}  // namespace

std::string run_page(const std::vector<RunData>& runs) {
  ST_CHECK(!runs.empty(), "report: expected at least one run");
  const std::string title = runs.size() == 1 ? runs[0].title : std::to_string(runs.size()) + " runs";
  std::string html = head(title) + "<header><h1>" + escape_html(title) + "</h1>\n";
  for (const RunData& run : runs) html += paragraph(run.path, "soft");
  html += "</header>\n<nav aria-label=\"sections\">";
  const std::pair<const char*, const char*> links[] = {
      {"verdict", "Verdict"},     {"curves", "Curves"}, {"layers", "Layers"}, {"samples", "Rasters"},
      {"decisions", "Decisions"}, {"cost", "Cost"},     {"origin", "Recipe"}};
  for (const auto& [id, name] : links) html += std::string("<a href=\"#") + id + "\">" + name + "</a>\n";
  html += "</nav>\n<main>\n" + verdict(runs) + curves(runs) + layers(runs) + samples(runs) + decisions(runs) +
          costs(runs) + origin(runs);
  return html + "</main>\n</body>\n</html>\n";
}

Config run_report_json(const std::vector<RunData>& runs) {
  Config json = {{"runs", Config::array()}};
  for (const RunData& run : runs) json["runs"].push_back(to_json(run));
  return json;
}

}  // namespace spiketrain
