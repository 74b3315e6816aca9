// Named tensors compared bit for bit, and copied.
#pragma once
#include <gtest/gtest.h>

#include "spiketrain/core/optimizer.h"

namespace spiketrain {

inline ::testing::AssertionResult same_tensors(const NamedTensors& a, const NamedTensors& b) {
  if (a.size() != b.size())
    return ::testing::AssertionFailure() << a.size() << " and " << b.size() << " tensors";
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].first != b[i].first || !torch::equal(a[i].second, b[i].second)) {
      return ::testing::AssertionFailure() << a[i].first << " differs from " << b[i].first;
    }
  }
  return ::testing::AssertionSuccess();
}

inline NamedTensors copy_of(const NamedTensors& tensors) {
  NamedTensors copy;
  for (const auto& [name, tensor] : tensors) copy.emplace_back(name, tensor.detach().clone());
  return copy;
}

/// Those whose name begins with `prefix`.
inline NamedTensors of(const NamedTensors& tensors, const std::string& prefix) {
  NamedTensors list;
  for (const auto& item : tensors) {
    if (item.first.rfind(prefix, 0) == 0) list.push_back(item);
  }
  return list;
}

}  // namespace spiketrain
