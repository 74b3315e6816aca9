// What blocks take is measured without a trace, and blocks are shared so that the longest share is the shortest.
#include "spiketrain/engine/block_costs.h"

#include <functional>

#include "spiketrain/core/head.h"
#include "tests/support/engine.h"
#include "tests/support/message.h"
#include "tests/support/tensors.h"

namespace spiketrain::block_costs_test {

std::shared_ptr<Network> network() {
  Connection normed = linear(7);
  normed.norm = make<Norm>("bn");
  auto net = std::make_shared<Network>(Shape{5});
  net->add(std::make_shared<Layer>(std::vector<Connection>{normed}, lif()), true);
  net->add(dense_layer(6, lif()), true);
  net->add(dense_layer(3, leaky_readout()), true);
  net->partition({1, 1, 1});
  for (const int64_t b : {0, 1})
    net->attach_head(b, make<Head>("linear")->build(net->block_shape(b), {3}, leaky_readout()));
  draw_weights(*net);
  return net;
}

LearnerParts parts(const Config& schedule) {
  LearnerParts p = learner_parts(network(), 6, "rate_ce");
  p.schedule = make<Schedule>(schedule);
  return p;
}

TEST(BlockCosts, MeasuringLeavesNoTrace) {
  const Learner learner(parts({{"name", "truncated"}, {"window", 2}}));
  const auto tensors = [&] {
    std::vector<Tensor> list;
    for (const Tensor& x : learner.network().parameters()) list.push_back(x.detach().clone());
    for (const Tensor& x : learner.network().buffers()) list.push_back(x.clone());
    return list;
  };
  const auto before = tensors();
  const auto costs = measure_blocks(learner, frames_batch(6, 4, 5, label_target(4, 3)));
  const auto after = tensors();
  for (size_t k = 0; k < before.size(); ++k) EXPECT_TRUE(torch::equal(before[k], after[k])) << k;
  for (const Tensor& w : learner.network().parameters()) EXPECT_FALSE(w.grad().defined());
  ASSERT_EQ(costs.size(), 3u);
  for (const BlockCost& cost : costs) EXPECT_GT(std::min(cost.forward, cost.backward), 0);
  EXPECT_GT(costs[0].message, 3 * 8);  // three windows
  EXPECT_GT(costs[1].message, 3 * 8);
  EXPECT_EQ(costs[2].message, 0);
}

TEST(BlockCosts, SegmentsThatAreComputedAgainAreRefused) {
  const Learner learner(parts({{"name", "checkpointed"}}));
  EXPECT_NE(message_of<UsageError>([&] {
              measure_blocks(learner, frames_batch(6, 4, 5, label_target(4, 3)));
            }).find("schedule checkpointed takes segments through the blocks a second time"),
            std::string::npos);
}

/// The least longest share, by trying all.
double best(const std::vector<double>& seconds, size_t first, int64_t processes) {
  if (processes == 1)
    return std::accumulate(seconds.begin() + static_cast<int64_t>(first), seconds.end(), 0.0);
  double least = 1e9, here = 0;
  for (size_t k = first; k + static_cast<size_t>(processes) - 1 < seconds.size(); ++k) {
    here += seconds[k];
    least = std::min(least, std::max(here, best(seconds, k + 1, processes - 1)));
  }
  return least;
}

TEST(BlockCosts, SharesAreBalanced) {
  torch::manual_seed(4);
  for (int64_t n = 1; n <= 7; ++n) {
    for (int64_t processes = 1; processes <= n; ++processes) {
      std::vector<double> seconds;
      for (int64_t b = 0; b < n; ++b) seconds.push_back(torch::rand({}).item<double>() + 0.01);
      const std::vector<int64_t> sizes = balanced(seconds, processes);
      ASSERT_EQ(static_cast<int64_t>(sizes.size()), processes);
      double longest = 0;
      int64_t b = 0;
      for (const int64_t size : sizes) {
        ASSERT_GE(size, 1);
        double share = 0;
        for (int64_t end = b + size; b < end; ++b) share += seconds[static_cast<size_t>(b)];
        longest = std::max(longest, share);
      }
      EXPECT_EQ(b, n);
      EXPECT_NEAR(longest, best(seconds, 0, processes), 1e-12);
    }
  }
  EXPECT_NE(message_of<UsageError>([] {
              balanced({1, 2}, 3);
            }).find("at most one process for each of the 2 blocks"),
            std::string::npos);
}

}  // namespace spiketrain::block_costs_test
