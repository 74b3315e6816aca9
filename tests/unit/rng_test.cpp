// Random numbers: published Philox vectors, keying, ranges, rough moments.
#include "spiketrain/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "spiketrain/base/check.h"

namespace spiketrain::rng_test {

using Words = std::array<uint32_t, 4>;

TEST(Rng, PhiloxKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, EveryPartOfTheKeyMatters) {
  std::set<uint64_t> first;
  first.insert(Rng(1, Purpose::init).next64());
  first.insert(Rng(2, Purpose::init).next64());
  first.insert(Rng(1ull << 32, Purpose::init).next64());
  first.insert(Rng(1, Purpose::shuffle).next64());
  for (uint64_t k : {1ull, 2ull, 1ull << 32}) {
    first.insert(Rng(1, Purpose::init, k).next64());
    first.insert(Rng(1, Purpose::init, 0, k).next64());
  }
  EXPECT_EQ(first.size(), 10u);
  EXPECT_EQ(Rng(1, Purpose::init, 3, 4).next64(), Rng(1, Purpose::init, 3, 4).next64());
}

TEST(Rng, StreamIsTheBlockSequence) {
  Rng rng(0x0123456789abcdefull, Purpose::encoder, 5, 0xdeadbeef00000007ull);
  const Words key = philox4x32({5, 0, static_cast<uint32_t>(Purpose::encoder), 0}, {0x89abcdef, 0x01234567});
  for (uint32_t block = 0; block < 3; ++block) {
    for (uint32_t word : philox4x32({block, 0, 7, 0xdeadbeef}, {key[0], key[1]})) EXPECT_EQ(rng.next(), word);
  }
}

TEST(Rng, FillGivesTheWordsOfNext) {
  for (size_t before = 0; before < 5; ++before) {
    for (size_t n = 0; n < 14; ++n) {
      Rng one(9, Purpose::test, 1, 2), bulk(9, Purpose::test, 1, 2);
      for (size_t i = 0; i < before; ++i) EXPECT_EQ(one.next(), bulk.next());
      std::vector<uint32_t> words(n + 1, 7);
      bulk.fill(words.data(), n);
      for (size_t i = 0; i < n; ++i) EXPECT_EQ(words[i], one.next()) << before << ", " << n << ", word " << i;
      EXPECT_EQ(words[n], 7u);  // no word too many
      EXPECT_EQ(bulk.next(), one.next());
    }
  }
}

TEST(Rng, UniformAndNormalMoments) {
  Rng rng(7, Purpose::test);
  const int n = 200000;
  double sum = 0, sum2 = 0, normal_sum = 0, normal_sum2 = 0, normal_sum4 = 0;
  for (int i = 0; i < n; ++i) {
    const double x = rng.uniform(), z = rng.normal();
    ASSERT_GE(x, 0.0);
    ASSERT_LT(x, 1.0);
    sum += x, sum2 += x * x;
    normal_sum += z, normal_sum2 += z * z, normal_sum4 += z * z * z * z;
  }
  // Bounds are about five standard errors.
  EXPECT_NEAR(sum / n, 0.5, 0.0033);
  EXPECT_NEAR(sum2 / n, 1.0 / 3, 0.0034);
  EXPECT_NEAR(normal_sum / n, 0, 0.0112);
  EXPECT_NEAR(normal_sum2 / n, 1, 0.016);
  EXPECT_NEAR(normal_sum4 / n, 3, 0.11);
}

TEST(Rng, BelowIsUniformAndInRange) {
  Rng rng(3, Purpose::test);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[rng.below(7)];
  for (int count : counts) EXPECT_NEAR(count, 10000, 470);
  EXPECT_EQ(rng.below(1), 0u);
  // With n just above 2^63 nearly half of all draws are rejected; the result must still be below n.
  const uint64_t big = (1ull << 63) + 1;
  for (int i = 0; i < 100; ++i) EXPECT_LT(rng.below(big), big);
  EXPECT_THROW(rng.below(0), UsageError);
}

TEST(Rng, PermutationIsAPermutationAndMixes) {
  auto order = permutation(1000, Rng(1, Purpose::shuffle, 2));
  EXPECT_EQ(order, permutation(1000, Rng(1, Purpose::shuffle, 2)));
  EXPECT_NE(order, permutation(1000, Rng(1, Purpose::shuffle, 3)));
  int fixed = 0;
  for (int64_t i = 0; i < 1000; ++i) fixed += order[i] == i;
  EXPECT_LT(fixed, 10);
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 1000; ++i) ASSERT_EQ(order[i], i);
  EXPECT_TRUE(permutation(0, Rng(1, Purpose::shuffle)).empty());
  EXPECT_THROW(permutation(-1, Rng(1, Purpose::shuffle)), UsageError);
}

}  // namespace spiketrain::rng_test
