// Results of a sweep as a table and as one HTML page.
//   csv_table       shares as fractions; per column NAME_mean, NAME_sd, NAME_n; every column always there
//   markdown_table  for people, shares in percent; columns that no run has are left out
//   html_report     plots and table; well-formed XML, no script, no external file
// Absent values are "-".  If settings differ in optimiser steps, all three say so.
// Tests: unit/report_test.cpp.
#pragma once
#include <string>

#include "spiketrain/report/sweep_results.h"

namespace spiketrain {

/// "98.12 +- 0.10" with a real plus-minus sign, both times `scale`; digits after the point, -1: four digits
/// of the mean in all.
std::string format_stat(const Stat& stat, double scale, int digits);

/// How the values of a metric are shown: those that are shares in percent, others with four digits.
struct Shown {
  double scale;      ///< from what is stored to what people read
  int digits;        ///< as format_stat
  const char* unit;  ///< " %" or ""
};
Shown shown_as(const std::string& metric);
/// What the gap of a metric is: "train - test accuracy", "test - train mse"; positive: the test split is worse.
std::string gap_title(const SweepMetric& metric);

/// Header and rows as people read them, one row per setting; the first columns are the swept options.
struct ReportTable {
  std::vector<std::string> head;
  std::vector<std::vector<std::string>> rows;
};
ReportTable report_table(const SweepResults& results);
/// What the columns mean, a sentence each.
std::vector<std::string> report_notes(const SweepResults& results);

std::string csv_table(const SweepResults& results);
std::string markdown_table(const SweepResults& results);
/// `recipe`: its TOML text, shown folded.
std::string html_report(const SweepResults& results, const std::string& recipe);

}  // namespace spiketrain
