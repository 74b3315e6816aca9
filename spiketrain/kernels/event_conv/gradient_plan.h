// How the work of a weight gradient is cut into units, lists and shares.  Units follow from the shape alone; shares from the
// number of threads, too, which changes no sum.
#pragma once
#include "spiketrain/kernels/event_conv/plan.h"

namespace spiketrain::cpu {

struct GradientPlan {
  /// Some images, or a band of rows of one.
  struct Images {
    int64_t first, count, row, rows;
  };
  /// Pieces [first, last) of tiles cut into `blocks` of channels.
  struct Part {
    int64_t first, last, blocks;
    int64_t first_tile() const { return first / blocks; }
    int64_t last_tile() const { return last > first ? (last - 1) / blocks + 1 : first_tile(); }
    /// Channels [begin, end) of n of tile t.
    int64_t begin(int64_t t, int64_t n) const {
      return t * blocks >= first ? 0 : n * (first - t * blocks) / blocks;
    }
    int64_t end(int64_t t, int64_t n) const {
      return (t + 1) * blocks <= last ? n : n * (last - t * blocks) / blocks;
    }
  };
  static constexpr int64_t kStrip = 256;  ///< inputs of a list of the rows form

  enum class Form { window, rows, runs };
  Form form;
  int64_t repeats;               ///< greatest value of a site
  int64_t images = 1, band = 0;  ///< of a unit, window form
  int64_t unit = 0;              ///< output pixels of a unit, rows form
  int64_t units = 0, slots = 0;  ///< in all, and whose lists are held at once

  GradientPlan(const EventConvShape& s, int64_t planes) : repeats((int64_t{1} << planes) - 1) {
    const bool square = s.stride == 1 && s.kernel_h == s.kernel_w && s.pad < s.kernel_h;
    const bool few_lost = s.H * s.W * 4 <= s.out_h() * s.out_w() * 5;  // spikes near a border, that feed less
    const bool windows = square && (s.kernel_h == 5 || (s.kernel_h == 3 && few_lost));
    form = s.full() || s.taps() == 1 ? Form::rows : windows ? Form::window : Form::runs;
    if (form == Form::runs) return;
    if (window()) {
      constexpr int64_t kTile = 44 << 10;  // bytes that stay in L1, of 32 channels
      const int64_t row = pitch(s) * kWidestTile * 4, more = s.kernel_h - 1;
      band = std::clamp<int64_t>(kTile / row - more, 1, s.H);
      images = band == s.H ? std::clamp<int64_t>(kTile / (row * (s.H + more)), 1, 8) : 1;
      units = (s.images + images - 1) / images * ((s.H + band - 1) / band);
    } else {
      unit = std::clamp<int64_t>(round_up(s.images * s.out_h() * s.out_w(), 64), 64,
                                 std::max<int64_t>(64, 1024 / repeats / 64 * 64));
      units = (s.images * s.out_h() * s.out_w() + unit - 1) / unit;
    }
    slots = std::clamp<int64_t>((int64_t{16} << 20) / std::max<int64_t>(1, events_most(s) * strips(s) * 2), 1,
                                64);
  }

  bool window() const { return form == Form::window; }
  Images images_of(const EventConvShape& s, int64_t u) const {
    const int64_t bands = (s.H + band - 1) / band, first = u / bands * images, row = u % bands * band;
    return {first, std::min(images, s.images - first), row, std::min(band, s.H - row)};
  }
  int64_t pitch(const EventConvShape& s) const { return s.W + s.kernel_w - 1; }
  int64_t tile_rows(const EventConvShape& s, const Images& unit_images) const {
    return unit_images.rows + s.kernel_h - 1;
  }
  /// Rows of `lanes` floats in a unit's tile.
  int64_t tile_size(const EventConvShape& s) const {
    return window() ? images * (band + s.kernel_h - 1) * pitch(s) : unit;
  }
  /// Inputs that have a list, in strips.
  int64_t columns(const EventConvShape& s) const { return s.full() ? s.sites() : s.C; }
  int64_t strips(const EventConvShape& s) const { return window() ? 1 : (columns(s) + kStrip - 1) / kStrip; }
  int64_t sum_rows(const EventConvShape& s) const { return s.taps() * s.C; }
  /// Groups of 64 places in a unit.
  int64_t groups(const EventConvShape& s) const {
    return window() ? images * ((band * s.W + 63) / 64) : unit / 64;
  }
  int64_t strip_columns(const EventConvShape& s) const {
    return window() ? s.C : std::min(kStrip, columns(s));
  }
  int64_t column_words(const EventConvShape& s, int64_t planes) const {
    return planes * groups(s) * round_up(strip_columns(s), 64);
  }
  int64_t events_most(const EventConvShape& s) const {
    return groups(s) * 64 * strip_columns(s) * repeats * most_passes(s) + kListSlack;
  }
  int64_t begins(const EventConvShape& s) const { return strip_columns(s) * most_passes(s) + 1; }
  /// Lists of a channel: one, or in the window form one for each row of the kernel.
  int64_t most_passes(const EventConvShape& s) const { return window() ? s.kernel_h : 1; }

  Part part_of(int64_t tiles, int64_t part, int64_t parts) const {
    int64_t blocks = 1;
    while (tiles * blocks % parts != 0 && blocks < 8) ++blocks;
    const int64_t pieces = tiles * blocks;
    return {pieces * part / parts, pieces * (part + 1) / parts, blocks};
  }

  int64_t list_scratch(const EventConvShape& s, int64_t planes) const {
    return room(column_words(s, planes), 8) + room(groups(s) * 64, 2) + room(groups(s) * most_passes(s), 8);
  }
  int64_t share_scratch(const EventConvShape& s, int64_t parts) const {
    // Tiles of a part: its share, and a piece at each end.
    const int64_t channels =
        std::min(round_up(s.O, kWidestTile), round_up(s.O / parts, kWidestTile) + 2 * kWidestTile);
    return room(tile_size(s) * channels, 4);
  }
  int64_t list_bytes(const EventConvShape& s) const { return room(events_most(s), 2) + room(begins(s), 4); }
  int64_t sum_floats(const EventConvShape& s) const { return sum_rows(s) * round_up(s.O, kWidestTile); }
};

/// The form `runs`: where the errors that a spike at an input pixel feeds are, and the sums they belong to.  The taps that an input
/// can meet at once are those of one class of (y, x) modulo the stride; in the sums [C, class, y, x, O] they lie side by side,
/// in the order of the outputs.
struct RunTable {
  struct Runs {
    int32_t error, sum;  ///< first of each, in rows of O
    int16_t rows, columns, pitch;
  };
  static constexpr int64_t kPixels = 512;  ///< handled together
  const EventConvShape& s;
  Runs* runs;

  RunTable(const EventConvShape& shape, void* memory) : s(shape), runs(static_cast<Runs*>(memory)) {}
  static int64_t bytes(const EventConvShape& s) { return room(s.H * s.W, sizeof(Runs)); }

  /// Taps of class r along a kernel of this size.
  int64_t members(int64_t r, int64_t kernel) const {
    return r < kernel ? (kernel - r + s.stride - 1) / s.stride : 0;
  }
  /// First row of class (ry, rx).
  int64_t base(int64_t ry, int64_t rx) const {
    int64_t rows = 0, columns = 0;
    for (int64_t r = 0; r < ry; ++r) rows += members(r, s.kernel_h);
    for (int64_t r = 0; r < rx; ++r) columns += members(r, s.kernel_w);
    return rows * s.kernel_w + members(ry, s.kernel_h) * columns;
  }
  /// Row of the sums of a tap.
  int64_t row(int64_t c, int64_t tap) const {
    const int64_t ky = tap / s.kernel_w, kx = tap % s.kernel_w, ry = ky % s.stride, rx = kx % s.stride;
    const int64_t height = members(ry, s.kernel_h), width = members(rx, s.kernel_w);
    return c * s.taps() + base(ry, rx) + (height - 1 - ky / s.stride) * width + width - 1 - kx / s.stride;
  }
  void fill() {
    for (int64_t iy = 0; iy < s.H; ++iy) {
      const Range y = range(iy, s.kernel_h, s.out_h());
      for (int64_t ix = 0; ix < s.W; ++ix) {
        const Range x = range(ix, s.kernel_w, s.out_w());
        Runs& run = runs[iy * s.W + ix];
        run.rows = static_cast<int16_t>(x.count > 0 ? y.count : 0);
        run.columns = static_cast<int16_t>(x.count);
        run.pitch = static_cast<int16_t>(members(x.r, s.kernel_w));
        run.error = static_cast<int32_t>(y.output * s.out_w() + x.output);
        run.sum = static_cast<int32_t>(base(y.r, x.r) + y.place * run.pitch + x.place);
      }
    }
  }

 private:
  struct Range {
    int64_t r, output, place, count;  ///< class; first output; its place among the members; how many
  };
  Range range(int64_t i, int64_t kernel, int64_t outputs) const {
    const int64_t q = (i + s.pad) / s.stride, r = (i + s.pad) % s.stride, all = members(r, kernel);
    const int64_t first = std::max<int64_t>(0, q - all + 1), last = std::min(outputs - 1, q);
    return {r, first, first - (q - all + 1), std::max<int64_t>(0, last - first + 1)};
  }
};

/// The arrays of a call.
struct GradientWork {
  const float* g;
  float* sums;  ///< [tile][row][channels of a tile]
  char* lists;
  int64_t list_bytes, strips, events_bytes;

  uint16_t* events(int64_t slot, int64_t list) const {
    return reinterpret_cast<uint16_t*>(lists + (slot * strips + list) * list_bytes);
  }
  uint32_t* begin(int64_t slot, int64_t list) const {
    return reinterpret_cast<uint32_t*>(lists + (slot * strips + list) * list_bytes + events_bytes);
  }
};

}  // namespace spiketrain::cpu
