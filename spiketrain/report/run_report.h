// The files of a report, for `spiketrain report` and Python's spiketrain.report(): the page, and its numbers beside it.
// Tests: unit/report_cli_test.cpp, python/tests/test_report.py.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/report/run_data.h"

namespace spiketrain {

struct ReportFiles {
  std::string page, json;
};
/// `out`, by default report.html in the run, or here for several, and the same with .json.  UsageError if `out` ends in .json, or without
/// a run.
ReportFiles report_files(const std::vector<std::string>& runs, const std::string& out);
/// DataError if they cannot be written.
void write_report(const std::vector<RunData>& runs, const ReportFiles& files);

}  // namespace spiketrain
