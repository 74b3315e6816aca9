// Text of comma-separated values, row by row.
//   cells between separators; "a cell" may hold separators, line breaks and, doubled, quotes; \n or \r\n ends a row
//   blanks around a cell that is not quoted do not count; blank rows and a byte-order mark at the beginning are passed over
// Source: RFC 4180.  Deviation: blanks, blank rows and the mark, as above; any separator.
// Tests: unit/table_file_test.cpp, fuzz/fuzz_table.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/base/file.h"

namespace spiketrain {

struct CsvCell {
  std::string text;
  uint64_t offset = 0;  ///< of its first byte in the file
  bool quoted = false;
};

class CsvReader {
 public:
  /// `text` must outlive the reader; `path` is only named in errors.
  CsvReader(ByteSpan text, std::string path, char separator);
  /// The next row that is not blank; false at the end.  DataError: a quote that is not closed or is followed by more than
  /// blanks, a byte 0.
  bool next(std::vector<CsvCell>& row);
  /// Of the last row, from 1; of one over several lines the first.
  int64_t line() const { return line_; }

 private:
  CsvCell cell();
  std::string quoted();
  /// Whether a separator, a line break or the end is next.
  bool at_border() const;
  char here() const { return static_cast<char>(text_.data[at_]); }
  bool ended() const { return at_ == text_.size; }
  [[noreturn]] void fail(uint64_t offset, const std::string& what) const;

  ByteSpan text_;
  std::string path_;
  char separator_;
  size_t at_ = 0;
  int64_t line_ = 0, next_line_ = 1;
};

}  // namespace spiketrain
