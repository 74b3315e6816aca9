// A table as a file has it: columns of numbers and a target, without LibTorch.
// Tests: unit/table_file_test.cpp, fuzz/fuzz_table.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/base/file.h"
#include "spiketrain/data/table/table_options.h"

namespace spiketrain {

struct Table {
  int64_t columns = 0;                   ///< of values
  std::vector<std::string> names;        ///< of these columns, as the header has them; empty: there is none
  std::vector<double> x;                 ///< [rows, columns], finite; NaN: missing
  std::vector<int64_t> label;            ///< [rows], task classes
  std::vector<std::string> class_names;  ///< numbers in order, or texts in alphabetical order
  std::vector<double> y;                 ///< [rows], task values
  std::vector<int64_t> row;              ///< [rows] number of each in the file, from 0, without the header
  int64_t left_out = 0;                  ///< rows with missing values, missing = leave_out

  int64_t rows() const { return static_cast<int64_t>(row.size()); }
};

/// `path` is only named in errors.  DataError with path, byte, line and column: rows of different length, values that are no
/// numbers or beyond 1e30, missing ones that are refused, a class of a single row, a column that is not there.
Table parse_table(ByteSpan bytes, const std::string& path, const TableOptions& options);

/// From a file of at most 256 MiB, which may be packed by gzip.
Table read_table(const std::string& path, const TableOptions& options);

}  // namespace spiketrain
