#include "spiketrain/parts/synapses/complex_map.h"

#include <cmath>

#include "spiketrain/base/math.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/parts/synapses/event_products.h"

namespace spiketrain {
namespace {

/// Least rows of a thread's share of a product.
constexpr int64_t kLeastRows = 48;
constexpr ops::ConvKind kFull = {1, 0, true, false};

/// rows(i, j) of `count` rows times R^T, in shares of the rows.
template <class Rows>
Tensor times(int64_t count, const Rows& rows, const Tensor& R) {
  const Tensor factor = R.t();
  if (!R.is_cpu()) return rows(0, count).mm(factor);
  Tensor out = torch::empty({count, R.size(0)}, R.options().requires_grad(false));
  ops::for_chunks(
      count,
      [&](int64_t i, int64_t j) {
        Tensor part = out.slice(0, i, j);
        at::mm_out(part, rows(i, j), factor);
      },
      kLeastRows);
  return out;
}

}  // namespace

Shape ComplexMap::build_map(const Shape& in, const Shape& grid, const Shape& weight) {
  ST_CHECK((in.size() == 2 || in.size() == 3) && (in[0] == 2 || in[0] == 4), "synapse ", part_name(),
           ": expected complex numbers, [2,M] or [2,M1,M2] (4 for a signed code), got ", at::IntArrayRef(in));
  in_ = in;
  grid_ = grid;
  inputs_ = numel(in) / in[0];
  outputs_ = numel(grid);
  W_ = register_parameter("weight", torch::zeros(weight));
  Shape out = {pairs ? 4 : 2};
  out.insert(out.end(), grid.begin(), grid.end());
  return out;
}

Tensor ComplexMap::real(const Tensor& W) const {
  const torch::NoGradGuard no_grad;
  const Tensor A = matrix(W.detach()), re = A[0], im = A[1];
  const Tensor R = torch::cat({torch::cat({re, -im}, 1), torch::cat({im, re}, 1)});
  return coded() ? torch::cat({R, -R}, 1) : R;
}

Tensor ComplexMap::rows_of(const Tensor& g) const {
  const Tensor rows = g.flatten(0, 1).flatten(1);
  if (!pairs) return rows;
  return rows.slice(1, 0, 2 * outputs_) - rows.slice(1, 2 * outputs_);
}

Tensor ComplexMap::apply(const Signal& x, const Tensor& W) const {
  const Tensor R = real(W);
  const auto dense = [&](const Signal& input) {
    input.prepare();
    const int64_t T = input.steps(), B = input.batch();
    const auto rows = [&](int64_t i, int64_t j) { return input.rows(i, j).flatten(1).to(R.scalar_type()); };
    return times(T * B, rows, R).view({T, B, 2 * outputs_});
  };
  const bool few = by_events(ops::EventProduct::forward, x, R, kFull);
  Tensor z = few ? apply_events(x, R, kFull, dense) : dense(x);
  if (pairs) z = torch::cat({z, -z}, 2);
  std::vector<int64_t> sizes = {z.size(0), z.size(1), pairs ? 4 : 2};
  sizes.insert(sizes.end(), grid_.begin(), grid_.end());
  return z.view(sizes);
}

Tensor ComplexMap::pull(const Tensor& g, const Tensor& W) const {
  const Tensor errors = rows_of(g), back = real(W).t();
  const auto rows = [&](int64_t i, int64_t j) { return errors.slice(0, i, j); };
  std::vector<int64_t> sizes = {g.size(0), g.size(1)};
  sizes.insert(sizes.end(), in_.begin(), in_.end());
  return times(errors.size(0), rows, back).view(sizes);
}

Tensor ComplexMap::outer(const Tensor& g, const Signal& q) const {
  const torch::NoGradGuard no_grad;
  q.prepare();
  const Tensor errors = rows_of(g).t(), x = q.rows(0, errors.size(1)).flatten(1).to(g.scalar_type());
  const auto rows = [&](int64_t i, int64_t j) { return errors.slice(0, i, j); };
  Tensor d = times(errors.size(0), rows, x.t());  // [2*outputs, elements of the input]
  const int64_t n = outputs_, m = inputs_;
  if (coded()) d = d.slice(1, 0, 2 * m) - d.slice(1, 2 * m);
  const Tensor real_rows = d.slice(0, 0, n), imaginary_rows = d.slice(0, n);
  return matrix_gradient(torch::stack({real_rows.slice(1, 0, m) + imaginary_rows.slice(1, m),
                                       imaginary_rows.slice(1, 0, m) - real_rows.slice(1, m)}));
}

double ComplexMap::event_limit(ops::EventProduct product) const {
  if (product == ops::EventProduct::gradient) return 0;
  return ops::event_limit(product, {1, numel(in_), 1, 1, 2 * outputs_, 1, 1, 1, 0}, false);
}

Tensor steering_matrix(const Shape& samples, const Shape& grid) {
  Tensor re = torch::ones({1, 1}, torch::kDouble), im = torch::zeros({1, 1}, torch::kDouble);
  for (size_t k = 0; k < grid.size(); ++k) {
    const Tensor m = torch::arange(samples[k], torch::kDouble).unsqueeze(1),
                 g = torch::arange(grid[k], torch::kDouble).unsqueeze(0);
    const auto G = static_cast<double>(grid[k]), size = std::sqrt(static_cast<double>(samples[k]));
    const Tensor angle = torch::remainder(m * g, G) * (2 * kPi / G), c = angle.cos() / size,
                 s = angle.sin() / size;
    const Tensor real = torch::kron(re, c) - torch::kron(im, s);
    im = torch::kron(re, s) + torch::kron(im, c);
    re = real;
  }
  return torch::stack({re, im});
}

double steering_lipschitz(const Shape& samples, const Shape& grid) {
  return static_cast<double>(numel(grid)) / static_cast<double>(numel(samples));
}

void check_grid(const Shape& samples, const Shape& grid, const std::string& part) {
  const bool dimensions = samples.size() == grid.size() && (grid.size() == 1 || grid.size() == 2);
  ST_CHECK(dimensions, part,
           ": expected one or two dimensions, as many of the grid as of the samples, got a grid of ",
           at::IntArrayRef(grid), " for samples of ", at::IntArrayRef(samples));
  for (size_t k = 0; k < grid.size(); ++k)
    ST_CHECK(samples[k] >= 1 && grid[k] >= samples[k], part,
             ": expected at least as many points of the grid as samples, got ", grid[k], " for ", samples[k]);
}

}  // namespace spiketrain
