// Errors on windows as rows of a tile of neurons, compiled once per instruction set, shared by the scans; windows.h says what they are.
#if defined(SPIKETRAIN_WINDOWS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_WINDOWS_INL_H
#undef SPIKETRAIN_WINDOWS_INL_H
#else
#define SPIKETRAIN_WINDOWS_INL_H
#endif

#include <string.h>

#include "spiketrain/kernels/rows-inl.h"
#include "spiketrain/kernels/windows.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {

// Rows of a tile [begin, begin + w) of N neurons; its windows are the same at every step.
template <class R>
class WindowRows {
 public:
  WindowRows(const Windows& windows, const R* x, int64_t T, int64_t N, int64_t begin, int64_t w)
      : p_(windows), x_(x), N_(N), begin_(begin) {
    if (p_.k == 1) return;
    pitch_ = N / p_.sites() * p_.pooled();
    end_ = x + T * pitch_;
    const int64_t rows = p_.H / p_.k, columns = p_.W / p_.k;
    int64_t pixel = begin / p_.C, c = begin % p_.C, px = pixel % p_.W, py = pixel / p_.W % p_.H,
            image = pixel / (p_.W * p_.H);
    for (int64_t i = 0; i < w; c = 0) {
      const int64_t n = HWY_MIN(p_.C - c, w - i), y = py / p_.k, column = px / p_.k;
      const bool inside = y < rows && column < columns;
      runs_[count_++] = {i, n, inside ? ((image * rows + y) * columns + column) * p_.C + c : -1};
      i += n;
      if (++px < p_.W) continue;
      px = 0;
      if (++py < p_.H) continue;
      py = 0;
      ++image;
    }
  }
  // Of step t.
  HWY_INLINE const R* at(int64_t t) {
    if (p_.k == 1) return x_ + t * N_ + begin_;
    const hn::ScalableTag<R> d;
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const R scale = static_cast<R>(p_.scale);
    const auto scales = hn::Set(d, scale);
    for (int64_t k = 0; k < count_; ++k) {
      const Run& run = runs_[k];
      if (run.from < 0) {
        memset(row_ + run.i, 0, static_cast<size_t>(run.n) * sizeof(R));
        continue;
      }
      const R* from = x_ + t * pitch_ + run.from;
      R* const to = row_ + run.i;
      if (t > 0) hwy::Prefetch(from - pitch_);  // of the step that comes next
      if (from + run.n + lanes <= end_) {       // the next run writes over what is too much
        for (int64_t j = 0; j < run.n; j += lanes)
          hn::StoreU(hn::Mul(scales, hn::LoadU(d, from + j)), d, to + j);
      } else {
        for (int64_t j = 0; j < run.n; ++j) to[j] = scale * from[j];
      }
    }
    return row_;
  }

 private:
  struct Run {
    int64_t i, n, from;  // from < 0: no window
  };
  const Windows p_;
  const R* x_;
  const int64_t N_, begin_;
  const R* end_ = nullptr;  // of x
  int64_t pitch_ = 0, count_ = 0;
  Run runs_[kTile];
  HWY_ALIGN R row_[kTile + HWY_MAX_BYTES / sizeof(R)];
};

}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
