#include "spiketrain/report/metrics_file.h"

#include <algorithm>

#include "spiketrain/base/file.h"

namespace spiketrain {

std::vector<Config> read_metrics(const std::string& path) {
  std::vector<Config> lines;
  if (!file_exists(path)) return lines;
  const Bytes bytes = read_file(path);
  for (auto begin = bytes.begin();;) {
    const auto end = std::find(begin, bytes.end(), '\n');
    if (end == bytes.end()) return lines;
    Config line = Config::parse(begin, end, nullptr, /*allow_exceptions=*/false);
    const auto epoch = line.is_object() ? line.find("epoch") : line.end();
    if (!line.is_object() || epoch == line.end() || !epoch->is_number_integer())
      throw DataError(path, static_cast<uint64_t>(begin - bytes.begin()),
                      str("expected an object with its epoch in line ", lines.size() + 1));
    lines.push_back(std::move(line));
    begin = end + 1;
  }
}

}  // namespace spiketrain
