// Text and JSON of what `spiketrain bench` measured.
#pragma once
#include "apps/spiketrain/bench_case.h"

namespace spiketrain::cli::bench {

/// A case that was timed.
struct Row {
  const Case* timed;
  int threads;
  double density;  ///< as drawn or sent
  bool used;
  std::vector<Times> times;  ///< ours, plain, others
  Steady steady = {};        ///< of ours, at level step
  /// Medians of plain LibTorch and ours: above 1, ours is faster.
  double ratio() const { return times[1].median / times[0].median; }
  /// The same of LibTorch's product in bfloat16; 0: it was not timed.
  double mixed_ratio() const;
  /// That a form trains on, by its median; of steps.
  double samples_per_second(const Times& of) const;
};

/// A product whose break-even was looked for.
struct BalanceRow {
  const Balance* balance;
  int threads;
  double density;  ///< at which both take the same time; see break_even()
};

/// Prints rows as they come, in columns as wide as the cases need.
class Table {
 public:
  /// `threads`: numbers of threads that cases run with; more than one get a column.
  Table(const std::vector<Case>& cases, const std::vector<int>& threads);
  /// A head whenever the level or the forms change.
  void print(const Row& row);
  /// Of steps: what a step holds, form by form, and what ours asks of the system.
  void print_memory(const std::vector<Row>& rows);
  /// How much faster ours is on more threads, for rows that have the threads of a case one after the other.
  void print_scaling(const std::vector<Row>& rows);

 private:
  std::vector<std::string> first_cells(const Row& row) const;
  /// Prints a head if it is another than that of the last row.
  void print_head(const std::vector<std::string>& cells);
  void print_cells(const std::vector<std::string>& cells) const;

  size_t name_width_ = 0, product_width_ = 0;
  std::vector<int> threads_;
  std::vector<std::string> head_;
};

/// The same for break-even densities.
class BalanceTable {
 public:
  explicit BalanceTable(const std::vector<Balance>& balances);
  void print(const BalanceRow& row) const;

 private:
  size_t name_width_ = 0;
};

/// {"version", "revision", "rounds", "machine", "cases"}
Config to_json(const std::vector<Row>& rows, int64_t rounds);
/// {"version", "revision", "rounds", "machine", "balances"}
Config to_json(const std::vector<BalanceRow>& rows, int64_t rounds);

}  // namespace spiketrain::cli::bench
