// Direct feedback alignment: the last block's error reaches every block through a fixed random matrix of its own,
//   dL/d(output of block b)[t] := e[t] B_b,   e[t] = dL/d(network's output)[t]
// B_b as in signals/projections.h.
// Source: Nokland 2016, "Direct feedback alignment provides learning in deep neural networks".
// Deviation: the matrices lead to blocks, which may hold several layers; their size is ours.
// Tests: unit/learning_signal_test.cpp.
#include "spiketrain/parts/signals/projections.h"

namespace spiketrain {
namespace {

struct DirectFeedback final : LearningSignal {
  static constexpr const char* kDoc = "the output's error times a fixed random matrix for each block (DFA)";
  double scale = 0;
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "size s of the entries, U(-s, s); 0: 1/sqrt(features of the block)", Range{0, 1e6});
  }

  bool reads_error() const override { return true; }
  void build(const Network& network, uint64_t seed) override { projections_.draw(network, scale, seed); }
  Tensor delta(int64_t b, const Tensor& error, const Target& /*target*/, int64_t steps,
               const Tensor& valid) const override {
    ST_CHECK(error.defined() && error.size(0) == steps, "learning_signal dfa: expected an error of ", steps,
             " steps");
    return projections_.project(b, error.flatten(2), valid);
  }

 private:
  Projections projections_;
};
ST_REGISTER(LearningSignal, "dfa", DirectFeedback);

}  // namespace
}  // namespace spiketrain
