// Networks in time-to-first-spike coding from a recipe: they learn, resume, and say what they ignore.
#include <gtest/gtest.h>

#include "spiketrain/train/probe.h"
#include "spiketrain/train/trainer.h"
#include "tests/support/message.h"
#include "tests/support/tiny.h"

namespace spiketrain::ttfs_training_test {

std::vector<std::string> ttfs_settings(const std::string& network, const std::string& objective) {
  return {"steps=12",
          "data.mean=[0]",
          "data.std=[1]",
          "encoder={name=\"latency\",exact=true}",
          "network={name=\"ttfs\"," + network + "}",
          "objective=" + objective,
          "optimizer={name=\"adam\",lr=1e-3}",
          "neuron=lif",
          "rule=bptt",
          "epochs=30"};
}

TEST(TtfsTraining, ARecipeLearns) {
  for (const auto& [network, objective] :
       {std::pair{"spec=\"20-4\"", "first_spike_ce"},
        {"spec=\"20-4\",readout=\"membrane\"", "rate_ce"},
        {"spec=\"20-4\",threshold_form=\"falling\",weight_mean=0.1,weight_std=0.05", "first_spike_ce"}}) {
    Experiment experiment = tiny_experiment(ttfs_settings(network, objective));
    EXPECT_TRUE(experiment.training.caveats.empty());
    LossRecorder recorder;
    TrainerOptions options;
    options.observers = {&recorder};
    Trainer(experiment.training, options).run();
    ASSERT_GE(recorder.losses.size(), 8U);
    EXPECT_LT(recorder.losses.back(), 0.7 * recorder.losses.front()) << network << ' ' << objective;
  }
}

TEST(TtfsTraining, SaysWhatHasNoEffect) {
  std::vector<std::string> sets = ttfs_settings("spec=\"20-4\"", "first_spike_ce");
  sets.emplace_back("neuron.leak=0.25");
  const auto caveats = tiny_experiment(sets).training.caveats;
  ASSERT_EQ(caveats.size(), 1U);
  EXPECT_NE(caveats[0].find("[neuron], [readout], [rule] and [rules] have no effect: network ttfs"),
            std::string::npos);
  const std::string message = message_of<UsageError>([] {
    compare_gradients(tiny_experiment(ttfs_settings("spec=\"20-4\"", "first_spike_ce")).training, 2,
                      Reference::bptt);
  });
  EXPECT_NE(message.find("gradcheck: node 0 is event-driven"), std::string::npos) << message;
}

}  // namespace spiketrain::ttfs_training_test
