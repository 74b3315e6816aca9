// Squared norm beyond the cases of kernel_cases_test.cpp: more chunks than are held at once.
#include "spiketrain/kernels/reduce/reduce.h"

#include <gtest/gtest.h>

#include <vector>

namespace spiketrain::cpu {
namespace {

template <class R>
struct Reduce : ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Reduce, Types);

// 256 chunks are held at once.  Integers: the sum is exact whatever the order.
TYPED_TEST(Reduce, SumSquaresOfManyChunks) {
  const std::vector<TypeParam> x(65536 * 258 + 3, TypeParam(2));
  EXPECT_EQ(sum_squares(x.data(), static_cast<int64_t>(x.size())), 4.0 * static_cast<double>(x.size()));
}

}  // namespace
}  // namespace spiketrain::cpu
