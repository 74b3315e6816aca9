#include "spiketrain/report/run_report.h"

#include <filesystem>

#include "spiketrain/base/file.h"
#include "spiketrain/report/run_page.h"

namespace spiketrain {

ReportFiles report_files(const std::vector<std::string>& runs, const std::string& out) {
  ST_CHECK(!runs.empty(), "report: expected at least one run");
  ReportFiles files;
  files.page = !out.empty() ? out : runs.size() == 1 ? runs[0] + "/report.html" : "report.html";
  files.json = std::filesystem::path(files.page).replace_extension(".json").string();
  ST_CHECK(files.page != files.json, "report: expected a name for the page, such as report.html; ",
           files.page, " is where its numbers would go");
  return files;
}

void write_report(const std::vector<RunData>& runs, const ReportFiles& files) {
  write_file_atomic(files.page, run_page(runs));
  write_file_atomic(files.json,
                    run_report_json(runs).dump(-1, ' ', false, Config::error_handler_t::replace) + "\n");
}

}  // namespace spiketrain
