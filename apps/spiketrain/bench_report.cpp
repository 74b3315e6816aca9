#include "apps/spiketrain/bench_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <utility>

#include "apps/spiketrain/commands.h"
#include "revision.h"
#include "spiketrain/train/environment.h"
#include "spiketrain/version.h"

namespace spiketrain::cli::bench {
namespace {

/// Of the columns with numbers.
constexpr size_t kNumberWidth = 18;

std::string heading(const std::string& form) { return form + " ms (least)"; }

std::string fixed(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

/// Four digits or so, whatever the size.
std::string milliseconds(double value) { return fixed(value, value < 10 ? 3 : value < 100 ? 2 : 1); }

std::string density_text(const Row& row) {
  const std::string shown = number(row.density, 2);
  return row.timed->density == 0 ? shown + " natural" : shown;
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

Config machine() {
  const Config all = environment(ST_REVISION);
  return {{"cpu", all.at("cpu")},
          {"threads", all.at("threads")},
          {"isa", all.at("simd")},
          {"torch", all.at("libtorch")},
          {"blas", all.at("blas")},
          {"compiler", all.at("compiler")},
          {"variables", all.at("variables")}};
}

Config json_of(const Row& row, const Config& threads) {
  Config result = {{"level", row.timed->level},
                   {"name", row.timed->name},
                   {"product", row.timed->product},
                   {"density", row.timed->density == 0 ? Config() : Config(row.timed->density)},
                   {"measured_density", rounded(row.density)},
                   {"threads", threads}};
  for (const Times& times : row.times) {
    result[times.form + "_ms"] = rounded(times.median);
    result[times.form + "_least_ms"] = rounded(times.least);
    if (row.timed->level == "step") result[times.form + "_bytes"] = times.bytes;
  }
  result["ratio"] = rounded(row.ratio());
  if (row.timed->level == "kernel") result["used"] = row.used;
  return result;
}

}  // namespace

Table::Table(const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    name_width_ = std::max(name_width_, one.name.size());
    product_width_ = std::max(product_width_, one.product.size());
  }
}

void Table::print_cells(const std::vector<std::string>& cells) const {
  std::string line;
  for (size_t c = 0; c < cells.size(); ++c) {
    const size_t width = c == 0 ? name_width_ : c == 1 ? product_width_ : kNumberWidth;
    line += cells[c] + std::string(cells[c].size() < width ? width - cells[c].size() + 2 : 2, ' ');
  }
  std::cout << line.substr(0, line.find_last_not_of(' ') + 1) << std::endl;  // at once: a case takes seconds
}

void Table::print_head(const Row& row) {
  std::vector<std::string> cells = {row.timed->level, "work", "spike density"};
  for (const Times& times : row.times) cells.push_back(heading(times.form));
  cells.emplace_back("plain / ours");
  if (!level_.empty()) std::cout << '\n';
  level_ = row.timed->level;
  print_cells(cells);
}

void Table::print(const Row& row) {
  if (row.timed->level != level_) print_head(row);
  std::vector<std::string> cells = {row.timed->name, row.timed->product, density_text(row)};
  for (const Times& times : row.times)
    cells.push_back(milliseconds(times.median) + " (" + milliseconds(times.least) + ")");
  cells.push_back(fixed(row.ratio(), 2) + (row.used ? "" : ", not used"));
  print_cells(cells);
}

void Table::print_memory(const std::vector<Row>& rows) {
  bool first = true;
  for (const Row& row : rows) {
    if (row.timed->level != "step") continue;
    std::vector<std::string> head = {"memory of a step", "", "spike density"},
                             cells = {row.timed->name, "", density_text(row)};
    for (const Times& times : row.times) {
      head.push_back(times.form + " MiB");
      cells.push_back(milliseconds(static_cast<double>(times.bytes) / (1 << 20)));
    }
    head.emplace_back("plain / ours");
    cells.push_back(
        fixed(static_cast<double>(row.times[1].bytes) / static_cast<double>(row.times[0].bytes), 2));
    if (std::exchange(first, false)) {
      std::cout << '\n';
      print_cells(head);
    }
    print_cells(cells);
  }
}

Config to_json(const std::vector<Row>& rows, int64_t rounds) {
  const Config of_machine = machine();
  Config cases = Config::array();
  for (const Row& row : rows) cases.push_back(json_of(row, of_machine.at("threads")));
  return {{"version", ST_VERSION},
          {"revision", ST_REVISION},
          {"rounds", rounds},
          {"machine", of_machine},
          {"cases", cases}};
}

}  // namespace spiketrain::cli::bench
