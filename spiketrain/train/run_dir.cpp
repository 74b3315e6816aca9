#include "spiketrain/train/run_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <regex>

#include "spiketrain/base/file.h"

namespace spiketrain {
namespace {

namespace fs = std::filesystem;

/// True if the folder holds more than a run has before its recipe is written: lock, log and an empty ckpt/.
bool holds_a_run(const std::string& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    if (name == "lock" || name == "log.txt" || (name == "ckpt" && fs::is_empty(entry.path(), error)))
      continue;
    return true;
  }
  return false;
}

/// Removes what a killed process left of files that are written under another name first, NAME.tmp.PID.COUNT
/// (base/file.cpp).
void remove_leftovers(const std::string& folder) {
  static const std::regex temporary("(.+\\.(toml|json|safetensors)|DONE)\\.tmp\\.[0-9]+\\.[0-9]+");
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (std::regex_match(entry.path().filename().string(), temporary)) leftovers.push_back(entry.path());
  }
  for (const fs::path& leftover : leftovers) fs::remove(leftover, error);
}

/// Whether another process holds the lock of a run.  Shared, so that those who ask do not see each other.
bool is_locked(const std::string& run_dir) {
  const int fd = ::open((run_dir + "/lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool locked = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return locked;
}

/// Whether a numeric error has left its dump, and nothing has been saved since.
bool ended_in_a_dump(const std::string& run_dir) {
  const std::string dump = run_dir + "/nan_dump.safetensors";
  std::error_code error;
  if (!file_exists(dump)) return false;
  const auto time = fs::last_write_time(dump, error);
  for (const auto& entry : fs::directory_iterator(run_dir + "/ckpt", error))
    if (fs::last_write_time(entry.path(), error) > time) return false;
  return true;
}

}  // namespace

RunDir::RunDir(const std::string& path, bool resume) : path_(path) {
  ST_CHECK(!path.empty(), "run directory: expected a path");
  std::error_code error;
  const bool used = holds_a_run(path);
  ST_CHECK(resume || !used, "run directory ", path,
           " is not empty; give another --out, or --resume to continue it");
  ST_CHECK(!used || file_exists(file("lock")), "run directory ", path,
           " holds files but no run to continue; give another --out");
  fs::create_directories(path + "/ckpt", error);
  if (error) throw DataError(path, 0, "cannot make the run directory: " + error.message());
  lock_ = std::make_unique<FileLock>(file("lock"), "run directory " + path);
  remove_leftovers(path);
  remove_leftovers(checkpoints());
}

void RunDir::write_text(const std::string& name, const std::string& text) {
  write_file_atomic(file(name), text);
}

void RunDir::write_json(const std::string& name, const Config& json) {
  write_file_atomic(file(name), json.dump(2) + "\n");
}

int64_t RunDir::append_metrics(const Config& line) {
  return static_cast<int64_t>(append_durably(file("metrics.jsonl"), line.dump() + "\n"));
}

void RunDir::truncate_metrics(int64_t bytes) {
  const std::string path = file("metrics.jsonl");
  std::error_code error;
  const auto length = static_cast<int64_t>(fs::exists(path, error) ? file_size(path) : 0);
  if (length < bytes) {
    throw DataError(path, static_cast<uint64_t>(length),
                    str("expected at least ", bytes, " bytes, as the checkpoint says"));
  }
  if (length > bytes && truncate(path.c_str(), bytes) != 0) throw SystemError(path, "truncate", errno);
}

int64_t RunDir::metrics_lines() const {
  const std::string path = file("metrics.jsonl");
  std::error_code error;
  if (!fs::exists(path, error)) return 0;
  const Bytes bytes = read_file(path);  // names what is no file
  return std::count(bytes.begin(), bytes.end(), '\n');
}

void RunDir::log(const std::string& line) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  char stamp[32];
  std::strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S ", &local);
  std::ofstream log(file("log.txt"), std::ios::app);
  if (!(log << stamp << line << std::endl)) throw SystemError(file("log.txt"), "write", errno);
}

void RunDir::mark_done() { write_file_atomic(file("DONE"), std::string("complete\n")); }

void RunDir::mark_open() {
  for (const char* name : {"DONE", "summary.json"}) remove_durably(file(name));
}

bool run_is_done(const std::string& run_dir) { return file_exists(run_dir + "/DONE"); }

RunStatus run_status(const std::string& run_dir) {
  const bool locked = is_locked(run_dir);  // first: a run is marked as done before it lets go
  if (run_is_done(run_dir)) return RunStatus::complete;
  if (locked) return RunStatus::training;
  if (ended_in_a_dump(run_dir)) return RunStatus::failed;
  return file_exists(run_dir + "/config.json") ? RunStatus::stopped : RunStatus::untrained;
}

}  // namespace spiketrain
