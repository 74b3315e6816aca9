// Fixed random matrices from the network's output to the output of each block: what direct feedback signals share.
//   B_b [outputs, features of block b], drawn from U(-s, s), stream (seed, feedback, 2^32 | b)
// s is `scale`; 0 stands for 1/sqrt(features of the block), the size of a readout's weights with init "uniform".
// And the option both have: what they divide by, as the loss is a mean over the batch and the papers' codes sum.
#pragma once
#include <vector>

#include "spiketrain/core/learning_signal.h"

namespace spiketrain {

inline Choices batch_choices() { return {{"batch", "one"}}; }
inline const char* batch_doc() {
  return "batch: the signal is divided by the number of samples, like a mean loss; one: it is not, as in the released code of S-TLLR";
}

class Projections {
 public:
  /// For every block but the last.
  void draw(const Network& network, double scale, uint64_t seed);
  /// e B_b.  e [K,N,outputs] -> [K,N,*shape of block b]; zeros at padding, valid [K,N] bool, undefined: none.
  /// UsageError if b is not one of the blocks, or e has other outputs.
  Tensor project(int64_t b, const Tensor& e, const Tensor& valid) const;
  /// B_b [outputs, features].  UsageError if b is not one of the blocks.
  const Tensor& matrix(int64_t b) const;
  const std::vector<Tensor>& matrices() const { return matrices_; }

 private:
  std::vector<Tensor> matrices_;
  std::vector<Shape> shapes_;
};

}  // namespace spiketrain
