#include "spiketrain/ops/event_conv.h"

#include <omp.h>

#include <atomic>

#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/event_limit.h"
#include "spiketrain/ops/pointer.h"
#include "spiketrain/ops/workspace.h"

namespace spiketrain::ops {
namespace {

cpu::EventConvShape shape_of(const Bits& x, at::IntArrayRef W, const ConvKind& kind) {
  cpu::EventConvShape s;
  const bool maps = x.sizes.size() == 5;
  s.images = x.images();
  s.C = maps ? x.sizes[2] : x.sites();
  s.H = maps ? x.sizes[3] : 1;
  s.W = maps ? x.sizes[4] : 1;
  s.O = W[0];
  s.kernel_h = kind.full ? s.H : W[2];
  s.kernel_w = kind.full ? s.W : W[3];
  s.stride = kind.stride;
  s.pad = kind.pad;
  return s;
}

/// Threads for so many spikes: waking others costs as much as some millions of additions, and the lists of a pixel as much as a
/// thousand.
int64_t threads_for(const cpu::EventConvShape& s, int64_t total) {
  const auto pixels = static_cast<double>(s.H * s.W);
  const double each = static_cast<double>(s.out_h() * s.out_w() * s.taps() * s.O) / pixels;
  const double lists = s.full() ? 0 : static_cast<double>(s.images) * pixels * 1024;
  return static_cast<double>(total) * each + lists < (1 << 23) ? 1 : omp_get_max_threads();
}

std::atomic<Products> products{Products::automatic};

}  // namespace

void use_products(Products way) { products = way; }
Products products_in_use() { return products; }

bool event_pays(EventProduct product, const Bits& x, int64_t total, const Tensor& W, const ConvKind& kind) {
  if (!x.defined() || !has_kernel(W) || W.scalar_type() != torch::kFloat || x.images() * x.sites() == 0)
    return false;
  const cpu::EventConvShape s = shape_of(x, W.sizes(), kind);
  if (products == Products::dense || !cpu::event_conv_supported(s)) return false;
  // Lists of many inputs that may hold high counts would be longer than the work is worth.
  constexpr int64_t kMost = int64_t{256} << 20;
  constexpr int64_t threads = 8;  // whatever there are: the choice must not depend on them
  if (std::max(cpu::event_conv_forward_workspace(s, x.planes, threads),
               cpu::event_conv_gradient_workspace(s, x.planes, threads)) > kMost)
    return false;
  if (products == Products::events) return true;
  const double density = static_cast<double>(total) / static_cast<double>(x.images() * x.sites());
  return density < event_limit(product, s, kind.mixed && has_bf16());
}

Tensor event_forward(const Bits& x, int64_t total, const Tensor& W_in, const ConvKind& kind, double scale) {
  const Tensor W = W_in.contiguous();
  const cpu::EventConvShape s = shape_of(x, W.sizes(), kind);
  const int64_t threads = threads_for(s, total);
  Tensor y = kind.full ? torch::empty({x.sizes[0], x.sizes[1], s.O}, W.options())
                       : laid_empty({x.sizes[0], x.sizes[1], s.O, s.out_h(), s.out_w()}, W.options(), true);
  void* const space = workspace(cpu::event_conv_forward_workspace(s, x.planes, threads));
  cpu::event_conv_forward(s, x.maps(), W.data_ptr<float>(), static_cast<float>(scale),
                          laid(y, !kind.full).data_ptr<float>(), space, threads);
  return y;
}

Tensor event_gradient(const Bits& x, int64_t total, const Tensor& g_in, at::IntArrayRef W,
                      const ConvKind& kind, double scale) {
  const Tensor g = laid(g_in, !kind.full);
  const cpu::EventConvShape s = shape_of(x, W, kind);
  const int64_t threads = threads_for(s, total);
  Tensor g_W = torch::empty(W, g.options());
  void* const space = workspace(cpu::event_conv_gradient_workspace(s, x.planes, threads));
  cpu::event_conv_gradient(s, x.maps(), g.data_ptr<float>(), static_cast<float>(scale), g_W.data_ptr<float>(),
                           space, threads);
  return g_W;
}

}  // namespace spiketrain::ops
