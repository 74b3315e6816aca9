// Official files of the data sets: where they are, how large, which checksums; checking and fetching them.
// Tests: unit/fetch_test.cpp, against a server on the loopback interface only.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace spiketrain {

/// One file that ends up in <dir>/<data set name>/.
struct CatalogueFile {
  std::string name;    ///< path below <dir>/<data set name>
  uint64_t bytes = 0;  ///< 0: not known, not checked
  std::string md5;     ///< as published; empty if only sha256 is known
  std::string sha256;  ///< empty if only md5 is known
};

/// One download.  `unpacked` is empty, or the download is a .tar.gz of which exactly these members are kept.
struct CatalogueDownload {
  CatalogueFile file;
  std::vector<CatalogueFile> unpacked;
};

struct CatalogueEntry {
  std::string name;                    ///< data set and folder name
  std::vector<std::string> base_urls;  ///< tried in order; file.name is appended
  std::vector<CatalogueDownload> downloads;
};

/// All data sets that consist of files.
const std::vector<CatalogueEntry>& catalogue();
/// UsageError for an unknown name, listing the known ones, or for one whose files must be got by hand, saying
/// how.
const CatalogueEntry& catalogue_entry(const std::string& name);

enum class FileState { present, missing, wrong };
struct FileStatus {
  std::string path;
  FileState state = FileState::missing;
  std::string detail;  ///< one line for the user: "sha256 ok", "expected 29515 bytes, found 12", ...
};

/// State of one file at `path`.  Never throws for a bad file.
FileStatus check_file(const CatalogueFile& file, const std::string& path);

/// State of every file the data set is read from.  Never throws for a bad file.
std::vector<FileStatus> data_check(const CatalogueEntry& entry, const std::string& dir);
std::vector<FileStatus> data_check(const std::string& name, const std::string& dir);

struct FetchProgress {
  std::string file;
  uint64_t done = 0, total = 0;  ///< bytes
};
struct FetchOptions {
  std::string
      base_url;  ///< replaces the catalogue's; must end where file names are appended (a '/' is added)
  std::function<void(const FetchProgress&)> progress;  ///< called now and then; may throw to cancel
  int retries = 3;           ///< further attempts per URL after a broken connection; each resumes
  int timeout_seconds = 30;  ///< to connect, and longest time without data
};

/// Brings every file of the data set into <dir>/<name>/, skipping what is present and right.  A broken
/// download stays as NAME.part and is resumed by the next attempt.  Returns the final state of the files.
/// DataError: wrong size or checksum (the bad file is removed), malformed archive.  UsageError: unknown name,
/// refused URL.  std::runtime_error: no connection, in one line that names the last URL.
std::vector<FileStatus> fetch(const CatalogueEntry& entry, const std::string& dir,
                              const FetchOptions& options = {});
std::vector<FileStatus> fetch(const std::string& name, const std::string& dir,
                              const FetchOptions& options = {});

}  // namespace spiketrain
