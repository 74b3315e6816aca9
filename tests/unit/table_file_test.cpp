// Tables as text: what is read, what every bad one is told, and damaged ones.
#include "spiketrain/data/table/table_file.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "spiketrain/base/check.h"
#include "spiketrain/data/table/csv.h"
#include "tests/support/message.h"
#include "tests/support/mutation.h"
#include "tests/support/tar_files.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::table_file_test {

Bytes bytes_of_text(const std::string& text) { return {text.begin(), text.end()}; }

std::vector<std::vector<std::string>> cells(const std::string& text, char separator = ',') {
  const Bytes bytes = bytes_of_text(text);
  CsvReader reader(bytes, "t.csv", separator);
  std::vector<std::vector<std::string>> rows;
  for (std::vector<CsvCell> row; reader.next(row);) {
    rows.emplace_back();
    for (const CsvCell& cell : row) rows.back().push_back(cell.text);
  }
  return rows;
}

using Rows = std::vector<std::vector<std::string>>;

TEST(Csv, RowsAndCells) {
  EXPECT_EQ(cells("1,2\n3,4"), (Rows{{"1", "2"}, {"3", "4"}}));
  EXPECT_EQ(cells("1,2\r\n\r\n  \n 3\t, 4 \r\n"), (Rows{{"1", "2"}, {"3", "4"}})) << "blanks and blank rows";
  EXPECT_EQ(cells("\xEF\xBB\xBF"
                  "a,,\n"),
            (Rows{{"a", "", ""}}))
      << "a byte-order mark";
  EXPECT_EQ(cells(R"("a, b" , "say ""x""","")"), (Rows{{"a, b", "say \"x\"", ""}}));
  EXPECT_EQ(cells("\"two\nlines\",1\n2,3"), (Rows{{"two\nlines", "1"}, {"2", "3"}}));
  EXPECT_EQ(cells("\"\"\n"), (Rows{{""}})) << "an empty cell in quotes is a row";
  EXPECT_EQ(cells("a;b,c", ';'), (Rows{{"a", "b,c"}}));
  EXPECT_EQ(cells("1\t\t2", '\t'), (Rows{{"1", "", "2"}}));
  EXPECT_EQ(cells("a\"b,c d"), (Rows{{"a\"b", "c d"}}));
  EXPECT_EQ(cells("x\ry\n"), (Rows{{"x\ry"}})) << "a lone carriage return is text";
  EXPECT_TRUE(cells("").empty());
  EXPECT_TRUE(cells("\n \n\t\n").empty());
}

TEST(Csv, LinesAndOffsets) {
  const Bytes bytes = bytes_of_text("a,b\n\n\"x\ny\",c\nd,e\n");
  CsvReader reader(bytes, "t.csv", ',');
  std::vector<CsvCell> row;
  std::vector<int64_t> lines;
  std::vector<uint64_t> offsets;
  while (reader.next(row)) {
    lines.push_back(reader.line());
    offsets.push_back(row[1].offset);
  }
  EXPECT_EQ(lines, (std::vector<int64_t>{1, 3, 5}));
  EXPECT_EQ(offsets, (std::vector<uint64_t>{2, 11, 15}));
}

TEST(Csv, Refusals) {
  const auto told = [](const std::string& text) { return message_of<DataError>([&] { cells(text); }); };
  EXPECT_EQ(told("1,2\n3,\"4\n5,6"), "t.csv: byte 6: line 2: this quote is not closed");
  EXPECT_NE(told("\"a\"b,1").find("quotes in a cell are doubled"), std::string::npos);
  EXPECT_NE(told(std::string("1,\0", 3)).find("a byte 0"), std::string::npos);
}

Table table(const std::string& text, const TableOptions& options = {}) {
  return parse_table(bytes_of_text(text), "t.csv", options);
}

TEST(TableFile, ClassesOfTexts) {
  const Table t = table("1,-2.5,b\n+3e0,.28,a\n5,6,b\n7,8,a\n");
  EXPECT_EQ(t.columns, 2);
  EXPECT_EQ(t.x, (std::vector<double>{1, -2.5, 3, 0.28, 5, 6, 7, 8}));
  EXPECT_EQ(t.class_names, (std::vector<std::string>{"a", "b"})) << "in alphabetical order";
  EXPECT_EQ(t.label, (std::vector<int64_t>{1, 0, 1, 0}));
  EXPECT_EQ(t.row, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_TRUE(t.y.empty());
}

TEST(TableFile, ClassesOfNumbersAreInTheirOrder) {
  const Table t = table("1,10\n2,2.0\n3,2e0\n4,1E1\n5,-0.0\n6,0\n");
  EXPECT_EQ(t.class_names, (std::vector<std::string>{"0", "2", "10"})) << "1, 1.0 and 1e0 are one";
  EXPECT_EQ(t.label, (std::vector<int64_t>{2, 1, 1, 2, 0, 0}));
  EXPECT_EQ(table("1,1000001\n2,1000002\n3,1000001\n4,1000002\n5,.1\n6,0.1\n").class_names,
            (std::vector<std::string>{"0.1", "1000001", "1000002"}));
  EXPECT_EQ(table("1,10\n2,9\n3,9\n4,10\n5,x\n6,x\n").class_names, (std::vector<std::string>{"10", "9", "x"}))
      << "texts, since not all are numbers";
}

TEST(TableFile, ColumnsByNameAndNumber) {
  TableOptions o;
  o.header = true;
  o.target = "kind";
  o.skip_columns = {1};
  const std::string text = "id,kind,x,\"y, mm\"\n17,a,1,2\n18,a,3,4\n";
  Table t = table(text, o);
  EXPECT_EQ(t.names, (std::vector<std::string>{"x", "y, mm"}));
  EXPECT_EQ(t.x, (std::vector<double>{1, 2, 3, 4}));
  o.target = "";
  o.target_column = 2;
  EXPECT_EQ(table(text, o).x, t.x);
  o.target_column = -3;
  o.skip_columns = {-4, -1};
  EXPECT_EQ(table(text, o).x, (std::vector<double>{1, 3}));
}

TEST(TableFile, ValuesForRegression) {
  TableOptions o;
  o.task = "values";
  o.separator = "semicolon";
  const Table t = table("1;2;0.5\n3;4;-7\n", o);
  EXPECT_EQ(t.y, (std::vector<double>{0.5, -7}));
  EXPECT_TRUE(t.label.empty());
  EXPECT_TRUE(t.class_names.empty());
}

TEST(TableFile, MissingValues) {
  const std::string text = "1,2,a\n?,4,a\n5,NA,b\n7,8,b\n9,nan,a\n,1,b\n";
  const auto told = [&](const std::string& what, const TableOptions& o) {
    return message_of<DataError>([&] { table(what, o); });
  };
  EXPECT_EQ(told(text, {}),
            "t.csv: byte 6: line 2, column 1: the value is missing; leave such rows out with table.missing = "
            "\"leave_out\", or let the mean stand for it with \"mean\"");
  TableOptions o;
  o.missing = "leave_out";
  EXPECT_NE(told(text, o).find("class 'a' has this row alone"), std::string::npos);
  const Table left = table(text + "3,3,a\n3,3,b\n", o);
  EXPECT_EQ(left.row, (std::vector<int64_t>{0, 3, 6, 7})) << "a row keeps its number in the file";
  EXPECT_EQ(left.left_out, 4);
  o.missing = "mean";
  const Table t = table(text, o);
  EXPECT_EQ(t.rows(), 6);
  for (const size_t k : {2, 5, 9, 10}) EXPECT_TRUE(std::isnan(t.x[k])) << k;
  EXPECT_EQ(t.x[11], 1);
  EXPECT_NE(told("1,2,a\n3,4,\n", o).find("line 2, column 3: the target is missing"), std::string::npos);
  o.missing = "leave_out";
  EXPECT_EQ(table("1,2,a\n3,4,\n5,6,a\n", o).rows(), 2);
  EXPECT_NE(told("?,2,a\n?,4,a\n", o).find("in every row a value is missing"), std::string::npos);
  // A column that is not read may hold anything.
  o.missing = "refuse";
  o.skip_columns = {1};
  EXPECT_EQ(table("?,2,a\nx,4,a\n", o).rows(), 2);
}

TEST(TableFile, Refusals) {
  const auto told = [](const std::string& text, const TableOptions& o = {}) {
    return message_of<DataError>([&] { table(text, o); });
  };
  EXPECT_NE(told("").find("found no row"), std::string::npos);
  EXPECT_EQ(told("1,2,a\n3,b\n"), "t.csv: byte 6: line 2: expected 3 columns as in the first row, found 2");
  EXPECT_EQ(
      told("x,y,c\n1,2,a\n"),
      "t.csv: line 1, column 1: expected a number, found 'x'; if this row names the columns, set table.header = true");
  EXPECT_EQ(told("1,2,a\n1,z,a\n"),
            "t.csv: byte 8: line 2, column 2: expected a number, found 'z'; a column of texts is left out by "
            "table.skip_columns");
  for (const char* bad : {"1e999", "-1e31", "inf", "1.2.3", "0x10", "+-1", "1 2", "--1", "+"})
    EXPECT_NE(told(std::string("1,a\n") + bad + ",a\n").find("line 2, column 1: expected a number"),
              std::string::npos)
        << bad;
  EXPECT_NE(told("1,\xff\n2,\xff\n").find("UTF-8"), std::string::npos);
  EXPECT_NE(told("a\nb\n").find("is table.separator right?"), std::string::npos);
  EXPECT_NE(told("1;2;a\n").find("is table.separator right?"), std::string::npos);
  EXPECT_EQ(told("1,a\n2,b\n3,a\n4,a\n5,a\n"),
            "t.csv: byte 6: line 2: class 'b' has this row alone, and needs one to learn from and "
            "one to be tested on");
  EXPECT_NE(told("1,0.5\n2,0.75\n3,0.1\n").find("for regression set table.task"), std::string::npos);
  TableOptions o;
  o.header = true;
  EXPECT_NE(told("x,c\n", o).find("no row behind the header"), std::string::npos);
  o.target = "clas";
  EXPECT_NE(told("x,class\n1,2\n", o).find("did you mean 'class'?"), std::string::npos);
  o.target = "c";
  EXPECT_NE(told("x,c,c\n1,2,3\n", o).find("2 columns are called 'c'"), std::string::npos);
  o = {};
  o.target_column = 4;
  EXPECT_NE(told("1,2,a\n", o).find("there is none of number 4 (table.target_column)"), std::string::npos);
  o.target_column = -4;
  EXPECT_NE(told("1,2,a\n", o).find("none of number -4"), std::string::npos);
  o = {};
  o.skip_columns = {5};
  EXPECT_NE(told("1,2,a\n", o).find("none of number 5 (table.skip_columns)"), std::string::npos);
  const auto misused = [](const TableOptions& options) {
    return message_of<UsageError>([&] { table("1,2,a\n3,4,a\n", options); });
  };
  o.skip_columns = {3};
  EXPECT_NE(misused(o).find("column 3 is the target"), std::string::npos);
  o.skip_columns = {0};
  EXPECT_NE(misused(o).find("columns count from 1"), std::string::npos);
  o = {};
  o.target = "c";
  EXPECT_NE(misused(o).find("a name needs a header"), std::string::npos);
}

TEST(TableFile, PlainAndPackedFiles) {
  TempDir dir;
  const Bytes text = bytes_of_text("1,2,a\n3,4,a\n");
  write_file_atomic(dir / "t.csv", {ByteSpan(text)});
  const Bytes packed = gzip(text);
  write_file_atomic(dir / "t.csv.gz", {ByteSpan(packed)});
  for (const char* name : {"t.csv", "t.csv.gz"})
    EXPECT_EQ(read_table(dir / name, {}).x, (std::vector<double>{1, 2, 3, 4}));
  EXPECT_THROW(read_table(dir / "none.csv", {}), DataError);
}

/// What is accepted fits together.
void check_whole(const Table& t) {
  ASSERT_EQ(t.x.size(), static_cast<size_t>(t.rows() * t.columns));
  ASSERT_EQ(t.label.size() + t.y.size(), static_cast<size_t>(t.rows()));
  for (const int64_t label : t.label) ASSERT_LT(label, static_cast<int64_t>(t.class_names.size()));
  for (const double v : t.x) ASSERT_TRUE(std::isnan(v) || std::abs(v) <= 1e30);
}

TEST(Mutation, Table) {
  std::string text = "x,\"y \"\"z\"\"\",n,kind\n";
  for (int i = 0; i < 12; ++i) text += str(i * 0.5, ",", -i, "e-1, 7 ,", i % 2 ? "\"a b\"" : "c", "\r\n");
  TableOptions options;
  options.header = true;
  attack(
      bytes_of_text(text), 61, [&](const Bytes& bytes) { check_whole(parse_table(bytes, "mem", options)); },
      500);
  options.task = "values";
  options.missing = "mean";
  options.target_column = 2;
  options.skip_columns = {4};
  attack(
      bytes_of_text(text), 62, [&](const Bytes& bytes) { check_whole(parse_table(bytes, "mem", options)); },
      500);
}

TEST(Mutation, TableCutOff) {
  const Bytes whole = bytes_of_text("1,2,a\n3,\"4\",b\n5,6,a\n7,8,b\n");
  for (size_t size = 0; size <= whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<int64_t>(size));
    try {
      check_whole(parse_table(part, "mem", {}));
    } catch (const DataError& error) {
      ASSERT_LE(error.byte_offset, size);
    }
  }
}

}  // namespace spiketrain::table_file_test
