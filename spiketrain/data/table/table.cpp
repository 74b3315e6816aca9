// Table: rows of numbers with a class or a value to be told from them, in a file of the user's own.
//   the rows are dealt into folds (folds.h); one is the test part, the others are the training part
//   x = (value - shift)/divisor by column, from the rows of the training split alone: minmax: least value, range;
//   zscore: mean, standard deviation (n); a column with one value has divisor 1
// The sample's id is its row in the file.  Tests: unit/table_data_test.cpp, unit/table_file_test.cpp.
#include <algorithm>
#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/data/source.h"
#include "spiketrain/data/table/folds.h"
#include "spiketrain/data/table/table_file.h"
#include "spiketrain/data/tensor_dataset.h"

namespace spiketrain {
namespace {

using Rows = std::vector<int64_t>;

struct ColumnScale {
  double shift = 0, divisor = 1, mean = 0;
};

/// From these rows alone.
ColumnScale column_scale(const Table& table, int64_t column, const Rows& rows, const TableOptions& options,
                         const std::string& path) {
  double sum = 0, squares = 0, least = INFINITY, most = -INFINITY, n = 0;
  const auto each = [&](const auto& f) {
    for (const int64_t row : rows) {
      const double v = table.x[static_cast<size_t>(row * table.columns + column)];
      if (!std::isnan(v)) f(v);
    }
  };
  each([&](double v) {
    sum += v, ++n;
    least = std::min(least, v), most = std::max(most, v);
  });
  if (n == 0)
    throw DataError(path, 0, str("column ", column + 1, " of the values has none in the training part"));
  ColumnScale scale;
  scale.mean = sum / n;
  each([&](double v) { squares += (v - scale.mean) * (v - scale.mean); });
  if (options.scale == "minmax") scale.shift = least, scale.divisor = most - least;
  if (options.scale == "zscore") scale.shift = scale.mean, scale.divisor = std::sqrt(squares / n);
  if (least == most || scale.divisor == 0) scale.divisor = 1;
  return scale;
}

/// The rows of one split, in order.
Rows split_rows(const DataOptions& options, const Rows& part) {
  Rows rows;
  for (const int64_t i : split_indices(options, static_cast<int64_t>(part.size())))
    rows.push_back(part[static_cast<size_t>(i)]);
  return rows;
}

/// Training and test part.
std::pair<Rows, Rows> parts_of(const Table& table, const TableOptions& options) {
  const auto folds =
      deal_folds(table.rows(), table.label, options.folds, static_cast<uint64_t>(options.fold_seed));
  Rows train;
  for (size_t k = 0; k < folds.size(); ++k)
    if (static_cast<int64_t>(k) != options.fold) train.insert(train.end(), folds[k].begin(), folds[k].end());
  return {mixed(train, table.label), mixed(folds[static_cast<size_t>(options.fold)], table.label)};
}

Tensor scaled(const Table& table, const Rows& rows, const std::vector<ColumnScale>& scales) {
  const Tensor x = torch::empty({static_cast<int64_t>(rows.size()), table.columns});
  auto* out = x.data_ptr<float>();
  for (const int64_t row : rows) {
    const double* from = table.x.data() + row * table.columns;
    for (const ColumnScale& s : scales) {
      const double value = *from++;
      *out++ = static_cast<float>(((std::isnan(value) ? s.mean : value) - s.shift) / s.divisor);
    }
  }
  return x;
}

Target table_target(const Table& table, const Rows& rows) {
  const auto n = static_cast<int64_t>(rows.size());
  if (table.label.empty()) {
    const Tensor y = torch::empty({n, 1});
    for (int64_t i = 0; i < n; ++i)
      y.data_ptr<float>()[i] = static_cast<float>(table.y[static_cast<size_t>(rows[static_cast<size_t>(i)])]);
    return {Target::Kind::values, y};
  }
  const Tensor y = torch::empty({n}, torch::kLong);
  for (int64_t i = 0; i < n; ++i)
    y.data_ptr<int64_t>()[i] = table.label[static_cast<size_t>(rows[static_cast<size_t>(i)])];
  return {Target::Kind::class_index, y};
}

/// Names that say no more than their numbers are none.
std::vector<std::string> telling(const std::vector<std::string>& names) {
  for (size_t c = 0; c < names.size(); ++c)
    if (names[c] != std::to_string(c)) return names;
  return {};
}

struct TableSet final : DatasetSource {
  static constexpr const char* kDoc = "your own table of numbers (CSV) with k folds; see [table]";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override {
    DatasetInfo info = {part_name(), kDoc, true, {0}, Batch::Form::image, TargetSpec::class_index(0)};
    info.table = true;
    return info;
  }
  bool needs_dir() const override { return false; }  // table.file may be the whole path

  std::unique_ptr<Dataset> open(const DataOptions& o) const override {
    check_options(o);
    const TableOptions& options = o.table;
    const std::string path = options.file[0] == '/' ? options.file : o.dir + "/" + options.file;
    const Table table = read_table(path, options);
    const auto [train, test] = parts_of(table, options);
    DataOptions whole = o;
    whole.split = "train";
    whole.limit = 0;
    const Rows seen = split_rows(whole, train);
    std::vector<ColumnScale> scales;
    for (int64_t k = 0; k < table.columns; ++k) scales.push_back(column_scale(table, k, seen, options, path));

    const Rows rows = split_rows(o, o.split == "test" ? test : train);
    TensorDatasetOptions about;
    about.name =
        str(part_name(), " ", options.file, " ", o.split, ", fold ", options.fold, " of ", options.folds,
            ", scale ", options.scale,
            table.left_out > 0 ? str(", ", table.left_out, " rows with missing values left out") : "");
    Rows ids;
    for (const int64_t row : rows) ids.push_back(table.row[static_cast<size_t>(row)]);
    about.ids = torch::tensor(ids, torch::kLong);
    if (!table.label.empty()) {
      about.classes = static_cast<int64_t>(table.class_names.size());
      about.class_names = telling(table.class_names);
    }
    return tensor_dataset(scaled(table, rows, scales), table_target(table, rows), about);
  }

 private:
  static void check_options(const DataOptions& o) {
    ST_CHECK(!o.augments_images(),
             "data: table has no augmentation; set augment = false, rotate = 0 and zoom = 0");
    ST_CHECK(std::isnan(o.mean) && std::isnan(o.std),
             "data: the values of a table are scaled by table.scale; leave data.mean and data.std out");
    check_no_event_options(o, "table", "rows of numbers");
    ST_CHECK(!o.table.file.empty(), "data: table: set table.file");
    ST_CHECK(o.table.file[0] == '/' || !o.dir.empty(),
             "data: table: give the folder above table.file with --data-dir (or SPIKETRAIN_DATA)");
    ST_CHECK(o.table.fold < o.table.folds, "table.fold: expected 0 to ", o.table.folds - 1,
             ", the folds being table.folds = ", o.table.folds, "; got ", o.table.fold);
  }
};
ST_REGISTER(DatasetSource, "table", TableSet);

}  // namespace
}  // namespace spiketrain
