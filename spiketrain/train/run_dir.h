// The folder of one run:
//   config.toml            the resolved recipe, for people (written by whoever has a recipe)
//   config.json            the same, for the trainer: what a resumed run is compared with
//   environment.json       what it ran on
//   metrics.jsonl          one object per epoch
//   tensorboard/           event files, if asked for (train/tensorboard.h)
//   log.txt                dated lines for people
//   ckpt/NNNNNNNNNN.safetensors, ckpt/best.safetensors
//                          newest checkpoints, named by iteration; weights of the best epoch
//   nan_dump.safetensors   batch, weights and gradients at a numeric error
//   summary.json, DONE     when the run is complete
//
// One process at a time may write to it (a lock on the file `lock`).
// Tests: unit/checkpoint_test.cpp, train/resume_test.cpp.
#pragma once
#include <memory>
#include <string>

#include "spiketrain/base/file.h"
#include "spiketrain/base/registry.h"

namespace spiketrain {

class RunDir {
 public:
  /// Makes the folder.  UsageError if it holds files and `resume` is false, if it holds files that are no
  /// run, or if another process uses it;
  /// DataError if it cannot be written.
  RunDir(const std::string& path, bool resume);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string checkpoints() const { return file("ckpt"); }

  void write_text(const std::string& name, const std::string& text);
  void write_json(const std::string& name, const Config& json);
  /// Appends one line of metrics and returns the file's length; on disk when this returns.
  int64_t append_metrics(const Config& line);
  /// Cuts metrics.jsonl back to the length a checkpoint has noted.  DataError if it is shorter.
  void truncate_metrics(int64_t bytes);
  int64_t metrics_lines() const;
  /// Appends a dated line to log.txt.
  void log(const std::string& line);
  void mark_done();
  /// The run goes on: takes DONE and the summary away, should an earlier end have left them.
  void mark_open();

 private:
  std::string path_;
  std::unique_ptr<FileLock> lock_;
};

/// True if the folder holds a complete run.
bool run_is_done(const std::string& run_dir);

/// Where a run stands.
enum class RunStatus {
  untrained,  ///< no process has trained here, or none has come as far as a log: an imported network
  training,   ///< a process holds its lock
  stopped,    ///< it was told to stop, or killed
  failed,     ///< it ended with a numeric error, which left nan_dump.safetensors
  complete
};
RunStatus run_status(const std::string& run_dir);

}  // namespace spiketrain
