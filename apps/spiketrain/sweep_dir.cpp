#include "apps/spiketrain/sweep_dir.h"

#include <filesystem>

#include "spiketrain/base/file.h"
#include "spiketrain/recipe/toml.h"

namespace spiketrain::cli {

SweepDir::SweepDir(const std::string& path, const SweepGrid& grid) : path_(path) {
  std::error_code error;
  for (const char* folder : {"/runs", "/logs"}) {
    std::filesystem::create_directories(path + folder, error);
    if (error) throw DataError(path, 0, "cannot make the folder: " + error.message());
  }
  lock_ = std::make_unique<FileLock>(path + "/lock", "sweep: " + path);
  write_file_atomic(path + "/recipe.toml", write_toml(grid.base));
  write_file_atomic(path + "/sweep.json", to_json(grid).dump(2) + "\n");
}

void SweepDir::check(const std::string& path, const SweepGrid& grid) {
  const std::string stored = path + "/sweep.json";
  std::error_code error;
  if (!file_exists(stored)) {
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      const std::string name = entry.path().filename();
      const bool left_by_a_start =
          name == "lock" || name == "runs" || name == "logs" || name == "recipe.toml";
      ST_CHECK(left_by_a_start, "sweep: ", path, " holds files and no sweep; give another --out");
    }
    return;
  }
  const Bytes bytes = read_file(stored);
  std::string difference;
  try {
    difference = grid_difference(Config::parse(bytes.begin(), bytes.end()), to_json(grid));
  } catch (const nlohmann::json::exception& broken) {
    throw DataError(stored, 0, str("expected the grid of a sweep: ", broken.what()));
  }
  ST_CHECK(difference.empty(), "sweep: ", path, " holds another grid: ", difference, "; give another --out");
}

}  // namespace spiketrain::cli
