// Sections 4 and 5 of a run's page: what the layers send while a sample is shown, and what the network decides.
#include <algorithm>

#include "spiketrain/base/text.h"
#include "spiketrain/report/report.h"
#include "spiketrain/report/run_page_parts.h"

namespace spiketrain::page {
namespace {

constexpr size_t kLargestMatrix = 25;

std::string base64(const std::string& bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k) word = word << 8 | (k < n ? static_cast<uint8_t>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k) text += k <= n ? kDigits[word >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::string heading_of(const Runs& runs, size_t i) {
  return runs.size() > 1 ? "<h3>" + escape_html(run_name(runs, i)) + "</h3>\n" : "";
}

std::string raster_heading(const RunPasses& passes, const Raster& raster) {
  const std::string sample = "test sample " + std::to_string(raster.sample);
  if (passes.confusion.empty()) return sample;
  return "class " + passes.target.class_text(raster.label) +
         (raster.predicted == raster.label ? ", right"
                                           : ", taken for " + passes.target.class_text(raster.predicted)) +
         " (" + sample + ")";
}

std::string rasters(const RunPasses& passes) {
  std::string html = "<div class=\"rasters\">\n";
  for (const Raster& raster : passes.rasters) {
    const std::string heading = raster_heading(passes, raster);
    html += figure(heading, raster_chart(raster, "raster of " + heading));
  }
  return html + "</div>\n";
}

int64_t sum_of(const std::vector<int64_t>& row) {
  int64_t sum = 0;
  for (const int64_t n : row) sum += n;
  return sum;
}

/// Colour of a cell by its share of the row; what is right is blue, what is wrong orange.
std::string cell_type(double share, bool right) {
  const int level = share >= 0.5 ? 3 : share >= 0.1 ? 2 : share > 0.01 ? 1 : 0;
  std::string type = right ? "hit" : "";
  if (level > 0) type += std::string(type.empty() ? "" : " ") + (right ? "h" : "m") + std::to_string(level);
  return type;
}

std::string matrix(const RunPasses& passes) {
  const auto& counts = passes.confusion;
  std::string html =
      "<p class=\"soft caption\">Rows: the class of the sample; columns: the class that was predicted. Number of samples, and percent of the "
      "row.</p>\n<div class=\"scroll\" tabindex=\"0\"><table class=\"matrix\" aria-label=\"confusion matrix\">\n<thead><tr><th scope=\"col\">class</th>";
  for (size_t c = 0; c < counts.size(); ++c) html += "<th scope=\"col\">" + std::to_string(c) + "</th>";
  html += "<th scope=\"col\">all</th></tr></thead>\n<tbody>\n";
  for (size_t r = 0; r < counts.size(); ++r) {
    const int64_t all = sum_of(counts[r]);
    html +=
        "<tr><th scope=\"row\">" + escape_html(passes.target.class_text(static_cast<int64_t>(r))) + "</th>";
    for (size_t c = 0; c < counts[r].size(); ++c) {
      const double share = all > 0 ? static_cast<double>(counts[r][c]) / static_cast<double>(all) : 0;
      html += "<td class=\"" + cell_type(share, r == c) + "\">" + std::to_string(counts[r][c]);
      if (counts[r][c] > 0) html += "<span>" + fixed_number(100 * share, 1) + "</span>";
      html += "</td>";
    }
    html += "<td>" + std::to_string(all) + "</td></tr>\n";
  }
  return html + "</tbody>\n</table></div>\n";
}

/// Of many classes only how often each is right.
std::string recalls(const RunPasses& passes) {
  const auto& counts = passes.confusion;
  Cells rows = {{"class", "samples", "right"}};
  for (size_t r = 0; r < counts.size(); ++r) {
    const int64_t all = sum_of(counts[r]);
    rows.push_back(
        {passes.target.class_text(static_cast<int64_t>(r)), std::to_string(all),
         all > 0 ? percent_text(static_cast<double>(counts[r][r]) / static_cast<double>(all)) : "-"});
  }
  return paragraph("The matrix of " + std::to_string(counts.size()) +
                       " classes is in the JSON file beside this page.",
                   "soft") +
         "<details><summary>Class by class</summary>" + table(rows) + "</details>\n";
}

std::string mistakes(const RunPasses& passes) {
  if (passes.mistakes.empty()) return "";
  std::string html = "<h3>Most frequent confusions</h3>\n<ul class=\"pictures\">\n";
  for (const Mistake& m : passes.mistakes) {
    const std::string label = escape_html(passes.target.class_text(m.label));
    html += "<li>" + label + " taken for " + escape_html(passes.target.class_text(m.predicted)) + ": " +
            std::to_string(m.count) + "<br/>";
    for (const SamplePicture& p : m.pictures)
      html += "<img alt=\"test sample " + std::to_string(p.sample) + ", class " + label +
              "\" title=\"test sample " + std::to_string(p.sample) + "\" src=\"data:image/png;base64," +
              base64(p.png) + "\"/>";
    html += "</li>\n";
  }
  return html + "</ul>\n";
}

std::string confusion(const RunPasses& passes) {
  if (passes.confusion.empty()) return "";
  const bool large = passes.confusion.size() > kLargestMatrix;
  return "<h3>Confusion matrix</h3>\n" + (large ? recalls(passes) : matrix(passes)) + mistakes(passes);
}

std::string latency(const Runs& runs) {
  Chart c;
  c.x_title = "steps used";
  std::vector<std::pair<std::string, PlotLook>> items;
  Cells rows = {{"run", "steps for 99 % of the last value", "first steps", "all steps"}};
  std::string metric;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (!runs[i].passes || runs[i].passes->latency.empty()) continue;
    const RunPasses& passes = *runs[i].passes;
    const Points& points = passes.latency;
    if (metric.empty()) metric = passes.metric;
    if (passes.metric != metric) continue;
    const Shown shown = shown_as(metric);
    ChartLine line{{}, run_name(runs, i), {i, i}};
    for (const auto& [t, value] : points) line.points.emplace_back(t, shown.scale * value);
    const double last = points.back().second;
    const auto enough =
        std::find_if(points.begin(), points.end(), [&](const auto& p) { return p.second >= 0.99 * last; });
    rows.push_back(
        {run_name(runs, i), is_share(metric) ? short_text(enough->first) : "-",
         metric_text(metric, points.front().second) + " (" + short_text(points.front().first) + ")",
         metric_text(metric, last) + " (" + short_text(points.back().first) + ")"});
    c.lines.push_back(std::move(line));
    items.emplace_back(run_name(runs, i), PlotLook{i, i});
  }
  c.name = metric + " by the number of steps used";
  c.about = "The prediction is read from the first steps only; the curve shows the metric by how many.";
  c.y_title = metric + (is_share(metric) ? " (%)" : "");
  const std::string picture = chart(c);
  if (picture.empty()) return "";
  return "<h3>" + escape_html(c.name) + "</h3>\n<div class=\"plots\">\n" +
         figure("prediction from the first steps", picture + key(items)) + "<div>" + table(rows) +
         "</div></div>\n";
}

std::string notes_of(const RunPasses& passes) {
  std::string html;
  for (const std::string& note : passes.notes) html += "<li>" + escape_html(note) + "</li>\n";
  return html.empty() ? "" : "<ul class=\"notes\">\n" + html + "</ul>\n";
}

std::string missing_text() { return paragraph("Not measured; the verdict says why."); }

}  // namespace

std::string samples(const Runs& runs) {
  std::string body = paragraph(
      "One test sample of each class, or a few where there are no classes. Time runs to the right, each row is a neuron; of more than 200 steps several are one "
      "column. Of large layers some of the neurons that fire are shown, the same in all pictures. Membranes: the output of the sample's class is the thick line, that of a wrong "
      "prediction the dashed one.",
      "soft");
  for (size_t i = 0; i < runs.size(); ++i)
    body += heading_of(runs, i) + (runs[i].passes ? rasters(*runs[i].passes) : missing_text());
  return section("samples", "What the neurons send", body);
}

std::string decisions(const Runs& runs) {
  std::string body;
  for (size_t i = 0; i < runs.size(); ++i) {
    body += heading_of(runs, i);
    if (!runs[i].passes) {
      body += missing_text();
      continue;
    }
    const RunPasses& passes = *runs[i].passes;
    body += paragraph(passes.metric + " " + metric_text(passes.metric, passes.value) + ", loss " +
                      short_text(passes.loss) + " over " + count_text(static_cast<double>(passes.samples)) +
                      " of " + count_text(static_cast<double>(passes.available)) + " test samples, in " +
                      seconds_text(passes.seconds) + ", weights " + passes.weights +
                      (passes.sets.empty() ? "" : ", --set " + join(passes.sets, " --set ")) + ".");
    body += confusion(passes) + notes_of(passes);
  }
  return section("decisions", "What the network decides", body + latency(runs));
}

}  // namespace spiketrain::page
