// Surrogate derivatives of a row of neurons, compiled once per instruction set; the curves are in
// surrogate.h.
#if defined(SPIKETRAIN_SURROGATE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef SPIKETRAIN_SURROGATE_INL_H
#undef SPIKETRAIN_SURROGATE_INL_H
#else
#define SPIKETRAIN_SURROGATE_INL_H
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"
#include "spiketrain/kernels/rows-inl.h"
#include "spiketrain/kernels/surrogate.h"

HWY_BEFORE_NAMESPACE();
namespace spiketrain::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// row[i] = curve(row[i]), curve given as a function of x and r|x|.
template <class R, class Curve>
HWY_INLINE void map_curve(const SurrogateCurve& c, R* row, int64_t w, const Curve& curve) {
  const auto r = hn::Set(hn::ScalableTag<R>(), static_cast<R>(c.rate));
  for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
    const auto x = access.load(row + i);
    access.store(curve(x, hn::Mul(r, hn::Abs(x))), row + i);
  });
}

// row[i] = derivative(row[i]) without the gate, for w neurons, in place.  One switch per row, none per lane.
template <class R>
void curve_row(const SurrogateCurve& c, R* row, int64_t w) {
  const hn::ScalableTag<R> d;
  using V = hn::Vec<hn::ScalableTag<R>>;
  const V height = hn::Set(d, static_cast<R>(c.height)), one = hn::Set(d, R(1)), zero = hn::Zero(d);
  const V rate = hn::Set(d, static_cast<R>(c.rate));
  switch (c.shape) {
    case SurrogateShape::logistic:
      return map_curve(c, row, w, [&](V, V rx) HWY_ATTR {
        const V e = hn::Exp(d, hn::Neg(rx)), q = hn::Add(one, e);
        return hn::Mul(height, hn::Div(e, hn::Mul(q, q)));
      });
    case SurrogateShape::laplace:
      return map_curve(c, row, w, [&](V, V rx) HWY_ATTR { return hn::Mul(height, hn::Exp(d, hn::Neg(rx))); });
    case SurrogateShape::escape:
      return map_curve(c, row, w, [&](V x, V) HWY_ATTR {
        return hn::Mul(height, hn::Exp(d, hn::Neg(hn::Mul(rate, hn::Abs(hn::Sub(x, one))))));
      });
    case SurrogateShape::gauss:
      return map_curve(
          c, row, w, [&](V, V rx) HWY_ATTR { return hn::Mul(height, hn::Exp(d, hn::Neg(hn::Mul(rx, rx)))); });
    case SurrogateShape::circle:
      return map_curve(c, row, w, [&](V, V rx) HWY_ATTR {
        const V q = hn::Add(one, hn::Mul(rx, rx));
        return hn::Div(height, hn::Mul(q, hn::Sqrt(q)));
      });
    case SurrogateShape::inverse_square:
      return map_curve(c, row, w, [&](V, V rx) HWY_ATTR {
        const V q = hn::Add(rx, one);
        return hn::Div(height, hn::Mul(q, q));
      });
    case SurrogateShape::inverse:
      return map_curve(c, row, w, [&](V, V rx) HWY_ATTR { return hn::Div(height, hn::Add(rx, one)); });
    case SurrogateShape::beyond:
      return map_curve(c, row, w, [&](V x, V rx) HWY_ATTR {
        const V q = hn::Add(rx, one);
        return hn::IfThenElseZero(hn::Gt(x, one), hn::Div(height, hn::Mul(q, q)));
      });
    case SurrogateShape::reciprocal:
      return map_curve(c, row, w, [&](V x, V) HWY_ATTR {
        return hn::IfThenElseZero(hn::Ge(x, zero), hn::Div(height, hn::Add(x, rate)));
      });
    case SurrogateShape::lorentz:
      return map_curve(c, row, w,
                       [&](V, V rx) HWY_ATTR { return hn::Div(height, hn::Add(one, hn::Mul(rx, rx))); });
    case SurrogateShape::tent:
      return map_curve(c, row, w,
                       [&](V, V rx) HWY_ATTR { return hn::Mul(height, hn::Max(zero, hn::Sub(one, rx))); });
    case SurrogateShape::box:
      return map_curve(c, row, w,
                       [&](V, V rx) HWY_ATTR { return hn::IfThenElseZero(hn::Lt(rx, one), height); });
    case SurrogateShape::sign:
      return map_curve(c, row, w, [&](V x, V) HWY_ATTR {
        return hn::IfThenElse(hn::Ge(x, zero), hn::Neg(height), height);
      });
    case SurrogateShape::step:
      return map_curve(c, row, w,
                       [&](V x, V) HWY_ATTR { return hn::IfThenElse(hn::Gt(x, zero), height, rate); });
    case SurrogateShape::constant:
      return map_curve(c, row, w, [&](V, V) HWY_ATTR { return height; });
  }
}

// The same inside the gate; w <= kTile.
template <class R>
void surrogate_row(const SurrogateCurve& c, R* row, int64_t w) {
  if (!c.gated()) return curve_row(c, row, w);
  HWY_ALIGN R x[kTile];
  std::copy(row, row + w, x);
  curve_row(c, row, w);
  const auto gate = hn::Set(hn::ScalableTag<R>(), static_cast<R>(c.gate));
  for_row<R>(w, [&](const auto& access, int64_t i) HWY_ATTR {
    const auto outside = hn::Ge(hn::Abs(access.load(x + i)), gate);
    access.store(hn::IfThenZeroElse(outside, access.load(row + i)), row + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace spiketrain::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
