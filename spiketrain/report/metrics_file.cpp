#include "spiketrain/report/metrics_file.h"

#include <algorithm>

#include "spiketrain/base/file.h"

namespace spiketrain {
namespace {

/// Whether what a line has of this name, if anything, is a list of [{"layer", "node", ...}].
bool lists_layers(const Config& line, const char* name) {
  const auto list = line.find(name);
  if (list == line.end()) return true;
  return list->is_array() && std::all_of(list->begin(), list->end(), [](const Config& layer) {
           const auto is_text = [&](const char* key) {
             const auto it = layer.find(key);
             return it == layer.end() || it->is_string();
           };
           return layer.is_object() && is_text("layer") && is_text("node");
         });
}

}  // namespace

std::vector<Config> read_metrics(const std::string& path) {
  std::vector<Config> lines;
  if (!file_exists(path)) return lines;
  const Bytes bytes = read_file(path);
  for (auto begin = bytes.begin();;) {
    const auto end = std::find(begin, bytes.end(), '\n');
    if (end == bytes.end()) return lines;
    Config line = Config::parse(begin, end, nullptr, /*allow_exceptions=*/false);
    const auto epoch = line.is_object() ? line.find("epoch") : line.end();
    const auto fail = [&](const char* expected) {
      throw DataError(path, static_cast<uint64_t>(begin - bytes.begin()),
                      str("expected ", expected, " in line ", lines.size() + 1));
    };
    if (!line.is_object() || epoch == line.end() || !epoch->is_number_integer())
      fail("an object with its epoch");
    for (const char* name : {"rates", "grad_norms"})
      if (!lists_layers(line, name)) fail(str("a list of layers as ", name).c_str());
    lines.push_back(std::move(line));
    begin = end + 1;
  }
}

}  // namespace spiketrain
