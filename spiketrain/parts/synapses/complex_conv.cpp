// Complex circular convolution over a grid of one or two dimensions, with a kernel as large as the grid:
//   z[g] = sum_h kernel[(g-h) mod G] x[h],  kernel [2,*grid], real and imaginary part
// The product with A^H A of a uniform grid is one, so that ISTA's step b + A^H(y - A b)/L is b's part in it: the kernel begins as
// delta - (first column of A^H A)/L (complex_map.h).
// Source: S-LISTA as the abstract of arXiv 2412.04008 has it.  Deviation: none.
// Tests: grad/synapse_test.cpp, golden/slista_test.cpp.
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/parts/synapses/complex_map.h"

namespace spiketrain {
namespace {

struct ComplexConv final : ComplexMap {
  static constexpr const char* kDoc =
      "complex circular convolution over a grid of frequencies; begins as ISTA's";
  std::vector<int64_t> samples = {16};
  template <class V>
  void visit(V& v) {
    v(samples, "samples", "samples of the signal, which the initial kernel follows from, one or two sides");
    visit_pairs(v);
  }
  Shape build(const Shape& in) override {
    const Shape grid(in.begin() + (in.empty() ? 0 : 1), in.end());
    check_grid(samples, grid, "synapse complex_conv");
    Shape weight = {2};
    weight.insert(weight.end(), grid.begin(), grid.end());
    const Shape out = build_map(in, grid, weight);
    from_ = offsets(/*sign=*/-1).flatten();
    to_ = (offsets(/*sign=*/1) * outputs_ + torch::arange(outputs_)).flatten();
    return out;
  }
  void initialise(uint64_t /*seed*/, uint64_t /*index*/) override {
    const Tensor A = steering_matrix(samples, grid_);
    const Tensor first = A[0].slice(1, 0, 1);  // its imaginary part is 0
    Tensor kernel =
        torch::stack({-A[0].t().mm(first), A[1].t().mm(first)}) / steering_lipschitz(samples, grid_);
    kernel[0][0] += 1;
    W_.copy_(kernel.view(W_.sizes()));
  }
  std::string notation() const override { return std::to_string((pairs ? 4 : 2) * outputs_); }

 protected:
  Tensor matrix(const Tensor& W) const override {
    return W.flatten(1).index_select(1, from_.to(W.device())).view({2, outputs_, outputs_});
  }
  Tensor matrix_gradient(const Tensor& g) const override {
    const ops::OneThread one_thread;
    const Tensor each = g.flatten(1).index_select(1, to_.to(g.device())).view({2, outputs_, outputs_});
    return each.sum(2).view(W_.sizes());
  }

 private:
  /// [g,h]: the point (g + sign*h) mod G, both of one or two dimensions.
  Tensor offsets(int64_t sign) const {
    Tensor flat = torch::zeros({1, 1}, torch::kLong);
    for (const int64_t G : grid_) {
      const Tensor i = torch::arange(G);
      const Tensor one = torch::remainder(i.unsqueeze(1) + sign * i.unsqueeze(0), G);
      const int64_t n = flat.size(0);
      flat = (flat.view({n, 1, n, 1}) * G + one.view({1, G, 1, G})).reshape({n * G, n * G});
    }
    return flat;
  }

  Tensor from_,
      to_;  ///< of A[g,h] the kernel's element; of kernel[k] the elements of A, (k + h, h) for all h
};
ST_REGISTER(Synapse, "complex_conv", ComplexConv);

}  // namespace
}  // namespace spiketrain
