// Sum pooling beyond the cases of kernel_cases_test.cpp: values by hand, and that backward is the adjoint.
#include "spiketrain/kernels/pool2d/pool2d.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "spiketrain/kernels/cases.h"

namespace spiketrain::cpu {
namespace {

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
  Draw draw({{}, 0, Numbers::any, true, 3});
  const std::vector<double> x = draw.values<double>(5 * 13 * 11, -1, 1),
                            g_y = draw.values<double>(5 * 4 * 3, -1, 1);
  std::vector<double> y(g_y.size()), g_x(x.size());
  pool2d_forward(p, x.data(), y.data());
  pool2d_backward(p, g_y.data(), g_x.data());
  double left = 0, right = 0;
  for (size_t i = 0; i < y.size(); ++i) left += y[i] * g_y[i];
  for (size_t i = 0; i < x.size(); ++i) right += x[i] * g_x[i];
  EXPECT_NEAR(left, right, 1e-12);
}

}  // namespace
}  // namespace spiketrain::cpu
