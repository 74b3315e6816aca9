// name -> factory, one registry per kind of part.
//
// A leaf file registers itself:  ST_REGISTER(Neuron, "lif", Lif);
// where Lif has `static constexpr const char* kDoc` and `visit` naming its options (base/options.h).
// The file that implements an interface says once:  ST_DEFINE_REGISTRY(Neuron, "neuron")
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/base/part.h"
#include "spiketrain/base/registration.h"

namespace spiketrain {

/// All implementations of one interface, which derives from Part.
template <class Base>
class Registry {
 public:
  struct Entry {
    std::string name, doc;
    std::function<std::shared_ptr<Base>(const Config&)> make;
    std::function<std::vector<OptionDoc>()> options;
    std::function<Config(const Config&)> resolve;  ///< every option with its value, defaults included
  };
  /// Defined once per interface, so that every leaf file meets the same object.
  static Registry& get();

  /// UsageError if the name is taken.
  void add(Entry entry) {
    for (const Entry& other : entries_)
      ST_CHECK(other.name != entry.name, kind(), " '", entry.name,
               "' is registered already; give this one another name");
    entries_.push_back(std::move(entry));
  }
  void remove(const std::string& name) {
    const auto named = [&](const Entry& entry) { return entry.name == name; };
    entries_.erase(std::remove_if(entries_.begin(), entries_.end(), named), entries_.end());
  }
  /// Sorted by name.  UsageError if a part could not be registered (base/registration.h).
  std::vector<const Entry*> entries() const {
    check_registrations();
    std::vector<const Entry*> sorted;
    for (const Entry& entry : entries_) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name < b->name; });
    return sorted;
  }
  /// Sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (const Entry* entry : entries()) list.push_back(entry->name);
    return list;
  }
  /// UsageError that lists the names, and the nearest one, if there is no such entry; and as entries().
  const Entry& find(const std::string& name) const {
    check_registrations();
    for (const Entry& entry : entries_) {
      if (entry.name == name) return entry;
    }
    throw UsageError(str("unknown ", kind(), " '", name, "'", did_you_mean(name, names(), "."), choices()));
  }
  /// `config` holds the options and, under "name", which implementation.
  std::shared_ptr<Base> make(const Config& config) const { return find(name_in(config)).make(config); }
  /// The configuration with every option.  UsageError as make().
  Config resolve(const Config& config) const {
    Config result = {{"name", name_in(config)}};
    result.update(find(name_in(config)).resolve(config));
    return result;
  }
  static const char* kind();

 private:
  std::string choices() const { return " Available: " + join(names()) + plugin_hint(); }
  std::string name_in(const Config& config) const {
    ST_CHECK(config.is_object() && config.contains("name") && config["name"].is_string(), "[", kind(),
             "]: expected name = \"...\".", choices());
    return config["name"];
  }
  std::vector<Entry> entries_;
};

/// make<Neuron>("lif", {{"leak", 0.9}})
template <class Base>
std::shared_ptr<Base> make(const char* name, Config options = Config::object()) {
  options["name"] = name;
  return Registry<Base>::get().make(options);
}
template <class Base>
std::shared_ptr<Base> make(const Config& config) {
  return Registry<Base>::get().make(config);
}

template <class Base, class T>
bool register_type(const char* name) {
  const auto add = [name] {
    const std::string owner = std::string(Registry<Base>::kind()) + " " + name;
    const auto read = [owner](const Config& config) {
      auto object = std::make_shared<T>();
      read_options(*object, config, owner);
      object->check();
      return object;
    };
    typename Registry<Base>::Entry entry;
    entry.name = name;
    entry.doc = T::kDoc;
    entry.make = [read, entry_name = std::string(name)](const Config& config) -> std::shared_ptr<Base> {
      auto object = read(config);
      Part& part = *object;
      part.name_ = entry_name;
      part.write_ = [](const Part& p) { return write_options(static_cast<const T&>(p)); };
      return object;
    };
    entry.options = [] { return list_options<T>(); };
    entry.resolve = [read](const Config& config) { return write_options(*read(config)); };
    Registry<Base>::get().add(std::move(entry));
  };
  return register_static(add, [key = std::string(name)] { Registry<Base>::get().remove(key); });
}

}  // namespace spiketrain

#define ST_REGISTER(Base, name, Type) \
  [[maybe_unused]] const bool Type##_registered = ::spiketrain::register_type<Base, Type>(name)

/// In the one file that implements the interface, at namespace spiketrain; `word` is the kind in messages.
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
