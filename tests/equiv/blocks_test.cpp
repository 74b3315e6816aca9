// Windows and blocks: what must not change a bit, and what must not change a gradient.
#include "tests/support/blocks.h"

#include <gtest/gtest.h>

namespace spiketrain::blocks_test {

std::vector<BlockMethod> methods() {
  BlockMethod lif, spiking_readout, norm, tssl;
  spiking_readout.readout = {{"name", "lif"}, {"leak", 0.5}};
  spiking_readout.objective = {{"name", "mse"}};
  norm.norm = {{"name", "bn"}};
  tssl.neuron = tssl.readout = {{"name", "psp_lif"}};
  tssl.objective = {{"name", "van_rossum"}};
  tssl.rule = {{"name", "tssl_bp"}};
  return {lif, spiking_readout, norm, tssl};
}

std::string describe(const BlockMethod& method) {
  return str(method.rule.dump(), method.readout.dump(), method.norm.dump());
}

Config windows(int64_t window, const char* update = "batch") {
  return {{"name", "truncated"}, {"window", window}, {"update", update}};
}

TEST(Blocks, OneWindowAndOneBlockAreExactCredit) {
  for (const BlockMethod& method : methods()) {
    const auto network = block_network(method, {});
    block_learner(network, method, {}).exact_gradient(tiny_batch(), make<Rule>(method.rule));
    const NamedTensors exact = gradients(*network);
    ASSERT_EQ(exact.size(), network->parameters().size());
    for (const bool block_major : {true, false}) {
      for (const Config& schedule : {windows(6), Config{{"name", "whole"}}}) {
        const BlockCut cut = {{3}, schedule, false, block_major};
        EXPECT_TRUE(same_tensors(pass_gradients(method, cut), exact)) << describe(method) << block_major;
      }
    }
  }
}

TEST(Blocks, BlockMajorEqualsTimeMajor) {
  const std::vector<BlockCut> cuts = {
      {{1, 1, 1}, {}, false, true}, {{2, 1}, {}, false, true}, {{1, 2}, {}, /*before_pooling=*/true, true}};
  for (const BlockMethod& method : methods()) {
    for (const int64_t window : {1, 2, 4, 6}) {
      for (BlockCut cut : cuts) {
        cut.schedule = windows(window);
        const NamedTensors block = pass_gradients(method, cut);
        EXPECT_GT(of(block, "0.").size() + of(block, "1.").size(), 0U);
        cut.block_major = false;
        EXPECT_TRUE(same_tensors(block, pass_gradients(method, cut))) << window << " " << describe(method);
      }
    }
  }
}

/// Also with an update after every window: block b+1 takes spikes that were made before block b's update.
TEST(Blocks, OrderDoesNotChangeATrainingRun) {
  const auto train = [](bool block_major) {
    const BlockMethod method;
    const BlockCut cut = {{1, 1, 1}, windows(2, "window"), false, block_major};
    const auto network = block_network(method, cut);
    const Learner learner = block_learner(network, method, cut);
    int64_t steps = 0;
    for (int64_t i = 0; i < 10; ++i) {
      const auto descend = [&](const Segment&, const BlockLosses& losses) {
        EXPECT_EQ(losses.size(), 3U);
        torch::NoGradGuard no_grad;
        for (Tensor p : network->parameters()) {
          p.sub_(0.01 * p.grad());
          p.mutable_grad() = Tensor();
        }
        ++steps;
        return true;
      };
      learner.pass(tiny_batch(i % 5 * 8), static_cast<uint64_t>(i), descend);
    }
    EXPECT_EQ(steps, 2 * 5 * 3);
    NamedTensors weights;
    for (const auto& item : network->named_parameters()) weights.emplace_back(item.key(), item.value());
    return copy_of(weights);
  };
  EXPECT_TRUE(same_tensors(train(true), train(false)));
}

/// A cut block's gradient does not know what is above it.
TEST(Blocks, GradientDoesNotDependOnTheBlocksAbove) {
  const auto run = [](bool change) {
    const BlockMethod method;
    const BlockCut cut = {{1, 1, 1}};
    const auto network = block_network(method, cut);
    if (change) {
      torch::NoGradGuard no_grad;
      for (int64_t b = 1; b < network->blocks(); ++b) {
        for (Tensor p : network->block_parameters(b)) p.add_(0.1);
      }
    }
    block_learner(network, method, cut).pass(tiny_batch(), 0);
    return gradients(*network);
  };
  const NamedTensors plain = run(false), changed = run(true);
  EXPECT_GT(of(plain, "0.").size() * of(plain, "head0").size() * of(plain, "2.").size(), 0U);
  EXPECT_TRUE(same_tensors(of(plain, "0."), of(changed, "0.")));
  EXPECT_TRUE(same_tensors(of(plain, "head0"), of(changed, "head0")));
  EXPECT_FALSE(same_tensors(of(plain, "2."), of(changed, "2.")));
}

/// With no credit in time to lose (leak 0), the length of a window changes nothing but rounding.
TEST(Blocks, WindowsDoNotMatterWhereNoCreditCrossesTime) {
  const auto run = [](int64_t window, double leak) {
    BlockMethod method;
    method.neuron = {{"name", "lif"}, {"reset", "none"}, {"leak", leak}};
    method.readout = {{"name", "leaky_readout"}, {"leak", 0.0}};
    return pass_gradients(method, {{3}, windows(window)}, torch::kDouble);
  };
  const NamedTensors whole = run(6, 0), steps = run(1, 0);
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_TRUE(torch::allclose(whole[i].second, steps[i].second, 1e-12, 1e-14)) << whole[i].first;
  }
  EXPECT_FALSE(torch::allclose(run(6, 0.9)[0].second, run(1, 0.9)[0].second, 1e-3));
}

/// The losses of all windows add up to the average over the sequence.
TEST(Blocks, LossesOfAllWindowsAddUpToTheAverage) {
  for (const char* objective : {"tet_ce", "mse", "smooth_l1"}) {
    BlockMethod method;
    method.objective = {{"name", objective}};
    const auto loss = [&](int64_t window) {
      const BlockCut cut = {{1, 2}, windows(window)};
      double sum = 0;
      block_learner(block_network(method, cut), method, cut)
          .pass(tiny_batch(), 0, [&](const Segment&, const BlockLosses& losses) {
            for (const Tensor& of_block : losses) sum += of_block.item<double>();
            return true;
          });
      return sum;
    };
    EXPECT_NEAR(loss(6), loss(2), 1e-6) << objective;
  }
}

/// Time in memory: nothing of a pass hangs on the parameters when it is over.
TEST(Blocks, NothingOfAPassIsKept) {
  const BlockMethod method;
  const BlockCut cut = {{1, 1, 1}, windows(1)};
  const auto network = block_network(method, cut);
  std::vector<int64_t> held;
  for (const Tensor& p : network->parameters()) held.push_back(static_cast<int64_t>(p.storage().use_count()));
  const PassResult result = block_learner(network, method, cut).pass(tiny_batch(), 0);
  EXPECT_FALSE(result.loss.requires_grad());
  EXPECT_FALSE(result.prediction.requires_grad());
  size_t k = 0;
  for (const Tensor& p : network->parameters()) {
    EXPECT_EQ(static_cast<int64_t>(p.storage().use_count()), held[k++]);
  }
}

}  // namespace spiketrain::blocks_test
