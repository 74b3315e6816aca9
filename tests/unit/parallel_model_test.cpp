// Predicted steps of several processes, by hand.
#include "spiketrain/cost/parallel_model.h"

#include <gtest/gtest.h>

#include "spiketrain/base/check.h"

namespace spiketrain::parallel_model_test {

/// Three blocks of 1, 2 and 3 ms a sample, a third of it forward.
StepModel step_of(int64_t batch) {
  StepModel step;
  step.batch = batch;
  for (const double ms : {1.0, 2.0, 3.0}) {
    BlockModel block;
    block.forward = {0, 1e-3 * ms / 3};
    block.backward = {0, 2e-3 * ms / 3};
    block.spikes = ms < 3 ? 1000 : 0;
    block.gradient = ms < 3 ? 40000 : 0;
    block.parameters = 1e5;
    step.blocks.push_back(block);
  }
  return step;
}

const Machines kFree = {1e18, 0, 0};  // messages take no time

TEST(ParallelModel, TwoMeasurementsGiveALine) {
  const LinearCost cost = LinearCost::through(40, 5, 10, 2);
  EXPECT_DOUBLE_EQ(cost.fixed, 1);
  EXPECT_DOUBLE_EQ(cost.each, 0.1);
  EXPECT_DOUBLE_EQ(LinearCost::through(8, 4, 8, 4).at(2), 1);
  // Neither part is negative, whatever was measured; the larger batch is met.
  for (const double y2 : {0.1, 9.0}) {
    const LinearCost odd = LinearCost::through(40, 5, 10, y2);
    EXPECT_GE(odd.fixed, 0);
    EXPECT_GE(odd.each, 0);
    EXPECT_DOUBLE_EQ(odd.at(40), 5);
  }
}

TEST(ParallelModel, SharesOfTheBatch) {
  const StepModel step = step_of(8);
  EXPECT_NEAR(predict_data(step, 1, kFree)->seconds, 48e-3, 1e-9);
  EXPECT_EQ(predict_data(step, 1, kFree)->sent, 0);
  const auto four = predict_data(step, 4, kFree);
  EXPECT_NEAR(four->seconds, 12e-3, 1e-9);
  EXPECT_NEAR(four->idle, 0, 1e-9);
  EXPECT_NEAR(four->sent, 2 * 3e5 * 3 / 4, 1e-6);
  // Three shares of eight samples: the largest has three.
  const auto three = predict_data(step, 3, kFree);
  EXPECT_NEAR(three->seconds, 18e-3, 1e-9);
  EXPECT_FALSE(predict_data(step, 9, kFree));
}

TEST(ParallelModel, SumsThatDoNotHideBehindTheBackwardPass) {
  StepModel step = step_of(2);
  // 2 (W - 1)/W = 1 times the gradients: 0.3 MB at 10 MB/s is 30 ms, of which the backward pass of a sample hides 4.
  const Machines slow = {1e7, 1e-3, 0};
  EXPECT_NEAR(predict_data(step, 2, slow)->seconds, 6e-3 + (2e-3 + 30e-3 - 4e-3), 1e-9);
  for (BlockModel& block : step.blocks) block.backward.each = 1;  // all but the last piece is hidden
  for (BlockModel& block : step.blocks) block.parameters = 4 << 20;
  EXPECT_NEAR(predict_data(step, 2, slow)->seconds, 3 + 2e-3 + (2e-3 + (1 << 17) / 1e7), 1e-6);
}

TEST(ParallelModel, BlocksInALine) {
  const StepModel step = step_of(8);
  const auto two = predict_blocks(step, 2, kFree);
  EXPECT_EQ(two->line, (std::vector<int64_t>{2, 1}));
  EXPECT_NEAR(two->seconds, 24e-3, 1e-9);
  EXPECT_NEAR(two->idle, 0, 1e-9);
  EXPECT_EQ(two->sent, 8000);
  const StepPrediction other = predict_line(step, {1, 2}, 1, kFree);
  EXPECT_NEAR(other.seconds, 40e-3, 1e-9);
  EXPECT_NEAR(other.idle, 1 - 48.0 / 80, 1e-9);
  // A wire that takes longer than the work sets the pace.
  EXPECT_NEAR(predict_line(step, {2, 1}, 1, {1e5, 0, 0}).seconds, 80e-3, 1e-9);
  // No more processes in a line than blocks; the others have shares.
  const auto six = predict_blocks(step, 6, kFree);
  EXPECT_EQ(static_cast<int64_t>(six->line.size()) * six->shares, 6);
  EXPECT_EQ(six->line, (std::vector<int64_t>{2, 1}));
  for (const int64_t none : {1, 5, 7}) EXPECT_FALSE(predict_blocks(step, none, kFree)) << none;
  EXPECT_THROW(predict_line(step, {2, 2}, 1, kFree), std::out_of_range);
}

TEST(ParallelModel, FewerCoresThanProcesses) {
  const StepModel step = step_of(8);
  Machines two = kFree;
  two.cores = 2;
  const auto four = predict_data(step, 4, two);
  EXPECT_NEAR(four->seconds, 24e-3, 1e-9);
  EXPECT_NEAR(four->idle, 0, 1e-9);
}

TEST(ParallelModel, EndToEndWaitsForWhatComesBack) {
  const StepModel step = step_of(8);
  // In m pieces a line of two takes m + 1 turns of the slower process.
  const auto two = predict_pipeline(step, 2, kFree);
  ASSERT_EQ(two->line.size(), 2u);
  EXPECT_EQ(two->pieces, 8);
  EXPECT_NEAR(two->seconds, 9 * 3e-3, 1e-9);
  EXPECT_NEAR(two->idle, 1.0 / 9, 1e-9);
  // Gradients are no spikes: they go back in full.
  EXPECT_NEAR(two->sent, 8 * 40000, 1);
  // Each piece has its fixed cost.
  StepModel slow = step;
  for (BlockModel& block : slow.blocks) block.forward.fixed = 1;
  EXPECT_EQ(predict_pipeline(slow, 2, kFree)->line.size(), 2u);
  EXPECT_LE(predict_pipeline(slow, 2, kFree)->pieces, 2);
}

}  // namespace spiketrain::parallel_model_test
