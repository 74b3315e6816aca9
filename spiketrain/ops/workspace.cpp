#include "spiketrain/ops/workspace.h"

#include <cstdlib>
#include <memory>
#include <new>

namespace spiketrain::ops {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
struct Buffer {
  std::unique_ptr<void, Free> data;
  int64_t size = 0;
};
thread_local Buffer buffer;

}  // namespace

void* workspace(int64_t bytes) {
  constexpr int64_t kAlignment = 64;
  if (bytes > buffer.size) {
    buffer = {};  // not two at once
    const int64_t size = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    buffer.data.reset(std::aligned_alloc(kAlignment, static_cast<size_t>(size)));
    if (!buffer.data) throw std::bad_alloc();
    buffer.size = size;
  }
  return buffer.data.get();
}

int64_t workspace_size() { return buffer.size; }

}  // namespace spiketrain::ops
