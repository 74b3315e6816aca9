// The sections of a run's page, and what they share.  Used by run_page*.cpp only.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/report/chart.h"
#include "spiketrain/report/run_data.h"

namespace spiketrain::page {

using Runs = std::vector<RunData>;
using Cells = std::vector<std::vector<std::string>>;

/// What a run is called beside others.
std::string run_name(const Runs& runs, size_t i);
/// "98.31 %", "0.1234"; "-" for no number.
std::string metric_text(const std::string& metric, double value);
std::string percent_text(double share);
std::string seconds_text(double seconds);
std::string count_text(double value);

/// A figure with a heading; "" if there is no picture.
std::string figure(const std::string& heading, const std::string& picture, const std::string& caption = "",
                   const std::string& type = "");
/// What each look stands for.
std::string key(const std::vector<std::pair<std::string, PlotLook>>& items);
/// First row and first column are headings; a first row without cells is none.  Cells are text, not HTML.
std::string table(const Cells& rows, const std::string& caption = "", const std::string& type = "");
/// Of a table with a column for each run: nothing if there is one run.
std::vector<std::string> heading_row(const Runs& runs, const std::string& corner = "");
std::string paragraph(const std::string& text, const std::string& type = "");
/// A section with its heading of level 2.
std::string section(const std::string& id, const std::string& heading, const std::string& body);

std::string curves(const Runs& runs);
std::string layers(const Runs& runs);
std::string samples(const Runs& runs);
std::string decisions(const Runs& runs);
std::string costs(const Runs& runs);
std::string origin(const Runs& runs);

}  // namespace spiketrain::page
