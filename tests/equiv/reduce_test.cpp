// Squared norm: values against plain sums, same bits for any number of threads.
#include "spiketrain/kernels/reduce/reduce.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <random>
#include <vector>

namespace spiketrain::cpu {
namespace {

template <class R>
std::vector<R> random_values(size_t n) {
  std::mt19937 random(7);
  std::normal_distribution<double> value;
  std::vector<R> v(n);
  for (R& x : v) x = static_cast<R>(value(random));
  return v;
}

template <class R>
struct Reduce : ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Reduce, Types);

TYPED_TEST(Reduce, SumSquares) {
  for (const size_t n : {0, 1, 15, 16, 17, 65535, 65536, 65537, 300000}) {
    const std::vector<TypeParam> x = random_values<TypeParam>(n);
    long double want = 0;
    for (TypeParam v : x) want += static_cast<long double>(v) * v;
    const double got = sum_squares(x.data(), static_cast<int64_t>(n));
    EXPECT_NEAR(got, static_cast<double>(want), 1e-13 * static_cast<double>(want)) << n;
  }
}

// More chunks than are held at once (256), integers: the sum is exact whatever the order.
TYPED_TEST(Reduce, SumSquaresOfManyChunks) {
  const std::vector<TypeParam> x(65536 * 258 + 3, TypeParam(2));
  EXPECT_EQ(sum_squares(x.data(), static_cast<int64_t>(x.size())), 4.0 * static_cast<double>(x.size()));
}

TYPED_TEST(Reduce, ThreadsDoNotChangeBits) {
  const std::vector<TypeParam> x = random_values<TypeParam>(1000003);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const double want = sum_squares(x.data(), static_cast<int64_t>(x.size()));
  for (const int threads : {2, 3, 4}) {
    omp_set_num_threads(threads);
    EXPECT_EQ(sum_squares(x.data(), static_cast<int64_t>(x.size())), want) << threads;
  }
  omp_set_num_threads(before);
}

}  // namespace
}  // namespace spiketrain::cpu
