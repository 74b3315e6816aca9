// Tensors as the kernels take them.
#pragma once
#include "spiketrain/base/check.h"
#include "spiketrain/ops/layout.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {

/// Elements of a contiguous tensor; null if it is undefined.  UsageError if it is not contiguous.
template <class R>
R* pointer(const torch::Tensor& x) {
  if (!x.defined()) return nullptr;
  ST_CHECK(x.is_contiguous(), "op: expected a contiguous tensor, got strides ", x.strides());
  return x.data_ptr<R>();
}

/// An array that an op writes in place, as laid() gives it; undefined if x is.  UsageError unless it is of this shape and type and
/// lies so.
inline torch::Tensor output(const torch::Tensor& x, at::IntArrayRef sizes, torch::ScalarType type, bool last,
                            const char* name) {
  if (!x.defined()) return x;
  const torch::Tensor y = last ? x.movedim(-3, -1) : x;
  ST_CHECK(x.sizes() == sizes && x.scalar_type() == type && y.is_contiguous(), name,
           ": expected a tensor of shape ", sizes, " and type ", type, ", ",
           last ? "channels last" : "contiguous");
  return y;
}

/// Memory for an error signal in the layout of the membrane potential, `laid` of it being u: that of `given`, or new.
inline torch::Tensor credit_memory(const torch::Tensor& given, const torch::Tensor& membrane,
                                   const torch::Tensor& u, bool last) {
  if (!given.defined()) return torch::empty_like(u);
  return output(given, membrane.sizes(), u.scalar_type(), last, "credit");
}

}  // namespace spiketrain::ops
