// Forward product of spikes, compiled once per instruction set; contract in event_conv.h.  Two forms:
//   slide   kernels of 3x3 and 5x5, stride 1.  The spikes of an input column, of all rows that an output row reads, are one
//           list.  Each adds the kernel's rows of weights, side by side in memory, to the sums of the output columns it
//           feeds; then these move on by one: a sum stays in registers from its first to its last input column.
//   gather  any other kernel, and fully connected layers: one list for each output pixel.
// Lists are made once for an image and serve all tiles of output channels.
#if defined(SPIKETRAIN_EVENT_FORWARD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_EVENT_FORWARD_INL_H
#undef SPIKETRAIN_EVENT_FORWARD_INL_H
#else
#define SPIKETRAIN_EVENT_FORWARD_INL_H
#endif

#include <type_traits>

#include "spiketrain/kernels/event_conv/plan.h"
#include "spiketrain/kernels/event_conv/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {

// Lists of a thread: of each pixel, and those that the products walk.
struct Lists {
  uint16_t *pixel_events, *events;
  uint32_t *pixel_begin, *begin;

  Lists(const ForwardPlan& plan, char* workspace) {
    Carver carver{workspace};
    pixel_events = carver.take<uint16_t>(plan.pixel_events + kSlack);
    pixel_begin = carver.take<uint32_t>(plan.pixels + 1);
    events = carver.take<uint16_t>(plan.events + kSlack);
    begin = carver.take<uint32_t>(plan.lists + 1);
  }
};

// Spikes of channels [c0, c0 + n) of every pixel of an image, as x*step + channel.
HWY_INLINE void list_pixels(const EventConvShape& s, const BitMaps& x, int64_t image, int64_t c0, int64_t n,
                            int64_t step, Lists& lists) {
  uint16_t* e = lists.pixel_events;
  int64_t at = x.begin(0, image) + c0, p = 0;
  for (int64_t iy = 0; iy < s.H; ++iy) {
    for (int64_t ix = 0; ix < s.W; ++ix, ++p, at += s.C) {
      lists.pixel_begin[p] = static_cast<uint32_t>(e - lists.pixel_events);
      e = emit_sites(x, at, n, static_cast<uint16_t>(ix * step), e);
    }
  }
  lists.pixel_begin[p] = static_cast<uint32_t>(e - lists.pixel_events);
}

// ---- slide ----

// Row of weights: (ky, c), then the taps from right to left.
struct SlideRow {
  int64_t C, kernel;
  HWY_INLINE int64_t operator()(int64_t c, int64_t tap) const {
    return (tap / kernel * C + c) * kernel + kernel - 1 - tap % kernel;
  }
};

// Per output row and input column: the spikes of the input rows it reads, as ky*C + channel.
HWY_INLINE void list_columns(const EventConvShape& s, int64_t first_list, uint16_t* e, Lists& lists) {
  uint32_t* begin = lists.begin + first_list;
  for (int64_t r = 0; r < s.out_h(); ++r) {
    for (int64_t ix = 0; ix < s.W; ++ix) {
      *begin++ = static_cast<uint32_t>(e - lists.events);
      for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
        const int64_t iy = r + ky - s.pad;
        if (iy < 0 || iy >= s.H) continue;
        const uint32_t* of = lists.pixel_begin + iy * s.W + ix;
        e = copy_events(lists.pixel_events + of[0], of[1] - of[0], static_cast<uint16_t>(ky * s.C), e);
      }
    }
  }
  *begin = static_cast<uint32_t>(e - lists.events);
}

// What an output row of one or more tiles needs.
struct SlideArgs {
  const float* tile[4];
  int64_t W, left, outs, pitch, channels;  // left: output column of the first sum at input column 0
  bool first;                              // no partial sums to start from
};

template <int kK, int kV, int kP>
using SlideSums = Sums<kV, kP>[kK];

// Events of a column, for the sums [kFrom, kTo).
template <int kK, int kV, int kP, int kFrom, int kTo>
HWY_INLINE void slide_events(const uint16_t* e, const uint16_t* end, const float* const* tile,
                             SlideSums<kK, kV, kP>& sums) {
  constexpr size_t kRow = static_cast<size_t>(kV) * kLanes;
  for (; e < end; ++e) {
    const size_t row = *e * (kRow * kK);
    for (int j = kFrom; j < kTo; ++j) sums[j].add(tile, row + static_cast<size_t>(j) * kRow);
  }
}
template <int kK, int kV, int kP, int kFrom = 0, int kTo = kK>
HWY_INLINE void slide_column(int64_t from, int64_t to, const uint16_t* e, const uint16_t* end,
                             const float* const* tile, SlideSums<kK, kV, kP>& sums) {
  if (from == kFrom && to == kTo) return slide_events<kK, kV, kP, kFrom, kTo>(e, end, tile, sums);
  if constexpr (kTo - kFrom > 1) {
    if (to < kTo) return slide_column<kK, kV, kP, kFrom, kTo - 1>(from, to, e, end, tile, sums);
    return slide_column<kK, kV, kP, kFrom + 1, kTo>(from, to, e, end, tile, sums);
  }
}

// One output row of kP tiles.
template <int kK, int kV, int kP>
HWY_NOINLINE void slide_row(const SlideArgs& a, const uint16_t* events, const uint32_t* begin, float* out) {
  SlideSums<kK, kV, kP> sums;
  const float* tile[kP];
  for (int p = 0; p < kP; ++p) tile[p] = a.tile[p];
  const auto start = [&](Sums<kV, kP>& sum, int64_t column) HWY_ATTR {
    if (a.first || column < 0 || column >= a.outs) return sum.clear();
    sum.load(out + column * a.pitch, a.channels);
  };
  int64_t left = a.left;
  for (int j = 0; j < kK; ++j) start(sums[j], left + j);
  for (int64_t ix = 0; ix < a.W; ++ix, ++left) {
    const uint16_t *e = events + begin[ix], *end = events + begin[ix + 1];
    if (HWY_LIKELY(left >= 0 && left + kK <= a.outs)) {
      slide_events<kK, kV, kP, 0, kK>(e, end, tile, sums);
    } else {
      const int64_t from = HWY_MAX(int64_t{0}, -left), to = HWY_MIN(int64_t{kK}, a.outs - left);
      if (from < to) slide_column<kK, kV, kP>(from, to, e, end, tile, sums);
    }
    if (left >= 0 && left < a.outs) sums[0].store(out + left * a.pitch, a.channels);
    for (int j = 0; j + 1 < kK; ++j) sums[j] = sums[j + 1];
    start(sums[kK - 1], left + kK);
  }
  for (int j = 0; j + 1 < kK; ++j, ++left) {
    if (left >= 0 && left < a.outs) sums[j].store(out + left * a.pitch, a.channels);
  }
}

// Images [first, last): all tiles, channels [c0, c0 + n).
template <int kK, int kV>
void slide_tiles(const EventConvShape& s, const ForwardPlan& plan, const float* weights, int64_t c0,
                 bool narrow, const int64_t* images, int64_t count, const Lists& lists, float* y) {
  constexpr int kMost =
      HWY_MAX(1, HWY_MIN(4, HWY_MIN(kSums / (kK * kV), static_cast<int>(64 / (kV * kLanes)))));
  constexpr int kNarrow = HWY_MAX(1, HWY_MIN(kMost, static_cast<int>(32 / (kV * kLanes))));
  const int64_t tiles = tile_count(s.O), lanes = kV * kLanes, outs = s.out_w(), rows = s.out_h();
  const int64_t tile_size = plan.weight_rows * lanes;
  int64_t t = 0;
  while (t < tiles) {
    const auto run = [&](auto together) HWY_ATTR {
      constexpr int kP = decltype(together)::value;
      SlideArgs a;
      for (int p = 0; p < kP; ++p) a.tile[p] = weights + (t + p) * tile_size + c0 * kK * lanes;
      a.W = s.W;
      a.left = s.pad - kK + 1;
      a.outs = outs;
      a.pitch = s.O;
      a.channels = HWY_MIN(kP * lanes, s.O - t * lanes);
      a.first = c0 == 0;
      for (int64_t i = 0; i < count; ++i) {
        for (int64_t r = 0; r < rows; ++r)
          slide_row<kK, kV, kP>(a, lists.events, lists.begin + (i * rows + r) * s.W + i,
                                y + (images[i] * rows + r) * outs * s.O + t * lanes);
      }
      t += kP;
    };
    narrow ? with_tiles<kNarrow>(tiles - t, run) : with_tiles<kMost>(tiles - t, run);
  }
}

template <int kK>
void slide_group(const EventConvShape& s, const ForwardPlan& plan, const BitMaps& x, const float* weights,
                 int64_t first, int64_t last, Lists& lists, float* y) {
  // Dense images walk blocks of channels whose weights stay in L1; sparse ones all channels at once.
  for (const bool dense : {false, true}) {
    int64_t images[ForwardPlan::kMostImages], count = 0;
    for (int64_t n = first; n < last; ++n) {
      if (plan.is_dense(s, x, n) == dense) images[count++] = n;
    }
    if (count == 0) continue;
    const int64_t block = dense ? HWY_MIN(s.C, ForwardPlan::kBlock) : s.C;
    for (int64_t c0 = 0; c0 < s.C; c0 += block) {
      uint16_t* e = lists.events;
      for (int64_t i = 0; i < count; ++i) {
        list_pixels(s, x, images[i], c0, HWY_MIN(block, s.C - c0), 0, lists);
        const int64_t list = i * (s.out_h() * s.W + 1);
        list_columns(s, list, e, lists);
        e = lists.events + lists.begin[list + s.out_h() * s.W];
      }
      two_vectors(s.O) ? slide_tiles<kK, 2>(s, plan, weights, c0, dense, images, count, lists, y)
                       : slide_tiles<kK, 1>(s, plan, weights, c0, dense, images, count, lists, y);
    }
  }
}

// ---- gather ----

// Events of output pixel (oy, ox) as tap*C + channel, from the lists of its image's pixels (as x*C + channel).
HWY_INLINE uint16_t* gather_pixel(const EventConvShape& s, const Lists& lists, int64_t oy, int64_t ox,
                                  uint16_t* e) {
  const int64_t left = ox * s.stride - s.pad, x0 = HWY_MAX(int64_t{0}, left),
                x1 = HWY_MIN(s.W, left + s.kernel_w);
  if (x0 >= x1) return e;
  for (int64_t ky = 0; ky < s.kernel_h; ++ky) {
    const int64_t iy = oy * s.stride + ky - s.pad;
    if (iy < 0 || iy >= s.H) continue;
    const uint32_t begin = lists.pixel_begin[iy * s.W + x0], end = lists.pixel_begin[iy * s.W + x1];
    e = copy_events(lists.pixel_events + begin, end - begin,
                    static_cast<uint16_t>((ky * s.kernel_w - left) * s.C), e);
  }
  return e;
}

// Sums over lists [0, count), for the output pixels from y on.
template <int kV>
void gather_tiles(const EventConvShape& s, const ForwardPlan& plan, const float* weights, int64_t count,
                  const Lists& lists, float* y) {
  constexpr int kMost =
      HWY_MAX(1, HWY_MIN(4, HWY_MIN(kSums / (2 * kV), static_cast<int>(64 / (kV * kLanes)))));
  constexpr size_t kRow = static_cast<size_t>(kV) * kLanes;
  const int64_t tiles = tile_count(s.O), lanes = kV * kLanes, tile_size = plan.weight_rows * lanes;
  int64_t t = 0;
  while (t < tiles) {
    with_tiles<kMost>(tiles - t, [&](auto together) HWY_ATTR {
      constexpr int kP = decltype(together)::value;
      const float* tile[kP];
      for (int p = 0; p < kP; ++p) tile[p] = weights + (t + p) * tile_size;
      const int64_t channels = HWY_MIN(kP * lanes, s.O - t * lanes);
      for (int64_t i = 0; i < count; ++i) {
        const uint16_t *e = lists.events + lists.begin[i], *end = lists.events + lists.begin[i + 1];
        Sums<kV, kP> even, odd;  // two, so that an addition need not wait for the one before
        even.clear();
        odd.clear();
        for (; e < end; e += 2) {  // the lists have an even length
          even.add(tile, e[0] * kRow);
          odd.add(tile, e[1] * kRow);
        }
        even.add(odd);
        even.store(y + i * s.O + t * lanes, channels);
      }
      t += kP;
    });
  }
}

void gather_group(const EventConvShape& s, const ForwardPlan& plan, const BitMaps& x, const float* weights,
                  int64_t first, int64_t last, Lists& lists, float* y) {
  const int64_t width = s.out_w(), pixels = s.out_h() * width;
  const auto zero_row = static_cast<uint16_t>(plan.weight_rows - 1);
  int64_t count = 0, done = first * pixels;
  uint16_t* e = lists.events;
  const auto flush = [&] {
    lists.begin[count] = static_cast<uint32_t>(e - lists.events);
    two_vectors(s.O) ? gather_tiles<2>(s, plan, weights, count, lists, y + done * s.O)
                     : gather_tiles<1>(s, plan, weights, count, lists, y + done * s.O);
    done += count;
    count = 0;
    e = lists.events;
  };
  for (int64_t n = first; n < last; ++n) {
    if (!s.full()) list_pixels(s, x, n, 0, s.C, s.C, lists);
    for (int64_t p = 0; p < pixels; ++p) {
      if (count == plan.lists) flush();
      uint16_t* const start = e;
      lists.begin[count++] = static_cast<uint32_t>(e - lists.events);
      e = s.full() ? emit_sites(x, x.begin(0, n), s.sites(), 0, e)
                   : gather_pixel(s, lists, p / width, p % width, e);
      if ((e - start) % 2 != 0) *e++ = zero_row;
    }
  }
  if (count > 0) flush();
}

}  // namespace

void EventConvPack(const EventConvShape& s, const ForwardPlan& plan, const float* W, float scale, int64_t t,
                   float* weights) {
  const int64_t lanes = tile_lanes(s.O);
  float* const to = weights + t * plan.weight_rows * lanes;
  if (plan.slides) {
    pack_tile(s, W, scale, t, to, SlideRow{s.C, s.kernel_w});
  } else {
    pack_tile(s, W, scale, t, to, GatherRow{s.C});
    for (int64_t l = 0; l < lanes; ++l) to[(plan.weight_rows - 1) * lanes + l] = 0;
  }
}

int64_t EventConvTiles(int64_t O) { return tile_count(O); }

void EventConvForward(const EventConvShape& s, const ForwardPlan& plan, const BitMaps& x,
                      const float* weights, int64_t first, int64_t last, char* workspace, float* y) {
  Lists lists(plan, workspace);
  if (!plan.slides) return gather_group(s, plan, x, weights, first, last, lists, y);
  s.kernel_w == 3 ? slide_group<3>(s, plan, x, weights, first, last, lists, y)
                  : slide_group<5>(s, plan, x, weights, first, last, lists, y);
}

}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
