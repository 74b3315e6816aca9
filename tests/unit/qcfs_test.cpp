// The quantised activation and the integrate-and-fire neuron that counts it out; membranes that start at half the threshold.
#include <gtest/gtest.h>

#include "tests/support/message.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::qcfs_test {

std::shared_ptr<Neuron> qcfs(int64_t levels, double up, const char* order = "clip") {
  auto neuron =
      make_neuron({{"name", "qcfs"}, {"levels", levels}, {"initial_up", up}, {"order", order}}, {1});
  neuron->to(torch::kDouble);
  return neuron;
}

/// I [N] -> a [N]
Tensor values(const Neuron& neuron, const Tensor& I) {
  return output_of(*run_all(neuron, I.view({1, 1, -1}))).flatten();
}

/// Spikes of an if neuron with initial membrane 1/2 and threshold 1 over T steps of the same current [N].
Tensor counts(const Tensor& I, int64_t T) {
  const auto neuron = make_neuron({{"name", "if"}, {"start", "half"}}, {I.numel()});
  return output_of(*run_all(*neuron, I.view({1, 1, -1}).expand({T, 1, -1}).contiguous())).sum(0).flatten();
}

/// Also where the current is below 0 and above the greatest value.
TEST(Qcfs, IsTheCountOfAnIntegrateAndFireNeuronInAsManySteps) {
  torch::manual_seed(3);
  int64_t cases = 0, between = 0;
  for (const int64_t levels : {1, 2, 3, 4, 7, 8, 16, 32}) {
    for (const double up : {0.37, 1.0, 2.71, 8.0}) {
      const Tensor I = torch::rand({1000}, torch::kDouble) * 2 * up - 0.5 * up;
      const Tensor analog = values(*qcfs(levels, up), I), share = counts(I / up, levels);
      const auto L = static_cast<double>(levels);
      // `up` is a float; compare which level it is, which has no rounding.
      EXPECT_TRUE(torch::equal((analog / up * L).round(), share)) << levels << " " << up;
      cases += I.numel();
      between += ((share > 0) & (share < L)).sum().item<int64_t>();
    }
  }
  EXPECT_GE(cases, 20000);
  EXPECT_GT(between, cases / 4);
}

/// Currents on the grid, where a neuron that fires at the threshold and rounding upwards have to agree.
TEST(Qcfs, IsThatCountAtTheBordersOfLevelsToo) {
  for (const int64_t levels : {1, 2, 4, 8}) {
    const Tensor I = torch::arange(-16, 49, torch::kDouble) / 16;
    EXPECT_TRUE(
        torch::equal(values(*qcfs(levels, 2), I) / 2 * static_cast<double>(levels), counts(I / 2, levels)));
  }
}

TEST(Qcfs, OrdersDifferInTheGradientAtTheBorders) {
  // up = 2, 4 levels: half a level is 1/4.
  const Tensor I = torch::tensor({-0.3, -0.2, 0.0, 1.0, 2.0, 2.2, 2.3}, torch::kDouble);
  const auto gradient = [&](const char* order) {
    const auto neuron = qcfs(4, 2, order);
    const auto record = run_all(*neuron, I.view({1, 1, -1}));
    const Credit credit = neuron->vjp(*record, torch::ones({1, 1, 7}, torch::kDouble), {});
    // dy/d(up) = y/up - m x/up
    const Tensor y = output_of(*record).flatten(), m = credit.g.flatten();
    EXPECT_NEAR(credit.g_params.at(0).item<double>(), ((y - m * I) / 2).sum().item<double>(), 1e-12);
    return m;
  };
  EXPECT_TRUE(torch::equal(values(*qcfs(4, 2), I), values(*qcfs(4, 2, "floor"), I)));
  EXPECT_TRUE(torch::equal(gradient("clip"), torch::tensor({0., 0., 1., 1., 1., 0., 0.}, torch::kDouble)));
  EXPECT_TRUE(torch::equal(gradient("floor"), torch::tensor({0., 1., 1., 1., 1., 1., 0.}, torch::kDouble)));
}

TEST(Qcfs, RefusesWhatIsNoActivation) {
  EXPECT_THROW(make<Neuron>("qcfs", {{"levels", 0}}), UsageError);
  EXPECT_THROW(make<Neuron>("qcfs", {{"initial_up", 0}}), UsageError);
  EXPECT_THROW(make<Neuron>("qcfs", {{"order", "round"}}), UsageError);
  EXPECT_THROW(make<Neuron>("qcfs")->initial({1, 1}, torch::kFloat), UsageError);
}

TEST(Membrane, StartsAtHalfTheThreshold) {
  for (const char* name : {"if", "lif", "klif", "liaf", "membrane_readout"}) {
    for (const char* per : {"layer", "channel", "neuron"}) {
      const Config config = {
          {"name", name}, {"start", "half"}, {"threshold", 3.0}, {"per", per}, {"surrogate", "atan"}};
      const auto neuron = make_neuron(config, {2, 3, 4});
      if (per != std::string("layer")) set_coefficient(*neuron, "threshold", torch::full({}, 5.0));
      const double half = per == std::string("layer") ? 1.5 : 2.5;
      const Tensor start = neuron->initial({7, 2, 3, 4}, torch::kDouble).at(0);
      EXPECT_TRUE(torch::equal(start, torch::full({7, 2, 3, 4}, half, torch::kDouble))) << name << " " << per;
    }
  }
  const std::string message = message_of<UsageError>([] {
    make<Neuron>("leaky_readout", {{"start", "half"}});
  });
  EXPECT_NE(message.find("half the threshold"), std::string::npos) << message;
}

}  // namespace spiketrain::qcfs_test
