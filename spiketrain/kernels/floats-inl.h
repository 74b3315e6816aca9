// Vectors of floats, whole and in part, for kernels that work on rows of channels.
#if defined(SPIKETRAIN_FLOATS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_FLOATS_INL_H
#undef SPIKETRAIN_FLOATS_INL_H
#else
#define SPIKETRAIN_FLOATS_INL_H
#endif

#include <string.h>

#include <cstdint>

#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Float = hn::ScalableTag<float>;
using VF = hn::Vec<Float>;
constexpr int64_t kLanes = HWY_TARGET == HWY_SCALAR ? 1 : HWY_MAX_BYTES / 4;

// The first n numbers, less than a vector of them; the others read as zero and are not written.
HWY_INLINE VF load_part(const float* from, int64_t n) {
#if HWY_TARGET <= HWY_AVX3
  return hn::MaskedLoad(hn::FirstN(Float(), static_cast<size_t>(n)), Float(), from);
#else
  HWY_ALIGN float buffer[kLanes] = {};
  memcpy(buffer, from, static_cast<size_t>(n) * sizeof(float));
  return hn::Load(Float(), buffer);
#endif
}
HWY_INLINE void store_part(VF value, float* to, int64_t n) {
#if HWY_TARGET <= HWY_AVX3
  hn::BlendedStore(value, hn::FirstN(Float(), static_cast<size_t>(n)), Float(), to);
#else
  HWY_ALIGN float buffer[kLanes];
  hn::Store(value, Float(), buffer);
  memcpy(to, buffer, static_cast<size_t>(n) * sizeof(float));
#endif
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
