// TSSL-BP scans: vector code against plain loops, bit for bit, around the vector width, for any number of
// threads.
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cstring>
#include <limits>
#include <random>
#include <vector>

namespace spiketrain::cpu {
namespace {

constexpr int64_t kSizes[] = {1, 3, 15, 16, 17, 33, 511, 513, 4097};
constexpr int64_t kSteps[] = {1, 2, 5, 30};
// Written past the end of every output; must survive.
constexpr int kGuard = 64;
const TsslParams kExact{2.0, 2.0, 1.0};
const TsslParams kPaper{5.0, 3.0, 1.0};

template <class R>
struct Case {
  int64_t T, N;
  std::vector<R> I, m0, a0, delta;

  // exact: multiples of 1/64, so that with tau = 2 the sums of the first steps are exact on any machine.
  Case(int64_t T, int64_t N, bool exact, unsigned seed) : T(T), N(N) {
    std::mt19937 random(seed);
    const auto fill = [&](std::vector<R>& v, int64_t n, double low, double high) {
      std::uniform_int_distribution<int> k(static_cast<int>(low * 64), static_cast<int>(high * 64));
      std::uniform_real_distribution<double> r(low, high);
      v.resize(static_cast<size_t>(n));
      for (R& x : v) x = static_cast<R>(exact ? k(random) / 64.0 : r(random));
    };
    fill(I, T * N, -0.5, 1.5);
    fill(m0, N, -0.5, 1.0);
    fill(a0, N, 0.0, 0.5);
    fill(delta, T * N, -2.0, 2.0);
  }
};

template <class V>
std::vector<V> guarded(int64_t n) {
  return std::vector<V>(static_cast<size_t>(n + kGuard), V(77));
}

// Same bits, guards included.
template <class V>
void expect_same(const std::vector<V>& got, const std::vector<V>& want, const char* what) {
  ASSERT_EQ(got.size(), want.size());
  if (std::memcmp(got.data(), want.data(), got.size() * sizeof(V)) == 0) return;
  for (size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(got[i], want[i]) << what << " at " << i << " of " << got.size();
}

template <class R>
struct Forward {
  std::vector<uint8_t> s;
  std::vector<R> u, a, m1, a1;
  int64_t spikes = 0;
};

template <class R, class F>
Forward<R> run_forward(const Case<R>& c, const TsslParams& p, const F& function) {
  const int64_t n = c.T * c.N;
  Forward<R> out{guarded<uint8_t>(n), guarded<R>(n), guarded<R>(n), guarded<R>(c.N), guarded<R>(c.N)};
  TsslForwardArgs<R> x;
  x.T = c.T, x.N = c.N, x.I = c.I.data(), x.m0 = c.m0.data(), x.a0 = c.a0.data();
  x.s = out.s.data(), x.u = out.u.data(), x.a = out.a.data(), x.m1 = out.m1.data(), x.a1 = out.a1.data();
  out.spikes = function(p, x);
  return out;
}

template <class R>
Forward<R> fast_forward(const Case<R>& c, const TsslParams& p) {
  return run_forward(c, p, [](const auto& p, const auto& x) { return tssl_forward(p, x); });
}

template <class R>
void expect_same(const Forward<R>& got, const Forward<R>& want) {
  EXPECT_EQ(got.spikes, want.spikes);
  expect_same(got.s, want.s, "s");
  expect_same(got.u, want.u, "u");
  expect_same(got.a, want.a, "a");
  expect_same(got.m1, want.m1, "m1");
  expect_same(got.a1, want.a1, "a1");
}

template <class R, class F>
std::vector<R> run_credit(const Case<R>& c, const Forward<R>& f, TsslVariant v, bool warm_up,
                          const TsslParams& p, const F& function) {
  std::vector<R> g = guarded<R>(c.T * c.N);
  TsslCreditArgs<R> x;
  x.T = c.T, x.N = c.N, x.u = f.u.data(), x.s = f.s.data(), x.m0 = c.m0.data(), x.a0 = c.a0.data();
  x.delta = c.delta.data(), x.g = g.data(), x.warm_up = warm_up;
  function(v, p, x);
  return g;
}

template <class R>
std::vector<R> fast_credit(const Case<R>& c, const Forward<R>& f, TsslVariant v, bool warm_up,
                           const TsslParams& p) {
  return run_credit(c, f, v, warm_up, p, [](auto v, const auto& p, const auto& x) { tssl_credit(v, p, x); });
}
template <class R>
std::vector<R> plain_credit(const Case<R>& c, const Forward<R>& f, TsslVariant v, bool warm_up,
                            const TsslParams& p) {
  return run_credit(c, f, v, warm_up, p,
                    [](auto v, const auto& p, const auto& x) { tssl_credit_ref(v, p, x); });
}

template <class R>
struct TsslScan : ::testing::Test {
  // Calls body(case, params) for every size, number of steps and kind of numbers.
  template <class Body>
  void for_cases(const Body& body) {
    for (const bool exact : {true, false}) {
      for (const int64_t T : kSteps) {
        for (const int64_t N : kSizes) {
          SCOPED_TRACE(testing::Message() << "T " << T << " N " << N << (exact ? " exact" : " random"));
          body(Case<R>(T, N, exact, static_cast<unsigned>(T * 10007 + N)), exact ? kExact : kPaper);
        }
      }
    }
  }
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(TsslScan, Types);

TYPED_TEST(TsslScan, ForwardEqualsPlainLoops) {
  int64_t spikes = 0;
  this->for_cases([&](const Case<TypeParam>& c, const TsslParams& p) {
    const auto want = run_forward(c, p, [](const auto& p, const auto& x) { return tssl_forward_ref(p, x); });
    expect_same(fast_forward(c, p), want);
    spikes += want.spikes;
  });
  EXPECT_GT(spikes, 1000);
}

TYPED_TEST(TsslScan, ForwardWithoutTheOptionalTensors) {
  Case<TypeParam> c(5, 33, true, 1);
  c.m0.assign(33, 0);
  c.a0.assign(33, 0);
  const auto want = fast_forward(c, kExact);
  std::vector<uint8_t> s(want.s.size(), 77);
  std::vector<TypeParam> a(want.a.size(), 77);
  TsslForwardArgs<TypeParam> x;
  x.T = c.T, x.N = c.N, x.I = c.I.data(), x.s = s.data(), x.a = a.data();
  EXPECT_EQ(tssl_forward(kExact, x), want.spikes);
  expect_same(s, want.s, "s");
  expect_same(a, want.a, "a");
}

// A threshold below zero makes a silent neuron fire: the unused lanes of the last vector must not be counted.
TYPED_TEST(TsslScan, CountsOnlyRealNeurons) {
  Case<TypeParam> c(2, 3, true, 1);
  c.I.assign(6, 0);
  EXPECT_EQ(fast_forward(c, {2.0, 2.0, -10.0}).spikes, 6);
}

TYPED_TEST(TsslScan, TwoWindowsEqualOne) {
  const Case<TypeParam> c(7, 33, false, 5);
  const auto whole = fast_forward(c, kPaper);
  std::vector<uint8_t> s(7 * 33);
  std::vector<TypeParam> a(7 * 33), m = c.m0, a_state = c.a0;
  int64_t spikes = 0;
  for (const auto& window : {std::pair<int64_t, int64_t>{0, 3}, {3, 7}}) {
    TsslForwardArgs<TypeParam> x;
    const int64_t at = window.first * 33;
    x.T = window.second - window.first, x.N = 33, x.I = c.I.data() + at, x.s = s.data() + at,
    x.a = a.data() + at;
    x.m0 = x.m1 = m.data(), x.a0 = x.a1 = a_state.data();
    spikes += tssl_forward(kPaper, x);
  }
  EXPECT_EQ(spikes, whole.spikes);
  EXPECT_EQ(0, std::memcmp(s.data(), whole.s.data(), s.size()));
  EXPECT_EQ(0, std::memcmp(a.data(), whole.a.data(), a.size() * sizeof(TypeParam)));
  EXPECT_EQ(0, std::memcmp(m.data(), whole.m1.data(), m.size() * sizeof(TypeParam)));
}

TYPED_TEST(TsslScan, PspEqualsPlainLoops) {
  this->for_cases([&](const Case<TypeParam>& c, const TsslParams& p) {
    const auto run = [&](auto scan) {
      std::vector<TypeParam> a = guarded<TypeParam>(c.T * c.N), a1 = guarded<TypeParam>(c.N);
      scan(p.tau_s, PspScanArgs<TypeParam>{c.T, c.N, c.I.data(), c.a0.data(), a.data(), a1.data()});
      a.insert(a.end(), a1.begin(), a1.end());
      return a;
    };
    expect_same(run([](double tau, const auto& x) { psp_scan(tau, x); }),
                run([](double tau, const auto& x) { psp_scan_ref(tau, x); }), "a");
  });
}

TYPED_TEST(TsslScan, PspAdjointEqualsPlainLoops) {
  this->for_cases([&](const Case<TypeParam>& c, const TsslParams& p) {
    const auto run = [&](auto scan) {
      std::vector<TypeParam> g_x = c.delta, g_a0 = c.a0;  // in place
      g_x.resize(g_x.size() + kGuard, 77), g_a0.resize(g_a0.size() + kGuard, 77);
      scan(p.tau_s, PspAdjointArgs<TypeParam>{c.T, c.N, g_x.data(), g_a0.data(), g_x.data(), g_a0.data()});
      g_x.insert(g_x.end(), g_a0.begin(), g_a0.end());
      return g_x;
    };
    expect_same(run([](double tau, const auto& x) { psp_adjoint(tau, x); }),
                run([](double tau, const auto& x) { psp_adjoint_ref(tau, x); }), "g_x");
  });
}

// <g, a(x,a0)> + <g_a1, a1> == <g_x, x> + <g_a0, a0>
TEST(PspScan, AdjointIsExact) {
  const Case<double> c(9, 37, false, 3);
  std::vector<double> a(9 * 37), a1(37), g_x(9 * 37), g_a0(37);
  psp_scan<double>(3.0, {9, 37, c.I.data(), c.a0.data(), a.data(), a1.data()});
  psp_adjoint<double>(3.0, {9, 37, c.delta.data(), c.m0.data(), g_x.data(), g_a0.data()});
  double left = 0, right = 0;
  for (size_t i = 0; i < a.size(); ++i) left += c.delta[i] * a[i], right += g_x[i] * c.I[i];
  for (size_t i = 0; i < a1.size(); ++i) left += c.m0[i] * a1[i], right += g_a0[i] * c.a0[i];
  EXPECT_NEAR(left, right, 1e-12 * (1 + std::abs(left)));
}

TYPED_TEST(TsslScan, CreditAtSpikesEqualsPlainLoops) {
  this->for_cases([&](const Case<TypeParam>& c, const TsslParams& p) {
    const auto f = fast_forward(c, p);
    for (const TsslVariant v : {TsslVariant::jun2020, TsslVariant::sep2020}) {
      expect_same(fast_credit(c, f, v, false, p), plain_credit(c, f, v, false, p), "g");
    }
  });
}

// exp of the vector code and of the C library differ by 2 ulp at most, so the surrogate branch by 4; an entry
// of head that is not in that branch must have the same bits.
TYPED_TEST(TsslScan, CreditWithSurrogateAgrees) {
  this->for_cases([&](const Case<TypeParam>& c, const TsslParams& p) {
    const auto f = fast_forward(c, p);
    const auto warm_below = static_cast<TypeParam>(1.0 / (4.0 * p.tau_s));
    for (const TsslVariant v :
         {TsslVariant::head, TsslVariant::sep2020, TsslVariant::jun2020, TsslVariant::surrogate}) {
      const auto got = fast_credit(c, f, v, true, p), want = plain_credit(c, f, v, true, p);
      for (size_t i = 0; i < want.size(); ++i) {
        const bool exact =
            i >= static_cast<size_t>(c.T * c.N) || (v == TsslVariant::head && f.a[i] >= warm_below);
        const double bound = exact ? 0.0 : 4 * std::numeric_limits<TypeParam>::epsilon() * std::abs(want[i]);
        ASSERT_LE(std::abs(got[i] - want[i]), bound) << "variant " << static_cast<int>(v) << " at " << i;
      }
    }
  });
}

TYPED_TEST(TsslScan, NullStatesOfCreditAreZeros) {
  Case<TypeParam> c(5, 33, true, 2);
  c.m0.assign(33, 0);
  c.a0.assign(33, 0);
  const auto f = fast_forward(c, kExact);
  const auto want = fast_credit(c, f, TsslVariant::head, false, kExact);
  auto g = guarded<TypeParam>(5 * 33);
  TsslCreditArgs<TypeParam> x;
  x.T = 5, x.N = 33, x.u = f.u.data(), x.s = f.s.data(), x.delta = c.delta.data(), x.g = g.data();
  tssl_credit(TsslVariant::head, kExact, x);
  expect_same(g, want, "g");
}

TYPED_TEST(TsslScan, ThreadsDoNotChangeBits) {
  const Case<TypeParam> c(5, 3 * 4096 + 17, false, 9);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const auto want = fast_forward(c, kPaper);
  const auto want_g = fast_credit(c, want, TsslVariant::head, false, kPaper);
  for (const int threads : {2, 4}) {
    omp_set_num_threads(threads);
    const auto got = fast_forward(c, kPaper);
    expect_same(got, want);
    expect_same(fast_credit(c, got, TsslVariant::head, false, kPaper), want_g, "g");
  }
  omp_set_num_threads(before);
}

}  // namespace
}  // namespace spiketrain::cpu
