#include "spiketrain/report/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "spiketrain/report/plot.h"

namespace spiketrain {
namespace {

struct Column {
  std::string name, title;
  double scale = 1;     ///< from what is stored to what people read
  int digits = -1;      ///< after the point; -1: four significant digits
  bool always = false;  ///< shown to people even if no run has it
};
constexpr int kCosineDigits = 3;

/// Behind those of the metrics.
std::vector<Column> cost_columns() {
  return {{"optimizer_steps", "optimiser steps", 1, 0, true},
          {"epoch_seconds", "epoch (s)", 1, 2, true},
          {"peak_memory_mib", "peak memory (MiB)", 1, 0, true},
          {"activation_bytes", "activations (bytes)"},
          {"ac", "accumulates"},
          {"mac_error", "MACs, errors"},
          {"mac_weight", "MACs, weight gradients"},
          {"mac_forward", "MACs, forward"},
          {"mac", "MACs, together"},
          {"vector", "vector operations"},
          {"memory_words", "memory traffic (words)"},
          {"energy_uj", "energy (uJ)"},
          {"gradient_cosine", "gradient cosine, mean of layers", 1, kCosineDigits}};
}

/// In the order of the tables.
std::vector<Column> columns_of(const SweepResults& results) {
  std::vector<Column> columns;
  for (const SweepMetric& m : results.metrics) {
    const Shown shown = shown_as(m.label);
    const std::string unit = is_share(m.label) ? " (%)" : "";
    const auto add = [&](const std::string& name, const std::string& title) {
      columns.push_back({name, title, shown.scale, shown.digits, true});
    };
    add("best_test_" + m.label, "test " + m.label + ", best epoch" + unit);
    add("last_test_" + m.label, "test " + m.label + ", last epoch" + unit);
    add("test_" + m.label + "_at_best_validation", "test " + m.label + " at best validation" + unit);
    add("last_train_" + m.label, "train " + m.label + ", last epoch" + unit);
    add("gap_" + m.label, gap_title(m) + (is_share(m.label) ? " (points)" : ""));
  }
  for (Column& column : cost_columns()) columns.push_back(std::move(column));
  return columns;
}

/// "98.12 +- 0.10"; says so if some finished seeds do not have the value.
std::string cell(const std::optional<Stat>& stat, double scale, int digits, size_t done) {
  if (!stat) return "-";
  std::string text = format_stat(*stat, scale, digits);
  if (stat->n != done) text += " (n = " + std::to_string(stat->n) + ")";
  return text;
}

std::string exact(double value) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.9g", value);
  return text;
}

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

void csv_stat(const std::optional<Stat>& stat, std::vector<std::string>& row) {
  row.push_back(stat ? exact(stat->mean) : "-");
  row.push_back(stat && stat->sd ? exact(*stat->sd) : "-");
  row.push_back(std::to_string(stat ? stat->n : 0));
}

std::string csv_line(const std::vector<std::string>& row) {
  std::string line;
  for (const std::string& text : row) line += (line.empty() ? "" : ",") + csv_text(text);
  return line + "\n";
}

constexpr const char* kNotes[] = {
    "Mean over the seeds, \u00b1 the sample standard deviation where there are two seeds or more; - : not measured.",
    "The best epoch is chosen on the test set itself; the last epoch and the best validation epoch are not.",
    "Values of the train split are counted while the weights change, over the last epoch. Epoch seconds are the mean "
    "over epochs without evaluation; runs may have shared the machine. Peak memory is the process's.",
    "Optimiser steps are those a run recorded, else its batches times the updates per batch of its schedule, less "
    "skipped ones."};
constexpr const char* kCostNote =
    "Operations, memory traffic, activations and energy are per training sample.";

std::string markdown_text(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '<' || c == '&') {
      result += c == '<' ? "&lt;" : "&amp;";
      continue;
    }
    if (std::string("\\|`*_[]").find(c) != std::string::npos) result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

std::string markdown_line(const std::vector<std::string>& row) {
  std::string line = "|";
  for (const std::string& text : row) line += " " + markdown_text(text) + " |";
  return line + "\n";
}

/// Per setting and layer.
std::string cosine_table(const SweepResults& results) {
  std::vector<std::string> head = results.keys;
  head.insert(head.end(), results.layers.begin(), results.layers.end());
  std::string text =
      "Cosine between the gradient and that of full BPTT, per layer:\n\n" + markdown_line(head);
  for (size_t i = 0; i < head.size(); ++i) text += "|---";
  text += "|\n";
  for (const SettingResult& s : results.settings) {
    std::vector<std::string> row = s.setting.values;
    for (const auto& cosine : s.cosines) row.push_back(cell(cosine, 1, kCosineDigits, s.done));
    text += markdown_line(row);
  }
  return text;
}

}  // namespace

std::string format_stat(const Stat& stat, double scale, int digits) {
  const double mean = stat.mean * scale;
  if (digits < 0) {  // the deviation gets as many places as four digits of the mean have
    const double power = mean == 0 ? 0 : std::floor(std::log10(std::abs(mean)));
    digits = static_cast<int>(std::clamp(3 - power, 0.0, 12.0));
  }
  const std::string text = fixed_number(mean, digits);
  return stat.sd ? text + " \u00b1 " + fixed_number(*stat.sd * scale, digits) : text;
}

Shown shown_as(const std::string& metric) {
  return is_share(metric) ? Shown{100, 2, " %"} : Shown{1, -1, ""};
}

std::string gap_title(const SweepMetric& metric) {
  return (metric.greater_is_better ? "train - test " : "test - train ") + metric.label;
}

ReportTable report_table(const SweepResults& results) {
  ReportTable table;
  table.head = results.keys;
  table.head.push_back("seeds");
  std::vector<Column> columns;
  for (const Column& column : columns_of(results)) {
    if (!column.always && !results.has(column.name)) continue;
    columns.push_back(column);
    table.head.push_back(column.title);
  }
  for (const SettingResult& s : results.settings) {
    std::vector<std::string> row = s.setting.values;
    row.push_back(std::to_string(s.done));
    if (s.done != s.planned) row.back() += " of " + std::to_string(s.planned);
    for (const Column& column : columns)
      row.push_back(cell(s[column.name], column.scale, column.digits, s.done));
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::vector<std::string> report_notes(const SweepResults& results) {
  std::vector<std::string> list(std::begin(kNotes), std::end(kNotes));
  const std::vector<Column> columns = cost_columns();
  const bool cost = std::any_of(columns.begin(), columns.end(), [&](const Column& column) {
    return !column.always && column.name != "gradient_cosine" && results.has(column.name);
  });
  if (cost) list.emplace_back(kCostNote);
  return list;
}

std::string csv_table(const SweepResults& results) {
  std::vector<std::string> head = results.keys;
  for (const char* name : {"seeds", "seeds_planned"}) head.push_back(name);
  const std::vector<Column> columns = columns_of(results);
  std::vector<std::string> names;
  for (const Column& column : columns) names.push_back(column.name);
  for (const std::string& layer : results.layers) names.push_back("gradient_cosine[" + layer + "]");
  for (const std::string& name : names)
    for (const char* part : {"_mean", "_sd", "_n"}) head.push_back(name + part);
  head.push_back("note");
  std::string text = csv_line(head);
  for (const SettingResult& s : results.settings) {
    std::vector<std::string> row = s.setting.values;
    row.push_back(std::to_string(s.done));
    row.push_back(std::to_string(s.planned));
    for (const Column& column : columns) csv_stat(s[column.name], row);
    for (const auto& cosine : s.cosines) csv_stat(cosine, row);
    row.push_back(results.steps_warning.empty() ? "-" : results.steps_warning);
    text += csv_line(row);
  }
  return text;
}

std::string markdown_table(const SweepResults& results) {
  const ReportTable table = report_table(results);
  std::string text = "# " + markdown_text(results.title) + "\n\n";
  if (!results.steps_warning.empty()) text += "**" + results.steps_warning + "**\n\n";
  text += markdown_line(table.head);
  for (size_t i = 0; i < table.head.size(); ++i) text += "|---";
  text += "|\n";
  for (const auto& row : table.rows) text += markdown_line(row);
  if (!results.layers.empty()) text += "\n" + cosine_table(results);
  text += "\n";
  for (const std::string& note : report_notes(results)) text += "- " + note + "\n";
  if (!results.incomplete.empty()) text += "\nNot in these numbers:\n\n";
  for (const std::string& run : results.incomplete) text += "- " + markdown_text(run) + "\n";
  return text;
}

}  // namespace spiketrain
