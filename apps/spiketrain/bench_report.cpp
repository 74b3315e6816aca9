#include "apps/spiketrain/bench_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <set>

#include "apps/spiketrain/commands.h"
#include "revision.h"
#include "spiketrain/train/environment.h"
#include "spiketrain/version.h"

namespace spiketrain::cli::bench {
namespace {

/// Of the columns with numbers.
constexpr size_t kNumberWidth = 18;

/// Under "work".
constexpr size_t kWorkWidth = 8;

/// A line; `widths` of the first columns, kNumberWidth of the others.
void print_line(const std::vector<std::string>& cells, const std::vector<size_t>& widths) {
  std::string line;
  for (size_t c = 0; c < cells.size(); ++c) {
    const size_t width = c < widths.size() ? widths[c] : kNumberWidth;
    line += cells[c] + std::string(cells[c].size() < width ? width - cells[c].size() + 2 : 2, ' ');
  }
  std::cout << line.substr(0, line.find_last_not_of(' ') + 1) << std::endl;  // at once: a case takes seconds
}

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

/// Of a product that one way wins everywhere the end of what was looked at.
std::string break_even_text(double density) {
  if (density <= kSparsest) return "below " + number(kSparsest, 2);
  return density >= kDensest ? "above " + number(kDensest, 2) : number(density, 2);
}

double rounded(double value) { return std::round(value * 1e4) / 1e4; }

Config machine() {
  const Config all = environment(ST_REVISION);
  return {{"cpu", all.at("cpu")},   {"isa", all.at("simd")},          {"torch", all.at("libtorch")},
          {"blas", all.at("blas")}, {"compiler", all.at("compiler")}, {"variables", all.at("variables")}};
}

/// With the numbers of threads that were used.
Config report_of(int64_t rounds, const Config& threads) {
  Config of_machine = machine();
  of_machine["threads"] = threads;
  return {{"version", ST_VERSION}, {"revision", ST_REVISION}, {"rounds", rounds}, {"machine", of_machine}};
}

/// The number of threads of all rows, a list if there are several.
template <class Rows>
Config threads_of(const Rows& rows) {
  std::set<int> all;
  for (const auto& row : rows) all.insert(row.threads);
  return all.size() == 1 ? Config(*all.begin()) : Config(all);
}

Config json_of(const Row& row) {
  Config result = {{"level", row.timed->level},
                   {"name", row.timed->name},
                   {"product", row.timed->product},
                   {"density", row.timed->density == 0 ? Config() : Config(row.timed->density)},
                   {"measured_density", rounded(row.density)},
                   {"threads", row.threads}};
  for (const Times& times : row.times) {
    result[times.form + "_ms"] = rounded(times.median);
    result[times.form + "_least_ms"] = rounded(times.least);
    if (row.timed->samples == 0) continue;
    result[times.form + "_samples_per_s"] = rounded(row.samples_per_second(times));
    result[times.form + "_bytes"] = times.bytes;
  }
  result["ratio"] = rounded(row.ratio());
  if (row.mixed_ratio() > 0) result["mixed_ratio"] = rounded(row.mixed_ratio());
  if (row.timed->level == "kernel") result["used"] = row.used;
  if (row.timed->level == "step") {
    result["page_faults_per_step"] = rounded(row.steady.page_faults);
    result["new_bytes_per_step"] = rounded(row.steady.new_bytes);
  }
  return result;
}

}  // namespace

double Row::mixed_ratio() const {
  if (timed->level != "kernel") return 0;
  for (const Times& one : times)
    if (one.form == "mixed") return one.median / times[0].median;
  return 0;
}

double Row::samples_per_second(const Times& of) const {
  return static_cast<double>(timed->samples) * 1e3 / of.median;
}

Table::Table(const std::vector<Case>& cases, const std::vector<int>& threads) : threads_(threads) {
  for (const Case& one : cases) {
    name_width_ = std::max(name_width_, one.name.size());
    product_width_ = std::max(product_width_, one.product.size());
  }
}

void Table::print_cells(const std::vector<std::string>& cells) const {
  print_line(cells, {name_width_, product_width_});
}

void Table::print_head(const std::vector<std::string>& cells) {
  if (cells == head_) return;
  if (!head_.empty()) std::cout << '\n';
  head_ = cells;
  print_cells(cells);
}

std::vector<std::string> Table::first_cells(const Row& row) const {
  std::vector<std::string> cells = {row.timed->name, row.timed->product, density_text(row)};
  if (threads_.size() > 1) cells.push_back(std::to_string(row.threads));
  return cells;
}

void Table::print(const Row& row) {
  std::vector<std::string> head = {row.timed->level, "work", "spike density"}, cells = first_cells(row);
  if (threads_.size() > 1) head.emplace_back("threads");
  for (const Times& times : row.times) {
    head.push_back(heading(times.form));
    cells.push_back(milliseconds(times.median) + " (" + milliseconds(times.least) + ")");
  }
  head.emplace_back("plain / ours");
  cells.push_back(fixed(row.ratio(), 2) + (row.used ? "" : ", not used"));
  if (row.mixed_ratio() > 0) {
    head.emplace_back("mixed / ours");
    cells.push_back(fixed(row.mixed_ratio(), 2));
  }
  if (row.timed->samples > 0) {
    head.emplace_back("ours, samples/s");
    cells.push_back(fixed(row.samples_per_second(row.times[0]), 0));
  }
  print_head(head);
  print_cells(cells);
}

void Table::print_memory(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    if (row.timed->level != "step") continue;
    std::vector<std::string> head = {"memory of a step", "work", "spike density"}, cells = first_cells(row);
    if (threads_.size() > 1) head.emplace_back("threads");
    for (const Times& times : row.times) {
      head.push_back(times.form + " MiB");
      cells.push_back(milliseconds(static_cast<double>(times.bytes) / (1 << 20)));
    }
    head.insert(head.end(), {"plain / ours", "ours, new bytes", "ours, page faults"});
    cells.push_back(
        fixed(static_cast<double>(row.times[1].bytes) / static_cast<double>(row.times[0].bytes), 2));
    cells.push_back(fixed(row.steady.new_bytes, 0));
    cells.push_back(fixed(row.steady.page_faults, 1));
    print_head(head);
    print_cells(cells);
  }
}

void Table::print_scaling(const std::vector<Row>& rows) {
  if (threads_.size() < 2) return;
  std::vector<std::string> head = {"ours on more threads", "work", "spike density"};
  for (size_t k = 1; k < threads_.size(); ++k)
    head.push_back(str(threads_[0], " -> ", threads_[k], " threads"));
  print_head(head);
  for (size_t first = 0; first < rows.size(); first += threads_.size()) {
    std::vector<std::string> cells = {rows[first].timed->name, rows[first].timed->product,
                                      density_text(rows[first])};
    for (size_t k = 1; k < threads_.size(); ++k)
      cells.push_back(fixed(rows[first].times[0].median / rows[first + k].times[0].median, 2));
    print_cells(cells);
  }
}

BalanceTable::BalanceTable(const std::vector<Balance>& balances) {
  for (const Balance& one : balances) name_width_ = std::max(name_width_, one.name.size());
  print_line({"kernel", "work", "threads", "break-even", "model", "model / measured"},
             {name_width_, kWorkWidth});
}

void BalanceTable::print(const BalanceRow& row) const {
  const Balance& one = *row.balance;
  print_line({one.name, one.product, std::to_string(row.threads), break_even_text(row.density),
              number(one.limit, 2), fixed(one.limit / row.density, 2)},
             {name_width_, kWorkWidth});
}

Config to_json(const std::vector<Row>& rows, int64_t rounds) {
  Config report = report_of(rounds, threads_of(rows)), cases = Config::array();
  for (const Row& row : rows) cases.push_back(json_of(row));
  report["cases"] = cases;
  return report;
}

Config to_json(const std::vector<BalanceRow>& rows, int64_t rounds) {
  Config report = report_of(rounds, threads_of(rows)), balances = Config::array();
  for (const BalanceRow& row : rows)
    balances.push_back({{"name", row.balance->name},
                        {"product", row.balance->product},
                        {"threads", row.threads},
                        {"break_even", rounded(row.density)},
                        {"model", rounded(row.balance->limit)}});
  report["balances"] = balances;
  return report;
}

}  // namespace spiketrain::cli::bench
