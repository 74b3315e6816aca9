#include "spiketrain/report/run_page_parts.h"

#include <cmath>
#include <cstdio>

#include "spiketrain/report/report.h"

namespace spiketrain::page {

std::string run_name(const Runs& runs, size_t i) {
  if (runs.size() == 1) return "this run";
  const std::string& path = runs[i].path;
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  for (size_t k = 0; k < runs.size(); ++k) {
    const std::string& other = runs[k].path;
    const size_t at = other.rfind('/');
    if (k != i && (at == std::string::npos ? other : other.substr(at + 1)) == name) return path;
  }
  return name;
}

std::string metric_text(const std::string& metric, double value) {
  if (!std::isfinite(value)) return "-";
  const Shown shown = shown_as(metric);
  return (shown.digits >= 0 ? fixed_number(shown.scale * value, shown.digits)
                            : short_text(shown.scale * value)) +
         shown.unit;
}

std::string percent_text(double share) { return fixed_number(100 * share, 2) + " %"; }

std::string seconds_text(double seconds) {
  const auto total = static_cast<long long>(std::llround(seconds));
  char text[64];
  if (seconds < 60) {
    std::snprintf(text, sizeof(text), "%.1f s", seconds);
  } else if (total < 3600) {
    std::snprintf(text, sizeof(text), "%lld min %02lld s", total / 60, total % 60);
  } else {
    std::snprintf(text, sizeof(text), "%lld h %02lld min", total / 3600, total / 60 % 60);
  }
  return text;
}

std::string count_text(double value) { return fixed_number(value, 0); }

std::string figure(const std::string& heading, const std::string& picture, const std::string& caption,
                   const std::string& type) {
  if (picture.empty()) return "";
  return "<figure" + (type.empty() ? "" : " class=\"" + type + "\"") + "><h4>" + escape_html(heading) +
         "</h4>\n" + picture +
         (caption.empty() ? "" : "<figcaption>" + escape_html(caption) + "</figcaption>") + "</figure>\n";
}

std::string key(const std::vector<std::pair<std::string, PlotLook>>& items) {
  if (items.size() < 2) return "";
  std::string html = "<ul class=\"key\">\n";
  for (const auto& [name, look] : items) html += "<li>" + swatch(look) + escape_html(name) + "</li>\n";
  return html + "</ul>\n";
}

std::string table(const Cells& rows, const std::string& caption, const std::string& type) {
  std::string html = caption.empty() ? "" : paragraph(caption, "soft caption");
  html += "<div class=\"scroll\" tabindex=\"0\"><table" + (type.empty() ? "" : " class=\"" + type + "\"") +
          (caption.empty() ? "" : " aria-label=\"" + escape_html(caption) + "\"") + ">\n";
  const bool headed = !rows.empty() && !rows[0].empty();
  if (!headed) html += "<tbody>\n";
  for (size_t r = 0; r < rows.size(); ++r) {
    if (rows[r].empty()) continue;
    html += r == 0 ? "<thead><tr>" : "<tr>";
    for (size_t c = 0; c < rows[r].size(); ++c) {
      const std::string tag = r == 0 || c == 0 ? "th" : "td";
      const char* scope = r == 0 ? " scope=\"col\"" : c == 0 ? " scope=\"row\"" : "";
      html += "<" + tag + scope + ">" + escape_html(rows[r][c]) + "</" + tag + ">";
    }
    html += r == 0 ? "</tr></thead>\n<tbody>\n" : "</tr>\n";
  }
  return html + "</tbody>\n</table></div>\n";
}

std::vector<std::string> heading_row(const Runs& runs, const std::string& corner) {
  if (runs.size() == 1) return {};
  std::vector<std::string> row = {corner};
  for (size_t i = 0; i < runs.size(); ++i) row.push_back(run_name(runs, i));
  return row;
}

std::string paragraph(const std::string& text, const std::string& type) {
  return "<p" + (type.empty() ? "" : " class=\"" + type + "\"") + ">" + escape_html(text) + "</p>\n";
}

std::string section(const std::string& id, const std::string& heading, const std::string& body) {
  return "<section id=\"" + id + "\">\n<h2>" + escape_html(heading) + "</h2>\n" + body + "</section>\n";
}

}  // namespace spiketrain::page
