// Measures on the network itself, not assumed: how well the gradient of the method (rule, schedule, blocks)
// agrees with that of full BPTT (rule bptt, the whole sequence, one block), and what memory a pass takes.
// They leave no trace: gradients are dropped, weights are not touched, running statistics and scores of steps are restored;
// compare_gradients() alone leaves the network in float64.
// Tests: train/guard_test.cpp, train/gradcheck_test.cpp, property/memory_test.cpp.
#pragma once
#include <string>
#include <vector>

#include "spiketrain/train/training.h"

namespace spiketrain {

/// Cosine between two gradients of one layer's weights.
struct LayerCosine {
  std::string spec;
  double cosine;  ///< NaN if one of the gradients is zero
};

/// Most bytes of activations that LibTorch's allocators hold at once in one pass over `samples` training
/// samples; without parameters, their gradients and the input.
int64_t measure_activation_bytes(const Training& training, int64_t samples);

/// The same of a batch of any size, exact if so many samples take at most `work` forward multiply-accumulates (the default:
/// about a second).  Else measured on two smaller batches, of 32 and 48 samples or more, and carried on in a straight line.
int64_t estimate_activation_bytes(const Training& training, int64_t samples, double work = 4e9);

/// On the first `samples` training samples, in one batch, with the present weights.  Rows in the order of the
/// layers, heads excluded.
std::vector<LayerCosine> gradient_cosines(const Training& training, int64_t samples);

/// What compare_gradients() takes for right.
enum class Reference {
  bptt,       ///< full BPTT through the library's kernels
  definition  ///< full BPTT by autograd through every step of the neurons' definitions, kernels switched off
};

/// Two gradients of one parameter.
struct GradientAgreement {
  std::string layer, parameter;  ///< "2 300", "weight"
  double cosine = 0;             ///< NaN if one of them is zero
  double norm_ratio = 0;         ///< |method's| / |reference's|; NaN if the reference is zero
  double error = 0;              ///< |method's - reference's| / |reference's|; 0 if both are zero
};

/// The method's gradient against the reference, in float64, on the first `samples` training samples as the encoder sends
/// them, with the present weights.  Parameters of layers in their order; heads of blocks, which the reference does not
/// have, excluded.
std::vector<GradientAgreement> compare_gradients(const Training& training, int64_t samples,
                                                 Reference reference);

}  // namespace spiketrain
