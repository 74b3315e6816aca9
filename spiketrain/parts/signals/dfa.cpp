// Direct feedback alignment: the last block's error reaches every block through a fixed random matrix of its own,
//   dL/d(output of block b)[t] := e[t] B_b,   e[t] = dL/d(network's output)[t]
// B_b as in signals/projections.h.  send = "sign" (sDFA) sends the direction alone: e[t] := sign(e[t]) / (K N) at each of
// the K steps of a segment, for N samples, which is of the size of the error of a mean loss.  divide_by = "one"
// multiplies either by N.
// Blocks of one layer with the output layer apart (blocks.output) give every hidden layer its matrix.
// Sources: Nokland 2016, "Direct feedback alignment provides learning in deep neural networks"; sign and divisor: the code
// of Apolinario & Roy 2025, S-TLLR (mapolinario94/S-TLLR).
// Deviation: the matrices lead to blocks, which may hold several layers; their size is ours.
// Page: docs/methods/direct-feedback.md.  Tests: unit/learning_signal_test.cpp, engine/signals_test.cpp, golden/rules.
#include "spiketrain/parts/signals/projections.h"

namespace spiketrain {
namespace {

struct DirectFeedback final : LearningSignal {
  static constexpr const char* kDoc = "the output's error times a fixed random matrix for each block (DFA)";
  double scale = 0;
  std::string send = "error", divide_by = "batch";
  template <class V>
  void visit(V& v) {
    v(scale, "scale", "size s of the entries, U(-s, s); 0: 1/sqrt(features of the block)", Range{0, 1e6});
    v(send, "send", "what the matrices multiply: the output's error, or only its sign (sDFA)",
      Choices{{"error", "sign"}});
    v(divide_by, "divide_by", batch_doc(), batch_choices());
  }

  bool reads_error() const override { return true; }
  bool weighed() const override { return send == "error"; }
  void build(const Network& network, uint64_t seed) override { projections_.draw(network, scale, seed); }
  std::vector<Tensor> matrices() const override { return projections_.matrices(); }
  Tensor delta(int64_t b, const Tensor& error, const Target& /*target*/, int64_t steps, const Tensor& valid,
               double share) const override {
    ST_CHECK(error.defined() && error.size(0) == steps, "learning_signal dfa: expected an error of ", steps,
             " steps");
    const auto N = static_cast<double>(error.size(1)) / share;
    Tensor e = error.flatten(2);
    if (send == "sign") e = e.sign() / (static_cast<double>(steps) * N);
    return projections_.project(b, divide_by == "one" ? e * N : e, valid);
  }

 private:
  Projections projections_;
};
ST_REGISTER(LearningSignal, "dfa", DirectFeedback);

}  // namespace
}  // namespace spiketrain
