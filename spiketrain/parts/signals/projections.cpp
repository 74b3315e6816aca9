#include "spiketrain/parts/signals/projections.h"

#include <cmath>

#include "spiketrain/core/initialise.h"
#include "spiketrain/ops/chunks.h"

namespace spiketrain {
namespace {

/// [M,K] times [K,N], shared by rows, so that the bits do not depend on the number of threads.
Tensor product(const Tensor& x, const Tensor& y) {
  if (!x.is_cpu()) return x.mm(y);
  Tensor out = torch::empty({x.size(0), y.size(1)}, x.options());
  ops::for_chunks(x.size(0), [&](int64_t i, int64_t j) {
    Tensor rows = out.slice(0, i, j);
    at::mm_out(rows, x.slice(0, i, j), y);
  });
  return out;
}

}  // namespace

void Projections::draw(const Network& network, double scale, uint64_t seed) {
  matrices_.clear();
  shapes_.clear();
  const std::vector<Tensor> parameters = network.parameters();
  const auto options = parameters.empty() ? torch::TensorOptions() : parameters[0].options();
  for (int64_t b = 0; b + 1 < network.blocks(); ++b) {
    shapes_.push_back(network.block_shape(b));
    const int64_t features = numel(shapes_.back());
    const double s = scale > 0 ? scale : 1 / std::sqrt(static_cast<double>(features));
    const Tensor B = torch::empty({numel(network.out_shape()), features}, options);
    draw_uniform(B, s, Rng(seed, Purpose::feedback, (uint64_t{1} << 32) | static_cast<uint64_t>(b)));
    matrices_.push_back(B);
  }
}

const Tensor& Projections::matrix(int64_t b) const {
  ST_CHECK(b >= 0 && b < static_cast<int64_t>(matrices_.size()), "learning signal: no block ", b,
           "; there are ", matrices_.size(), " below the last");
  return matrices_[static_cast<size_t>(b)];
}

Tensor Projections::project(int64_t b, const Tensor& e, const Tensor& valid) const {
  const Tensor& B = matrix(b);
  ST_CHECK(e.defined() && e.dim() == 3 && e.size(2) == B.size(0), "learning signal: expected [K,B,",
           B.size(0), "] for block ", b);
  const torch::NoGradGuard no_grad;
  Tensor delta = product(e.flatten(0, 1), B.to(e.options()));
  if (valid.defined()) delta = delta * valid.flatten().unsqueeze(1);
  std::vector<int64_t> shape = {e.size(0), e.size(1)};
  const Shape& block = shapes_[static_cast<size_t>(b)];
  shape.insert(shape.end(), block.begin(), block.end());
  return delta.view(shape);
}

}  // namespace spiketrain
