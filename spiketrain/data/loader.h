// Batches in the background.
// Order of an epoch: permutation(size, Rng(seed, shuffle, epoch)) or 0 .. size-1.  Worker threads take whole
// batches in turn, so the batches are the same bit for bit whatever the number of threads.  Samples of
// different lengths are padded with zeros, in the input and in targets per step.
// Memory: at most `prefetch` + 1 batches.  Tests: unit/loader_test.cpp.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "spiketrain/data/dataset.h"

namespace spiketrain {

struct LoaderOptions {
  int64_t batch_size = 64;
  uint64_t seed = 1;  ///< keys the order
  bool shuffle = true;
  bool drop_last = false;  ///< leave out the last batch if it is smaller
  int threads = 1;
  int prefetch = 4;  ///< batches that may be ready or in the making ahead of next()
  /// Of each batch the samples of part `part` of so many parts, in order: the others are other processes'.
  int64_t part = 0, parts = 1;
  bool inputs =
      true;  ///< false: samples are not read: x has its shape, and zeros; for who needs the targets alone
  const std::atomic<bool>* stop =
      nullptr;  ///< once true, next() waits for no more than the samples in the making
};

class Loader {
 public:
  /// `data` must outlive the loader.  UsageError: batch_size, threads or prefetch < 1.
  Loader(const Dataset& data, LoaderOptions options);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Batches in an epoch.
  int64_t batches() const;
  /// Begins `epoch` at batch `first_batch` (resuming), whatever was running before.  UsageError if out of
  /// range.
  void start(int64_t epoch, int64_t first_batch = 0);
  /// Samples of the smallest batch, all parts together.
  int64_t smallest_batch() const;
  /// The next batch in order, or this part of it, which has no samples if the batch has fewer than there are parts; contiguous, on the CPU; false at the end of the epoch, or if `stop` is true before the
  /// batch is ready.  Rethrows what a worker
  /// threw for this batch, after which the epoch is over.  UsageError before the first start().
  bool next(Batch& out);

 private:
  struct Result {
    Batch batch;
    std::exception_ptr error;
    bool stopped = false;
  };
  void work();
  bool asked_to_stop() const { return stopping_ || (options_.stop && *options_.stop); }
  Batch make(int64_t batch) const;
  int64_t length(int64_t index) const;
  torch::Tensor samples(const int64_t* indices, int64_t count) const;
  Target targets(const int64_t* indices, int64_t count) const;
  void stop();

  const Dataset& data_;
  const LoaderOptions options_;
  std::vector<int64_t> order_;  // written only while no worker runs
  int64_t epoch_ = -1;

  std::mutex mutex_;  // guards what follows
  std::condition_variable room_, ready_;
  std::map<int64_t, Result> done_;  // finished batches not yet handed out
  int64_t taken_ = 0;               // next batch a worker takes
  int64_t wanted_ = 0;              // next batch handed out
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> workers_;
};

}  // namespace spiketrain
