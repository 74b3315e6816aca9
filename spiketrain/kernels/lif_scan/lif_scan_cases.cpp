// Cases of lif_scan: every reset and combination of switches, every shape of surrogate, with and without the
// optional arrays.
#include "spiketrain/kernels/lif_scan/lif_scan_cases.h"

#include <array>

#include "spiketrain/base/check.h"

namespace spiketrain::cpu {
namespace {

/// Of a map: no divisor of a tile.
constexpr int64_t kMapChannels = 15;

bool needs_exp(const SurrogateCurve& curve) { return curve.shape <= SurrogateShape::gauss; }

/// exp of the vector code and of the C library differ by a few ulp, which add up over the steps.
Tolerance of_surrogate(const LifParams& p, int64_t T) {
  Tolerance t;
  if (needs_exp(p.surrogate)) t.largest = 32 * std::max(1.0, static_cast<double>(T) / 7);
  return t;
}

template <class R>
class LifForward final : public KernelCase {
 public:
  LifForward(const CaseSpec& spec, const LifParams& p, LifArrays arrays) : p_(p) {
    const int64_t T = spec.sizes[0], N = spec.sizes[1];
    Draw draw(spec);
    I_ = draw.currents<R>(T * N, -0.5, 2.0);
    z0_ = draw.values<R>(N, -0.5, 2.5);
    x_.T = T, x_.N = N, x_.I = I_.data();
    const bool keeps_bytes = arrays == LifArrays::all || arrays == LifArrays::fewest;
    if (keeps_bytes) x_.s = add<uint8_t>("s", T * N).template data<uint8_t>();
    if (arrays != LifArrays::fewest)
      x_.bits = add<uint64_t>("bits", T * ((N + 63) / 64)).template data<uint64_t>();
    spikes_ = add<double>("spikes", 1).template data<double>();
    items = static_cast<double>(T * N);
    bytes = items * (sizeof(R) + 1);
    x_.constant = arrays == LifArrays::fewest;
    if (arrays == LifArrays::fewest) return;
    x_.z0 = z0_.data();
    // In training the membrane takes the place of the current.
    if (arrays == LifArrays::mapped) {
      x_.map = map_.map(draw, kMapChannels);
    } else if (arrays == LifArrays::training) {
      x_.I = x_.u = add<R>("u", I_).template data<R>();
    } else {
      x_.u = add<R>("u", T * N).template data<R>();
    }
    x_.z1 = add<R>("z1", N).template data<R>();
    bytes += items * sizeof(R);
    if (!keeps_bytes) return;
    x_.a = add<R>("a", T * N).template data<R>();
    x_.psi = add<R>("psi", T * N, of_surrogate(p, T)).template data<R>();
    bytes += 2 * items * sizeof(R);
  }
  void call(Code code) override {
    *spikes_ = static_cast<double>(code == Code::fast ? lif_forward(p_, x_) : lif_forward_ref(p_, x_));
  }

 private:
  LifParams p_;
  std::vector<R> I_, z0_;
  DrawnMap<R> map_;
  LifForwardArgs<R> x_;
  double* spikes_;
};

template <class R>
class LifAdjoint final : public KernelCase {
 public:
  LifAdjoint(const CaseSpec& spec, const LifParams& p, LifArrays arrays) : p_(p) {
    const int64_t T = spec.sizes[0], N = spec.sizes[1];
    const bool states = arrays != LifArrays::fewest;
    Draw draw(spec);
    I_ = draw.currents<R>(T * N, -0.5, 2.0);
    z0_ = draw.values<R>(N, -0.5, 2.5);
    delta_ = draw.values<R>(T * N, -2.0, 2.0);
    g_out_ = draw.values<R>(N, -2.0, 2.0);
    if (arrays == LifArrays::mapped) x_.map = map_.map(draw, kMapChannels);
    forward(T, N, states);
    x_.T = T, x_.N = N, x_.u = u_.data(), x_.s = s_.data(), x_.I = I_.data(), x_.delta = delta_.data();
    // As in training: over the membrane.
    const bool over_u = arrays == LifArrays::training;
    g_ = over_u ? &add<R>("g", u_, of_surrogate(p, T)) : &add<R>("g", T * N, of_surrogate(p, T));
    x_.g = g_->template data<R>();
    if (over_u) x_.u = x_.g;
    items = static_cast<double>(T * N);
    bytes = items * (3 * sizeof(R) + 1);
    if (states) {
      x_.z0 = z0_.data(), x_.g_out = g_out_.data();
      x_.g_in = add<R>("g_in", N, of_surrogate(p, T)).template data<R>();
    }
    if (arrays == LifArrays::mapped) x_.u = nullptr;
    if (arrays == LifArrays::mapped || (arrays == LifArrays::training && !p.raised)) x_.s = nullptr;
    if (arrays == LifArrays::training || arrays == LifArrays::mapped) x_.windows = windows_of(N);
    x_.want_leak = arrays == LifArrays::all;
    g_leak_ = &add<double>("g_leak", 1);
  }
  void call(Code code) override {
    *g_leak_->data<double>() = code == Code::fast ? lif_adjoint(p_, x_) : lif_adjoint_ref(p_, x_);
    if (!x_.want_leak) return;
    // Many terms of either sign; steep surrogates make gradients grow from step to step.
    g_leak_->tolerance.absolute =
        16 * items * g_->largest() * static_cast<double>(std::numeric_limits<R>::epsilon());
  }

 private:
  void forward(int64_t T, int64_t N, bool states) {
    s_.resize(static_cast<size_t>(T * N));
    u_.resize(static_cast<size_t>(T * N));
    LifForwardArgs<R> x;
    x.T = T, x.N = N, x.I = I_.data(), x.z0 = states ? z0_.data() : nullptr, x.s = s_.data(), x.u = u_.data();
    x.map = x_.map;
    lif_forward_ref(p_, x);
  }

  LifParams p_;
  std::vector<R> I_, z0_, delta_, g_out_, u_;
  DrawnMap<R> map_;
  std::vector<uint8_t> s_;
  LifAdjointArgs<R> x_;
  Output *g_, *g_leak_;
};

/// Resets and switches.  z0 reaches over twice the threshold, so that `raised` matters.
std::vector<std::pair<std::string, LifParams>> dynamics() {
  const std::pair<const char*, LifReset> resets[] = {{"soft_decayed", LifReset::soft_decayed},
                                                     {"soft", LifReset::soft},
                                                     {"hard", LifReset::hard},
                                                     {"none", LifReset::none}};
  std::vector<std::pair<std::string, LifParams>> all;
  for (const auto& [name, reset] : resets) {
    for (int bits = 0; bits < 16; ++bits) {
      LifParams p;
      p.reset = reset;
      p.delayed = bits & 1;
      p.detach_reset = bits & 2;
      p.strict = bits & 4;
      p.raised = bits & 8;
      if (p.raised && (reset != LifReset::soft_decayed || p.delayed)) continue;
      p.v_reset = -0.25;
      p.gain_tie = p.strict ? 1 : 0;
      all.emplace_back(str(name, p.delayed ? ",delayed" : "", p.detach_reset ? ",detached" : "",
                           p.strict ? ",strict" : "", p.raised ? ",raised" : ""),
                       p);
    }
  }
  const auto more = [&all](const char* name, LifReset reset, bool detach, double reset_by, double slope) {
    LifParams p;
    p.reset = reset, p.detach_reset = detach, p.reset_by = reset_by, p.reset_slope = slope;
    all.emplace_back(name, p);
  };
  more("soft_decayed,by", LifReset::soft_decayed, false, 0.75, 0);
  more("soft,by", LifReset::soft, false, 1.5, 0);
  more("soft_decayed,slope", LifReset::soft_decayed, true, 0, -0.5);
  more("hard,slope", LifReset::hard, true, 0, 0.25);
  return all;
}

/// One curve of each shape, and steep ones of those that need exp.
const std::pair<const char*, SurrogateCurve> kCurves[] = {
    {"tent", {SurrogateShape::tent, 1, 1}},
    {"logistic", {SurrogateShape::logistic, 4, 4}},
    {"steep_logistic", {SurrogateShape::logistic, 4, 200}},
    {"laplace", {SurrogateShape::laplace, 2, 2}},
    {"escape", {SurrogateShape::escape, 25, 1}},
    {"gauss", {SurrogateShape::gauss, 1.128, 2}},
    {"steep_gauss", {SurrogateShape::gauss, 1.128, 100}},
    {"circle", {SurrogateShape::circle, 1, 0.01}},
    {"inverse_square", {SurrogateShape::inverse_square, 1, 25}},
    {"inverse", {SurrogateShape::inverse, 1, 1}},
    {"beyond", {SurrogateShape::beyond, 1, 25}},
    {"reciprocal", {SurrogateShape::reciprocal, 1, 1}},
    {"gated_laplace", {SurrogateShape::laplace, 2, 2, 0.5}},
    {"gated_constant", {SurrogateShape::constant, 1, 1, 0.25}},
    {"lorentz", {SurrogateShape::lorentz, 1, 3.14}},
    {"box", {SurrogateShape::box, 1, 2}},
    {"sign", {SurrogateShape::sign, 1, 1}},
    {"step", {SurrogateShape::step, 1, 0.1}},
    {"constant", {SurrogateShape::constant, 1, 1}},
};
const std::pair<const char*, LifArrays> kArrays[] = {{"all", LifArrays::all},
                                                     {"training", LifArrays::training},
                                                     {"fewest", LifArrays::fewest},
                                                     {"mapped", LifArrays::mapped}};

/// variant = (arrays * curves + curve) * dynamics + dynamic
size_t variant_of(size_t arrays, size_t curve, size_t dynamic = 0) {
  return (arrays * std::size(kCurves) + curve) * dynamics().size() + dynamic;
}

template <template <class> class Case>
std::unique_ptr<KernelCase> make(const CaseSpec& spec) {
  static const auto all = dynamics();
  const size_t dynamic = spec.variant % all.size(), rest = spec.variant / all.size();
  LifParams p = all[dynamic].second;
  p.surrogate = kCurves[rest % std::size(kCurves)].second;
  if (spec.numbers != Numbers::exact) p.leak = 0.9, p.gain = 0.75, p.rest = 0.0625;
  if (spec.numbers == Numbers::typical) p.leak = 0.5, p.rest = 0;
  // Whether such a neuron fired does not follow from its membrane.
  if (kArrays[rest / std::size(kCurves)].second == LifArrays::mapped) p.raised = false;
  return make_case<Case>(spec, p, kArrays[rest / std::size(kCurves)].second);
}

KernelCases lif_scan(const char* name, const char* compared) {
  KernelCases k;
  k.name = name;
  k.compared = compared;
  k.dims = {{"T", 1, 12}, {"N", 1, 1100}};
  const auto all = dynamics();
  for (const auto& arrays : kArrays) {
    for (const auto& curve : kCurves) {
      for (const auto& dynamic : all)
        k.variants.push_back(str(dynamic.first, ",", curve.first, ",", arrays.first));
    }
  }
  std::vector<KernelCases::Sizes> sizes;
  for (const int64_t T : {1, 2, 7}) {
    for (const int64_t N : {1, 3, 15, 16, 17, 33, 511, 513, 4097}) sizes.push_back({T, N});
  }
  k.cross(variant_of(0, 0), variant_of(0, 1), sizes);
  k.cross(variant_of(0, 1), variant_of(1, 0), {{7, 37}});
  for (const size_t arrays : {1, 2, 3})
    k.cross(variant_of(arrays, 0), variant_of(arrays, 1), {{1, 1}, {2, 513}, {5, 17}, {3, 1920}});
  k.wide = {4, 20000};
  return k;
}

/// MNIST's first layer, a Fashion-MNIST layer, N-MNIST's first layer.
const std::vector<KernelCases::Sizes> kTimed = {{5, 432000}, {5, 40000}, {30, 98304}};

[[maybe_unused]] const bool forward_registered = register_cases([] {
  KernelCases k =
      lif_scan("lif_forward", "spikes, potentials and states: same bits; psi: 32 ulp where it needs exp");
  k.make = make<LifForward>;
  k.time(variant_of(1, 0), kTimed);
  k.time(variant_of(3, 0), kTimed);
  return k;
});
[[maybe_unused]] const bool adjoint_registered = register_cases([] {
  KernelCases k =
      lif_scan("lif_adjoint", "gradients: same bits, 32 ulp where the surrogate needs exp; g_leak: a sum");
  k.make = make<LifAdjoint>;
  k.time(variant_of(1, 0), kTimed);
  k.time(variant_of(1, 1), kTimed);
  k.time(variant_of(3, 0), kTimed);
  return k;
});

}  // namespace

std::unique_ptr<KernelCase> lif_forward_case(const CaseSpec& spec, const LifParams& p, LifArrays arrays) {
  return make_case<LifForward>(spec, p, arrays);
}
std::unique_ptr<KernelCase> lif_adjoint_case(const CaseSpec& spec, const LifParams& p, LifArrays arrays) {
  return make_case<LifAdjoint>(spec, p, arrays);
}

}  // namespace spiketrain::cpu
