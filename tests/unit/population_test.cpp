// POP10 at the end of a network in notation: a population of output neurons for each class.
#include <gtest/gtest.h>

#include "spiketrain/core/objective.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::population_test {

const Config kLif = {{"name", "lif"}};

std::shared_ptr<Network> network(const std::string& spec) {
  auto made = make_spec(spec, make_context(kLif, {9}, 4));
  exact_weights(*made, 7);
  return made;
}

TEST(Population, IsTheSumOfEachClass) {
  const auto sums = network("6-12-POP3");
  const auto neurons = make_spec("6-12", make_context(kLif, {9}, 12));
  exact_weights(*neurons, 7);
  EXPECT_EQ(sums->notation(), "6-12-POP3");
  EXPECT_EQ(sums->out_shape(), Shape{4});
  const Signal x = Signal::dense(binary_input(5, 3, {9}, 2));
  const Tensor each = evaluate(*neurons, x), all = evaluate(*sums, x);
  ASSERT_EQ(all.sizes(), (std::vector<int64_t>{5, 3, 4}));
  EXPECT_GT(each.sum().item<float>(), 0);
  for (int64_t c = 0; c < 4; ++c)
    EXPECT_TRUE(torch::equal(all.select(2, c), each.slice(2, 3 * c, 3 * c + 3).sum(2))) << c;
}

TEST(Population, OfOneIsThePlainNetwork) {
  const Signal x = Signal::dense(binary_input(5, 3, {9}, 2));
  EXPECT_TRUE(torch::equal(evaluate(*network("6-4-POP1"), x), evaluate(*network("6-4"), x)));
}

TEST(Population, TheReadoutIsTheLayerBeforeIt) {
  NetworkContext context = make_context(kLif, {9}, 4);
  context.readout = [] { return make<Neuron>("leaky_readout"); };
  const auto made = make_spec("6-12-POP3", context, {{"norm", "bn"}});
  EXPECT_EQ(layer_of(*made, "1").neuron()->part_name(), "leaky_readout");
  EXPECT_TRUE(layer_of(*made, "0").connections()[0].norm);
  EXPECT_FALSE(layer_of(*made, "1").connections()[0].norm) << "every layer but the output layer has one";
  EXPECT_EQ(made->hidden_units(), 1);
}

TEST(Population, RefusesWhatHasNoGroups) {
  const auto error = [](const std::string& spec) { return message_of<UsageError>([&] { network(spec); }); };
  const auto has = [](const std::string& text, const char* what) {
    return text.find(what) != std::string::npos;
  };
  EXPECT_TRUE(has(error("6-11-POP3"), "expected 12 neurons in front of it")) << error("6-11-POP3");
  EXPECT_TRUE(has(error("POP3"), "write 12-POP3"));
  EXPECT_TRUE(has(error("6-12-POP3-4"), "must be the last token"));
  EXPECT_TRUE(has(error("6-12-POP"), "number of neurons in a group"));
  EXPECT_TRUE(has(error("6-12-POP0"), "expected 1 to"));
  EXPECT_THROW(make<Stage>("population", {{"size", 5}})->build({{12}}), UsageError);
}

}  // namespace spiketrain::population_test
