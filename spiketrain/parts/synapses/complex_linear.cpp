// Complex fully connected synapse: z = W x, W [2, points of the grid, samples], real and imaginary part.
// Its weights begin as ISTA's, A^H/L with the steering matrix A and L the greatest eigenvalue of A^H A (complex_map.h).
// Source: S-LISTA as the abstract of arXiv 2412.04008 has it; ISTA: Daubechies, Defrise, De Mol 2004.  Deviation: none.
// Tests: grad/synapse_test.cpp, golden/slista_test.cpp.
#include "spiketrain/parts/synapses/complex_map.h"

namespace spiketrain {
namespace {

struct ComplexLinear final : ComplexMap {
  static constexpr const char* kDoc =
      "complex fully connected, from samples to a grid of frequencies; begins as ISTA's";
  std::vector<int64_t> grid = {64};
  template <class V>
  void visit(V& v) {
    v(grid, "grid", "points of the frequency grid, one or two sides");
    visit_pairs(v);
  }
  Shape build(const Shape& in) override {
    const Shape samples(in.begin() + (in.empty() ? 0 : 1), in.end());
    check_grid(samples, grid, "synapse complex_linear");
    return build_map(in, grid, {2, numel(grid), numel(samples)});
  }
  void initialise(uint64_t /*seed*/, uint64_t /*index*/) override {
    const Shape samples(in_.begin() + 1, in_.end());
    const Tensor A = steering_matrix(samples, grid) / steering_lipschitz(samples, grid);
    W_.copy_(torch::stack({A[0].t(), -A[1].t()}));
  }
  std::string notation() const override { return std::to_string((pairs ? 4 : 2) * outputs_); }

 protected:
  Tensor matrix(const Tensor& W) const override { return W; }
  Tensor matrix_gradient(const Tensor& g) const override { return g; }
};
ST_REGISTER(Synapse, "complex_linear", ComplexLinear);

}  // namespace
}  // namespace spiketrain
