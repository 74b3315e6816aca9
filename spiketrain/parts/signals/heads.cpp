// Each block learns from a head of its own: the objective's error at the head is its signal.
// Deviation: none.  Tests: unit/head_test.cpp, equiv/blocks_test.cpp.
#include "spiketrain/core/learning_signal.h"

namespace spiketrain {
namespace {

struct Heads final : LearningSignal {
  static constexpr const char* kDoc = "the objective's error at a local head of each block";
  template <class V>
  void visit(V&) {}
  bool uses_heads() const override { return true; }
  void build(const Network& /*network*/, uint64_t /*seed*/) override {}
  Tensor delta(int64_t b, const Tensor& /*error*/, const Target& /*target*/, int64_t /*steps*/,
               const Tensor& /*valid*/, double /*share*/) const override {
    throw UsageError(
        str("learning_signal heads: block ", b, " learns from its head, not from a fixed projection"));
  }
};
ST_REGISTER(LearningSignal, "heads", Heads);

}  // namespace
}  // namespace spiketrain
