// Text and JSON of what `spiketrain bench` measured.
#pragma once
#include "apps/spiketrain/bench_case.h"

namespace spiketrain::cli::bench {

/// A case that was timed.
struct Row {
  const Case* timed;
  double density;  ///< as drawn or sent
  bool used;
  std::vector<Times> times;  ///< ours, plain, others
  /// Medians of plain LibTorch and ours: above 1, ours is faster.
  double ratio() const { return times[1].median / times[0].median; }
};

/// Prints rows as they come, in columns as wide as the cases need.
class Table {
 public:
  explicit Table(const std::vector<Case>& cases);
  /// A head whenever the level changes.
  void print(const Row& row);
  /// Of steps: what a step holds, form by form.
  void print_memory(const std::vector<Row>& rows);

 private:
  void print_head(const Row& row);
  void print_cells(const std::vector<std::string>& cells) const;

  size_t name_width_ = 0, product_width_ = 0;
  std::string level_;
};

/// {"version", "rounds", "machine", "cases"}
Config to_json(const std::vector<Row>& rows, int64_t rounds);

}  // namespace spiketrain::cli::bench
