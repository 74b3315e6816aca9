#include "spiketrain/ops/memory_tracker.h"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain::memory_tracker_test {
using torch::Tensor;

Tensor kilobytes(int64_t n) { return torch::empty({n * 256}); }

TEST(MemoryTracker, CountsWhatIsAliveAndItsPeak) {
  MemoryTracker tracker;
  EXPECT_EQ(tracker.current(), 0);
  Tensor a = kilobytes(4);
  EXPECT_EQ(tracker.current(), 4096);
  { const Tensor b = kilobytes(8); }
  EXPECT_EQ(tracker.current(), 4096);
  EXPECT_EQ(tracker.peak(), 12288);
  EXPECT_EQ(tracker.allocated(), 12288);
  const Tensor view = a.slice(0, 1, 5);  // shares the block
  a.reset();
  EXPECT_EQ(tracker.current(), 4096);
  tracker.reset_peak();
  EXPECT_EQ(tracker.peak(), 4096);
}

TEST(MemoryTracker, OlderBlocksDoNotCountWhenTheyGo) {
  testing::internal::CaptureStderr();
  std::vector<Tensor> older;
  for (int i = 0; i < 2000; ++i) older.push_back(kilobytes(1));
  {
    MemoryTracker before;
    older.push_back(kilobytes(2));  // the allocator knows this one's size, the next tracker does not
  }
  {
    MemoryTracker tracker;
    older.clear();
    EXPECT_EQ(tracker.current(), 0);
    EXPECT_EQ(tracker.peak(), 0);
    const Tensor a = kilobytes(1);
    EXPECT_EQ(tracker.current(), 1024);
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(MemoryTracker, Nests) {
  MemoryTracker outer;
  const Tensor a = kilobytes(1);
  {
    MemoryTracker inner;
    const Tensor b = kilobytes(2);
    EXPECT_EQ(inner.current(), 2048);
    EXPECT_EQ(outer.current(), 3072);
  }
  EXPECT_EQ(outer.current(), 1024);
  EXPECT_EQ(outer.peak(), 3072);
}

TEST(MemoryTracker, EndsWithAnException) {
  std::optional<Tensor> kept;
  try {
    MemoryTracker tracker;
    kept = kilobytes(3);
    throw std::runtime_error("stop");
  } catch (const std::runtime_error&) {
  }
  MemoryTracker tracker;
  kept.reset();
  EXPECT_EQ(tracker.current(), 0);
  const Tensor a = kilobytes(1);
  EXPECT_EQ(tracker.peak(), 1024);
}

TEST(MemoryTracker, SeesTheBackwardPass) {
  const Tensor W = torch::ones({64, 64}).requires_grad_();
  MemoryTracker tracker;
  {
    const Tensor y = torch::ones({64, 64}).mm(W);
    EXPECT_EQ(tracker.current(), 2 * 16384);
    y.sum().backward();
    EXPECT_GE(tracker.peak(), 3 * 16384);
  }
  EXPECT_EQ(tracker.current(), 16384);  // the gradient
  W.mutable_grad().reset();
  EXPECT_EQ(tracker.current(), 0);
}

TEST(MemoryTracker, SeesTheThreadsOfOurLoops) {
  const int before = at::get_num_threads();
  at::set_num_threads(2);
  std::vector<Tensor> parts(8);
  MemoryTracker tracker;
  ops::for_chunks(8, [&](int64_t i, int64_t) { parts[static_cast<size_t>(i)] = kilobytes(1); });
  EXPECT_EQ(tracker.current(), 8192);
  parts.clear();
  EXPECT_EQ(tracker.current(), 0);
  at::set_num_threads(before);
}

}  // namespace spiketrain::memory_tracker_test
