// The cost meter on networks that were built, and on a recipe.
#include <gtest/gtest.h>

#include "spiketrain/recipe/cost_options.h"
#include "spiketrain/recipe/experiment.h"
#include "tests/support/network_fixture.h"
#include "tests/support/tiny.h"

namespace spiketrain::cost_network_test {

RuleP rule(const char* name) { return make<Rule>(name); }

CostReport measure_network(const Network& network, const CostOptions& options) {
  return measure_cost(network_rows(network), options);
}

TEST(CostOfNetworks, ANetworksRowsSayWhatTheirSignalsAre) {
  const Shape in = {2, 8, 8};
  CostOptions options;
  options.input = {in, Values::binary, false, 1};
  options.rule = rule("bptt");
  const auto spikes = make_spec("4C3p1-MP2-3", make_context({{"name", "lif"}}, in, 3));
  const Operations n = measure_network(*spikes, options).total;
  EXPECT_EQ(n.ac, 2 * (2 * 4 * 9 * 64 + 3 * 64));
  EXPECT_EQ(n.mac_error, 3 * 64);
  EXPECT_EQ(n.mac_forward + n.mac_weight, 0);
  EXPECT_GT(n.vector, 0);

  options.rule = rule("tssl_bp");
  const auto psp = make_spec("4C3p1-P2-3", make_context({{"name", "psp_lif"}}, in, 3));
  EXPECT_EQ(measure_network(*psp, options).total.ac, 0);  // filtered spikes are real numbers
}

TEST(CostOfNetworks, ResidualUnitsBranchAndJoin) {
  const Shape in = {2, 8, 8};
  CostOptions options;
  options.input = {in, Values::binary, false, 1};
  options.rule = rule("bptt");
  const auto unit = [&](const char* spec) {
    return measure_network(*make_spec(spec, make_context({{"name", "lif"}}, in, 3)), options);
  };
  const int64_t first = 4 * 2 * 9 * 64, inner = 4 * 4 * 9 * 64, wide = 6 * 4 * 9 * 16,
                second = 6 * 6 * 9 * 16;
  const CostReport same = unit("4C3p1-RB4-3");  // identity
  EXPECT_EQ(same.total.mac_error, 2 * inner + 3 * 256);
  EXPECT_EQ(same.total.ac, 2 * (first + 2 * inner + 3 * 256));
  const CostReport projected = unit("4C3p1-RB6s2-3");
  EXPECT_EQ(projected.total.mac_error, wide + second + 6 * 4 * 16 + 3 * 96);
  // Spikes added to spikes are counts: the next layer multiplies.
  const CostReport sew = unit("4C3p1-SEW4-3");
  EXPECT_EQ(sew.total.mac_forward, 3 * 256);
  EXPECT_EQ(sew.total.ac, 2 * (first + 2 * inner));
}

TEST(CostOfNetworks, ATraceMakesTheWeightGradientReal) {
  struct Traced : Rule {};  // nothing says that it multiplies the input itself
  const Shape in = {12};
  CostOptions options;
  options.input = {in, Values::binary, false, 1};
  options.rule = std::make_shared<Traced>();
  const Operations n =
      measure_network(*make_spec("8-3", make_context({{"name", "lif"}}, in, 3)), options).total;
  EXPECT_EQ(n.ac, 96 + 24);  // forward only
  EXPECT_EQ(n.mac_weight, 96 + 24);
}

TEST(CostOfNetworks, EachLayerCountsByItsOwnRule) {
  struct Traced : Rule {};
  const auto network = make_spec("8-3", make_context({{"name", "lif"}}, {12}, 3));
  CostOptions options;
  options.input = {{12}, Values::binary, false, 1};
  options.rule = rule("bptt");
  options.rules[network->nodes()[1].stage->slot()] = std::make_shared<Traced>();
  const Operations n = measure_network(*network, options).total;
  EXPECT_EQ(n.ac, 2 * 96 + 24);
  EXPECT_EQ(n.mac_weight, 24);
}

TEST(CostOfNetworks, RecurrentLayersReadTheirOwnSpikes) {
  const auto network = make_spec("8R-3", make_context({{"name", "lif"}}, {12}, 3));
  CostOptions options;
  options.plan = {{0, 5}};
  options.rule = rule("bptt");
  options.input = {{12}, Values::binary, false, 1};
  const Operations n = measure_network(*network, options).total;
  EXPECT_EQ(n.ac, 5 * 2 * (96 + 64 + 24));
  EXPECT_EQ(n.mac_error, 5 * (64 + 24));
  EXPECT_EQ(n.mac_forward + n.mac_weight, 0);
  // It runs one step at a time, and so does the product with an image.
  options.input = {{12}, Values::real, true, 1};
  EXPECT_EQ(measure_network(*network, options).mac_forward_run, 5 * 96);
  const auto plain = make_spec("8-3", make_context({{"name", "lif"}}, {12}, 3));
  EXPECT_EQ(measure_network(*plain, options).mac_forward_run, 96);
}

/// Products with a still image in two segments of one update, by rules whose factors are traces of it.
TEST(CostOfNetworks, TracesOfAStillImage) {
  const auto network = make_spec("3-2", make_context({{"name", "lif"}}, {4}, 2));
  CostOptions options;
  options.plan = {{0, 3, Role::live, false}, {3, 5}};
  options.input = {{4}, Values::real, true, 1};
  for (const auto& [name, pairs, runs] :
       {std::tuple<const char*, int64_t, int64_t>{"ottt", 0, 1}, {"s_tllr", 1, 1}, {"bptt_trace", 0, 2}}) {
    SCOPED_TRACE(name);
    options.rule = rule(name);
    const CostReport report = measure_network(*network, options);
    EXPECT_EQ(report.total.mac_weight, 5 * (12 + 6) * (1 + pairs));  // a trace is real behind spikes, too
    EXPECT_EQ(report.mac_forward_run, runs * 12);
    EXPECT_EQ(report.mac_weight_run,
              runs * 12 + 5 * 6 * (1 + pairs));  // further pairs with the image: added up before
  }
}

/// EventProp by steps: one product with the input itself, whatever the form.
TEST(CostOfNetworks, EventPropByStepsIsAsMuchAsBptt) {
  CostOptions options;
  options.plan = {{0, 5}};
  options.input = {{4}, Values::binary, false, 1};
  const auto count = [&](const Config& rule, const Config& neuron) {
    options.rule = make<Rule>(rule);
    return measure_network(*make_spec("3-2", make_context(neuron, {4}, 2)), options).total;
  };
  const Operations bptt = count({{"name", "bptt"}}, {{"name", "lif"}});
  for (const char* form : {"norse", "adjoint_pair"}) {
    const Config rule = {{"name", "event_prop"}, {"form", form}};
    const Operations n = count(rule, make<Rule>(rule)->neuron());
    EXPECT_EQ(n.ac, bptt.ac) << form;
    EXPECT_EQ(n.mac_weight, bptt.mac_weight) << form;
  }
}

TEST(CostOfNetworks, ReadsARecipe) {
  const Recipe recipe = tiny_recipe(
      {"cost.pj_mac=2", "schedule={name=\"truncated\", window=2}", "optimizer={name=\"sgd\", momentum=0.9}"});
  const CostOptions options = cost_options(recipe, Shape{1, 6, 6});
  EXPECT_EQ(options.energy.pj_mac, 2);
  EXPECT_EQ(options.plan.size(), 3u);
  EXPECT_EQ(options.batch, 8);
  EXPECT_EQ(options.optimizer_words, 1);
  EXPECT_TRUE(options.input.constant);
  EXPECT_EQ(options.input.values, Values::real);
  EXPECT_EQ(make_recipe(resolve(recipe)).cost.pj_mac, 2);
  const CostReport report = measure_network(*make_network(recipe, {1, 6, 6}, {4}), options);
  EXPECT_EQ(report.total.mac_forward, 5 * (6 * 9 * 16 + 4 * 24));
  EXPECT_EQ(report.mac_forward_run, 6 * 9 * 16 + 5 * 4 * 24);
  // Two steps of a membrane and a bit.
  EXPECT_EQ(report.rows.at(3).bytes_kept, 4 * 2 * 4.125);
  const CostInput random = cost_options(tiny_recipe({"encoder={name=\"poisson\"}"}), Shape{1, 6, 6}).input;
  EXPECT_EQ(random.values, Values::binary);
  EXPECT_NE(message_of<UsageError>([] { tiny_recipe({"cost.pj_mak=2"}); }).find("pj_mac"), std::string::npos);
}

}  // namespace spiketrain::cost_network_test
