// Where golden vectors lie: golden/KIND here, and the folder that SPIKETRAIN_GOLDEN names, or KIND in it.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace spiketrain {

/// Sorted.
inline std::vector<std::string> golden_files(const std::string& kind) {
  namespace fs = std::filesystem;
  std::vector<std::string> files, folders = {std::string(ST_SOURCE_DIR) + "/golden/" + kind};
  if (const char* more = std::getenv("SPIKETRAIN_GOLDEN")) {
    folders.emplace_back(more);
    folders.push_back(std::string(more) + "/" + kind);
  }
  for (const std::string& folder : folders) {
    if (!fs::is_directory(folder)) continue;
    for (const auto& entry : fs::directory_iterator(folder))
      if (entry.path().extension() == ".safetensors") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace spiketrain
