#include "spiketrain/ops/reduce.h"

#include <algorithm>
#include <vector>

#include "spiketrain/base/check.h"
#include "spiketrain/kernels/combine_rows/combine_rows.h"
#include "spiketrain/kernels/reduce/reduce.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {

double sum_squares(const torch::Tensor& x) {
  if (!has_kernel(x)) return x.to(torch::kDouble).square().sum().item<double>();
  const Tensor flat = x.contiguous();
  return AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "sum_squares",
                                    [&] { return cpu::sum_squares(pointer<scalar_t>(flat), flat.numel()); });
}

namespace {

/// Leading dimensions of [T,*] after the first that are rows for threads to share.
int64_t shared_rows(const torch::Tensor& x) {
  constexpr int64_t kEnough = 16;
  int64_t rows = 1;
  for (int64_t d = 1; d < x.dim() && rows < kEnough; ++d) rows *= x.size(d);
  return rows;
}

}  // namespace

torch::Tensor sum_steps(const torch::Tensor& x_in, const torch::Tensor& weights) {
  ST_CHECK(x_in.dim() >= 1 && x_in.size(0) >= 1 && weights.numel() == x_in.size(0),
           "sum_steps: expected steps [T,*] and as many weights");
  const Tensor of_steps = weights.to(torch::kCPU, torch::kDouble);
  const double* weight = of_steps.data_ptr<double>();
  if (!has_kernel(x_in)) {
    Tensor sum = x_in[0] * weight[0];
    for (int64_t t = 1; t < x_in.size(0); ++t) sum.add_(x_in[t], weight[t]);
    return sum;
  }
  const bool last = channels_last(x_in);
  const Tensor x = laid(x_in, last), sum = torch::empty(x.sizes().slice(1), x.options());
  const int64_t rows = shared_rows(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "sum_steps", [&] {
    cpu::RowSum<scalar_t> total;
    total.out = pointer<scalar_t>(sum);
    for (int64_t t = 0; t < x.size(0); ++t)
      total.terms.push_back(
          {pointer<scalar_t>(x) + t * sum.numel(), rows, nullptr, static_cast<scalar_t>(weight[t])});
    if (sum.numel() > 0) cpu::combine_rows<scalar_t>(rows, sum.numel() / rows, {total});
  });
  return unlaid(sum, last);
}

torch::Tensor spread_steps(const torch::Tensor& image_in, const torch::Tensor& gain) {
  const bool last = channels_last(image_in), by_kernel = has_kernel(image_in) && image_in.numel() > 0;
  const Tensor image = laid(image_in, last);
  std::vector<int64_t> sizes = image.sizes().vec(), ones(sizes.size(), 1);
  sizes[0] = ones[0] = gain.size(0);
  if (!by_kernel) return unlaid(image * gain.view(ones), last);
  const Tensor spreaded = torch::empty(sizes, image.options());
  const int64_t rows = shared_rows(image), each = image.numel() / std::max<int64_t>(1, rows);
  const Tensor factors = gain.unsqueeze(1).expand({gain.size(0), rows}).contiguous();
  AT_DISPATCH_FLOATING_TYPES(image.scalar_type(), "spread_steps", [&] {
    cpu::RowSum<scalar_t> sum;
    sum.out = pointer<scalar_t>(spreaded);
    sum.terms = {{pointer<scalar_t>(image), rows, pointer<scalar_t>(factors), 1}};
    cpu::combine_rows<scalar_t>(factors.numel(), each, {sum});
  });
  return unlaid(spreaded, last);
}

/// Chunks of the leading dimensions, which are summed as a whole, added in order.
torch::Tensor sum_to(const torch::Tensor& x, at::IntArrayRef sizes) {
  if (x.sizes() == sizes) return x;
  const int64_t leading = x.dim() - static_cast<int64_t>(sizes.size());
  if (!x.is_cpu() || leading < 1 || x.numel() == 0) {
    const OneThread one_thread;
    return at::sum_to(x, sizes);
  }
  constexpr int64_t kMinElements = 1 << 15;
  const Tensor rows = leading == 1 ? x : x.flatten(0, leading - 1);
  if (rows.numel() == 0) return at::sum_to(rows, sizes);
  const int64_t M = rows.size(0), least = std::max<int64_t>(1, kMinElements * M / rows.numel());
  const int64_t size = chunk_size(M, least);
  std::vector<Tensor> parts(static_cast<size_t>((M + size - 1) / size));
  for_chunks(
      M,
      [&](int64_t i, int64_t j) {
        parts[static_cast<size_t>(i / size)] = at::sum_to(rows.slice(0, i, j), sizes);
      },
      least);
  Tensor sum = parts[0];
  for (size_t k = 1; k < parts.size(); ++k) sum = sum + parts[k];
  return sum;
}

}  // namespace spiketrain::ops
