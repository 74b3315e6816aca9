#include "spiketrain/data/table/csv.h"

#include <utility>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

CsvReader::CsvReader(ByteSpan text, std::string path, char separator)
    : text_(text), path_(std::move(path)), separator_(separator) {
  const bool marked = text.size >= 3 && text.data[0] == 0xEF && text.data[1] == 0xBB && text.data[2] == 0xBF;
  if (marked) at_ = 3;
}

void CsvReader::fail(uint64_t offset, const std::string& what) const {
  throw DataError(path_, offset, str("line ", next_line_, ": ", what));
}

bool CsvReader::at_border() const {
  return ended() || here() == separator_ || here() == '\n' ||
         (here() == '\r' && at_ + 1 < text_.size && text_.data[at_ + 1] == '\n');
}

/// What is between quotes, the first of which is next.
std::string CsvReader::quoted() {
  const size_t first = at_++;
  const int64_t begun = next_line_;
  std::string text;
  for (;; ++at_) {
    if (ended()) {
      next_line_ = begun;
      fail(first, "this quote is not closed");
    }
    const char c = here();
    if (c == '\n') ++next_line_;
    if (c == '"') {
      ++at_;
      if (ended() || here() != '"') return text;
    }
    text += c;
  }
}

CsvCell CsvReader::cell() {
  while (!at_border() && is_blank(here())) ++at_;
  CsvCell cell;
  cell.offset = at_;
  if (!ended() && here() == '"') {
    cell.text = quoted();
    cell.quoted = true;
    while (!at_border() && is_blank(here())) ++at_;
    if (!at_border()) fail(at_, "expected a separator behind the quote; quotes in a cell are doubled");
    return cell;
  }
  while (!at_border()) {
    if (here() == '\0') fail(at_, "expected text, found a byte 0; is this a table of values as text?");
    cell.text += here();
    ++at_;
  }
  while (!cell.text.empty() && is_blank(cell.text.back())) cell.text.pop_back();
  return cell;
}

bool CsvReader::next(std::vector<CsvCell>& row) {
  while (!ended()) {
    row.clear();
    line_ = next_line_;
    row.push_back(cell());
    while (!ended() && here() == separator_) {
      ++at_;
      row.push_back(cell());
    }
    const bool blank = row.size() == 1 && row[0].text.empty() && !row[0].quoted;
    if (!ended()) at_ += here() == '\r' ? 2 : 1;
    ++next_line_;
    if (!blank) return true;
  }
  return false;
}

}  // namespace spiketrain
