// TSSL-BP scans beyond the cases of kernel_cases_test.cpp: null arrays stand for zeros, two windows for one,
// only real neurons are counted, and the adjoint of the PSP filter is exact.
#include "spiketrain/kernels/tssl_scan/tssl_scan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "spiketrain/kernels/cases.h"

namespace spiketrain::cpu {
namespace {

const TsslParams kPaper{5.0, 3.0, 1.0};

template <class R>
struct Inputs {
  int64_t T, N;
  std::vector<R> I, m0, a0, delta;
  Inputs(int64_t T, int64_t N, uint64_t seed) : T(T), N(N) {
    Draw draw({{}, 0, Numbers::any, false, seed});
    I = draw.values<R>(T * N, -0.5, 1.5);
    m0 = draw.values<R>(N, -0.5, 1.0);
    a0 = draw.values<R>(N, 0.0, 0.5);
    delta = draw.values<R>(T * N, -2.0, 2.0);
  }
};

template <class R>
struct Forward {
  std::vector<uint8_t> s;
  std::vector<R> u, a, m1, a1;
  int64_t spikes = 0;
};

template <class R>
Forward<R> forward(const Inputs<R>& in, const TsslParams& p) {
  const auto n = static_cast<size_t>(in.T * in.N), N = static_cast<size_t>(in.N);
  Forward<R> out{std::vector<uint8_t>(n), std::vector<R>(n), std::vector<R>(n), std::vector<R>(N),
                 std::vector<R>(N)};
  TsslForwardArgs<R> x;
  x.T = in.T, x.N = in.N, x.I = in.I.data(), x.m0 = in.m0.data(), x.a0 = in.a0.data();
  x.s = out.s.data(), x.u = out.u.data(), x.a = out.a.data(), x.m1 = out.m1.data(), x.a1 = out.a1.data();
  out.spikes = tssl_forward(p, x);
  return out;
}

template <class R>
struct TsslScan : ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(TsslScan, Types);

TYPED_TEST(TsslScan, NullStatesOfTheForwardAreZeros) {
  Inputs<TypeParam> in(5, 33, 1);
  in.m0.assign(33, 0);
  in.a0.assign(33, 0);
  const auto want = forward(in, kPaper);
  std::vector<uint8_t> s(want.s.size(), 77);
  std::vector<TypeParam> a(want.a.size(), 77);
  TsslForwardArgs<TypeParam> x;
  x.T = in.T, x.N = in.N, x.I = in.I.data(), x.s = s.data(), x.a = a.data();
  EXPECT_EQ(tssl_forward(kPaper, x), want.spikes);
  EXPECT_EQ(s, want.s);
  EXPECT_EQ(a, want.a);
}

TYPED_TEST(TsslScan, NullStatesOfCreditAreZeros) {
  Inputs<TypeParam> in(5, 33, 2);
  in.m0.assign(33, 0);
  in.a0.assign(33, 0);
  const auto f = forward(in, kPaper);
  std::vector<TypeParam> want(5 * 33), got(5 * 33, 77);
  TsslCreditArgs<TypeParam> x;
  x.T = in.T, x.N = in.N, x.u = f.u.data(), x.delta = in.delta.data();
  x.m0 = in.m0.data(), x.a0 = in.a0.data(), x.g = want.data();
  tssl_credit(TsslVariant::dec2020, kPaper, x);
  x.m0 = x.a0 = nullptr, x.g = got.data();
  tssl_credit(TsslVariant::dec2020, kPaper, x);
  EXPECT_EQ(got, want);
}

// A threshold below zero makes a silent neuron fire: the unused lanes of the last vector must not be counted.
TYPED_TEST(TsslScan, CountsOnlyRealNeurons) {
  Inputs<TypeParam> in(2, 3, 1);
  in.I.assign(6, 0);
  EXPECT_EQ(forward(in, {2.0, 2.0, -10.0}).spikes, 6);
}

TYPED_TEST(TsslScan, TwoWindowsEqualOne) {
  const Inputs<TypeParam> in(7, 33, 5);
  const auto whole = forward(in, kPaper);
  std::vector<uint8_t> s(7 * 33);
  std::vector<TypeParam> a(7 * 33), m = in.m0, a_state = in.a0;
  int64_t spikes = 0;
  for (const auto& window : {std::pair<int64_t, int64_t>{0, 3}, {3, 7}}) {
    TsslForwardArgs<TypeParam> x;
    const int64_t at = window.first * 33;
    x.T = window.second - window.first, x.N = 33, x.I = in.I.data() + at, x.s = s.data() + at,
    x.a = a.data() + at;
    x.m0 = x.m1 = m.data(), x.a0 = x.a1 = a_state.data();
    spikes += tssl_forward(kPaper, x);
  }
  EXPECT_EQ(spikes, whole.spikes);
  EXPECT_EQ(s, whole.s);
  EXPECT_EQ(a, whole.a);
  EXPECT_EQ(m, whole.m1);
  EXPECT_EQ(a_state, whole.a1);
}

// <g, a(x,a0)> + <g_a1, a1> == <g_x, x> + <g_a0, a0>
TEST(PspScan, AdjointIsExact) {
  const Inputs<double> in(9, 37, 3);
  std::vector<double> a(9 * 37), a1(37), g_x(9 * 37), g_a0(37);
  psp_scan<double>(3.0, {9, 37, in.I.data(), in.a0.data(), a.data(), a1.data()});
  psp_adjoint<double>(3.0, {9, 37, in.delta.data(), in.m0.data(), g_x.data(), g_a0.data()});
  double left = 0, right = 0;
  for (size_t i = 0; i < a.size(); ++i) left += in.delta[i] * a[i], right += g_x[i] * in.I[i];
  for (size_t i = 0; i < a1.size(); ++i) left += in.m0[i] * a1[i], right += g_a0[i] * in.a0[i];
  EXPECT_NEAR(left, right, 1e-12 * (1 + std::abs(left)));
}

}  // namespace
}  // namespace spiketrain::cpu
