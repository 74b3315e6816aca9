// Any bytes, the first of which chooses options: parse_table returns a table whose parts fit together or throws DataError; UsageError only
// where an option cannot be met by the columns that are there.
#include <cmath>
#include <cstdlib>

#include "spiketrain/base/check.h"
#include "spiketrain/data/table/table_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  spiketrain::TableOptions options;
  const unsigned choice = data[0];
  options.header = (choice & 1) != 0;
  options.task = (choice & 2) != 0 ? "values" : "classes";
  options.missing = (choice & 4) != 0 ? "mean" : (choice & 8) != 0 ? "leave_out" : "refuse";
  options.separator = (choice & 16) != 0 ? "semicolon" : (choice & 32) != 0 ? "tab" : "comma";
  if ((choice & 64) != 0) options.skip_columns = {1};
  try {
    const auto table = spiketrain::parse_table({data + 1, size - 1}, "fuzz", options);
    const auto rows = static_cast<size_t>(table.rows());
    if (rows == 0 || table.x.size() != rows * static_cast<size_t>(table.columns)) std::abort();
    if (table.label.size() + table.y.size() != rows) std::abort();
    for (const int64_t label : table.label)
      if (label < 0 || label >= static_cast<int64_t>(table.class_names.size())) std::abort();
    for (const double v : table.x)
      if (!std::isnan(v) && !(std::abs(v) <= 1e30)) std::abort();
  } catch (const spiketrain::DataError&) {
  } catch (const spiketrain::UsageError&) {
    if (options.skip_columns.empty()) throw;  // the column that is left out is the target
  }
  return 0;
}
