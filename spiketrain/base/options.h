// Typed options, declared once.  A type names them in one function:
//   template <class V> void visit(V& v) { v(leak, "leak", "membrane decay per step", Range{0, 1}); }
// From that one list come the parser (typos get the nearest name), the defaults, `spiketrain list`, the
// configuration a run writes down, and what a resumed run may change.
#pragma once
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "spiketrain/base/check.h"
#include "spiketrain/base/text.h"

namespace spiketrain {

/// Options as read from a recipe: name -> value, in order.
using Config = nlohmann::ordered_json;

/// Closed interval of allowed values of a number.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

/// Allowed values of a string option.
struct Choices {
  std::vector<std::string> values;
};

template <class Base>
class Registry;

/// An option that is itself a part (base/registry.h): its name alone, or a table with its name and options.  The
/// field is a Config; `none` is a further name that stands for no part and leaves the Config null.
template <class Base>
struct OnePart {
  std::string none = {};
};

/// Whether a run that is resumed may come with another value.
enum class OnResume { must_match, may_change };

/// One option as `spiketrain list` shows it.
struct OptionDoc {
  std::string name, type, help, allowed;
  Config default_value;
  OnResume resume = OnResume::must_match;
};

/// Visitor that fills an object's options from a Config and remembers which keys it knows.
class OptionReader {
 public:
  /// `config` must outlive the reader; `owner` is named in errors.
  OptionReader(const Config& config, std::string owner) : config_(config), owner_(std::move(owner)) {}
  template <class T>
  void operator()(T& field, const char* name, const char* /*help*/, Range range = {}, OnResume = {}) {
    known_.push_back(name);
    if (const Config* value = find(name)) {
      read(field, name, *value);
      if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
        check_range(static_cast<double>(field), name, range);
      }
    }
  }
  void operator()(std::string& field, const char* name, const char* help, const Choices& choices,
                  OnResume = {});
  template <class Base>
  void operator()(Config& field, const char* name, const char* /*help*/, const OnePart<Base>& part,
                  OnResume = {}) {
    known_.push_back(name);
    const Config* value = find(name);
    Config given = value ? *value : field;
    if (given.is_string()) given = Config{{"name", given}};
    // Numbers, or a name that is one, are for resolve() to refuse.
    const bool none =
        !part.none.empty() && given.is_object() && given.contains("name") && given["name"] == part.none;
    if (given.is_null() || none) {
      field = nullptr;
    } else {
      field = Registry<Base>::get().resolve(given);
    }
  }
  /// UsageError if the Config holds a key that no option named; `name` and `extra` are always allowed.
  void finish(const std::vector<std::string>& extra = {}) const;

 private:
  const Config* find(const char* name) const;
  void read(bool& field, const char* name, const Config& value) const;
  void read(double& field, const char* name, const Config& value) const;
  void read(int64_t& field, const char* name, const Config& value) const;
  void read(std::string& field, const char* name, const Config& value) const;
  void read(std::vector<int64_t>& field, const char* name, const Config& value) const;
  void read(std::vector<double>& field, const char* name, const Config& value) const;
  void read(std::vector<std::string>& field, const char* name, const Config& value) const;
  void check_range(double value, const char* name, Range range) const;

  const Config& config_;
  std::string owner_;
  std::vector<std::string> known_;
};

/// Visitor that writes an object's present options out.
class OptionWriter {
 public:
  template <class T, class... Limits>
  void operator()(T& field, const char* name, const char*, const Limits&...) {
    result[name] = field;
  }
  template <class Base, class... Rest>
  void operator()(Config& field, const char* name, const char*, const OnePart<Base>& part, const Rest&...) {
    result[name] = field.is_null() && !part.none.empty() ? Config(part.none) : field;
  }
  Config result = Config::object();
};

/// Visitor that collects names, types, defaults and help.
class OptionLister {
 public:
  template <class T>
  void operator()(T& field, const char* name, const char* help, Range range = {},
                  OnResume resume = OnResume::must_match) {
    options.push_back({name, type_name(field), help, describe(range), Config(field), resume});
  }
  void operator()(std::string& field, const char* name, const char* help, const Choices& choices,
                  OnResume resume = OnResume::must_match) {
    options.push_back({name, "string", help, join(choices.values, " | "), Config(field), resume});
  }
  template <class Base>
  void operator()(Config& field, const char* name, const char* help, const OnePart<Base>& part,
                  OnResume resume = OnResume::must_match) {
    std::vector<std::string> names;
    if (!part.none.empty()) names.push_back(part.none);
    for (const auto* entry : Registry<Base>::get().entries()) names.push_back(entry->name);
    const Config value = field.is_null() ? Config(part.none) : field;
    options.push_back({name, std::string(Registry<Base>::kind()), help, join(names, " | "), value, resume});
  }
  std::vector<OptionDoc> options;

 private:
  static std::string type_name(bool) { return "bool"; }
  static std::string type_name(double) { return "number"; }
  static std::string type_name(int64_t) { return "integer"; }
  static std::string type_name(const std::string&) { return "string"; }
  static std::string type_name(const std::vector<int64_t>&) { return "integers"; }
  static std::string type_name(const std::vector<double>&) { return "numbers"; }
  static std::string type_name(const std::vector<std::string>&) { return "strings"; }
  static std::string describe(Range range);
};

/// Fills the options of `object` from `config`; UsageError on an unknown key, a wrong type or a value out of
/// range.
template <class T>
void read_options(T& object, const Config& config, const std::string& owner) {
  OptionReader reader(config, owner);
  object.visit(reader);
  reader.finish();
}
/// Every option with its present value.
template <class T>
Config write_options(const T& object) {
  OptionWriter writer;
  const_cast<T&>(object).visit(writer);  // one visit() serves readers and writers; the writer only reads
  return writer.result;
}
template <class T>
std::vector<OptionDoc> list_options() {
  T object;
  OptionLister lister;
  object.visit(lister);
  return lister.options;
}

}  // namespace spiketrain
