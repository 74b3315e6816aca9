// name -> factory, one registry per base class, and typed options declared once.
//
// A leaf file registers itself:  ST_REGISTER(Neuron, "lif", Lif);
// where Lif has `static constexpr const char* kDoc` and `template <class V> void visit(V& v)` naming every
// option:
//   v(leak, "leak", "membrane decay per step", Range{0, 1});
// From that one list come the parser (typos get the nearest name), the defaults, `spiketrain list` and the
// resolved configuration that a run writes down.
#pragma once
#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "spiketrain/base/check.h"

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

/// One option as `spiketrain list` shows it.
struct OptionDoc {
  std::string name, type, help, allowed;
  Config default_value;
};

/// The candidate closest to `word` (edit distance), or "" if none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// "a, b, c"
std::string join(const std::vector<std::string>& parts, const std::string& separator = ", ");

/// Visitor that fills an object's options from a Config and remembers which keys it knows.
class OptionReader {
 public:
  OptionReader(const Config& config, std::string owner) : config_(config), owner_(std::move(owner)) {}
  template <class T>
  void operator()(T& field, const char* name, const char* /*help*/, Range range = {}) {
    known_.push_back(name);
    if (const Config* value = find(name)) {
      read(field, name, *value);
      if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
        check_range(static_cast<double>(field), name, range);
      }
    }
  }
  void operator()(std::string& field, const char* name, const char* /*help*/, const Choices& choices);
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
  Config result = Config::object();
};

/// Visitor that collects names, types, defaults and help.
class OptionLister {
 public:
  template <class T>
  void operator()(T& field, const char* name, const char* help, Range range = {}) {
    options.push_back({name, type_name(field), help, describe(range), Config(field)});
  }
  void operator()(std::string& field, const char* name, const char* help, const Choices& choices) {
    options.push_back({name, "string", help, join(choices.values, " | "), Config(field)});
  }
  std::vector<OptionDoc> options;

 private:
  static std::string type_name(bool) { return "bool"; }
  static std::string type_name(double) { return "number"; }
  static std::string type_name(int64_t) { return "integer"; }
  static std::string type_name(const std::string&) { return "string"; }
  static std::string type_name(const std::vector<int64_t>&) { return "integers"; }
  static std::string type_name(const std::vector<double>&) { return "numbers"; }
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
template <class T>
Config write_options(T& object) {
  OptionWriter writer;
  object.visit(writer);
  return writer.result;
}
template <class T>
std::vector<OptionDoc> list_options() {
  T object;
  OptionLister lister;
  object.visit(lister);
  return lister.options;
}

/// All implementations of one base class.
template <class Base>
class Registry {
 public:
  struct Entry {
    std::string name, doc;
    std::function<std::shared_ptr<Base>(const Config&)> make;
    std::function<std::vector<OptionDoc>()> options;
    std::function<Config(const Config&)> resolve;  ///< every option with its value, defaults included
  };
  /// Defined once, in registry.cpp, so that every leaf file meets the same object.
  static Registry& get();

  void add(Entry entry) { entries_.push_back(std::move(entry)); }
  /// Sorted by name.
  std::vector<const Entry*> entries() const {
    std::vector<const Entry*> sorted;
    for (const Entry& entry : entries_) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name < b->name; });
    return sorted;
  }
  /// UsageError that lists the names, and the nearest one, if there is no such entry.
  const Entry& find(const std::string& name) const {
    std::vector<std::string> names;
    for (const Entry* entry : entries()) {
      if (entry->name == name) return *entry;
      names.push_back(entry->name);
    }
    const std::string guess = nearest(name, names);
    throw UsageError(str("unknown ", kind(), " '", name, "'",
                         guess.empty() ? "." : "; did you mean '" + guess + "'?",
                         " Available: ", join(names)));
  }
  /// `config` holds the options and, under "name", which implementation.
  std::shared_ptr<Base> make(const Config& config) const { return find(name_in(config)).make(config); }
  Config resolve(const Config& config) const {
    Config result = {{"name", name_in(config)}};
    result.update(find(name_in(config)).resolve(config));
    return result;
  }
  static const char* kind();

 private:
  static std::string name_in(const Config& config) {
    ST_CHECK(config.is_object() && config.contains("name") && config["name"].is_string(), "[", kind(),
             "]: expected name = \"...\"; `spiketrain list ", kind(), "s` shows the choices");
    return config["name"];
  }
  std::vector<Entry> entries_;
};

template <class Base, class T>
bool register_type(const char* name) {
  const std::string owner = std::string(Registry<Base>::kind()) + " " + name;
  Registry<Base>::get().add({name, T::kDoc,
                             [owner](const Config& config) -> std::shared_ptr<Base> {
                               auto object = std::make_shared<T>();
                               read_options(*object, config, owner);
                               object->check();
                               return object;
                             },
                             [] { return list_options<T>(); },
                             [owner](const Config& config) {
                               T object;
                               read_options(object, config, owner);
                               return write_options(object);
                             }});
  return true;
}

}  // namespace spiketrain

#define ST_REGISTER(Base, name, Type) \
  [[maybe_unused]] const bool Type##_registered = ::spiketrain::register_type<Base, Type>(name)
