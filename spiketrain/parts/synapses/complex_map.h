// Complex linear maps as real ones: what complex_linear and complex_conv share.  A complex number is a pair of real ones.
//   inputs   [2,*]  real parts, imaginary parts;   [4,*]  a signed code: the same, then the same of the other sign
//   outputs  [2,*grid], or with `pairs` [4,*grid]: (z, -z), the currents of neurons that send a signed code
//   z = A x with a complex matrix A:   (Re z)   (Re A  -Im A) (Re x)
//                                      (Im z) = (Im A   Re A) (Im x),    products without conjugation
// Spikes that are few enough: the event-driven kernels; others, and real numbers: matrix products on fixed chunks.
// A multiply-accumulate is counted once for each real membrane, not for both signs of it.
// Tests: grad/synapse_test.cpp, golden/slista_test.cpp.
#pragma once
#include <vector>

#include "spiketrain/core/synapse.h"

namespace spiketrain {

struct ComplexMap : Synapse {
  bool pairs = false;

  template <class V>
  void visit_pairs(V& v) {
    v(pairs, "pairs",
      "outputs come twice, the second time with the sign changed, for neurons that send a signed code");
  }
  Tensor weight() override { return W_; }
  Tensor apply(const Signal& x, const Tensor& W) const override;
  Tensor pull(const Tensor& g, const Tensor& W) const override;
  Tensor outer(const Tensor& g, const Signal& q) const override;
  double event_limit(ops::EventProduct product) const override;
  int64_t macs() const override { return 2 * outputs_ * numel(in_); }

 protected:
  /// To be called by build(): shape of the input, and of the grid, one or two sides; registers the weight.
  Shape build_map(const Shape& in, const Shape& grid, const Shape& weight);
  /// A [2,outputs,inputs] of the weight: real part, imaginary part.
  virtual Tensor matrix(const Tensor& W) const = 0;
  /// dL/dW from dL/dA [2,outputs,inputs].
  virtual Tensor matrix_gradient(const Tensor& g) const = 0;

  Shape in_, grid_;
  int64_t inputs_ = 0, outputs_ = 0;  ///< complex
  Tensor W_;

 private:
  bool coded() const { return in_[0] == 4; }
  /// The real matrix [2*outputs, elements of the input].
  Tensor real(const Tensor& W) const;
  /// [T,B,*out] -> [T*B, 2*outputs]
  Tensor rows_of(const Tensor& g) const;
};

/// Steering matrix of a uniform line or, as Kronecker product, of a rectangle of samples: A [2, samples, grid],
///   A[m,g] = prod over dimensions of exp(2 pi i m g/G)/sqrt(M),  the first dimension slowest; in double
Tensor steering_matrix(const Shape& samples, const Shape& grid);
/// The greatest eigenvalue of A^H A, for grids with at least as many points as samples in each dimension: prod G/M.
double steering_lipschitz(const Shape& samples, const Shape& grid);
/// UsageError unless there are one or two dimensions, as many of both, and no side of the grid is below that of the samples.
void check_grid(const Shape& samples, const Shape& grid, const std::string& part);

}  // namespace spiketrain
