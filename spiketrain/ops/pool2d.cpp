#include "spiketrain/ops/pool2d.h"

#include "spiketrain/kernels/pool2d/pool2d.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// H and W divided by k.
std::vector<int64_t> pooled(at::IntArrayRef from, int64_t k) {
  std::vector<int64_t> shape = from.vec();
  shape.end()[-2] /= k;
  shape.end()[-1] /= k;
  return shape;
}

struct WindowSum : torch::autograd::Function<WindowSum> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, int64_t k, double scale) {
    ctx->saved_data["k"] = k;
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["shape"] = x.sizes().vec();
    Tensor y = torch::empty(pooled(x.sizes(), k), x.options());
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "window_sum", [&] {
      cpu::pool2d_forward(planes(x.sizes(), k, scale), pointer<scalar_t>(x), pointer<scalar_t>(y));
    });
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Tensor g = grads[0].contiguous();
    const std::vector<int64_t> shape = ctx->saved_data["shape"].toIntVector();
    Tensor g_x = torch::empty(shape, g.options());
    AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "window_sum", [&] {
      cpu::pool2d_backward(planes(shape, ctx->saved_data["k"].toInt(), ctx->saved_data["scale"].toDouble()),
                           pointer<scalar_t>(g), pointer<scalar_t>(g_x));
    });
    return {g_x, Tensor(), Tensor()};
  }
  static cpu::Pool2dShape planes(at::IntArrayRef shape, int64_t k, double scale) {
    cpu::Pool2dShape planes;
    planes.H = shape[shape.size() - 2];
    planes.W = shape[shape.size() - 1];
    planes.M = 1;
    for (size_t i = 0; i + 2 < shape.size(); ++i) planes.M *= shape[i];
    planes.k = k;
    planes.scale = scale;
    return planes;
  }
};

}  // namespace

Tensor window_sum(const Tensor& x, int64_t k, double scale) {
  ST_CHECK(k >= 1 && x.dim() >= 3 && x.size(-1) >= k && x.size(-2) >= k,
           "pooling: expected maps of at least ", k, "x", k, ", got ", x.sizes());
  if (has_kernel(x)) return WindowSum::apply(x.contiguous(), k, scale);
  const Tensor flat = x.reshape({-1, 1, x.size(-2), x.size(-1)});
  const Tensor y = torch::avg_pool2d(flat, {k, k}) * (scale * static_cast<double>(k * k));
  return y.view(pooled(x.sizes(), k));
}

}  // namespace spiketrain::ops
