// Windows and blocks: what must not change a bit, and what must not change a gradient.
#include "tests/support/blocks.h"

#include <gtest/gtest.h>

namespace spiketrain {
namespace {

std::vector<std::vector<std::string>> methods() {
  return {lif_sets(),
          lif_sets({"readout={name=\"lif\", leak=0.5}", "objective={name=\"mse\"}"}),
          lif_sets({"network.norm=bn"}),
          {"steps=6", "network.spec=6C3-P2-12-8-4", "rule={name=\"tssl_bp\"}"}};
}

std::vector<std::string> with(std::vector<std::string> sets, const std::vector<std::string>& more) {
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

TEST(Blocks, OneWindowAndOneBlockAreExactCredit) {
  for (const auto& sets : methods()) {
    Experiment e = build_experiment(tiny_recipe(sets), tiny_data());
    const PassInput input = first_input(e);
    Pass pass = e.network->start(e.rule, true, 1);
    run_exact(e, input, pass);
    const NamedTensors exact = gradients(*e.network);
    ASSERT_EQ(exact.size(), e.network->parameters().size());
    for (const char* order : {"auto", "block", "time"}) {
      const std::vector<std::string> cut = {"schedule={name=\"truncated\", window=6}", "blocks.size=3",
                                            std::string("blocks.order=") + order};
      EXPECT_TRUE(same_tensors(pass_gradients(with(sets, cut)), exact)) << sets.back() << " " << order;
    }
  }
}

TEST(Blocks, BlockMajorEqualsTimeMajor) {
  for (const auto& sets : methods()) {
    for (const char* window : {"1", "2", "4", "6"}) {
      for (const char* blocks :
           {"blocks.size=1", "blocks.size=2", "blocks={partition=[1,2], cut=\"before_pooling\"}"}) {
        const auto run = [&](const char* order) {
          return pass_gradients(
              with(sets, {"schedule.name=truncated", std::string("schedule.window=") + window, blocks,
                          std::string("blocks.order=") + order}));
        };
        const NamedTensors block = run("block");
        EXPECT_GT(of(block, "0.").size() + of(block, "1.").size(), 0U);
        EXPECT_TRUE(same_tensors(block, run("time"))) << window << " " << blocks << " " << sets.back();
      }
    }
  }
}

/// Also with an update after every window: block b+1 takes spikes that were made before block b's update.
TEST(Blocks, OrderDoesNotChangeATrainingRun) {
  const auto train = [](const char* order) {
    Experiment e =
        build_experiment(tiny_recipe(lif_sets({"schedule={name=\"truncated\", window=2, update=\"window\"}",
                                               "blocks.size=1", std::string("blocks.order=") + order})),
                         tiny_data());
    Trainer trainer(e, {});
    EXPECT_TRUE(trainer.run());
    EXPECT_EQ(trainer.progress().optimizer_steps, 2 * 5 * 3);
    return copy_of(network_tensors(*e.network));
  };
  EXPECT_TRUE(same_tensors(train("block"), train("time")));
}

/// A cut block's gradient does not know what is above it.
TEST(Blocks, GradientDoesNotDependOnTheBlocksAbove) {
  const auto run = [](bool change) {
    Experiment e = build_experiment(tiny_recipe(lif_sets({"blocks.size=1"})), tiny_data());
    if (change) {
      torch::NoGradGuard no_grad;
      for (size_t b = 1; b < e.network->blocks(); ++b) {
        for (Tensor p : e.network->block_parameters(b)) p.add_(0.1);
      }
    }
    const PassInput input = first_input(e);
    Pass pass = e.network->start(e.rule, true, 1);
    run_pass(e, e.plan, input, pass, [](const Window&, const BlockLosses&) {});
    return gradients(*e.network);
  };
  const NamedTensors plain = run(false), changed = run(true);
  EXPECT_TRUE(same_tensors(of(plain, "0."), of(changed, "0.")));
  EXPECT_TRUE(same_tensors(of(plain, "head0"), of(changed, "head0")));
  EXPECT_FALSE(same_tensors(of(plain, "2."), of(changed, "2.")));
}

/// With no credit in time to lose (leak 0), the length of a window changes nothing but rounding.
TEST(Blocks, WindowsDoNotMatterWhereNoCreditCrossesTime) {
  const auto run = [](const char* window, const char* leak) {
    const std::string neuron = std::string("neuron={name=\"lif\", reset=\"none\", leak=") + leak + "}";
    return pass_gradients(lif_sets({neuron, "readout={name=\"leaky_readout\", leak=0}",
                                    "schedule.name=truncated", std::string("schedule.window=") + window}),
                          torch::kDouble);
  };
  const NamedTensors whole = run("6", "0"), steps = run("1", "0");
  for (size_t i = 0; i < whole.size(); ++i) {
    EXPECT_TRUE(torch::allclose(whole[i].second, steps[i].second, 1e-12, 1e-14)) << whole[i].first;
  }
  EXPECT_FALSE(torch::allclose(run("6", "0.9")[0].second, run("1", "0.9")[0].second, 1e-3));
}

TEST(Blocks, NothingOfAPassIsKept) {
  Experiment e =
      build_experiment(tiny_recipe(lif_sets({"blocks.size=1", "schedule.name=truncated"})), tiny_data());
  Pass pass = e.network->start(e.rule, true, 1);
  run_pass(e, e.plan, first_input(e), pass, [](const Window&, const BlockLosses&) {});
  for (const StageState& stage : pass.state) {
    for (const Tensor& z : stage.state) EXPECT_FALSE(z.requires_grad());
  }
}

}  // namespace
}  // namespace spiketrain
