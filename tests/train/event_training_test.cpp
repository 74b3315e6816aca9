// Event-driven layers from a recipe: they learn, need no section that they do not read, and say what they ignore.
#include <gtest/gtest.h>

#include "spiketrain/train/probe.h"
#include "spiketrain/train/trainer.h"
#include "tests/support/event_settings.h"
#include "tests/support/message.h"
#include "tests/support/tiny.h"

namespace spiketrain::event_training_test {

TEST(EventTraining, ARecipeLearns) {
  for (const auto& [readout, objective] :
       {std::pair{"first_spike", "first_spike_ce"}, {"membrane", "rate_ce"}}) {
    std::vector<std::string> sets = event_settings(readout, objective);
    sets.emplace_back("epochs=12");
    Experiment experiment = tiny_experiment(sets);
    EXPECT_TRUE(experiment.training.caveats.empty());
    LossRecorder recorder;
    TrainerOptions options;
    options.observers = {&recorder};
    Trainer(experiment.training, options).run();
    ASSERT_GE(recorder.losses.size(), 8U);
    EXPECT_LT(recorder.losses.back(), 0.7 * recorder.losses.front()) << readout;
  }
}

TEST(EventTraining, NeedsNoNeuronAndNoRule) {
  Config config = {
      {"steps", 5}, {"network", {{"name", "event"}}}, {"objective", {{"name", "first_spike_ce"}}}};
  EXPECT_EQ(make_recipe(config).rule["name"], "bptt");
  config["network"] = {{"name", "spec"}, {"spec", "10"}};
  EXPECT_NE(message_of<UsageError>([&] { make_recipe(config); }).find("neuron"), std::string::npos);
  std::vector<std::string> sets = event_settings("first_spike", "first_spike_ce");
  sets.emplace_back("neuron.leak=0.25");
  const auto caveats = tiny_experiment(sets).training.caveats;
  ASSERT_EQ(caveats.size(), 1U);
  EXPECT_NE(caveats[0].find("[neuron], [readout], [rule] and [rules] have no effect"), std::string::npos);
}

TEST(EventTraining, NothingToCompareAGradientWith) {
  const std::string message = message_of<UsageError>([] {
    compare_gradients(tiny_experiment(event_settings("membrane", "rate_ce")).training, 2, Reference::bptt);
  });
  EXPECT_NE(message.find("gradcheck: node 0 is event-driven"), std::string::npos) << message;
}

}  // namespace spiketrain::event_training_test
