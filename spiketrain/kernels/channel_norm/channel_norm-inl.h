// Blocks of rows, compiled once per instruction set; contract in channel_norm.h.
//
// Only mul and add, never a fused multiply-add: the bits must be those of every instruction set.
#if defined(SPIKETRAIN_CHANNEL_NORM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_CHANNEL_NORM_INL_H
#undef SPIKETRAIN_CHANNEL_NORM_INL_H
#else
#define SPIKETRAIN_CHANNEL_NORM_INL_H
#endif

#include "spiketrain/kernels/channel_norm/channel_norm.h"
#include "spiketrain/kernels/channel_norm/plan.h"
#include "spiketrain/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace {

// Columns of a line that are walked together: all of them, or a slice of a long row.
struct Columns {
  int64_t first, width, channels;
};

// body(columns) for the slices of a line.
template <class Body>
HWY_INLINE void for_columns(const ChannelPlan& p, const Body& body) {
  if (p.fold > 1) return body(Columns{0, p.width, p.C});
  for (int64_t c = 0; c < p.C; c += ChannelPlan::kMost) {
    const int64_t n = p.C - c < ChannelPlan::kMost ? p.C - c : ChannelPlan::kMost;
    body(Columns{c, n, n});
  }
}

// body(offset of a line's columns, elements) for the lines of block b.
template <class Body>
HWY_INLINE void for_lines(const ChannelPlan& p, const Columns& columns, int64_t b, const Body& body) {
  const int64_t all = p.N * p.C, last = (b + 1) * p.block < p.lines ? (b + 1) * p.block : p.lines;
  for (int64_t line = b * p.block; line < last; ++line) {
    const int64_t at = line * p.width + columns.first;
    body(at, all - at < columns.width ? all - at : columns.width);
  }
}

// A value of each channel, written out for a line.
template <class R>
HWY_INLINE void write_out(const Columns& columns, const R* values, R* line) {
  for (int64_t i = 0; i < columns.width; i += columns.channels)
    memcpy(line + i, values + columns.first, static_cast<size_t>(columns.channels) * sizeof(R));
}

// The sum of a line's columns that are channel c.
template <class R>
HWY_INLINE double channel_sum(const Columns& columns, const R* line, int64_t c) {
  double sum = 0;
  for (int64_t i = c; i < columns.width; i += columns.channels) sum += static_cast<double>(line[i]);
  return sum;
}

// Mean and squares of `before` rows become those of these and `more` others.
HWY_INLINE void join_moments(double before, double more, double other_mean, double other_squares,
                             double* mean, double* squares) {
  const double all = before + more, apart = other_mean - *mean;
  *squares += other_squares + apart * apart * (before * more / all);
  *mean += apart * (more / all);
}

template <class R>
void moments(const ChannelPlan& p, const R* x, int64_t begin, int64_t end, double* mean, double* squares) {
  HWY_ALIGN R sum[ChannelPlan::kMost], centre[ChannelPlan::kMost];
  double means[ChannelPlan::kMost];
  for (int64_t c = 0; c < p.C; ++c) mean[c] = squares[c] = 0;
  for (int64_t b = begin; b < end; ++b) {
    const auto before = static_cast<double>(b > begin ? p.rows(begin, b) : 0),
               here = static_cast<double>(p.rows(b, b + 1));
    for_columns(p, [&](const Columns& columns) HWY_ATTR {
      const size_t bytes = static_cast<size_t>(columns.width) * sizeof(R);
      memset(sum, 0, bytes);
      for_lines(p, columns, b, [&](int64_t at, int64_t w) HWY_ATTR {
        for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
          access.store(hn::Add(access.load(sum + i), access.load(x + at + i)), sum + i);
        });
      });
      for (int64_t c = 0; c < columns.channels; ++c) {
        means[c] = channel_sum(columns, sum, c) / here;
        for (int64_t i = c; i < columns.width; i += columns.channels) centre[i] = static_cast<R>(means[c]);
      }
      memset(sum, 0, bytes);
      for_lines(p, columns, b, [&](int64_t at, int64_t w) HWY_ATTR {
        for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
          const auto d = hn::Sub(access.load(x + at + i), access.load(centre + i));
          access.store(hn::Add(access.load(sum + i), hn::Mul(d, d)), sum + i);
        });
      });
      for (int64_t c = 0; c < columns.channels; ++c)
        join_moments(before, here, means[c], channel_sum(columns, sum, c), mean + columns.first + c,
                     squares + columns.first + c);
    });
  }
}

template <class R>
void products(const ChannelPlan& p, const R* g, const R* x, const R* mean, int64_t begin, int64_t end,
              double* total, double* product) {
  HWY_ALIGN R centre[ChannelPlan::kMost], sum[ChannelPlan::kMost], weighed[ChannelPlan::kMost];
  for (int64_t c = 0; c < p.C; ++c) total[c] = product[c] = 0;
  for_columns(p, [&](const Columns& columns) HWY_ATTR {
    write_out(columns, mean, centre);
    for (int64_t b = begin; b < end; ++b) {
      memset(sum, 0, static_cast<size_t>(columns.width) * sizeof(R));
      memset(weighed, 0, static_cast<size_t>(columns.width) * sizeof(R));
      for_lines(p, columns, b, [&](int64_t at, int64_t w) HWY_ATTR {
        for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
          const auto error = access.load(g + at + i);
          const auto d = hn::Sub(access.load(x + at + i), access.load(centre + i));
          access.store(hn::Add(access.load(sum + i), error), sum + i);
          access.store(hn::Add(access.load(weighed + i), hn::Mul(error, d)), weighed + i);
        });
      });
      for (int64_t c = 0; c < columns.channels; ++c) {
        total[columns.first + c] += channel_sum(columns, sum, c);
        product[columns.first + c] += channel_sum(columns, weighed, c);
      }
    }
  });
}

template <class R>
void standardise(const ChannelPlan& p, const StandardiseArgs<R>& a, int64_t begin, int64_t end) {
  HWY_ALIGN R mean[ChannelPlan::kMost], factor[ChannelPlan::kMost], bias[ChannelPlan::kMost];
  for_columns(p, [&](const Columns& columns) HWY_ATTR {
    write_out(columns, a.mean, mean);
    write_out(columns, a.factor, factor);
    write_out(columns, a.bias, bias);
    for (int64_t b = begin; b < end; ++b) {
      for_lines(p, columns, b, [&](int64_t at, int64_t w) HWY_ATTR {
        for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
          const auto d = hn::Sub(access.load(a.x + at + i), access.load(mean + i));
          access.store(hn::Add(hn::Mul(d, access.load(factor + i)), access.load(bias + i)), a.y + at + i);
        });
      });
    }
  });
}

template <class R>
void adjoint(const ChannelPlan& p, const ChannelAdjointArgs<R>& a, int64_t begin, int64_t end) {
  HWY_ALIGN R push[ChannelPlan::kMost], factor[ChannelPlan::kMost], mean[ChannelPlan::kMost],
      pull[ChannelPlan::kMost];
  for_columns(p, [&](const Columns& columns) HWY_ATTR {
    write_out(columns, a.push, push);
    write_out(columns, a.factor, factor);
    write_out(columns, a.mean, mean);
    write_out(columns, a.pull, pull);
    for (int64_t b = begin; b < end; ++b) {
      for_lines(p, columns, b, [&](int64_t at, int64_t w) HWY_ATTR {
        for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
          const auto pushed =
              hn::Mul(hn::Sub(access.load(a.g + at + i), access.load(push + i)), access.load(factor + i));
          const auto pulled =
              hn::Mul(hn::Sub(access.load(a.x + at + i), access.load(mean + i)), access.load(pull + i));
          access.store(hn::Sub(pushed, pulled), a.g_x + at + i);
        });
      });
    }
  });
}

void ChannelMomentsF32(const ChannelPlan& p, const float* x, int64_t begin, int64_t end, double* mean,
                       double* squares) {
  moments(p, x, begin, end, mean, squares);
}
void ChannelMomentsF64(const ChannelPlan& p, const double* x, int64_t begin, int64_t end, double* mean,
                       double* squares) {
  moments(p, x, begin, end, mean, squares);
}
void ChannelProductsF32(const ChannelPlan& p, const float* g, const float* x, const float* mean,
                        int64_t begin, int64_t end, double* sum, double* product) {
  products(p, g, x, mean, begin, end, sum, product);
}
void ChannelProductsF64(const ChannelPlan& p, const double* g, const double* x, const double* mean,
                        int64_t begin, int64_t end, double* sum, double* product) {
  products(p, g, x, mean, begin, end, sum, product);
}
void ChannelStandardiseF32(const ChannelPlan& p, const StandardiseArgs<float>& a, int64_t begin,
                           int64_t end) {
  standardise(p, a, begin, end);
}
void ChannelStandardiseF64(const ChannelPlan& p, const StandardiseArgs<double>& a, int64_t begin,
                           int64_t end) {
  standardise(p, a, begin, end);
}
void ChannelAdjointF32(const ChannelPlan& p, const ChannelAdjointArgs<float>& a, int64_t begin, int64_t end) {
  adjoint(p, a, begin, end);
}
void ChannelAdjointF64(const ChannelPlan& p, const ChannelAdjointArgs<double>& a, int64_t begin,
                       int64_t end) {
  adjoint(p, a, begin, end);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
