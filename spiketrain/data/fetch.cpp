// Downloading official files with libcurl: resumed, bounded by the expected size, verified before they get
// their name.
#include <curl/curl.h>
#include <unistd.h>

#include <chrono>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <thread>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/base/sha256.h"
#include "spiketrain/base/tar.h"
#include "spiketrain/data/catalogue.h"

namespace spiketrain {
namespace {

namespace fs = std::filesystem;

/// One attempt to append to NAME.part.
struct Transfer {
  CURL* curl = nullptr;
  std::unique_ptr<FILE, int (*)(FILE*)> file{nullptr, std::fclose};
  const CatalogueFile* expected = nullptr;
  const FetchOptions* options = nullptr;
  uint64_t done = 0;     ///< bytes in the part file
  bool started = false;  ///< first byte seen
  bool too_large = false;
  std::exception_ptr thrown;  ///< by the progress callback

  size_t take(const char* data, size_t n) {
    if (!started) {
      started = true;
      long status = 0;
      curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
      // A server that ignores the range sends the file from its beginning, with status 200.
      if (status == 200 && done > 0) {
        if (::ftruncate(::fileno(file.get()), 0) != 0) return 0;
        done = 0;
      }
    }
    too_large = n > expected->bytes - done;
    if (too_large || std::fwrite(data, 1, n, file.get()) != n) return 0;
    done += n;
    return report() ? n : 0;
  }
  bool report() {
    if (!options->progress) return true;
    try {
      options->progress({expected->name, done, expected->bytes});
      return true;
    } catch (...) {
      thrown = std::current_exception();
      return false;
    }
  }
};

size_t write_callback(char* data, size_t size, size_t n, void* transfer) {
  return static_cast<Transfer*>(transfer)->take(data, size * n);
}

void set_options(CURL* curl, const std::string& url, Transfer& transfer) {
  const FetchOptions& options = *transfer.options;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, static_cast<long>(options.timeout_seconds));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.timeout_seconds));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "spiketrain");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, write_callback);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  if (transfer.done > 0) curl_easy_setopt(curl, CURLOPT_RANGE, str(transfer.done, "-").c_str());
}

enum class Outcome { complete, broken, refused };

/// One attempt; `problem` gets one line unless the outcome is complete.  Throws what no retry can mend.
Outcome attempt(const std::string& url, const std::string& part, const CatalogueFile& expected,
                const FetchOptions& options, std::string& problem) {
  Transfer transfer;
  transfer.expected = &expected;
  transfer.options = &options;
  transfer.done = file_exists(part) ? file_size(part) : 0;
  if (transfer.done > expected.bytes) {
    fs::remove(part);
    transfer.done = 0;
  }
  if (transfer.done == expected.bytes) return Outcome::complete;
  transfer.file.reset(std::fopen(part.c_str(), "ab"));
  if (!transfer.file) throw DataError(part, 0, "cannot open for writing");
  std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (!curl) throw std::runtime_error("libcurl does not start");
  transfer.curl = curl.get();
  set_options(curl.get(), url, transfer);

  const CURLcode code = curl_easy_perform(curl.get());
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (transfer.thrown) std::rethrow_exception(transfer.thrown);
  const bool flushed =
      transfer.file && std::fflush(transfer.file.get()) == 0 && fsync(fileno(transfer.file.get())) == 0;
  transfer.file.reset();
  if (transfer.too_large) {
    fs::remove(part);
    throw DataError(part, expected.bytes,
                    str("expected ", expected.bytes, " bytes, but ", url, " sends more; removed"));
  }
  if (!flushed || code == CURLE_WRITE_ERROR)
    throw DataError(part, transfer.done, "cannot write; is the disk full?");
  if (code == CURLE_OK && transfer.done == expected.bytes) return Outcome::complete;
  problem = code == CURLE_HTTP_RETURNED_ERROR ? str("HTTP status ", status)
            : code == CURLE_OK ? str("file ended after ", transfer.done, " of ", expected.bytes, " bytes")
                               : std::string(curl_easy_strerror(code));
  if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT) {
    throw UsageError(str("cannot fetch ", url, ": ", problem, "; expected a http or https URL"));
  }
  if (status == 416) fs::remove(part);  // the server has no such range: begin anew
  const bool hopeless = status >= 400 && status < 500 && status != 408 && status != 416 && status != 429;
  return hopeless ? Outcome::refused : Outcome::broken;
}

/// Tries every URL until NAME.part is complete.
void download(const std::vector<std::string>& base_urls, const std::string& part, const CatalogueFile& file,
              const FetchOptions& options) {
  std::string problem, url;
  for (const std::string& base : base_urls) {
    url = base + (base.empty() || base.back() != '/' ? "/" : "") + file.name;
    for (int tries = 0; tries <= options.retries; ++tries) {
      if (tries > 0) std::this_thread::sleep_for(std::chrono::milliseconds(200 << std::min(tries - 1, 5)));
      const Outcome outcome = attempt(url, part, file, options, problem);
      if (outcome == Outcome::complete) return;
      if (outcome == Outcome::refused) break;
    }
  }
  throw std::runtime_error(str("cannot fetch ", url, ": ", problem));
}

/// Checks a finished file against the catalogue; removes it and throws if it is another file.
void verify(const CatalogueFile& expected, const std::string& path) {
  const FileStatus status = check_file(expected, path);
  if (status.state == FileState::present) return;
  fs::remove(path);
  throw DataError(path, 0, str("not the official ", expected.name, ": ", status.detail, "; removed"));
}

void unpack(const CatalogueDownload& download, const std::string& archive, const std::string& folder) {
  std::map<std::string, uint64_t> wanted;
  std::map<std::string, const CatalogueFile*> files;
  uint64_t total = uint64_t{1} << 20;  // read-me files and headers
  for (const CatalogueFile& file : download.unpacked) {
    wanted[file.name] = file.bytes;
    files[file.name] = &file;
    total += file.bytes + 1024;
  }
  read_tar_gz(archive, wanted, total, [&](const std::string& name, const Bytes& bytes) {
    const CatalogueFile& file = *files.at(name);
    const bool sha = !file.sha256.empty();
    if ((sha ? sha256_hex(bytes) : md5_hex(bytes)) != (sha ? file.sha256 : file.md5)) {
      throw DataError(archive, 0, str("member ", name, " has a wrong checksum"));
    }
    fs::create_directories(fs::path(folder + name).parent_path());
    write_file_atomic(folder + name, {bytes});
  });
}

bool all_present(const CatalogueDownload& download, const std::string& folder) {
  if (download.unpacked.empty())
    return check_file(download.file, folder + download.file.name).state == FileState::present;
  for (const CatalogueFile& file : download.unpacked) {
    if (check_file(file, folder + file.name).state != FileState::present) return false;
  }
  return true;
}

}  // namespace

std::vector<FileStatus> fetch(const CatalogueEntry& entry, const std::string& dir,
                              const FetchOptions& options) {
  static std::once_flag started;
  std::call_once(started, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  ST_CHECK(!dir.empty(), "fetch: set dir to the folder that is to hold the data");
  ST_CHECK(options.retries >= 0 && options.timeout_seconds > 0,
           "fetch: expected retries >= 0 and timeout_seconds > 0");
  const std::string folder = dir + "/" + entry.name + "/";
  std::error_code failed;
  fs::create_directories(folder, failed);
  if (failed) throw DataError(folder, 0, str("cannot make the folder: ", failed.message()));
  const auto urls = options.base_url.empty() ? entry.base_urls : std::vector<std::string>{options.base_url};
  for (const CatalogueDownload& item : entry.downloads) {
    if (all_present(item, folder)) continue;
    const std::string path = folder + item.file.name, part = path + ".part";
    const bool archive_left =
        !item.unpacked.empty() && check_file(item.file, path).state == FileState::present;
    if (!archive_left) {
      download(urls, part, item.file, options);
      verify(item.file, part);
      rename_durably(part, path);
    }
    if (!item.unpacked.empty()) {
      unpack(item, path, folder);
      fs::remove(path);
    }
  }
  return data_check(entry, dir);
}

std::vector<FileStatus> fetch(const std::string& name, const std::string& dir, const FetchOptions& options) {
  return fetch(catalogue_entry(name), dir, options);
}

}  // namespace spiketrain
