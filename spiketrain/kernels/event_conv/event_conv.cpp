// Convolution of spikes: choice of the instruction set, threads, workspace; contract in event_conv.h.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "spiketrain/kernels/event_conv/event_conv.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "spiketrain/kernels/event_conv/forward-inl.h"
#include "spiketrain/kernels/event_conv/gradient-inl.h"

#if HWY_ONCE
#include <algorithm>
#include <cstring>

#include "spiketrain/kernels/isa.h"

namespace spiketrain::cpu {

HWY_EXPORT(EventConvTiles);
HWY_EXPORT(EventConvPack);
HWY_EXPORT(EventConvForward);
HWY_EXPORT(EventConvList);
HWY_EXPORT(EventConvShare);
HWY_EXPORT(EventConvRuns);
HWY_EXPORT(EventConvUnpack);

namespace {

constexpr int64_t kMostRows = (1 << 16) - 1;

// Bytes of a gradient's workspace.
struct GradientSpace {
  int64_t sums, lists = 0, table = 0, scratch;

  GradientSpace(const EventConvShape& s, const GradientPlan& plan, int64_t planes, int64_t threads)
      : sums(room(plan.sum_floats(s), 4)) {
    if (plan.form == GradientPlan::Form::runs) {
      table = RunTable::bytes(s);
      scratch = room(RunTable::kPixels / 64 * round_up(s.C, 64), 8);
    } else {
      lists = plan.slots * plan.strips(s) * plan.list_bytes(s);
      scratch = std::max(plan.list_scratch(s, planes), plan.share_scratch(s, threads));
    }
  }
  int64_t bytes(int64_t threads) const { return sums + lists + table + threads * scratch; }
};

// Calls f(part) for as many parts, in a team's loop: which thread has which part follows from the loop alone.
template <class F>
void for_parts(int64_t parts, const F& f) {
#pragma omp for schedule(static)
  for (int64_t part = 0; part < parts; ++part) f(part);
}

void clear(float* values, int64_t n, int64_t part, int64_t parts) {
  const int64_t begin = n * part / parts, end = n * (part + 1) / parts;
  std::memset(values + begin, 0, static_cast<size_t>(end - begin) * sizeof(float));
}

}  // namespace

bool event_conv_supported(const EventConvShape& s) {
  if (s.stride < 1 || s.pad < 0 || s.out_h() < 1 || s.out_w() < 1 || s.C < 1 || s.O < 1) return false;
  const bool short_runs = s.full() || (s.kernel_h < kMostRows / 2 && s.kernel_w < kMostRows / 2);
  return short_runs && s.taps() * s.C < kMostRows && s.W * s.C < kMostRows;
}

int64_t event_conv_forward_workspace(const EventConvShape& s, int64_t planes, int64_t threads) {
  const ForwardPlan plan(s, planes);
  return plan.weight_bytes(s) + threads * plan.thread_bytes();
}

int64_t event_conv_gradient_workspace(const EventConvShape& s, int64_t planes, int64_t threads) {
  return GradientSpace(s, GradientPlan(s, planes), planes, threads).bytes(threads);
}

void event_conv_forward(const EventConvShape& s, const BitMaps& x, const float* W, float scale, float* y,
                        void* workspace, int64_t threads) {
  if (s.images == 0) return;
  select_isa();
  const ForwardPlan plan(s, x.planes);
  auto* const weights = static_cast<float*>(workspace);
  char* const lists = static_cast<char*>(workspace) + plan.weight_bytes(s);
  const int64_t tiles = HWY_DYNAMIC_DISPATCH(EventConvTiles)(s.O);
  const int64_t groups = (s.images + plan.group - 1) / plan.group;
#pragma omp parallel num_threads(static_cast <int>(threads)) if (threads > 1)
  {
    for_parts(tiles, [&](int64_t t) { HWY_DYNAMIC_DISPATCH(EventConvPack)(s, plan, W, scale, t, weights); });
    for_parts(threads, [&](int64_t part) {
      const int64_t last = std::min(s.images, groups * (part + 1) / threads * plan.group);
      for (int64_t n = groups * part / threads * plan.group; n < last; n += plan.group)
        HWY_DYNAMIC_DISPATCH(EventConvForward)
      (s, plan, x, weights, n, std::min(last, n + plan.group), lists + part * plan.thread_bytes(), y);
    });
  }
}

void event_conv_gradient(const EventConvShape& s, const BitMaps& x, const float* g, float scale, float* dW,
                         void* workspace, int64_t threads) {
  select_isa();
  const GradientPlan plan(s, x.planes);
  const GradientSpace space(s, plan, x.planes, threads);
  char* const after_sums = static_cast<char*>(workspace) + space.sums;
  auto* const sums = static_cast<float*>(workspace);
  const GradientWork work = {
      g, sums, after_sums, plan.list_bytes(s), plan.strips(s), room(plan.events_most(s), 2)};
  RunTable table(s, after_sums);
  if (plan.form == GradientPlan::Form::runs) table.fill();
  char* const scratch = after_sums + space.lists + space.table;
#pragma omp parallel num_threads(static_cast <int>(threads)) if (threads > 1)
  {
    for_parts(threads, [&](int64_t part) { clear(sums, plan.sum_floats(s), part, threads); });
    if (plan.form == GradientPlan::Form::runs) {
      for_parts(threads, [&](int64_t part) {
        HWY_DYNAMIC_DISPATCH(EventConvRuns)
        (s, table, x, g, s.C * part / threads, s.C * (part + 1) / threads, sums,
         scratch + part * space.scratch);
      });
    }
    for (int64_t first = 0; first < plan.units; first += plan.slots) {
      const int64_t last = std::min(plan.units, first + plan.slots), count = (last - first) * work.strips;
      for_parts(threads, [&](int64_t part) {
        for (int64_t i = count * part / threads; i < count * (part + 1) / threads; ++i)
          HWY_DYNAMIC_DISPATCH(EventConvList)
        (s, plan, x, work, first + i / work.strips, i / work.strips, i % work.strips,
         scratch + part * space.scratch);
      });
      for_parts(threads, [&](int64_t part) {
        HWY_DYNAMIC_DISPATCH(EventConvShare)
        (s, plan, work, first, last, part, threads, scratch + part * space.scratch);
      });
    }
    for_parts((s.O + kWidestTile - 1) / kWidestTile, [&](int64_t tile) {
      HWY_DYNAMIC_DISPATCH(EventConvUnpack)
      (s, plan, table, sums, scale, tile * kWidestTile, std::min(s.O, (tile + 1) * kWidestTile), dW);
    });
  }
}

}  // namespace spiketrain::cpu
#endif  // HWY_ONCE
