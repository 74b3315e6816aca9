#include "spiketrain/ops/chunks.h"

#include <ATen/Parallel.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <atomic>

#include "spiketrain/ops/one_thread.h"

namespace spiketrain::ops {
namespace {

std::atomic<int> generic_only{0};

}  // namespace

GenericOnly::GenericOnly() { ++generic_only; }
GenericOnly::~GenericOnly() { --generic_only; }

bool has_kernel(const Tensor& x) {
  return generic_only == 0 && x.is_cpu() &&
         (x.scalar_type() == torch::kFloat || x.scalar_type() == torch::kDouble);
}

int64_t chunk_size(int64_t n, int64_t min_chunk) {
  const int64_t chunks = std::clamp<int64_t>(n / std::max<int64_t>(1, min_chunk), 1, kMaxChunks);
  return std::max<int64_t>(1, (n + chunks - 1) / chunks);
}

void for_chunks(int64_t n, const std::function<void(int64_t, int64_t)>& f, int64_t min_chunk) {
  const int64_t size = chunk_size(n, min_chunk), chunks = (n + size - 1) / size;
  if (chunks == 1) {
    const OneThread one_thread;
    f(0, n);
    return;
  }
  const bool grad = at::GradMode::is_enabled();
  const auto info = c10::ThreadLocalDebugInfo::current();  // profilers and MemoryTracker
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    OneThread one_thread;
    torch::AutoGradMode mode(grad);
    c10::DebugInfoGuard report(info);
    for (int64_t k = begin; k < end; ++k) f(k * size, std::min(n, (k + 1) * size));
  });
}

}  // namespace spiketrain::ops
