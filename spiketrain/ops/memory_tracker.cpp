#include "spiketrain/ops/memory_tracker.h"

#include <c10/core/Allocator.h>
#include <c10/util/Logging.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <torch/version.h>

#include <algorithm>
#include <mutex>
#include <unordered_map>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

const auto kKind = c10::DebugInfoKind::PROFILER_STATE;  // in LibTorch 2.15 no constant expression
#if TORCH_VERSION_MAJOR >= 2
using Total = size_t;
#else
using Total = int64_t;
#endif

}  // namespace

/// Messages below errors are held back while at least one of these lives.
class QuietLog {
 public:
  QuietLog() {
    const std::lock_guard<std::mutex> lock(mutex());
    if (users()++ > 0) return;
    before() = level();
    level() = std::max(level(), 2);  // 2: errors, in glog and in c10's own logger
  }
  ~QuietLog() {
    const std::lock_guard<std::mutex> lock(mutex());
    if (--users() == 0) level() = before();
  }
  QuietLog(const QuietLog&) = delete;
  QuietLog& operator=(const QuietLog&) = delete;

 private:
#ifdef C10_USE_GLOG
  static int32_t& level() { return FLAGS_minloglevel; }
#else
  static int32_t& level() { return FLAGS_caffe2_log_level; }
#endif
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static int& users() {
    static int count = 0;
    return count;
  }
  static int32_t& before() {
    static int32_t value = 0;
    return value;
  }
};

struct MemoryTracker::Counter : c10::MemoryReportingInfoBase {
  bool memoryProfilingEnabled() const override { return true; }
  void reportMemoryUsage(void* block, int64_t size, Total total, Total reserved,
                         c10::Device device) override {
    {
      const std::lock_guard<std::mutex> lock(mutex);
      const auto known = blocks.find(block);
      // Freed; or handed out again after a free on a thread that does not report.
      if (known != blocks.end()) {
        current -= known->second;
        blocks.erase(known);
      }
      if (size > 0) {
        blocks.emplace(block, size);
        current += size;
        peak = std::max(peak, current);
        allocated += size;
      }
    }
    if (outer && outer->memoryProfilingEnabled()) {
      outer->reportMemoryUsage(block, size, total, reserved, device);
    }
  }

  QuietLog quiet;
  mutable std::mutex mutex;
  std::unordered_map<void*, int64_t> blocks;
  int64_t current = 0, peak = 0, allocated = 0;
  std::shared_ptr<c10::ThreadLocalDebugInfo> around;  ///< keeps `outer` alive
  c10::MemoryReportingInfoBase* outer = nullptr;      ///< another tracker or a profiler
};

MemoryTracker::MemoryTracker() : counter_(std::make_shared<Counter>()) {
  counter_->around = c10::ThreadLocalDebugInfo::current();
  counter_->outer = dynamic_cast<c10::MemoryReportingInfoBase*>(c10::ThreadLocalDebugInfo::get(kKind));
  c10::ThreadLocalDebugInfo::_push(kKind, counter_);
}

MemoryTracker::~MemoryTracker() {
  if (c10::ThreadLocalDebugInfo::get(kKind) == counter_.get()) c10::ThreadLocalDebugInfo::_pop(kKind);
}

int64_t MemoryTracker::current() const {
  const std::lock_guard<std::mutex> lock(counter_->mutex);
  return counter_->current;
}

int64_t MemoryTracker::peak() const {
  const std::lock_guard<std::mutex> lock(counter_->mutex);
  return counter_->peak;
}

int64_t MemoryTracker::allocated() const {
  const std::lock_guard<std::mutex> lock(counter_->mutex);
  return counter_->allocated;
}

void MemoryTracker::reset_peak() {
  const std::lock_guard<std::mutex> lock(counter_->mutex);
  counter_->peak = counter_->current;
}

}  // namespace spiketrain
