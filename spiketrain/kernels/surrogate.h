// Surrogate derivatives of the spike as a closed set of curve shapes with a height and a rate; every
// named surrogate (ops/surrogate.h) is one of them.  x = membrane - threshold; H = height, r = rate:
//   logistic        H * e/(1+e)^2, e = exp(-r|x|)      laplace   H * exp(-r|x|)
//   gauss           H * exp(-(rx)^2)                   circle    H / (1+(rx)^2)^(3/2)
//   inverse_square  H / (r|x|+1)^2                     lorentz   H / (1+(rx)^2)
//   tent            H * max(0, 1-r|x|)                 box       H where r|x| < 1, else 0
//   sign            -H where x >= 0, else H            constant  H
//   escape          H * exp(-r|x-1|)                   step      H where x > 0, else r
//   beyond          H / (r|x|+1)^2 where x > 1, else 0    inverse   H / (r|x|+1)
//   reciprocal      H / (x+r) where x >= 0, else 0
// and zero where |x| >= the gate, whatever the shape.
// The vector form is in surrogate-inl.h; both have the same order of operations, and the same bits where no
// exp is involved.
#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

namespace spiketrain::cpu {

enum class SurrogateShape {
  logistic,
  laplace,
  escape,
  gauss,
  circle,
  inverse_square,
  inverse,
  beyond,
  reciprocal,
  lorentz,
  tent,
  box,
  sign,
  step,
  constant
};

struct SurrogateCurve {
  SurrogateShape shape = SurrogateShape::constant;
  double height = 1.0;                                    ///< H
  double rate = 1.0;                                      ///< r > 0 (step: >= 0)
  double gate = std::numeric_limits<double>::infinity();  ///< 0 where |x| >= gate; infinity: no gate
  bool gated() const { return !std::isinf(gate); }
};

/// Derivative at x; the constants are rounded to R first.
template <class R>
R surrogate_derivative(const SurrogateCurve& c, R x) {
  if (c.gated() && std::abs(x) >= static_cast<R>(c.gate)) return R(0);
  const R height = static_cast<R>(c.height), rx = static_cast<R>(c.rate) * std::abs(x), one(1);
  switch (c.shape) {
    case SurrogateShape::logistic: {
      const R e = std::exp(-rx), q = one + e;
      return height * (e / (q * q));
    }
    case SurrogateShape::laplace:
      return height * std::exp(-rx);
    case SurrogateShape::escape:
      return height * std::exp(-static_cast<R>(c.rate) * std::abs(x - one));
    case SurrogateShape::gauss:
      return height * std::exp(-(rx * rx));
    case SurrogateShape::circle: {
      const R q = one + rx * rx;
      return height / (q * std::sqrt(q));
    }
    case SurrogateShape::inverse_square:
      return height / ((rx + one) * (rx + one));
    case SurrogateShape::inverse:
      return height / (rx + one);
    case SurrogateShape::beyond:
      return x > one ? height / ((rx + one) * (rx + one)) : R(0);
    case SurrogateShape::reciprocal:
      return x >= R(0) ? height / (x + static_cast<R>(c.rate)) : R(0);
    case SurrogateShape::lorentz:
      return height / (one + rx * rx);
    case SurrogateShape::tent:
      return height * std::max(R(0), one - rx);
    case SurrogateShape::box:
      return rx < one ? height : R(0);
    case SurrogateShape::sign:
      return x >= R(0) ? -height : height;
    case SurrogateShape::step:
      return x > R(0) ? height : static_cast<R>(c.rate);
    case SurrogateShape::constant:
      return height;
  }
  return height;
}

}  // namespace spiketrain::cpu
