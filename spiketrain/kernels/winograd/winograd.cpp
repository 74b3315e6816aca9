// Winograd's convolution: choice of the instruction set, threads, workspace; contract in winograd.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spiketrain/kernels/winograd/winograd.cpp"
#include <type_traits>

#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "spiketrain/kernels/winograd/winograd-inl.h"

#if HWY_ONCE
#include "spiketrain/kernels/isa.h"

namespace spiketrain::cpu {

HWY_EXPORT(WinogradPack);
HWY_EXPORT(WinogradBlock);
HWY_EXPORT(WinogradMultipliesBf16);

bool winograd_has_bf16() {
  select_isa();
#if HWY_ARCH_X86_64
  return HWY_DYNAMIC_DISPATCH(WinogradMultipliesBf16)() && __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

int64_t winograd_kernel_floats(const WinogradShape& s) { return WinogradPlan(s).kernel_floats(); }

void winograd_kernels(const WinogradShape& s, const Kernels3x3& K, float* kernels, int64_t threads) {
  select_isa();
  const WinogradPlan plan(s);
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(threads)) if (threads > 1)
  for (int64_t i = 0; i < plan.panels() * plan.terms; ++i)
    HWY_DYNAMIC_DISPATCH(WinogradPack)(s, plan, K, i / plan.terms, i % plan.terms, kernels);
}

int64_t winograd_workspace(const WinogradShape& s, int64_t threads) {
  return threads * WinogradPlan(s).thread_floats() * static_cast<int64_t>(sizeof(float));
}

void winograd(const WinogradShape& s, const float* x, const float* kernels, float* y, void* workspace,
              int64_t threads) {
  if (s.images == 0) return;
  select_isa();
  const WinogradPlan plan(s);
  auto* const space = static_cast<float*>(workspace);
#pragma omp parallel for schedule(static) num_threads(static_cast <int>(threads)) if (threads > 1)
  for (int64_t part = 0; part < threads; ++part) {
    for (int64_t b = plan.blocks() * part / threads; b < plan.blocks() * (part + 1) / threads; ++b)
      HWY_DYNAMIC_DISPATCH(WinogradBlock)(s, plan, x, kernels, b, space + part * plan.thread_floats(), y);
  }
}

}  // namespace spiketrain::cpu
#endif  // HWY_ONCE
