// Which layers a regularizer holds for.
#include "tests/support/engine.h"
#include "tests/support/message.h"

namespace spiketrain::regularizer_readouts_test {

constexpr int64_t kSteps = 7, kBatch = 4, kIn = 5, kClasses = 3;

/// The objective sets what the output layer does; a rate penalty holds for it only where it is asked to.
TEST(EngineRegularizers, RatesOfReadoutsAreTheirOwn) {
  auto network = std::make_shared<Network>(Shape{kIn});
  for (const int64_t width : {int64_t{6}, kClasses})
    network->add(dense_layer(width, lif()), /*new_unit=*/true);
  draw_weights(*network);
  LearnerParts parts = learner_parts(network, kSteps, "rate_ce");
  const Batch batch = frames_batch(kSteps, kBatch, kIn, label_target(kBatch, kClasses));
  const auto gradients = [&](const std::vector<RegularizerP>& regularizers) {
    parts.regularizers = regularizers;
    Learner(parts).pass(batch, 0);
    return take_gradients(*network);
  };
  const Config bounds = {{"weight", 3}, {"lower", 0.9}, {"upper", 0.9}};
  Config with_readouts = bounds;
  with_readouts["readouts"] = true;
  const auto none = gradients({}), hidden = gradients({make<Regularizer>("rate", bounds)}),
             all = gradients({make<Regularizer>("rate", with_readouts)});
  EXPECT_FALSE(torch::equal(hidden[0].second, none[0].second));
  EXPECT_TRUE(torch::equal(hidden[1].second, none[1].second));
  EXPECT_FALSE(torch::equal(all[1].second, none[1].second));
}

TEST(EngineRegularizers, RatesOfNoLayerAreRefused) {
  auto network = std::make_shared<Network>(Shape{kIn});
  network->add(dense_layer(kClasses, lif()), /*new_unit=*/true);
  LearnerParts parts = learner_parts(network, kSteps, "rate_ce");
  parts.regularizers = {make<Regularizer>("rate")};
  EXPECT_NE(message_of<UsageError>([&] { Learner{parts}; }).find("set its option readouts = true"),
            std::string::npos);
  parts.regularizers = {make<Regularizer>("rate", {{"readouts", true}})};
  EXPECT_NO_THROW(Learner{parts});
}

}  // namespace spiketrain::regularizer_readouts_test
