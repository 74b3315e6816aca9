// Processes, here threads, that each train some blocks of a network: the run is that of one process to the bit, whatever it learns by;
// lines of processes that share batches are as processes that share batches.
#include "spiketrain/train/line.h"

#include "tests/support/runs.h"
#include "tests/support/thread_group.h"

namespace spiketrain::line_test {

using Sets = std::vector<std::string>;

/// Three blocks of a layer, the last one the output layer.
Sets in_blocks(Sets more) {
  Sets sets = {"network.spec=6C3-P2-8-4", "blocks.size=1", "blocks.output=apart"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

/// A run in `processes`, in lines with so many blocks each; true if it is complete.  `stop_after`: batches that the process of
/// rank `stops` sees before it is told to stop.
bool run_lines(const std::string& path, const Sets& sets, int64_t processes,
               const std::vector<int64_t>& blocks, bool resume = false, size_t stop_after = SIZE_MAX,
               int64_t stops = 0) {
  std::vector<Experiment> all;  // made here: registries are not for threads
  for (int64_t r = 0; r < processes; ++r) all.push_back(tiny_experiment(sets));
  std::vector<int> complete(all.size());
  RunDir dir(path, resume);
  in_group(processes, [&](const std::shared_ptr<Group>& group) {
    const auto rank = static_cast<size_t>(group->rank());
    Training& training = all[rank].training;
    training.learner->join(group, blocks);
    StopAfter observer(group->rank() == stops ? stop_after : SIZE_MAX);
    TrainerOptions options;
    options.run_dir = rank == 0 ? &dir : nullptr;
    options.observers = {&observer};
    options.stop = &observer.stop;
    Trainer trainer(training, options);
    if (resume) trainer.resume();
    complete[rank] = trainer.run();
  });
  for (const int one : complete) EXPECT_EQ(one, complete[0]);
  return complete[0] != 0;
}

void expect_as_one(const Sets& sets) {
  TempDir dir;
  ASSERT_TRUE(run_part(dir / "one", sets, /*resume=*/false, 0));
  for (const std::vector<int64_t>& blocks : std::vector<std::vector<int64_t>>{{2, 1}, {1, 2}, {1, 1, 1}}) {
    const std::string run = dir / str(blocks.size(), blocks[0]);
    SCOPED_TRACE(run);
    ASSERT_TRUE(run_lines(run, sets, static_cast<int64_t>(blocks.size()), blocks));
    expect_same_run(dir / "one", run);
  }
}

TEST(Line, EveryRule) {
  int done = 0;
  for (const auto* entry : Registry<Rule>::get().entries()) {
    SCOPED_TRACE(entry->name);
    Sets sets = rule_settings(entry->name);
    sets.insert(sets.begin(), {"epochs=1"});
    sets = in_blocks(sets);
    try {
      tiny_experiment(sets);
    } catch (const UsageError&) {
      continue;  // it does not learn in blocks
    }
    expect_as_one(sets);
    ++done;
  }
  EXPECT_GE(done, 8);
}

const Sets kLif = {"neuron=lif", "readout=leaky_readout", "objective=tet_ce", "rule=bptt"};
Sets lif_blocks(const Sets& more) {
  Sets sets = in_blocks(kLif);
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

TEST(Line, WindowsAndUpdatesInside) {
  for (const char* schedule : {"{name=\"truncated\", window=1}", "{name=\"truncated\", window=2, burn_in=1}",
                               "{name=\"last_steps\"}", "{name=\"random_steps\"}"})
    expect_as_one(lif_blocks({str("schedule=", schedule)}));
}

TEST(Line, OrderSignalsAndRegularizers) {
  expect_as_one(lif_blocks({"blocks.order=time"}));
  expect_as_one(lif_blocks({"learning_signal=drtp"}));
  expect_as_one(lif_blocks({"compute.samples=3"}));
}

// What a run reports of penalties is a sum over blocks, in another order.
TEST(Line, Regularizers) {
  const Sets sets = lif_blocks({"regularizers=[{name=\"rate\", upper=0.05, lower=0.02}]"});
  TempDir dir;
  ASSERT_TRUE(run_part(dir / "one", sets, /*resume=*/false, 0));
  ASSERT_TRUE(run_lines(dir / "line", sets, 3, {1, 1, 1}));
  EXPECT_TRUE(same_tensors(newest(dir / "one"), newest(dir / "line")));
  const double one = metrics(dir / "one").back().at("train_penalty_rate"),
               line = metrics(dir / "line").back().at("train_penalty_rate");
  EXPECT_GT(one, 0);
  EXPECT_NEAR(one, line, 1e-12 * one);
}

TEST(Line, NormsDropoutEncodersAndFrozenBlocks) {
  expect_as_one(lif_blocks({"network.norm=bn", "network.spec=6C3-P2-D0.2-8-4"}));
  expect_as_one(lif_blocks({"encoder=poisson"}));
  expect_as_one(lif_blocks({"train.freeze=[\"block0\"]"}));
}

TEST(Line, OptimizersKeepTheirState) {
  for (const char* optimizer : {"sgd", "adam"})
    expect_as_one(lif_blocks({str("optimizer.name=\"", optimizer, '"')}));
}

// Process 0 of each line has the losses; the bits are those of as many processes as there are lines.
TEST(Line, LinesShareBatches) {
  const Sets sets = lif_blocks({"network.norm=bn", "schedule={name=\"truncated\", window=2}"});
  TempDir dir;
  ASSERT_TRUE(run_lines(dir / "shares", sets, 2, {}));
  ASSERT_TRUE(run_lines(dir / "lines", sets, 4, {1, 2}));
  expect_same_run(dir / "shares", dir / "lines");
}

TEST(Line, StopsTogetherAndResumesToTheSameBits) {
  const Sets sets = lif_blocks({"epochs=4", "train.checkpoint_batches=2"});
  TempDir dir;
  ASSERT_TRUE(run_part(dir / "one", sets, /*resume=*/false, 0));
  for (const int64_t stops : {0, 1, 2}) {
    const std::string run = dir / str("run", stops);
    ASSERT_FALSE(run_lines(run, sets, 3, {1, 1, 1}, /*resume=*/false, 3, stops));
    ASSERT_TRUE(run_lines(run, sets, 3, {1, 1, 1}, /*resume=*/true));
    expect_same_run(dir / "one", run);
  }
  // In other processes, too.
  ASSERT_FALSE(run_lines(dir / "other", sets, 3, {1, 1, 1}, /*resume=*/false, 3, 1));
  ASSERT_FALSE(run_lines(dir / "other", sets, 2, {2, 1}, /*resume=*/true, 5));
  ASSERT_TRUE(run_part(dir / "other", sets, /*resume=*/true, 0));
  expect_same_run(dir / "one", dir / "other");
}

std::string refusal(const Sets& sets, int64_t processes, const std::vector<int64_t>& blocks) {
  TempDir dir;
  return message_of<UsageError>([&] { run_lines(dir / "run", sets, processes, blocks); });
}

TEST(Line, RefusesWhatNeedsAllBlocks) {
  const auto refused = [](const std::string& part, const Sets& sets, int64_t processes = 2,
                          const std::vector<int64_t>& blocks = {1, 2}) {
    const std::string text = refusal(sets, processes, blocks);
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  refused("learning_signal dfa reads the error of the last block", lif_blocks({"learning_signal=dfa"}));
  refused("schedule checkpointed takes segments through the blocks a second time",
          lif_blocks({"schedule=checkpointed"}));
  refused("train.on_nan = \"skip\"", lif_blocks({"train.on_nan=skip"}));
  refused("train.gradient_cosine needs all blocks", lif_blocks({"train.gradient_cosine=4"}));
  refused("3 processes do not divide into lines of 2", lif_blocks({}), 3);
  refused("expected the 3 blocks of the network in sum, got 2", lif_blocks({}), 2, {1, 1});
  refused("expected at least one block for each process", lif_blocks({}), 2, {3, 0});
}

TEST(Line, WhatIsMeasuredAtTheTopIsKnownToAll) {
  Scores top;
  top.loss = 0.1;
  top.metrics = {{"accuracy", 1.0 / 3}, {"r2", std::nan("")}};
  in_group(3, [&](const std::shared_ptr<Group>& group) {
    Scores scores = group->rank() == 0 ? top : Scores();
    share_scores(*group, scores);
    EXPECT_EQ(scores.loss, 0.1);
    EXPECT_EQ(scores.metrics.at("accuracy"), 1.0 / 3);
    EXPECT_TRUE(std::isnan(scores.metrics.at("r2")));
  });
}

}  // namespace spiketrain::line_test
