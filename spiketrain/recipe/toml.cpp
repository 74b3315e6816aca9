#include "spiketrain/recipe/toml.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>

namespace spiketrain {
namespace {

/// Nesting that a recipe may have; a deeper one could exhaust the stack of whoever walks the result.
constexpr int kMaxDepth = 32;
constexpr std::ptrdiff_t kMaxDots = 20000;

class Converter {
 public:
  explicit Converter(const std::string& origin) : origin_(origin) {}

  Config convert(const toml::node& node, int depth = 0) const {
    if (depth > kMaxDepth) fail(node, "nested too deeply");
    if (const auto* table = node.as_table()) {
      Config object = Config::object();
      for (const auto& [key, value] : *table) object[std::string(key.str())] = convert(value, depth + 1);
      return object;
    }
    if (const auto* array = node.as_array()) {
      Config list = Config::array();
      for (const toml::node& item : *array) list.push_back(convert(item, depth + 1));
      return list;
    }
    if (const auto* value = node.as_boolean()) return value->get();
    if (const auto* value = node.as_integer()) return value->get();
    if (const auto* value = node.as_string()) return value->get();
    if (const auto* value = node.as_floating_point()) {
      if (!std::isfinite(value->get())) fail(node, "expected a finite number");
      return value->get();
    }
    std::ostringstream text;  // a date or a time
    if (const auto* value = node.as_date()) text << value->get();
    if (const auto* value = node.as_time()) text << value->get();
    if (const auto* value = node.as_date_time()) text << value->get();
    return text.str();
  }

 private:
  [[noreturn]] void fail(const toml::node& node, const char* what) const {
    const auto& at = node.source().begin;
    throw UsageError(str(origin_, ":", at.line, ":", at.column, ": ", what));
  }
  const std::string& origin_;
};

std::string quoted(const std::string& text) {
  std::string result;
  try {
    result = Config(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw UsageError("expected text in UTF-8");
  }
  for (size_t at = 0; (at = result.find('\x7f', at)) != std::string::npos;) result.replace(at, 1, "\\u007f");
  return result;
}

std::string key_text(const std::string& key) {
  bool bare = !key.empty();
  for (const unsigned char c : key) bare = bare && (std::isalnum(c) || c == '_' || c == '-') && c < 128;
  return bare ? key : quoted(key);
}

std::string value_text(const Config& value) {
  if (value.is_string()) return quoted(value.get_ref<const std::string&>());
  std::vector<std::string> parts;
  if (value.is_array()) {
    for (const Config& item : value) parts.push_back(value_text(item));
    return "[" + join(parts) + "]";
  }
  if (value.is_object()) {
    for (const auto& item : value.items()) {
      if (!item.value().is_null()) parts.push_back(key_text(item.key()) + " = " + value_text(item.value()));
    }
    return "{" + join(parts) + "}";
  }
  return value.dump();
}

void write_table(const Config& table, const std::string& path, std::string& text) {
  for (const auto& item : table.items()) {
    if (item.value().is_object() || item.value().is_null()) continue;
    text += key_text(item.key()) + " = " + value_text(item.value()) + "\n";
  }
  for (const auto& item : table.items()) {
    if (!item.value().is_object()) continue;
    const std::string name = (path.empty() ? "" : path + ".") + key_text(item.key());
    text += "\n[" + name + "]\n";
    write_table(item.value(), name, text);
  }
}

}  // namespace

Config parse_toml(const std::string& text, const std::string& origin) {
  // The parser limits nested values, but follows a dotted key of any length by recursion.
  ST_CHECK(std::count(text.begin(), text.end(), '.') <= kMaxDots, origin, ": more than ", kMaxDots,
           " dots: keys nested too deeply");
  try {
    return Converter(origin).convert(toml::parse(text, origin));
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    throw UsageError(str(origin, ":", at.line, ":", at.column, ": ", error.description()));
  }
}

std::string write_toml(const Config& config) {
  ST_CHECK(config.is_object(), "TOML: expected an object at the top");
  std::string text;
  write_table(config, "", text);
  return text;
}

Config parse_toml_value(const std::string& text) {
  try {
    const Config parsed = parse_toml("value = " + text, "value");
    if (parsed.size() == 1 && parsed.contains("value")) return parsed["value"];
  } catch (const UsageError&) {  // plain text needs no quotes on a command line
  }
  return text;
}

}  // namespace spiketrain
