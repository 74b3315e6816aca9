// Products of spikes with weights and with errors; contract in kernels/event_conv/event_conv.h.
// Tests: equiv/event_conv_test.cpp.
#pragma once
#include "spiketrain/ops/spike_bits.h"

namespace spiketrain::ops {

/// A convolution, or with `full` a fully connected layer that reads maps in C, H, W order.
struct ConvKind {
  int64_t stride = 1, pad = 0;
  bool full = false;
  bool mixed = false;  ///< the dense way would be in bfloat16, where the processor multiplies that
};

/// How products of spikes are made: whichever takes less time, or always one way.
enum class Products { automatic, events, dense };
/// Of the whole process; automatic at first.
void use_products(Products way);
Products products_in_use();
/// While one of these lives, that way, then the one before.
class WithProducts {
 public:
  explicit WithProducts(Products way) : before_(products_in_use()) { use_products(way); }
  ~WithProducts() { use_products(before_); }
  WithProducts(const WithProducts&) = delete;
  WithProducts& operator=(const WithProducts&) = delete;

 private:
  Products before_;
};

/// Which product.
enum class EventProduct { forward, gradient };

/// Whether the additions of these spikes take less time than the dense product: of W [O,C,kh,kw], or [O,inputs] if full.
/// False where the kernels cannot do it: other types than float, other devices, more rows than a list can name.
bool event_pays(EventProduct product, const Bits& x, int64_t total, const Tensor& W, const ConvKind& kind);

/// scale * W x, for x of this sum: [T,B,O,oh,ow] channels last, or [T,B,O].
Tensor event_forward(const Bits& x, int64_t total, const Tensor& W, const ConvKind& kind, double scale);
/// scale * sum g (x) x, shaped like W; g as event_forward gives it.
Tensor event_gradient(const Bits& x, int64_t total, const Tensor& g, at::IntArrayRef W, const ConvKind& kind,
                      double scale);

}  // namespace spiketrain::ops
