#include "spiketrain/data/table/table_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "spiketrain/base/check.h"
#include "spiketrain/base/text.h"
#include "spiketrain/data/table/csv.h"

namespace spiketrain {
namespace {

constexpr uint64_t kMaxTableBytes = uint64_t{256} << 20;
constexpr double kGreatestValue = 1e30;  // its square is a double, and it is a float
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

bool is_missing(const std::string& text) {
  std::string lower = text;
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return lower.empty() || lower == "?" || lower == "na" || lower == "nan";
}

/// False unless the whole text is one number, which may be infinite.
bool to_number(const std::string& text, double& value) {
  const char *begin = text.data(), *end = begin + text.size();
  if (text.size() > 1 && *begin == '+' && begin[1] != '-') ++begin;
  const auto [stop, error] = std::from_chars(begin, end, value);
  return error == std::errc() && stop == end;
}

char separator_of(const TableOptions& options) {
  return options.separator == "tab" ? '\t' : options.separator == "semicolon" ? ';' : ',';
}

bool is_utf8(const std::string& text) {
  try {
    Config(text).dump();
    return true;
  } catch (const Config::type_error&) {
    return false;
  }
}

/// Of a class: the shortest text that is this number.
std::string number_text(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15)
    return std::to_string(static_cast<int64_t>(value));
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

/// A target as the file has it, until the kind of all is known.
struct NamedColumn {
  std::string text;
  uint64_t offset;
  int64_t line;
};

class TableReader {
 public:
  TableReader(ByteSpan bytes, const std::string& path, const TableOptions& options)
      : options_(options), path_(path), csv_(bytes, path, separator_of(options)) {}

  Table read() {
    std::vector<CsvCell> row;
    if (!csv_.next(row)) throw DataError(path_, 0, "expected a table, found no row");
    choose_columns(row);
    if (options_.header && !csv_.next(row)) throw DataError(path_, 0, "there is no row behind the header");
    int64_t number = 0;
    do {
      add(row, number++);
    } while (csv_.next(row));
    if (table_.row.empty()) throw DataError(path_, 0, "in every row a value is missing (table.missing)");
    if (options_.task == "classes") set_classes();
    return std::move(table_);
  }

 private:
  enum class Use { value, target, skip };

  [[noreturn]] void fail(const CsvCell& cell, size_t column, const std::string& what) const {
    throw DataError(path_, cell.offset, str("line ", csv_.line(), ", column ", column + 1, ": ", what));
  }

  /// From 1, or from the end; from 0 then.
  size_t index_of(int64_t number, const char* option) const {
    const auto columns = static_cast<int64_t>(use_.size());
    ST_CHECK(number != 0, "table.", option, ": columns count from 1, or from -1 at the end; got 0");
    if (std::abs(number) > columns)
      throw DataError(
          path_, 0,
          str("the first row has ", columns, columns == 1 ? " column" : " columns",
              ", so there is none of number ", number, " (table.", option, "); is table.separator right?"));
    return static_cast<size_t>(number > 0 ? number - 1 : columns + number);
  }
  size_t target_of(const std::vector<CsvCell>& first) const {
    if (options_.target.empty()) return index_of(options_.target_column, "target_column");
    ST_CHECK(options_.header,
             "table.target: a name needs a header (table.header = true); or give table.target_column");
    std::vector<std::string> names;
    for (const CsvCell& cell : first) names.push_back(cell.text);
    const auto count = std::count(names.begin(), names.end(), options_.target);
    if (count == 0)
      throw DataError(path_, 0,
                      str("no column is called '", options_.target, "' (table.target)",
                          spelled_like(options_.target, names), "; its columns are ", join(names)));
    if (count > 1)
      throw DataError(
          path_, 0,
          str(count, " columns are called '", options_.target, "' (table.target); give table.target_column"));
    return static_cast<size_t>(std::find(names.begin(), names.end(), options_.target) - names.begin());
  }
  void choose_columns(const std::vector<CsvCell>& first) {
    use_.assign(first.size(), Use::value);
    const size_t target = target_of(first);
    for (const int64_t number : options_.skip_columns) use_[index_of(number, "skip_columns")] = Use::skip;
    ST_CHECK(use_[target] != Use::skip, "table.skip_columns: column ", target + 1, " is the target");
    use_[target] = Use::target;
    table_.columns = std::count(use_.begin(), use_.end(), Use::value);
    if (table_.columns == 0)
      throw DataError(
          path_, first[0].offset,
          str("line ", csv_.line(), ": expected columns of values beside the target, found ", first.size(),
              first.size() == 1 ? " column; is table.separator right?" : " columns"));
    if (!options_.header) return;
    for (size_t k = 0; k < first.size(); ++k)
      if (use_[k] == Use::value) table_.names.push_back(first[k].text);
  }

  double value_of(const CsvCell& cell, size_t column) const {
    double value = 0;
    if (!to_number(cell.text, value)) {
      const bool first = table_.row.empty() && table_.left_out == 0 && !options_.header;
      fail(cell, column,
           str("expected a number, found '", cell.text.substr(0, 40), "'",
               first ? "; if this row names the columns, set table.header = true"
                     : "; a column of texts is left out by table.skip_columns"));
    }
    if (!(std::abs(value) <= kGreatestValue))
      fail(cell, column,
           str("expected a number from ", -kGreatestValue, " to ", kGreatestValue, ", found ", cell.text));
    return value;
  }

  void add(const std::vector<CsvCell>& row, int64_t number) {
    if (row.size() != use_.size())
      throw DataError(path_, row[0].offset,
                      str("line ", csv_.line(), ": expected ", use_.size(),
                          " columns as in the first row, found ", row.size()));
    const size_t begun = table_.x.size();
    for (size_t k = 0; k < row.size(); ++k) {
      if (use_[k] == Use::skip || !is_missing(row[k].text)) continue;
      if (options_.missing == "leave_out") {
        ++table_.left_out;
        return;
      }
      if (options_.missing == "refuse" || use_[k] == Use::target)
        fail(row[k], k,
             str("the ", use_[k] == Use::target ? "target" : "value",
                 " is missing; leave such rows out with table.missing = \"leave_out\"",
                 use_[k] == Use::target ? "" : ", or let the mean stand for it with \"mean\""));
    }
    for (size_t k = 0; k < row.size(); ++k) {
      if (use_[k] == Use::value) {
        table_.x.push_back(is_missing(row[k].text) ? kMissing : value_of(row[k], k));
      } else if (use_[k] == Use::target && options_.task == "values") {
        table_.y.push_back(value_of(row[k], k));
      } else if (use_[k] == Use::target) {
        targets_.push_back({row[k].text, row[k].offset, csv_.line()});
      }
    }
    ST_ASSERT(table_.x.size() == begun + static_cast<size_t>(table_.columns));
    table_.row.push_back(number);
  }

  /// Classes of texts, or of numbers if all are numbers: 1, 1.0 and 1e0 are one.
  void set_classes() {
    std::vector<double> numbers(targets_.size());
    bool numeric = true;
    for (size_t i = 0; numeric && i < targets_.size(); ++i) {
      numeric = to_number(targets_[i].text, numbers[i]) && std::isfinite(numbers[i]);
      numbers[i] += 0.0;  // -0 is 0
    }
    std::map<std::pair<double, std::string>, std::vector<size_t>> classes;
    for (size_t i = 0; i < targets_.size(); ++i)
      classes[numeric ? std::make_pair(numbers[i], std::string()) : std::make_pair(0.0, targets_[i].text)]
          .push_back(i);
    table_.label.resize(targets_.size());
    for (const auto& [key, rows] : classes) {
      for (const size_t i : rows) table_.label[i] = static_cast<int64_t>(table_.class_names.size());
      table_.class_names.push_back(numeric ? number_text(key.first) : key.second);
      const NamedColumn& one = targets_[rows[0]];
      if (!is_utf8(key.second))
        throw DataError(path_, one.offset, str("line ", one.line, ": expected the name of a class in UTF-8"));
      if (rows.size() > 1) continue;
      throw DataError(
          path_, one.offset,
          str("line ", one.line, ": class '", table_.class_names.back().substr(0, 40),
              "' has this row alone, and needs one to learn from and one to be tested on",
              2 * classes.size() > targets_.size() ? "; for regression set table.task = \"values\"" : ""));
    }
  }

  const TableOptions& options_;
  std::string path_;
  CsvReader csv_;
  std::vector<Use> use_;
  std::vector<NamedColumn> targets_;
  Table table_;
};

}  // namespace

Table parse_table(ByteSpan bytes, const std::string& path, const TableOptions& options) {
  return TableReader(bytes, path, options).read();
}

Table read_table(const std::string& path, const TableOptions& options) {
  const Bytes bytes = read_gzip_or_plain(path, kMaxTableBytes);
  return parse_table(bytes, path, options);
}

}  // namespace spiketrain
