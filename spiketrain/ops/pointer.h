// Tensors as the kernels take them.
#pragma once
#include "spiketrain/base/check.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain::ops {

/// Elements of a contiguous tensor; null if it is undefined.  UsageError if it is not contiguous.
template <class R>
R* pointer(const torch::Tensor& x) {
  if (!x.defined()) return nullptr;
  ST_CHECK(x.is_contiguous(), "op: expected a contiguous tensor, got strides ", x.strides());
  return x.data_ptr<R>();
}

/// The tensor in contiguous memory; undefined if it is.
inline torch::Tensor contiguous(const torch::Tensor& x) { return x.defined() ? x.contiguous() : x; }

/// UsageError unless an array that an op writes in place is undefined or is of this shape and type, and contiguous.
inline void check_output(const torch::Tensor& x, const torch::Tensor& like, torch::ScalarType type,
                         const char* name) {
  ST_CHECK(!x.defined() || (x.sizes() == like.sizes() && x.scalar_type() == type && x.is_contiguous()), name,
           ": expected a contiguous tensor of shape ", like.sizes(), " and type ", type);
}

}  // namespace spiketrain::ops
