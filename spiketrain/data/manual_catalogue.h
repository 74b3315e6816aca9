// Official files that `data fetch` cannot bring: they sit behind a page, or are packed as .zip.  The user
// downloads and unpacks them; here is where they are, how to check the download, and what must be there then.
// Checksums: MD5 as published by the tools that read these sets.  Tests: unit/event_sets_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/data/catalogue.h"

namespace spiketrain {

/// So many files that end in `extension`, anywhere below <dir>/<data set name>/<folder>.
struct CatalogueFolder {
  std::string folder, extension;
  int64_t files;
};

struct ManualEntry {
  std::string name;                     ///< data set and folder name
  std::string page;                     ///< where the archives are
  std::string note;                     ///< what to do with them
  std::vector<CatalogueFile> archives;  ///< sizes are 0: not published
  std::vector<CatalogueFolder> folders;
};

const std::vector<ManualEntry>& manual_catalogue();
/// Null if there is none of this name.
const ManualEntry* find_manual_entry(const std::string& name);

/// State of the unpacked files, and of those archives that still lie in <dir>/<name>/.  Never throws for a
/// bad file.
std::vector<FileStatus> data_check(const ManualEntry& entry, const std::string& dir);

/// Where to get the files, in one line.
std::string how_to_get(const ManualEntry& entry);

}  // namespace spiketrain
