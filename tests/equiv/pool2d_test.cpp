// Sum pooling: fast code against plain loops, bit for bit; ignored tails; adjointness; threads.
#include "spiketrain/kernels/pool2d/pool2d.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <random>
#include <vector>

namespace spiketrain::cpu {
namespace {

template <class R>
std::vector<R> random_values(int64_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> value(-1, 1);
  std::vector<R> v(static_cast<size_t>(n));
  for (R& x : v) x = static_cast<R>(value(random));
  return v;
}

template <class R>
void expect_equal_to_ref(const Pool2dShape& p) {
  SCOPED_TRACE(testing::Message() << "M " << p.M << " H " << p.H << " W " << p.W << " k " << p.k);
  const int64_t n = p.M * p.H * p.W, no = p.M * (p.H / p.k) * (p.W / p.k);
  const std::vector<R> x = random_values<R>(n, 1), g_y = random_values<R>(no, 2);
  std::vector<R> y(static_cast<size_t>(no + 8), R(77)), y_ref = y;
  std::vector<R> g_x(static_cast<size_t>(n + 8), R(77)), g_x_ref = g_x;
  pool2d_forward(p, x.data(), y.data());
  pool2d_forward_ref(p, x.data(), y_ref.data());
  EXPECT_EQ(y, y_ref);
  pool2d_backward(p, g_y.data(), g_x.data());
  pool2d_backward_ref(p, g_y.data(), g_x_ref.data());
  EXPECT_EQ(g_x, g_x_ref);
}

TEST(Pool2d, EqualsPlainLoops) {
  for (const int64_t k : {1, 2, 3, 4}) {
    for (const int64_t size : {1, 2, 5, 8, 17, 24, 33, 66}) {
      for (const int64_t M : {0, 1, 7}) {
        expect_equal_to_ref<float>({M, size, size + 1, k, 1.1});
        expect_equal_to_ref<double>({M, size + 1, size, k, 1.1});
      }
    }
  }
}

TEST(Pool2d, SumsTheWindowAndIgnoresTheTail) {
  // 3 x 5, k = 2: two windows; the last row and column do not count.
  const std::vector<double> x = {1, 2, 3, 4, 100, 5, 6, 7, 8, 100, 100, 100, 100, 100, 100};
  std::vector<double> y(2), g_x(15, 77);
  pool2d_forward<double>({1, 3, 5, 2, 0.5}, x.data(), y.data());
  EXPECT_EQ(y, (std::vector<double>{7, 11}));
  pool2d_backward<double>({1, 3, 5, 2, 0.5}, y.data(), g_x.data());
  EXPECT_EQ(g_x, (std::vector<double>{3.5, 3.5, 5.5, 5.5, 0, 3.5, 3.5, 5.5, 5.5, 0, 0, 0, 0, 0, 0}));
}

TEST(Pool2d, BackwardIsTheAdjoint) {
  const Pool2dShape p{5, 13, 11, 3, 1.0 / 9};
  const std::vector<double> x = random_values<double>(5 * 13 * 11, 3),
                            g_y = random_values<double>(5 * 4 * 3, 4);
  std::vector<double> y(g_y.size()), g_x(x.size());
  pool2d_forward(p, x.data(), y.data());
  pool2d_backward(p, g_y.data(), g_x.data());
  double left = 0, right = 0;
  for (size_t i = 0; i < y.size(); ++i) left += y[i] * g_y[i];
  for (size_t i = 0; i < x.size(); ++i) right += x[i] * g_x[i];
  EXPECT_NEAR(left, right, 1e-12);
}

TEST(Pool2d, ThreadsDoNotChangeBits) {
  const int before = omp_get_max_threads();
  for (const int threads : {1, 2, 4}) {
    omp_set_num_threads(threads);
    expect_equal_to_ref<float>({600, 24, 24, 2, 1.1});
  }
  omp_set_num_threads(before);
}

}  // namespace
}  // namespace spiketrain::cpu
