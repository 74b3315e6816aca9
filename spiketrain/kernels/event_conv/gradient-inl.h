// Weight gradient from spikes, compiled once per instruction set; contract in event_conv.h.  The spikes of one channel are
// one list of places in a tile of errors; the sums that they add to stay in registers while the list is walked.  Two forms:
//   window  kernels of 3x3, where most spikes feed all taps, and of 5x5, stride 1: a spike adds the errors of its whole window, or
//           those of a row of it that it feeds, read from a copy with a border of zeros.
//   taps    any other kernel, and fully connected layers: one list for each tap, of the outputs that a spike feeds.
// The work is cut into units of images or output pixels, whose sums are added in order; threads share the output channels.
#if defined(SPIKETRAIN_EVENT_GRADIENT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_EVENT_GRADIENT_INL_H
#undef SPIKETRAIN_EVENT_GRADIENT_INL_H
#else
#define SPIKETRAIN_EVENT_GRADIENT_INL_H
#endif

#include <type_traits>

#include "spiketrain/kernels/event_conv/gradient_plan.h"
#include "spiketrain/kernels/event_conv/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {

// Errors of output pixels [p, p + count) of the call, channels of tiles [first, last), to aligned rows of tiles that are `size`
// floats apart.  All tiles in one pass, asking for what comes next: the errors come from far away.
HWY_INLINE void copy_errors(const EventConvShape& s, const float* g, int64_t p, int64_t count, int64_t first,
                            int64_t last, int64_t lanes, int64_t size, float* to) {
  constexpr int64_t kAhead = 4096;  // bytes
  const int64_t channels = HWY_MIN(last * lanes, s.O) - first * lanes;
  const float* from = g + p * s.O + first * lanes;
  for (int64_t k = 0; k < count; ++k, from += s.O, to += lanes) {
    for (int64_t i = 0; i < channels; i += 16)
      hwy::Prefetch(reinterpret_cast<const char*>(from + i) + kAhead);
    int64_t left = channels;
    for (int64_t t = 0; t < last - first; ++t) {
      for (int64_t i = 0; i < lanes; i += kLanes, left -= kLanes) {
        const float* at = from + t * lanes + i;
        const VF v = left >= kLanes ? hn::LoadU(Float(), at)
                     : left > 0     ? load_part(at, left)
                                    : hn::Zero(Float());
        hn::Store(v, Float(), to + t * size + i);
      }
    }
  }
}

// Appends the places of `columns` (a bit per place) for each channel < n and plane.
struct ChannelLists {
  uint16_t* events;
  uint32_t* begin;
};

// ---- window ----

// Lists of unit u: places in the bordered tile, in units of `step` floats.  pass: a row of the kernel, or all (-1).
HWY_INLINE void list_window(const EventConvShape& s, const GradientPlan& plan, const BitMaps& x, int64_t u,
                            int64_t passes, ChannelLists lists, uint64_t* columns, uint16_t* places,
                            uint64_t* keep) {
  const GradientPlan::Images unit = plan.images_of(s, u);
  const int64_t pixels = unit.rows * s.W, groups = (pixels + 63) / 64, words = (s.C + 63) / 64;
  const int64_t all = unit.count * groups, pitch = plan.pitch(s), border = s.kernel_h - 1 - s.pad;
  for (int64_t i = 0, k = 0; i < unit.count; ++i) {
    for (int64_t p0 = 0; p0 < pixels; p0 += 64, ++k) {
      for (int64_t pass = 0; pass < passes; ++pass) keep[pass * all + k] = 0;
      for (int64_t q = 0; q < HWY_MIN(int64_t{64}, pixels - p0); ++q) {
        const int64_t row = (p0 + q) / s.W;
        places[k * 64 + q] =
            static_cast<uint16_t>((i * plan.tile_rows(s, unit) + row) * pitch + (p0 + q) % s.W);
        for (int64_t pass = 0; pass < passes; ++pass) {
          const int64_t oy = unit.row + row + pass - border;
          if (passes == 1 || (oy >= 0 && oy < s.out_h())) keep[pass * all + k] |= uint64_t{1} << q;
        }
      }
      for (int64_t plane = 0; plane < x.planes; ++plane) {
        const int64_t at = x.begin(plane, unit.first + i) + (unit.row * s.W + p0) * s.C;
        for (int64_t w = 0; w < words; ++w) {
          const int64_t left = pixels - p0;
          transpose_bits([&](int64_t r)
                             HWY_ATTR { return r < left ? word_at(x.words, at + r * s.C + w * 64) : 0; },
                         columns + ((plane * all + k) * words + w) * 64);
        }
      }
    }
  }
  uint16_t* e = lists.events;
  uint32_t* begin = lists.begin;
  for (int64_t pass = 0; pass < passes; ++pass) {
    for (int64_t c = 0; c < s.C; ++c) {
      *begin++ = static_cast<uint32_t>(e - lists.events);
      for (int64_t plane = 0; plane < x.planes; ++plane) {
        for (int64_t repeat = 0; repeat < int64_t{1} << plane; ++repeat) {
          for (int64_t k = 0; k < all; ++k)
            e = emit_places(columns[(plane * all + k) * words * 64 + c] & keep[pass * all + k],
                            places + k * 64, e);
        }
      }
    }
  }
  *begin = static_cast<uint32_t>(e - lists.events);
}

// Copies of this unit's errors with a border of zeros, for tiles [first, last).
HWY_INLINE void copy_window(const EventConvShape& s, const GradientPlan& plan, const float* g, int64_t u,
                            int64_t first, int64_t last, int64_t lanes, float* tiles) {
  const GradientPlan::Images unit = plan.images_of(s, u);
  const int64_t pitch = plan.pitch(s), border = s.kernel_h - 1 - s.pad, outs = s.out_w(),
                size = plan.tile_size(s) * lanes;
  const auto clear = [&](float* at, int64_t pixels) {
    for (int64_t t = first; t < last; ++t)
      memset(at + (t - first) * size, 0, static_cast<size_t>(pixels * lanes) * sizeof(float));
  };
  for (int64_t i = 0; i < unit.count; ++i) {
    for (int64_t r = 0; r < plan.tile_rows(s, unit); ++r) {
      float* const to = tiles + (i * plan.tile_rows(s, unit) + r) * pitch * lanes;
      const int64_t oy = unit.row + r - border;
      if (oy < 0 || oy >= s.out_h()) {
        clear(to, pitch);
        continue;
      }
      clear(to, border);
      copy_errors(s, g, ((unit.first + i) * s.out_h() + oy) * outs, outs, first, last, lanes, size,
                  to + border * lanes);
      clear(to + (border + outs) * lanes, pitch - border - outs);
    }
  }
}

// Sums of tile t, channels [c0, c1), of kK x kK taps.  kRows rows of the kernel at once.
template <int kK, int kV, int kRows>
HWY_NOINLINE void add_window(const EventConvShape& s, const GradientPlan& plan, const float* tile,
                             ChannelLists lists, int64_t c0, int64_t c1, float* sums) {
  constexpr int64_t kLane = kV * kLanes;
  const int64_t pitch = plan.pitch(s);
  for (int64_t pass = 0; pass < kK / kRows; ++pass) {
    const float* base = tile + pass * pitch * kLane;
    for (int64_t c = c0; c < c1; ++c) {
      const uint32_t* begin = lists.begin + pass * s.C + c;
      const uint16_t *e = lists.events + begin[0], *end = lists.events + begin[1];
      if (e == end) continue;
      Sums<kV, 1> taps[kRows][kK];
      for (int y = 0; y < kRows; ++y) {
        for (int k = 0; k < kK; ++k) taps[y][k].clear();
      }
      for (; e < end; ++e) {
        const float* at = base + static_cast<size_t>(*e) * kLane;
        for (int y = 0; y < kRows; ++y) {
          const float* row = at + y * pitch * kLane;
          for (int k = 0; k < kK; ++k) taps[y][k].add(&row, static_cast<size_t>(k) * kLane);
        }
      }
      float* sum = sums + (c * kK * kK + pass * kK) * kLane;
      for (int y = 0; y < kRows; ++y) {
        for (int k = 0; k < kK; ++k, sum += kLane) {
          Sums<kV, 1> before;
          before.load(sum, kLane);
          taps[y][k].add(before);
          taps[y][k].store(sum, kLane);
        }
      }
    }
  }
}

// Kernel rows that fit into the registers at once: all, or one.
template <int kK, int kV>
constexpr int window_rows() {
  return kK * kK * kV <= kSums ? kK : 1;
}
HWY_INLINE int64_t window_passes(const EventConvShape& s) {
  const bool two = two_vectors(s.O);
  if (s.kernel_h == 3) return 3 / (two ? window_rows<3, 2>() : window_rows<3, 1>());
  return 5 / (two ? window_rows<5, 2>() : window_rows<5, 1>());
}

// ---- rows ----

// List `strip` of unit u: the output pixels of the unit that each input of the strip feeds.
HWY_INLINE void list_rows(const EventConvShape& s, const GradientPlan& plan, const BitMaps& x, int64_t u,
                          int64_t strip, ChannelLists lists, uint64_t* columns) {
  const int64_t c0 = strip * GradientPlan::kStrip;
  const int64_t outputs = s.out_h() * s.out_w(), first = u * plan.unit,
                last = HWY_MIN(s.images * outputs, first + plan.unit);
  const int64_t channels = HWY_MIN(GradientPlan::kStrip, plan.columns(s) - c0), words = (channels + 63) / 64;
  const int64_t groups = (last - first + 63) / 64;
  for (int64_t k = 0; k < groups; ++k) {
    // Bit of the first channel that each output pixel reads; -1: outside of the map.
    int64_t at[64];
    int64_t n = (first + k * 64) / outputs, p = (first + k * 64) % outputs, oy = p / s.out_w(),
            ox = p % s.out_w();
    for (int64_t q = 0; q < 64; ++q) {
      const int64_t iy = oy * s.stride - s.pad, ix = ox * s.stride - s.pad;
      const bool inside = first + k * 64 + q < last && iy >= 0 && iy < s.H && ix >= 0 && ix < s.W;
      at[q] = inside ? x.begin(0, n) + (iy * s.W + ix) * s.C + c0 : -1;
      if (++ox == s.out_w()) {
        ox = 0;
        if (++oy == s.out_h()) {
          oy = 0;
          ++n;
        }
      }
    }
    for (int64_t plane = 0; plane < x.planes; ++plane) {
      for (int64_t w = 0; w < words; ++w)
        transpose_bits(
            [&](int64_t r)
                HWY_ATTR { return at[r] < 0 ? 0 : word_at(x.words, at[r] + plane * x.plane_bits + w * 64); },
            columns + ((plane * groups + k) * words + w) * 64);
    }
  }
  uint16_t* e = lists.events;
  for (int64_t c = 0; c < channels; ++c) {
    lists.begin[c] = static_cast<uint32_t>(e - lists.events);
    for (int64_t plane = 0; plane < x.planes; ++plane) {
      for (int64_t repeat = 0; repeat < int64_t{1} << plane; ++repeat) {
        for (int64_t k = 0; k < groups; ++k) {
          const uint64_t bits = columns[(plane * groups + k) * words * 64 + c];
          if (bits == 0) continue;
          const Index d;
          auto places = hn::Add(hn::Iota(d, 0), hn::Set(d, static_cast<uint16_t>(k * 64)));
          for (int64_t i = 0; i < 64; i += kIndexLanes) {
            e = emit_vector(bits >> i & low_bits(kIndexLanes), places, e);
            places = hn::Add(places, hn::Set(d, static_cast<uint16_t>(kIndexLanes)));
          }
        }
      }
    }
  }
  lists.begin[channels] = static_cast<uint32_t>(e - lists.events);
}

// Sums of kP tiles, inputs [c0, c1) of a strip.
template <int kV, int kP>
HWY_NOINLINE void add_rows(const float* const* tiles, ChannelLists lists, int64_t c0, int64_t c1,
                           float* const* sums) {
  constexpr size_t kLane = static_cast<size_t>(kV) * kLanes;
  for (int64_t c = c0; c < c1; ++c) {
    const uint16_t *e = lists.events + lists.begin[c], *end = lists.events + lists.begin[c + 1];
    if (e == end) continue;
    const float* tile[kP];
    for (int p = 0; p < kP; ++p) tile[p] = tiles[p];
    Sums<kV, kP> even, odd;
    even.clear();
    odd.clear();
    for (; e + 1 < end; e += 2) {
      even.add(tile, e[0] * kLane);
      odd.add(tile, e[1] * kLane);
    }
    if (e < end) even.add(tile, e[0] * kLane);
    even.add(odd);
    for (int p = 0; p < kP; ++p) {
      float* to = sums[p] + static_cast<size_t>(c) * kLane;
      for (int i = 0; i < kV; ++i)
        hn::Store(hn::Add(even.v[p][i], hn::Load(Float(), to + i * kLanes)), Float(), to + i * kLanes);
    }
  }
}

struct WindowRow {
  int64_t taps;
  HWY_INLINE int64_t operator()(int64_t c, int64_t tap) const { return c * taps + taps - 1 - tap; }
};
// Inputs [begin, end) on tiles [t, t + kP).
template <int kV, int kP>
HWY_INLINE void share_rows(const EventConvShape& s, const GradientPlan& plan, const GradientWork& work,
                           int64_t slot, int64_t t, int64_t begin, int64_t end, const float* tile) {
  const int64_t lanes = kV * kLanes, tile_size = plan.tile_size(s) * lanes;
  for (int64_t strip = 0; strip < plan.strips(s); ++strip) {
    const int64_t c0 = strip * GradientPlan::kStrip;
    const int64_t from = HWY_MAX(begin, c0) - c0, to = HWY_MIN(end, c0 + GradientPlan::kStrip) - c0;
    if (from >= to) continue;
    const float* tiles[kP];
    float* sums[kP];
    for (int p = 0; p < kP; ++p) {
      tiles[p] = tile + p * tile_size;
      sums[p] = work.sums + ((t + p) * plan.sum_rows(s) + c0) * lanes;
    }
    add_rows<kV, kP>(tiles, {work.events(slot, strip), work.begin(slot, strip)}, from, to, sums);
  }
}

// A thread's part of the output: units [first_unit, last_unit).
template <int kV>
void share(const EventConvShape& s, const GradientPlan& plan, const GradientWork& work, int64_t first_unit,
           int64_t last_unit, int64_t part, int64_t parts, float* scratch) {
  constexpr int kMost = HWY_MIN(2, kSums / (2 * kV));
  const int64_t lanes = kV * kLanes, n = plan.columns(s), tile_size = plan.tile_size(s) * lanes;
  const GradientPlan::Part mine = plan.part_of(tile_count(s.O), part, parts);
  const int64_t first = mine.first_tile(), last = mine.last_tile();
  const auto tile = [&](int64_t t) { return scratch + (t - first) * tile_size; };
  for (int64_t u = first_unit; u < last_unit; ++u) {
    const int64_t slot = u - first_unit;
    if (plan.window()) {
      copy_window(s, plan, work.g, u, first, last, lanes, scratch);
      const auto add =
          s.kernel_h == 3 ? add_window<3, kV, window_rows<3, kV>()> : add_window<5, kV, window_rows<5, kV>()>;
      for (int64_t t = first; t < last; ++t)
        add(s, plan, tile(t), {work.events(slot, 0), work.begin(slot, 0)}, mine.begin(t, n), mine.end(t, n),
            work.sums + t * plan.sum_rows(s) * lanes);
      continue;
    }
    const int64_t outputs = s.images * s.out_h() * s.out_w(), p = u * plan.unit;
    copy_errors(s, work.g, p, HWY_MIN(plan.unit, outputs - p), first, last, lanes, tile_size, scratch);
    for (int64_t t = first; t < last;) {
      const int64_t begin = mine.begin(t, n), end = mine.end(t, n);
      if (kMost > 1 && t + 1 < last && begin == mine.begin(t + 1, n) && end == mine.end(t + 1, n)) {
        share_rows<kV, kMost>(s, plan, work, slot, t, begin, end, tile(t));
        t += 2;
      } else {
        share_rows<kV, 1>(s, plan, work, slot, t, begin, end, tile(t));
        ++t;
      }
    }
  }
}

// ---- runs ----

// to[i] += factor * from[i]; factor is a power of two.
HWY_INLINE void add_run(const float* HWY_RESTRICT from, float factor, int64_t n, float* HWY_RESTRICT to) {
  const Float d;
  int64_t i = 0;
  if (factor == 1) {
    for (; i + kLanes <= n; i += kLanes)
      hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  } else {
    const auto f = hn::Set(d, factor);
    for (; i + kLanes <= n; i += kLanes)
      hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::Mul(f, hn::LoadU(d, from + i))), d, to + i);
  }
  if (i == n) return;
  const auto f = hn::Set(d, factor);
  store_part(hn::Add(load_part(to + i, n - i), hn::Mul(f, load_part(from + i, n - i))), to + i, n - i);
}

// Channels [c0, c1) of all images.  The 64 pixels of a group are turned into a word for each channel.
void add_runs(const EventConvShape& s, const RunTable& table, const BitMaps& x, const float* g, int64_t c0,
              int64_t c1, float* sums, uint64_t* columns) {
  const int64_t pixels = s.H * s.W, words = (c1 - c0 + 63) / 64, outputs = s.out_h() * s.out_w();
  for (int64_t n = 0; n < s.images; ++n) {
    const float* errors = g + n * outputs * s.O;
    for (int64_t p0 = 0; p0 < pixels; p0 += RunTable::kPixels) {
      const int64_t groups = (HWY_MIN(pixels - p0, RunTable::kPixels) + 63) / 64;
      for (int64_t plane = 0; plane < x.planes; ++plane) {
        const int64_t at = x.begin(plane, n) + c0;
        for (int64_t k = 0; k < groups; ++k) {
          const int64_t first = p0 + 64 * k, left = pixels - first;
          for (int64_t w = 0; w < words; ++w)
            transpose_bits(
                [&](int64_t r)
                    HWY_ATTR { return r < left ? word_at(x.words, at + (first + r) * s.C + w * 64) : 0; },
                columns + (k * words + w) * 64);
        }
        const auto factor = static_cast<float>(int64_t{1} << plane);
        for (int64_t c = c0; c < c1; ++c) {
          float* const sum = sums + c * s.taps() * s.O;
          for (int64_t k = 0; k < groups; ++k) {
            for (uint64_t bits = columns[k * words * 64 + c - c0]; bits != 0; bits &= bits - 1) {
              const RunTable::Runs& run =
                  table.runs[p0 + 64 * k + static_cast<int64_t>(hwy::Num0BitsBelowLS1Bit_Nonzero64(bits))];
              const float* from = errors + run.error * s.O;
              float* to = sum + run.sum * s.O;
              for (int64_t y = 0; y < run.rows; ++y, from += s.out_w() * s.O, to += run.pitch * s.O)
                add_run(from, factor, run.columns * s.O, to);
            }
          }
        }
      }
    }
  }
}

}  // namespace

// List `list` of unit u, into place `slot`.
void EventConvList(const EventConvShape& s, const GradientPlan& plan, const BitMaps& x,
                   const GradientWork& work, int64_t u, int64_t slot, int64_t list, char* scratch) {
  const ChannelLists lists = {work.events(slot, list), work.begin(slot, list)};
  Carver carver{scratch};
  uint64_t* const columns = carver.take<uint64_t>(plan.column_words(s, x.planes));
  if (!plan.window()) return list_rows(s, plan, x, u, list, lists, columns);
  uint16_t* const places = carver.take<uint16_t>(plan.groups(s) * 64);
  uint64_t* const keep = carver.take<uint64_t>(plan.groups(s) * plan.most_passes(s));
  list_window(s, plan, x, u, window_passes(s), lists, columns, places, keep);
}

// Part `part` of the output: units [first_unit, last_unit) added to the sums.
void EventConvShare(const EventConvShape& s, const GradientPlan& plan, const GradientWork& work,
                    int64_t first_unit, int64_t last_unit, int64_t part, int64_t parts, char* scratch) {
  float* const tiles = reinterpret_cast<float*>(scratch);
  two_vectors(s.O) ? share<2>(s, plan, work, first_unit, last_unit, part, parts, tiles)
                   : share<1>(s, plan, work, first_unit, last_unit, part, parts, tiles);
}

// The form without lists: channels [c0, c1).
void EventConvRuns(const EventConvShape& s, const RunTable& table, const BitMaps& x, const float* g,
                   int64_t c0, int64_t c1, float* sums, char* scratch) {
  add_runs(s, table, x, g, c0, c1, sums, reinterpret_cast<uint64_t*>(scratch));
}

// Channels [first, end) of the output from the sums to dW.
void EventConvUnpack(const EventConvShape& s, const GradientPlan& plan, const RunTable& table,
                     const float* sums, float scale, int64_t first, int64_t end, float* dW) {
  if (plan.form == GradientPlan::Form::runs)
    return unpack_rows(s, sums + first, scale, first, end, s.O, dW,
                       [&](int64_t c, int64_t tap) { return table.row(c, tap); });
  const int64_t lanes = tile_lanes(s.O);
  for (int64_t o = first; o < end; o += lanes) {
    const float* from = sums + o * plan.sum_rows(s);
    const int64_t last = HWY_MIN(end, o + lanes);
    plan.window() ? unpack_rows(s, from, scale, o, last, lanes, dW, WindowRow{s.taps()})
                  : unpack_rows(s, from, scale, o, last, lanes, dW, GatherRow{s.C});
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
