// The registries themselves and the option parser.
#include "spiketrain/core/registry.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/neuron.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/core/synapse.h"

namespace spiketrain {

#define ST_DEFINE_REGISTRY(Base, word)    \
  template <>                             \
  Registry<Base>& Registry<Base>::get() { \
    static Registry<Base> registry;       \
    return registry;                      \
  }                                       \
  template <>                             \
  const char* Registry<Base>::kind() {    \
    return word;                          \
  }
ST_DEFINE_REGISTRY(Neuron, "neuron")
ST_DEFINE_REGISTRY(Synapse, "synapse")
ST_DEFINE_REGISTRY(Rule, "rule")
ST_DEFINE_REGISTRY(Schedule, "schedule")
ST_DEFINE_REGISTRY(Objective, "objective")
ST_DEFINE_REGISTRY(Encoder, "encoder")
ST_DEFINE_REGISTRY(NetworkBuilder, "network")
#undef ST_DEFINE_REGISTRY

namespace {
/// Shortest text that reads back as the same number, without ".0".
std::string digits(double value) {
  const bool whole = std::abs(value) < 1e15 && value == std::floor(value);
  return whole ? Config(static_cast<int64_t>(value)).dump() : Config(value).dump();
}
}  // namespace

std::string join(const std::vector<std::string>& parts, const std::string& separator) {
  std::string result;
  for (const std::string& part : parts) result += (result.empty() ? "" : separator) + part;
  return result;
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 0; i < word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i + 1;
      for (size_t j = 0; j < candidate.size(); ++j) {
        const size_t replaced = diagonal + (word[i] != candidate[j]);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

const Config* OptionReader::find(const char* name) const {
  auto it = config_.find(name);
  return it == config_.end() ? nullptr : &*it;
}

void OptionReader::operator()(std::string& field, const char* name, const char* help,
                              const Choices& choices) {
  (*this)(field, name, help);
  const auto& values = choices.values;
  if (std::find(values.begin(), values.end(), field) != values.end()) return;
  const std::string guess = nearest(field, values);
  throw UsageError(str(owner_, ".", name, ": expected one of ", join(values, " | "), ", got \"", field, "\"",
                       guess.empty() ? "" : "; did you mean \"" + guess + "\"?"));
}

namespace {
[[noreturn]] void wrong_type(const std::string& owner, const char* name, const char* expected,
                             const Config& value) {
  throw UsageError(str(owner, ".", name, ": expected ", expected, ", got ",
                       value.dump(-1, ' ', false, Config::error_handler_t::replace)));
}
}  // namespace

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
  if (!value.is_number_integer()) wrong_type(owner_, name, "an integer", value);
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
    if (!item.is_number_integer()) wrong_type(owner_, name, "a list of integers", value);
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
    const std::string guess = nearest(item.key(), known);
    throw UsageError(str(owner_, ": unknown option '", item.key(), "'",
                         guess.empty() ? "." : "; did you mean '" + guess + "'?", " Options: ", join(known)));
  }
}

std::string OptionLister::describe(Range range) {
  if (std::isinf(range.low) && std::isinf(range.high)) return "";
  if (std::isinf(range.high)) return str(">= ", digits(range.low));
  if (std::isinf(range.low)) return str("<= ", digits(range.high));
  return str("[", digits(range.low), ", ", digits(range.high), "]");
}

}  // namespace spiketrain
