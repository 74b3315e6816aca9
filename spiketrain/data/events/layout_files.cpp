#include "spiketrain/data/events/layout_files.h"

#include <algorithm>
#include <filesystem>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool natural_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      while (i < a.size() && a[i] == '0') ++i;
      while (j < b.size() && b[j] == '0') ++j;
      size_t end_a = i, end_b = j;
      while (end_a < a.size() && is_digit(a[end_a])) ++end_a;
      while (end_b < b.size() && is_digit(b[end_b])) ++end_b;
      if (end_a - i != end_b - j) return end_a - i < end_b - j;
      const int order = a.compare(i, end_a - i, b, j, end_b - j);
      if (order != 0) return order < 0;
      i = end_a, j = end_b;
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i, ++j;
    }
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;  // 01 and 1
}

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

std::vector<std::string> folder_names(const std::string& folder, const std::string& hint) {
  if (!is_folder(folder)) throw DataError(folder, 0, str("expected a folder; ", hint));
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name[0] != '.') names.push_back(name);
  }
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

ClassFiles class_folders(const std::string& folder, const std::string& extension, const std::string& hint) {
  ClassFiles classes;
  for (const std::string& name : folder_names(folder, hint)) {
    const std::string path = folder + "/" + name;
    if (!is_folder(path)) continue;
    std::vector<std::string> files;
    for (const std::string& file : folder_names(path, hint)) {
      if (ends_with(file, extension) && !is_folder(path + "/" + file)) files.push_back(path + "/" + file);
    }
    if (files.empty())
      throw DataError(path, 0,
                      str("class without recordings (files", extension.empty() ? "" : " *", extension, ")"));
    classes.emplace_back(name, std::move(files));
  }
  if (classes.empty()) throw DataError(folder, 0, str("expected a folder for each class; ", hint));
  return classes;
}

void take_turns(const ClassFiles& classes, ClipSet& set) {
  size_t longest = 0;
  for (const auto& [name, files] : classes) longest = std::max(longest, files.size());
  for (size_t i = 0; i < longest; ++i) {
    for (size_t label = 0; label < classes.size(); ++label) {
      if (i >= classes[label].second.size()) continue;
      set.add(classes[label].second[i], static_cast<int64_t>(label));
    }
  }
}

std::string missing_hint(const std::string& name) {
  return "run `spiketrain data check " + name + "` to see where the official files are and where they belong";
}

std::vector<std::string> names_of(const ClassFiles& classes) {
  std::vector<std::string> names;
  for (const auto& one : classes) names.push_back(one.first);
  return names;
}

std::string class_names(const ClassFiles& classes) {
  std::string names;
  for (const auto& [name, files] : classes) names += (names.empty() ? "" : ", ") + name;
  return names;
}

}  // namespace spiketrain
