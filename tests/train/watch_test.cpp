// What a Watch sees of a pass, that it changes none, and passes one step at a time.
#include "spiketrain/core/watch.h"

#include <gtest/gtest.h>

#include <map>

#include "spiketrain/core/layer.h"
#include "spiketrain/engine/by_step.h"
#include "tests/support/tiny.h"

namespace spiketrain::watch_test {

/// Notes everything.
struct Notes : Watch {
  std::map<size_t, std::vector<Tensor>> out;
  std::map<int64_t, std::vector<Tensor>> membranes;
  std::map<int64_t, size_t> states;
  void saw(size_t node, const std::vector<Signal>& in, const Signal& signal, const Context&) override {
    EXPECT_EQ(in.size(), 1U);
    out[node].push_back(signal.values().clone());
  }
  void fired(int64_t slot, const Record& record, const Context&) override {
    EXPECT_TRUE(record.u.defined());
    if (record.u.defined()) membranes[slot].push_back(record.u.clone());
    states[slot] = record.state.size();
  }
};

Batch first_batch(const Experiment& e, int64_t samples) {
  LoaderOptions options;
  options.batch_size = samples;
  options.shuffle = false;
  Loader loader(*e.training.data.test, options);
  loader.start(0);
  Batch batch;
  EXPECT_TRUE(loader.next(batch));
  batch.epoch = kEvaluationEpoch;
  return batch;
}

class WatchOf : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(WatchOf, PassesAreTheSameWithIt) {
  const Experiment e = tiny_experiment(GetParam());
  const Learner& learner = *e.training.learner;
  const Batch batch = first_batch(e, 5);
  Tally before, after;
  const PassResult plain = learner.infer(batch, &before);
  EXPECT_EQ(Watch::now(), nullptr);
  {
    Notes notes;
    EXPECT_EQ(Watch::now(), &notes);
    const PassResult watched = learner.infer(batch, &after);
    EXPECT_TRUE(torch::equal(plain.prediction, watched.prediction));
    EXPECT_TRUE(torch::equal(plain.loss, watched.loss));
    EXPECT_EQ(notes.out.size(), learner.network().nodes().size());
  }
  EXPECT_EQ(Watch::now(), nullptr);
  for (size_t k = 0; k < before.counts().size(); ++k)
    EXPECT_EQ(before.counts()[k].spikes, after.counts()[k].spikes);
}

TEST_P(WatchOf, StepByStepIsTheWholeSequence) {
  const Experiment e = tiny_experiment(GetParam());
  const Learner& learner = *e.training.learner;
  ASSERT_TRUE(runs_step_by_step(learner.network()));
  const Batch batch = first_batch(e, 5);
  std::map<size_t, Tensor> whole, steps;
  std::map<int64_t, Tensor> u_whole, u_steps;
  const auto joined = [](const auto& parts, auto& all) {
    for (const auto& [key, list] : parts) all[key] = torch::cat(list);
  };
  {
    Notes notes;
    learner.infer(batch);
    joined(notes.out, whole), joined(notes.membranes, u_whole);
  }
  Notes notes;
  const std::vector<Signal> out = infer_by_step(learner.parts(), batch);
  EXPECT_EQ(static_cast<int64_t>(out.size()), learner.parts().steps);
  joined(notes.out, steps), joined(notes.membranes, u_steps);
  ASSERT_EQ(whole.size(), steps.size());
  for (const auto& [node, values] : whole)
    EXPECT_TRUE(torch::allclose(values, steps.at(node), 1e-4, 1e-5)) << node;
  ASSERT_FALSE(u_whole.empty());
  for (const auto& [slot, u] : u_whole) EXPECT_TRUE(torch::allclose(u, u_steps.at(slot), 1e-4, 1e-5)) << slot;
}

INSTANTIATE_TEST_SUITE_P(
    Networks, WatchOf,
    ::testing::Values(std::vector<std::string>{},
                      std::vector<std::string>{"schedule=truncated", "schedule.window=2"},
                      std::vector<std::string>{"neuron=lif", "rule=bptt", "objective=rate_ce",
                                               "readout=leaky_readout", "network.spec=6C3-AP2-8-4"}));

TEST(WatchTest, TheLastMadeIsTold) {
  Notes outer;
  {
    Notes inner;
    EXPECT_EQ(Watch::now(), &inner);
  }
  EXPECT_EQ(Watch::now(), &outer);
}

TEST(WatchTest, ALongerBatchIsRefused) {
  const Experiment e = tiny_experiment();
  Batch batch = first_batch(e, 2);
  batch.form = Batch::Form::frames;
  batch.x = torch::zeros({3, 2, 1, 6, 6});
  EXPECT_NE(message_of<UsageError>([&] {
              infer_by_step(e.training.learner->parts(), batch);
            }).find("expected 5 frames"),
            std::string::npos);
}

}  // namespace spiketrain::watch_test
