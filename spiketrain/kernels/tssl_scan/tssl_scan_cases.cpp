// Cases of tssl_scan: the forward, the PSP filter and its adjoint, and the error signal of every variant.
#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

namespace spiketrain::cpu {
namespace {

TsslParams params(const CaseSpec& spec) {
  return spec.numbers == Numbers::exact ? TsslParams{2.0, 2.0, 1.0} : TsslParams{5.0, 3.0, 1.0};
}

template <class R>
struct TsslInputs {
  int64_t T, N;
  std::vector<R> I, m0, a0, delta;
  explicit TsslInputs(const CaseSpec& spec) : T(spec.sizes[0]), N(spec.sizes[1]) {
    Draw draw(spec);
    I = draw.currents<R>(T * N, -0.5, 1.5);
    m0 = draw.values<R>(N, -0.5, 1.0);
    a0 = draw.values<R>(N, 0.0, 0.5);
    delta = draw.values<R>(T * N, -2.0, 2.0);
  }
};

/// Of a map: no divisor of a tile.
constexpr int64_t kMapChannels = 15;

/// Variant 1: without the states and the PSP, spikes as bits, the membrane in place of the current; 2: the same of a current with a
/// map, and without a membrane.
template <class R>
class TsslForward final : public KernelCase {
 public:
  explicit TsslForward(const CaseSpec& spec) : p_(params(spec)), in_(spec) {
    const int64_t n = in_.T * in_.N;
    x_.T = in_.T, x_.N = in_.N, x_.I = in_.I.data();
    if (spec.variant > 0) {  // as in training
      x_.bits = add<uint64_t>("bits", in_.T * ((in_.N + 63) / 64)).template data<uint64_t>();
      Draw draw(spec);
      if (spec.variant == 1) x_.I = x_.u = add<R>("u", in_.I).template data<R>();
      if (spec.variant == 2) x_.map = map_.map(draw, kMapChannels);
    } else {
      x_.s = add<uint8_t>("s", n).template data<uint8_t>();
    }
    spikes_ = add<double>("spikes", 1).template data<double>();
    items = static_cast<double>(n);
    bytes = items * (2 * sizeof(R) + 1.0 / 8);
    if (spec.variant > 0) return;
    x_.a = add<R>("a", n).template data<R>();
    x_.m0 = in_.m0.data(), x_.a0 = in_.a0.data();
    x_.u = add<R>("u", n).template data<R>();
    x_.m1 = add<R>("m1", in_.N).template data<R>();
    x_.a1 = add<R>("a1", in_.N).template data<R>();
    bytes += items * sizeof(R);
  }
  void call(Code code) override {
    *spikes_ = static_cast<double>(code == Code::fast ? tssl_forward(p_, x_) : tssl_forward_ref(p_, x_));
  }

 private:
  TsslParams p_;
  TsslInputs<R> in_;
  DrawnMap<R> map_;
  TsslForwardArgs<R> x_;
  double* spikes_;
};

/// Variant 1: without states; variant 2: in place.
template <class R>
class PspScan final : public KernelCase {
 public:
  explicit PspScan(const CaseSpec& spec) : tau_s_(params(spec).tau_s), in_(spec) {
    x_.T = in_.T, x_.N = in_.N, x_.x = in_.I.data();
    x_.a = (spec.variant == 2 ? add("a", in_.I) : add<R>("a", in_.T * in_.N)).template data<R>();
    if (spec.variant == 2) x_.x = x_.a;
    items = static_cast<double>(in_.T * in_.N);
    bytes = items * 2 * sizeof(R);
    if (spec.variant == 1) return;
    x_.a0 = in_.a0.data();
    x_.a1 = add<R>("a1", in_.N).template data<R>();
  }
  void call(Code code) override { code == Code::fast ? psp_scan(tau_s_, x_) : psp_scan_ref(tau_s_, x_); }

 private:
  double tau_s_;
  TsslInputs<R> in_;
  PspScanArgs<R> x_;
};

/// Variant 1: in place.
template <class R>
class PspAdjoint final : public KernelCase {
 public:
  explicit PspAdjoint(const CaseSpec& spec) : tau_s_(params(spec).tau_s), in_(spec) {
    const bool in_place = spec.variant == 1;
    x_.T = in_.T, x_.N = in_.N;
    x_.g_x = (in_place ? add("g_x", in_.delta) : add<R>("g_x", in_.T * in_.N)).template data<R>();
    x_.g_a0 = (in_place ? add("g_a0", in_.a0) : add<R>("g_a0", in_.N)).template data<R>();
    x_.g = in_place ? x_.g_x : in_.delta.data();
    x_.g_a1 = in_place ? x_.g_a0 : in_.a0.data();
    items = static_cast<double>(in_.T * in_.N);
    bytes = items * 2 * sizeof(R);
  }
  void call(Code code) override {
    code == Code::fast ? psp_adjoint(tau_s_, x_) : psp_adjoint_ref(tau_s_, x_);
  }

 private:
  double tau_s_;
  TsslInputs<R> in_;
  PspAdjointArgs<R> x_;
};

struct CreditVariant {
  const char* name;
  TsslVariant variant;
  bool warm_up;
  bool as_trained = false;  ///< errors on windows, result over the membrane potential
  bool mapped = false;      ///< from the current with a map, at most kSteps steps of it, without a membrane
};
const CreditVariant kCredits[] = {{"dec2020", TsslVariant::dec2020, false},
                                  {"sep2020", TsslVariant::sep2020, false},
                                  {"jun2020", TsslVariant::jun2020, false},
                                  {"surrogate", TsslVariant::surrogate, false},
                                  {"sep2020,warm_up", TsslVariant::sep2020, true},
                                  {"jun2020,warm_up", TsslVariant::jun2020, true},
                                  {"dec2020,as_trained", TsslVariant::dec2020, false, true},
                                  {"sep2020,as_trained", TsslVariant::sep2020, false, true},
                                  {"dec2020,mapped", TsslVariant::dec2020, false, false, true},
                                  {"sep2020,mapped", TsslVariant::sep2020, false, false, true},
                                  {"surrogate,mapped", TsslVariant::surrogate, false, false, true}};

template <class R>
class TsslCredit final : public KernelCase {
 public:
  explicit TsslCredit(const CaseSpec& spec) : p_(params(spec)), how_(kCredits[spec.variant]), in_(spec) {
    if (how_.mapped) {
      Draw draw(spec);
      in_.T = std::min(in_.T, CurrentMap<R>::kSteps);
      x_.map = map_.map(draw, kMapChannels);
    }
    const int64_t n = in_.T * in_.N;
    const std::vector<R> a = forward();
    x_.T = in_.T, x_.N = in_.N, x_.u = u_.data(), x_.m0 = in_.m0.data(), x_.a0 = in_.a0.data();
    x_.delta = in_.delta.data(), x_.warm_up = how_.warm_up;
    if (how_.as_trained) x_.windows = windows_of(in_.N);
    x_.g = (how_.as_trained ? add("g", u_, tolerance(a)) : add<R>("g", n, tolerance(a))).template data<R>();
    if (how_.as_trained) x_.u = x_.g;
    if (how_.mapped) x_.u = nullptr, x_.I = in_.I.data();
    items = static_cast<double>(n);
    bytes = items * 3 * sizeof(R);
  }
  void call(Code code) override {
    code == Code::fast ? tssl_credit(how_.variant, p_, x_) : tssl_credit_ref(how_.variant, p_, x_);
  }

 private:
  std::vector<R> forward() {
    const auto n = static_cast<size_t>(in_.T * in_.N);
    std::vector<R> a(n);
    u_.resize(n);
    TsslForwardArgs<R> x;
    x.T = in_.T, x.N = in_.N, x.I = in_.I.data(), x.m0 = in_.m0.data(), x.a0 = in_.a0.data();
    x.u = u_.data(), x.a = a.data(), x.map = x_.map;
    tssl_forward_ref(p_, x);
    return a;
  }
  /// exp of the vector code and of the C library differ by 2 ulp at most, so the surrogate branch by 4; an
  /// entry of dec2020 that is not in that branch must have the same bits.
  Tolerance tolerance(const std::vector<R>& a) const {
    Tolerance t;
    const bool latest = how_.variant == TsslVariant::dec2020;
    if (latest || how_.variant == TsslVariant::surrogate || how_.warm_up) t.each = 4;
    const R warm_below = static_cast<R>(1.0 / (4.0 * p_.tau_s));
    for (size_t i = 0; latest && i < a.size(); ++i) t.same_bits.push_back(a[i] >= warm_below);
    return t;
  }

  TsslParams p_;
  CreditVariant how_;
  TsslInputs<R> in_;
  std::vector<R> u_;
  DrawnMap<R> map_;
  TsslCreditArgs<R> x_;
};

template <template <class> class Case>
KernelCases tssl_scan(const char* name, const char* compared, std::vector<std::string> variants,
                      const std::vector<size_t>& timed) {
  KernelCases k;
  k.name = name;
  k.compared = compared;
  k.dims = {{"T", 1, 12}, {"N", 1, 1100}};
  k.variants = std::move(variants);
  k.make = [](const CaseSpec& spec) { return make_case<Case>(spec); };
  std::vector<KernelCases::Sizes> sizes;
  for (const int64_t T : {1, 2, 5, 30}) {
    for (const int64_t N : {1, 3, 15, 16, 17, 33, 511, 513, 4097}) sizes.push_back({T, N});
  }
  k.cross(0, k.variants.size(), sizes);
  k.wide = {5, 3 * 4096 + 17};
  // The layers whose neurons cost most: MNIST 15C5 (batch 50), Fashion-MNIST 400 (100), N-MNIST 12C5 (8).
  for (const size_t variant : timed)
    k.time(variant, {{5, 50 * 15 * 24 * 24}, {5, 100 * 400}, {30, 8 * 12 * 32 * 32}});
  return k;
}

[[maybe_unused]] const bool forward_registered = register_cases([] {
  return tssl_scan<TsslForward>("tssl_forward", "all outputs: same bits", {"all", "fewest", "mapped"},
                                {0, 2});
});
[[maybe_unused]] const bool psp_registered = register_cases([] {
  return tssl_scan<PspScan>("psp_scan", "all outputs: same bits", {"states", "no_states", "in_place"}, {0});
});
[[maybe_unused]] const bool adjoint_registered = register_cases([] {
  return tssl_scan<PspAdjoint>("psp_adjoint", "all outputs: same bits", {"apart", "in_place"}, {0});
});
[[maybe_unused]] const bool credit_registered = register_cases([] {
  std::vector<std::string> names;
  for (const CreditVariant& credit : kCredits) names.push_back(credit.name);
  KernelCases k = tssl_scan<TsslCredit>("tssl_credit", "g: same bits, 4 ulp where the surrogate enters",
                                        names, {0, 1, 2, 3, 8});
  // More steps than who is warm is remembered for at once.
  k.cross(0, k.variants.size(), {{257, 15}, {600, 33}});
  return k;
});

}  // namespace
}  // namespace spiketrain::cpu
