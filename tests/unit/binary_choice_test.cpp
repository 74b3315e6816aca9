// Which layers a budget of storage makes binary, by their cost.
#include "spiketrain/train/binary_choice.h"

#include <gtest/gtest.h>

#include <cmath>

namespace spiketrain::binary_choice_test {

using Choice = std::vector<bool>;

TEST(BinaryChoice, TakesTheCheapestUntilTheyFit) {
  const std::vector<ChoiceItem> items = {{100, 10, 0.3}, {100, 10, 0.1}, {100, 10, 0.2}};
  EXPECT_EQ(choose_quantized(items, 300), (Choice{false, false, false}));
  EXPECT_EQ(choose_quantized(items, 299), (Choice{false, true, false}));
  EXPECT_EQ(choose_quantized(items, 210), (Choice{false, true, false}));
  EXPECT_EQ(choose_quantized(items, 209), (Choice{false, true, true}));
  EXPECT_EQ(choose_quantized(items, 30), (Choice{true, true, true}));
  EXPECT_EQ(bits_of(items, choose_quantized(items, 209)), 120);
}

TEST(BinaryChoice, GivesBackWhatIsNotNeededUnlessItIsFree) {
  const std::vector<ChoiceItem> items = {{100, 10, 0.1}, {1000, 100, 0.2}};
  EXPECT_EQ(choose_quantized(items, 500),
            (Choice{false, true}));  // the first alone was not enough, the second is
  const std::vector<ChoiceItem> gains = {{100, 10, -0.1}, {1000, 100, 0.2}};
  EXPECT_EQ(choose_quantized(gains, 500), (Choice{true, true}));
}

TEST(BinaryChoice, EqualCostsGoInOrderAndWhatIsNoNumberComesLast) {
  EXPECT_EQ(choose_quantized({{100, 10, 1}, {100, 10, 1}}, 150), (Choice{true, false}));
  EXPECT_EQ(choose_quantized({{100, 10, std::nan("")}, {100, 10, 9}, {100, 10, INFINITY}}, 250),
            (Choice{false, true, false}));
}

TEST(BinaryChoice, LeavesOutWhatSavesNothing) {
  EXPECT_EQ(choose_quantized({{32, 33, 0.1}, {320, 42, 0.2}}, 100), (Choice{false, true}));
}

TEST(BinaryChoice, AddsAFewToThoseThatStay) {
  const std::vector<ChoiceItem> items = {
      {100, 10, 0.3, true}, {100, 10, 0.1}, {100, 10, 0.2}, {100, 10, 0.4}};
  EXPECT_EQ(choose_quantized(items, 100, 1), (Choice{true, true, false, false}));
  EXPECT_EQ(choose_quantized(items, 100, 2), (Choice{true, true, true, false}));
  EXPECT_EQ(choose_quantized(items, 310, 2), (Choice{true, false, false, false}));  // fits already
}

}  // namespace spiketrain::binary_choice_test
