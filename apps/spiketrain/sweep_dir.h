// Folder of a sweep (report/sweep.h says what is in it), held by one process at a time.
#pragma once
#include <memory>
#include <string>

#include "spiketrain/base/file.h"
#include "spiketrain/report/sweep.h"

namespace spiketrain::cli {

class SweepDir {
 public:
  /// Makes the folder and writes the grid.  UsageError if another process holds it, DataError if it cannot be made.
  SweepDir(const std::string& path, const SweepGrid& grid);

  /// UsageError if `path` holds another grid, or files that are no sweep.
  static void check(const std::string& path, const SweepGrid& grid);

 private:
  std::string path_;
  std::unique_ptr<FileLock> lock_;
};

}  // namespace spiketrain::cli
