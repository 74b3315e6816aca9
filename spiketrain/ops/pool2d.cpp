#include "spiketrain/ops/pool2d.h"

#include "spiketrain/kernels/pool2d/pool2d.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/layout.h"
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

cpu::Pool2dShape planes(at::IntArrayRef shape, int64_t k, double scale, bool last) {
  cpu::Pool2dShape planes;
  planes.H = shape[shape.size() - 2];
  planes.W = shape[shape.size() - 1];
  planes.M = 1;
  for (size_t i = 0; i + 2 < shape.size(); ++i) planes.M *= shape[i];
  planes.k = k;
  planes.scale = scale;
  if (last) {
    planes.C = shape[shape.size() - 3];
    planes.M /= planes.C;
  }
  return planes;
}

struct WindowSum : torch::autograd::Function<WindowSum> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, int64_t k, double scale) {
    ctx->saved_data["k"] = k;
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["shape"] = x.sizes().vec();
    const bool last = channels_last(x);
    Tensor y = laid_empty(pooled(x.sizes(), k), x.options(), last);
    AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "window_sum", [&] {
      cpu::pool2d_forward(planes(x.sizes(), k, scale, last), pointer<scalar_t>(laid(x, last)),
                          pointer<scalar_t>(laid(y, last)));
    });
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    return {window_spread(grads[0], ctx->saved_data["shape"].toIntVector(), ctx->saved_data["k"].toInt(),
                          ctx->saved_data["scale"].toDouble()),
            Tensor(), Tensor()};
  }
};

}  // namespace

Tensor window_spread(const Tensor& g_in, at::IntArrayRef shape, int64_t k, double scale) {
  const bool last = channels_last(g_in);
  const Tensor g = laid(g_in, last);
  Tensor g_x = laid_empty(shape, g.options(), last);
  if (!has_kernel(g)) {
    g_x.zero_();
    const int64_t H = g_in.size(-2), W = g_in.size(-1);
    g_x.slice(-2, 0, H * k)
        .slice(-1, 0, W * k)
        .copy_((g_in * scale).repeat_interleave(k, -2).repeat_interleave(k, -1));
    return g_x;
  }
  AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "window_spread", [&] {
    cpu::pool2d_backward(planes(shape, k, scale, last), pointer<scalar_t>(g),
                         pointer<scalar_t>(laid(g_x, last)));
  });
  return g_x;
}

Tensor window_sum(const Tensor& x, int64_t k, double scale) {
  ST_CHECK(k >= 1 && x.dim() >= 3 && x.size(-1) >= k && x.size(-2) >= k,
           "pooling: expected maps of at least ", k, "x", k, ", got ", x.sizes());
  if (has_kernel(x)) return WindowSum::apply(channels_last(x) ? x : x.contiguous(), k, scale);
  const Tensor flat = x.reshape({-1, 1, x.size(-2), x.size(-1)});
  const Tensor y = torch::avg_pool2d(flat, {k, k}) * (scale * static_cast<double>(k * k));
  return y.view(pooled(x.sizes(), k));
}

}  // namespace spiketrain::ops
