// The option parser.
#include "spiketrain/base/options.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/unknown_option.h"

namespace spiketrain {
namespace {

/// Shortest text that reads back as the same number, without ".0".
std::string digits(double value) {
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  return whole ? Config(static_cast<int64_t>(value)).dump() : Config(value).dump();
}

[[noreturn]] void wrong_type(const std::string& owner, const char* name, const char* expected,
                             const Config& value) {
  throw UsageError(str(owner, ".", name, ": expected ", expected, ", got ",
                       value.dump(-1, ' ', false, Config::error_handler_t::replace)));
}

/// Whether `value` is an integer that int64_t can hold.
bool is_int64(const Config& value) {
  if (value.is_number_unsigned())
    return value.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
  return value.is_number_integer();
}

}  // namespace

const Config* OptionReader::find(const char* name) const {
  auto it = config_.find(name);
  return it == config_.end() ? nullptr : &*it;
}

void OptionReader::operator()(std::string& field, const char* name, const char* help, const Choices& choices,
                              OnResume) {
  (*this)(field, name, help);
  const auto& values = choices.values;
  if (std::find(values.begin(), values.end(), field) != values.end()) return;
  throw UsageError(str(owner_, ".", name, ": expected one of ", join(values, " | "), ", got \"", field, "\"",
                       did_you_mean(field, values)));
}

void OptionReader::read(bool& field, const char* name, const Config& value) const {
  if (!value.is_boolean()) wrong_type(owner_, name, "true or false", value);
  field = value;
}
void OptionReader::read(double& field, const char* name, const Config& value) const {
  if (!value.is_number()) wrong_type(owner_, name, "a number", value);
  field = value;
  if (!std::isfinite(field)) wrong_type(owner_, name, "a finite number", value);
}
void OptionReader::read(int64_t& field, const char* name, const Config& value) const {
  if (!is_int64(value)) wrong_type(owner_, name, "an integer", value);
  field = value;
}
void OptionReader::read(std::string& field, const char* name, const Config& value) const {
  if (!value.is_string()) wrong_type(owner_, name, "a string", value);
  field = value;
}
void OptionReader::read(std::vector<int64_t>& field, const char* name, const Config& value) const {
  if (!value.is_array()) wrong_type(owner_, name, "a list of integers", value);
  field.clear();
  for (const Config& item : value) {
    if (!is_int64(item)) wrong_type(owner_, name, "a list of integers", value);
    field.push_back(item);
  }
}
void OptionReader::read(std::vector<double>& field, const char* name, const Config& value) const {
  if (!value.is_array()) wrong_type(owner_, name, "a list of numbers", value);
  field.clear();
  for (const Config& item : value) {
    if (!item.is_number()) wrong_type(owner_, name, "a list of numbers", value);
    field.push_back(item);
  }
}
void OptionReader::read(std::vector<std::string>& field, const char* name, const Config& value) const {
  if (!value.is_array()) wrong_type(owner_, name, "a list of strings", value);
  field.clear();
  for (const Config& item : value) {
    if (!item.is_string()) wrong_type(owner_, name, "a list of strings", value);
    field.push_back(item);
  }
}

void OptionReader::check_range(double value, const char* name, Range range) const {
  ST_CHECK(value >= range.low && value <= range.high, owner_, ".", name, ": expected a value in [",
           digits(range.low), ", ", digits(range.high), "], got ", digits(value));
}

void OptionReader::finish(const std::vector<std::string>& extra) const {
  if (config_.is_null()) return;
  std::vector<std::string> known = known_;
  known.insert(known.end(), extra.begin(), extra.end());
  for (const auto& item : config_.items()) {
    if (item.key() == "name" || std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
    throw UnknownOption(
        owner_, item.key(),
        did_you_mean(item.key(), known, ".") + " Options: " + (known.empty() ? "none" : join(known)));
  }
}

std::string OptionLister::describe(Range range) {
  if (std::isinf(range.low) && std::isinf(range.high)) return "";
  if (std::isinf(range.high)) return str(">= ", digits(range.low));
  if (std::isinf(range.low)) return str("<= ", digits(range.high));
  return str("[", digits(range.low), ", ", digits(range.high), "]");
}

}  // namespace spiketrain
