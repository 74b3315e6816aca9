// Networks as plain numbers: a program made from them fires as they do, and what cannot be expressed is refused by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "spiketrain/deploy/onnx.h"
#include "spiketrain/deploy/program_network.h"
#include "tests/support/deploy.h"
#include "tests/support/message.h"

namespace spiketrain::deploy_model_test {

using testing::HasSubstr;

struct Outcome {
  Tensor y;
  std::vector<Tally::Count> counts;
};

Outcome run(Network& network, const Signal& x) {
  const torch::NoGradGuard no_grad;
  Context context;
  Tally tally;
  context.tally = &tally;
  Carry carry = network.start();
  const int64_t half = x.steps() / 2;  // two segments: states are carried
  const Tensor first = network.forward(x.slice(0, half), context, carry).values();
  return {torch::cat({first, network.forward(x.slice(half, x.steps()), context, carry).values()}),
          tally.counts()};
}

/// Spikes of the layers that send them, in order.
std::vector<int64_t> spikes(const Outcome& outcome) {
  std::vector<int64_t> list;
  for (const Tally::Count& count : outcome.counts)
    if (count.sites > 0) list.push_back(count.spikes);
  return list;
}

void expect_same(const DeployCase& of, const Signal& x, deploy::Input kind) {
  const auto network = build_spread(of);
  const Outcome wanted = run(*network, x);
  const auto program =
      std::make_shared<const deploy::FloatProgram>(lower(deploy::read_network(*network), kind));
  const auto exported = deploy::program_network<deploy::Float>(program, of.input, network->out_shape());
  const Outcome got = run(*exported, x);
  EXPECT_EQ(spikes(got), spikes(wanted)) << of.name;
  EXPECT_LT((got.y - wanted.y).abs().max().item<double>(), 1e-4) << of.name;
  EXPECT_GT(spikes(wanted)[0], 0) << of.name << ": the test says nothing";
}

TEST(DeployModel, ProgramsFireAsTheNetworkOnRealInputs) {
  for (const DeployCase& of : deploy_cases())
    expect_same(of, Signal::dense(random_input(of.input, 8, 4, false)), deploy::Input::real);
}

TEST(DeployModel, ProgramsFireAsTheNetworkOnSpikesAndCounts) {
  for (const DeployCase& of : deploy_cases()) {
    const Tensor x = random_input(of.input, 8, 4, true).to(torch::kUInt8);
    expect_same(of, Signal::spikes(Spikes::from_bytes(x, -1, 2), torch::kFloat), deploy::Input::counts);
  }
}

TEST(DeployModel, ProgramsFireAsTheNetworkOnStillImages) {
  for (const DeployCase& of : deploy_cases()) {
    const Tensor image = random_input(of.input, 1, 4, false);
    expect_same(of, Signal::constant(image, torch::ones({8})), deploy::Input::real);
  }
}

TEST(DeployModel, PoolingBeforeTheFirstLayer) {
  expect_same({"", "P2-4C3-8-3", {2, 9, 9}, {{"pool", "avg"}}},
              Signal::dense(random_input({2, 9, 9}, 8, 4, false) * 3), deploy::Input::real);
}

std::string refused(const DeployCase& of) {
  return message_of<UsageError>([&] { deploy::read_network(*build(of)); });
}

TEST(DeployModel, RefusesByNameWhatItCannotExpress) {
  EXPECT_THAT(refused({"", "4C3-MP2-8-3"}),
              HasSubstr("node 1 (MP2): maximum pooling cannot be exported; train with"));
  EXPECT_THAT(refused({"", "4C3p1-SEW4-8-3", {2, 9, 9}, {{"padding", "same"}}}),
              HasSubstr("node 1_sum: it has a second input, as residual units have; train a chain"));
  EXPECT_THAT(refused({"", "4C3p1-RB4-8-3", {2, 9, 9}, {{"padding", "same"}}}), HasSubstr("second input"));
  EXPECT_THAT(refused({"", "8R1-3"}),
              HasSubstr("synapse one_to_one cannot be exported; expected conv2d or linear"));
  EXPECT_THAT(refused({"", "8-3", {5}, {{"longest_delay", 3}}}), HasSubstr("node 0_taps: stage taps cannot"));
  EXPECT_THAT(refused({"", "8-3", {5}, {{"norm", "relu"}}}),
              HasSubstr("norm relu cannot be folded into weights; train with network.norm"));
  EXPECT_THAT(refused({"", "8-3", {5}, {}, {{"name", "alif"}}}),
              HasSubstr("neuron alif cannot be exported; train with lif"));
  EXPECT_THAT(refused({"", "8-3", {5}, {}, {{"name", "lif"}, {"raise_after_overshoot", true}}}),
              HasSubstr("raise_after_overshoot"));
  EXPECT_THAT(refused({"", "8-3", {5}, {}, {{"name", "leaky_readout"}}}),
              HasSubstr("node 0 (8): it sends real numbers"));
  EXPECT_THAT(refused({"", "4C3-3C1-GAP", {2, 6, 6}}), HasSubstr("it comes after the last layer"));
}

TEST(DeployModel, RefusesGainsPerNeuronOfAMap) {
  const DeployCase of = {"", "4C3-8-3", {2, 6, 6}, {}, {{"name", "lif"}, {"per", "neuron"}}};
  const auto network = build(of);
  const auto layer = std::dynamic_pointer_cast<Layer>(network->nodes()[0].stage);
  set_coefficient(*layer->neuron(), "gain", torch::linspace(0.5, 1, 64).view({4, 4, 4}));
  EXPECT_THAT(message_of<UsageError>([&] { deploy::read_network(*network); }),
              HasSubstr("gains of their own (per = \"neuron\"); train with"));
}

TEST(DeployModel, RefusesAMembraneThatBeginsOverTheThreshold) {
  const DeployCase of = {"", "8-3", {5}, {}, {{"name", "lif"}, {"per", "neuron"}}};
  const auto network = build(of);
  const auto layer = std::dynamic_pointer_cast<Layer>(network->nodes()[0].stage);
  set_coefficient(*layer->neuron(), "v_rest", torch::full({8}, 2.0));
  EXPECT_THAT(message_of<UsageError>([&] { deploy::read_network(*network); }),
              HasSubstr("before the first step"));
}

TEST(DeployModel, RefusesNumbersThatAreNotFinite) {
  const auto network = build({"", "8-3", {5}});
  network->named_parameters()["0.synapse.weight"].data()[2][1] = std::nan("");
  const deploy::Model model = deploy::read_network(*network);
  for (const auto& call : std::vector<std::function<void()>>{
           [&] { deploy::lower(model, deploy::Input::real); },
           [&] { deploy::quantise(model, 8, deploy::Input::real, 1); },
           [&] { deploy::write_onnx(model, "a test", false); },
       })
    EXPECT_THAT(message_of<UsageError>(call), HasSubstr("layer 0 (8) has numbers that are not finite"));
}

}  // namespace spiketrain::deploy_model_test
