// Layouts of maps: the same values laid either way, in own memory where they lie so already; states without memory; sums over steps.
#include "spiketrain/ops/layout.h"

#include <gtest/gtest.h>

#include "spiketrain/base/check.h"
#include "spiketrain/ops/chunks.h"
#include "spiketrain/ops/reduce.h"

namespace spiketrain::layout_test {

using torch::Tensor;

/// Numbered maps [2,3,5,4,C], map by map.
Tensor maps(int64_t C, torch::ScalarType type) {
  return torch::arange(2 * 3 * C * 5 * 4).to(type).view({2, 3, C, 5, 4});
}

TEST(MapLayout, LaidHasTheSameValuesEitherWay) {
  for (const auto type : {torch::kFloat, torch::kDouble, torch::kUInt8, torch::kBFloat16}) {
    for (const int64_t C : {1, 2, 7}) {
      const Tensor x = maps(C, type), pixels = ops::laid(x, true);
      ASSERT_TRUE(pixels.is_contiguous());
      EXPECT_TRUE(torch::equal(pixels, x.movedim(-3, -1))) << type << ", " << C;
      const Tensor last = ops::unlaid(pixels, true);
      EXPECT_EQ(ops::channels_last(last), C > 1);
      const Tensor back = ops::laid(last, false);
      ASSERT_TRUE(back.is_contiguous());
      EXPECT_TRUE(torch::equal(back, x)) << type << ", " << C;
      EXPECT_EQ(ops::laid(x, false).data_ptr(), x.data_ptr());
      EXPECT_EQ(ops::laid(last, true).data_ptr(), last.data_ptr());
      // Neither map by map nor pixel by pixel.
      const Tensor part = x.slice(-1, 1, 3);
      EXPECT_TRUE(torch::equal(ops::laid(part, true), part.movedim(-3, -1)));
      EXPECT_TRUE(torch::equal(ops::laid(part, false), part));
    }
  }
  EXPECT_FALSE(ops::laid(Tensor(), true).defined());
  EXPECT_EQ(ops::laid(torch::zeros({0, 3, 5, 4}), true).sizes(), (std::vector<int64_t>{0, 5, 4, 3}));
}

TEST(MapLayout, LaidPassesGradients) {
  const Tensor x = maps(3, torch::kDouble).requires_grad_();
  const Tensor weights = torch::randn({2, 3, 5, 4, 3}, torch::kDouble);
  (ops::laid(x, true) * weights).sum().backward();
  EXPECT_TRUE(torch::equal(x.grad(), weights.movedim(-1, -3)));
}

TEST(MapLayout, CopiesMapsWhateverTheirLayouts) {
  const Tensor x = maps(7, torch::kFloat).flatten(0, 1);
  for (const bool from_last : {false, true}) {
    for (const bool to_last : {false, true}) {
      const Tensor to = ops::laid_empty(x.sizes(), x.options(), to_last).fill_(-1);
      ops::copy_maps(to, ops::unlaid(ops::laid(x, from_last), from_last));
      EXPECT_TRUE(torch::equal(to, x)) << from_last << to_last;
    }
  }
  const Tensor wide = torch::zeros(x.sizes(), torch::kDouble);
  ops::copy_maps(wide, x);
  EXPECT_TRUE(torch::equal(wide, x.to(torch::kDouble)));
}

TEST(MapLayout, AStateOfZerosNeedsNoMemory) {
  EXPECT_FALSE(ops::laid_state(torch::zeros({}).expand({2, 3}), false).defined());
  EXPECT_TRUE(ops::laid_state(torch::ones({}).expand({2, 3}), false).defined());
  EXPECT_TRUE(ops::laid_state(torch::zeros({2, 3}), false).defined());
  EXPECT_FALSE(ops::laid_state(Tensor(), false).defined());
}

TEST(MapLayout, SumsAndSpreadsOverSteps) {
  torch::manual_seed(1);
  for (const auto type : {torch::kFloat, torch::kDouble}) {
    for (const int64_t T : {1, 3, 6}) {
      for (const bool last : {false, true}) {
        const Tensor x = ops::unlaid(ops::laid(torch::randn({T, 2, 3, 5, 4}, type), last), last);
        const Tensor weights = torch::randn({T}, type), image = x.slice(0, 0, 1);
        const Tensor sum = ops::sum_steps(x, weights), spreaded = ops::spread_steps(image, weights);
        const std::vector<int64_t> column = {T, 1, 1, 1, 1};
        EXPECT_TRUE(torch::allclose(sum, (x * weights.view(column)).sum(0), 1e-5, 1e-6));
        EXPECT_TRUE(torch::equal(spreaded, image * weights.view(column)));
        EXPECT_EQ(ops::channels_last(spreaded), last);
        const ops::GenericOnly generic;
        EXPECT_TRUE(torch::allclose(sum, ops::sum_steps(x, weights), 1e-5, 1e-6));
        EXPECT_TRUE(torch::equal(spreaded, ops::spread_steps(image, weights)));
      }
    }
    const Tensor numbers = torch::randn({4}, type);  // a step is one number
    EXPECT_TRUE(torch::allclose(ops::sum_steps(numbers, numbers), numbers.square().sum()));
    EXPECT_EQ(ops::sum_steps(torch::zeros({3, 0, 2}, type), torch::ones({3}, type)).sizes(),
              (std::vector<int64_t>{0, 2}));
  }
}

}  // namespace spiketrain::layout_test
