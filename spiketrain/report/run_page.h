// The report of one or several runs as one HTML page: well-formed XML with its pictures in it, no script, nothing from elsewhere.  It
// shows what RunData holds and nothing else; a section is a function.
// Tests: unit/run_page_test.cpp, tests/page/.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/report/run_data.h"

namespace spiketrain {

/// UsageError without a run.
std::string run_page(const std::vector<RunData>& runs);

/// What report.json holds: {"runs": [...]}.
Config run_report_json(const std::vector<RunData>& runs);

}  // namespace spiketrain
