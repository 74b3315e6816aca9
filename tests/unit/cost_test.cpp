// The cost meter against counts made by hand, and against the published saving of local training.
#include "spiketrain/train/cost.h"

#include <gtest/gtest.h>

#include "spiketrain/train/cost_options.h"
#include "tests/support/network_fixture.h"
#include "tests/support/tiny.h"

namespace spiketrain {
namespace {

StageInfo layer(const std::string& spec, const Shape& out, int64_t weights, int64_t macs) {
  StageInfo row = {spec, "layer", out, -1, weights, macs, numel(out)};
  row.values = Values::binary;
  row.keeps_input = true;
  return row;
}

StageInfo pool(const Shape& out, Values values = Values::as_input) {
  StageInfo row = {"pool", "pool", out};
  row.values = values;
  row.linear = values == Values::real;
  return row;
}

StageInfo conv3(int64_t maps, const Shape& in) {
  const int64_t weights = maps * in[0] * 9;
  return layer(str(maps, "C3"), {maps, in[1], in[2]}, weights, weights * in[1] * in[2]);
}

StageInfo linear(int64_t outputs, int64_t inputs) {
  return layer(std::to_string(outputs), {outputs}, outputs * inputs, outputs * inputs);
}

enum class Heads { before_pool, after_pool, pooled };

/// A head's input: maps averaged over windows whose height, then width, doubles until 2048 features are left.
Shape reduced(const Shape& in) {
  Shape out = in;
  int64_t h = 1, w = 1;
  while (in.size() == 3 && numel(out) > 2048) {
    (h <= w ? h : w) *= 2;
    out = {in[0], in[1] / h, in[2] / w};
  }
  return out;
}

/// 96C3-256C3-P2-384C3-P2-384C3-256C3-1024-1024-10 on maps of side n, in blocks of B of its seven hidden
/// layers, each with a linear head of ten outputs; the output layer is the head of the last block.
std::vector<StageInfo> alexnet(int64_t n, int64_t B, Heads heads) {
  std::vector<StageInfo> rows;
  Shape at = {2, n, n};
  int64_t index = 0;
  const auto add = [&](StageInfo row) {
    row.block = index / B;
    at = row.out;
    rows.push_back(std::move(row));
  };
  const auto finish_layer = [&](bool pools) {
    const int64_t block = index / B;
    const bool ends_block = (index + 1) % B == 0 && index < 6;
    const Shape halved = pools ? Shape{at[0], at[1] / 2, at[2] / 2} : at;
    if (pools && heads != Heads::before_pool) add(pool(halved));
    if (ends_block) {
      const Shape read = heads == Heads::pooled ? reduced(at) : at;
      const auto hang = [&](StageInfo row) {
        row.block = block;
        row.head = true;
        rows.push_back(std::move(row));
      };
      if (read != at) hang(pool(read, Values::real));
      hang(linear(10, numel(read)));
    }
    ++index;
    if (pools && heads == Heads::before_pool) {
      StageInfo row = pool(halved);  // belongs to the next block if this layer ends one
      row.block = index / B;
      at = row.out;
      rows.push_back(std::move(row));
    }
  };
  for (const int64_t maps : {96, 256, 384, 384, 256}) {
    add(conv3(maps, at));
    finish_layer(index == 1 || index == 2);
  }
  for (int64_t k = 0; k < 2; ++k) {
    add(linear(1024, numel(at)));
    finish_layer(false);
  }
  StageInfo output = linear(10, 1024);
  output.block = rows.back().block;
  rows.push_back(output);
  return rows;
}

/// Percent of the MACs of error propagation that training in blocks saves.
double saving(int64_t n, int64_t B, Heads heads, int64_t K = 0) {
  CostOptions options;
  options.input = {{2, n, n}, Values::binary, false, 1};
  options.plan.clear();
  const int64_t T = 20;
  for (int64_t t = 0; t < T; t += K ? K : T) options.plan.push_back({t, std::min(T, t + (K ? K : T)), true});
  const auto local = measure_cost(alexnet(n, B, heads), options).total.mac_error;
  auto whole = alexnet(n, 8, heads);
  for (const StageInfo& row : whole) EXPECT_FALSE(row.head);
  return 100 *
         (1 - static_cast<double>(local) / static_cast<double>(measure_cost(whole, options).total.mac_error));
}

double rounded(double percent, double unit) { return std::round(percent / unit) * unit; }

TEST(Cost, LocalTrainingSavesWhatThePaperReports) {
  for (const int64_t n : {32, 42, 48, 128}) {
    EXPECT_NEAR(rounded(saving(n, 1, Heads::after_pool), 0.01), 99.62, 0.0001) << n;
    EXPECT_NEAR(rounded(saving(n, 1, Heads::before_pool), 0.01), n == 42 ? 99.17 : 99.18, 0.0001) << n;
  }
  EXPECT_NEAR(rounded(saving(48, 1, Heads::pooled), 0.01), 99.99, 0.0001);
  EXPECT_NEAR(rounded(saving(48, 2, Heads::before_pool), 0.1), 45.9, 0.001);
  EXPECT_NEAR(rounded(saving(48, 3, Heads::before_pool), 0.1), 13.8, 0.001);
  EXPECT_NEAR(rounded(saving(48, 4, Heads::before_pool), 0.1), 9.2, 0.001);
}

/// The same from a recipe's own network.
TEST(Cost, ARecipesBlocksSaveTheSame) {
  const auto error_macs = [](const std::string& blocks) {
    const Recipe recipe = tiny_recipe(
        {"network.spec=96C3p1-256C3p1-P2-384C3p1-P2-384C3p1-256C3p1-1024-1024-10", "neuron={name=\"lif\"}",
         "rule={name=\"bptt\"}", "objective={name=\"rate_ce\"}", "blocks=" + blocks});
    CostOptions options;
    options.input = {{2, 32, 32}, Values::binary, false, 1};
    options.plan = {{0, 5, true}};
    return static_cast<double>(
        measure_cost(make_network(recipe, {2, 32, 32}, 10)->describe(), options).total.mac_error);
  };
  const double whole = error_macs("{size=0}");
  EXPECT_NEAR(rounded(100 * (1 - error_macs("{size=1}") / whole), 0.01), 99.62, 0.0001);
  EXPECT_NEAR(rounded(100 * (1 - error_macs("{size=1, cut=\"before_pooling\"}") / whole), 0.01), 99.18,
              0.0001);
}

TEST(Cost, TheWindowDoesNotChangeTheOperations) {
  for (const int64_t K : {1, 2, 7, 20}) {
    EXPECT_EQ(saving(32, 1, Heads::after_pool, K), saving(32, 1, Heads::after_pool)) << K;
  }
}

/// Two layers of 3 and 2 neurons on 4 inputs, 5 steps.
CostReport two_layers(Values input, bool stationary, int64_t blocks) {
  std::vector<StageInfo> rows = {linear(3, 4), linear(2, 3)};
  rows[1].block = blocks - 1;
  CostOptions options;
  options.plan = {{0, 3, false}, {3, 5, true}};
  options.input = {{4}, input, stationary, 1};
  return measure_cost(rows, options);
}

TEST(Cost, CountsByHand) {
  const Operations binary = two_layers(Values::binary, false, 1).total;
  EXPECT_EQ(binary.ac, 5 * 2 * (12 + 6));  // forward and weight gradient
  EXPECT_EQ(binary.mac_error, 5 * 6);      // not below the first layer
  EXPECT_EQ(binary.mac_forward, 0);
  EXPECT_EQ(binary.mac_weight, 0);
  // forward W, error W of the second layer, gradient 2W each per step; Adam: 6W per update.
  EXPECT_EQ(binary.memory_words, 5 * (3 * 12 + 4 * 6) + 6 * 18);

  const CostReport real = two_layers(Values::real, false, 1);
  EXPECT_EQ(real.total.mac_forward, 5 * 12);
  EXPECT_EQ(real.total.mac_weight, 5 * 12);
  EXPECT_EQ(real.total.ac, 5 * 2 * 6);
  EXPECT_EQ(real.mac_forward_run, 5 * 12);

  const CostReport still = two_layers(Values::real, true, 1);
  EXPECT_EQ(still.total.mac_forward, 5 * 12);  // by definition every step
  EXPECT_EQ(still.mac_forward_run, 12);        // here once per update
  EXPECT_EQ(still.mac_weight_run, 12);

  EXPECT_EQ(two_layers(Values::binary, false, 2).total.mac_error, 0);  // a block's input is cut off
}

TEST(Cost, FixedHeadsHaveNoWeightGradient) {
  std::vector<StageInfo> rows = {linear(3, 4), linear(2, 3)};
  rows[1].head = true;
  CostOptions options;
  options.input = {{4}, Values::binary, false, 1};
  const Operations trained = measure_cost(rows, options).total;
  rows[1].parameters = 0;
  const Operations fixed = measure_cost(rows, options).total;
  EXPECT_EQ(trained.mac_error, 6);  // from the head into the block
  EXPECT_EQ(fixed.mac_error, 6);
  EXPECT_EQ(trained.ac - fixed.ac, 6);
}

TEST(Cost, RealSignalsMakeMacs) {
  CostOptions options;
  options.input = {{4, 4, 4}, Values::binary, false, 1};
  const std::vector<StageInfo> averaged = {conv3(2, {4, 4, 4}), pool({2, 2, 2}, Values::real), linear(2, 8)};
  const std::vector<StageInfo> maxima = {conv3(2, {4, 4, 4}), pool({2, 2, 2}), linear(2, 8)};
  EXPECT_EQ(measure_cost(averaged, options).total.mac_forward, 16);
  EXPECT_EQ(measure_cost(averaged, options).total.mac_weight, 16);
  EXPECT_EQ(measure_cost(maxima, options).total.mac_forward, 0);
  EXPECT_EQ(measure_cost(maxima, options).total.mac_error, 16);
}

TEST(Cost, RatesScaleTheAccumulates) {
  std::vector<StageInfo> rows = {linear(3, 4), linear(2, 3)};
  rows[0].slot = 0;
  CostOptions options;
  options.input = {{4}, Values::binary, false, 0.5};
  EXPECT_EQ(measure_cost(rows, options).effective_ac, -1);
  options.rates = {0.25, 0.0};
  EXPECT_DOUBLE_EQ(measure_cost(rows, options).effective_ac, 2 * (0.5 * 12 + 0.25 * 6));
}

TEST(Cost, EnergyIsTheTableTimesTheCounts) {
  std::vector<StageInfo> rows = {linear(3, 4), linear(2, 3)};
  CostOptions options;
  options.input = {{4}, Values::real, false, 1};
  options.energy = {1000, 10, 7, 0.1};
  const CostReport report = measure_cost(rows, options);
  const Operations& n = report.total;
  EXPECT_DOUBLE_EQ(report.energy_uj,
                   1e-6 * (1000.0 * (12 + 12 + 6) + 10.0 * 12 + 0.1 * static_cast<double>(n.memory_words)));
  const Config json = to_json(report);
  EXPECT_EQ(json["ac"], 12);
  EXPECT_EQ(json["mac_error"], 6);
  EXPECT_EQ(json["mac_weight"], 12);
  EXPECT_EQ(json["mac_forward"], 12);
  EXPECT_EQ(json["memory_words"], n.memory_words);
  EXPECT_FALSE(json.contains("effective_ac"));
  for (const char* key : {"vector", "activation_bytes_predicted", "energy_uj"})
    EXPECT_TRUE(json.contains(key)) << key;
}

RuleP rule(const char* name) { return Registry<Rule>::get().make({{"name", name}}); }

TEST(Cost, ANetworksRowsSayWhatTheirSignalsAre) {
  const Shape in = {2, 8, 8};
  CostOptions options;
  options.input = {in, Values::binary, false, 1};
  options.rule = rule("bptt");
  const auto spikes = make_spec("4C3p1-MP2-3", make_context({{"name", "lif"}}, in, 3));
  const Operations n = measure_cost(spikes->describe(), options).total;
  EXPECT_EQ(n.ac, 2 * (2 * 4 * 9 * 64 + 3 * 64));
  EXPECT_EQ(n.mac_error, 3 * 64);
  EXPECT_EQ(n.mac_forward + n.mac_weight, 0);
  EXPECT_GT(n.vector, 0);

  options.rule = rule("tssl_bp");
  const auto psp = make_spec("4C3p1-P2-3", make_context({{"name", "psp_lif"}}, in, 3));
  EXPECT_EQ(measure_cost(psp->describe(), options).total.ac, 0);  // filtered spikes are real numbers
}

TEST(Cost, ResidualUnitsBranchAndJoin) {
  const Shape in = {2, 8, 8};
  CostOptions options;
  options.input = {in, Values::binary, false, 1};
  options.rule = rule("bptt");
  const auto unit = [&](const char* spec) {
    return measure_cost(make_spec(spec, make_context({{"name", "lif"}}, in, 3))->describe(), options);
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

TEST(Cost, ATraceMakesTheWeightGradientReal) {
  struct Traced : Rule {
    bool traces() const override { return true; }
  };
  const Shape in = {12};
  CostOptions options;
  options.input = {in, Values::binary, false, 1};
  options.rule = std::make_shared<Traced>();
  const Operations n =
      measure_cost(make_spec("8-3", make_context({{"name", "lif"}}, in, 3))->describe(), options).total;
  EXPECT_EQ(n.ac, 96 + 24);  // forward only
  EXPECT_EQ(n.mac_weight, 96 + 24);
}

TEST(Cost, ReadsARecipe) {
  const Recipe recipe = tiny_recipe(
      {"cost.pj_mac=2", "schedule={name=\"truncated\", window=2}", "optimizer={name=\"sgd\", momentum=0.9}"});
  const CostOptions options = cost_options(recipe, {1, 6, 6});
  EXPECT_EQ(options.energy.pj_mac, 2);
  EXPECT_EQ(options.plan.size(), 3u);
  EXPECT_EQ(options.batch, 8);
  EXPECT_EQ(options.optimizer_words, 1);
  EXPECT_TRUE(options.input.stationary);
  EXPECT_EQ(options.input.values, Values::real);
  EXPECT_EQ(make_recipe(resolve(recipe)).cost.pj_mac, 2);
  const CostReport report = measure_cost(make_network(recipe, {1, 6, 6}, 4)->describe(), options);
  EXPECT_EQ(report.total.mac_forward, 5 * (6 * 9 * 16 + 4 * 24));
  EXPECT_EQ(report.mac_forward_run, 6 * 9 * 16 + 5 * 4 * 24);
  EXPECT_GT(report.activation_bytes_predicted, 6 * 16 * 2 * 9);
  EXPECT_EQ(cost_options(tiny_recipe({"encoder={name=\"poisson\"}"}), {1, 6, 6}).input.values,
            Values::binary);
  EXPECT_NE(message_of<UsageError>([] { tiny_recipe({"cost.pj_mak=2"}); }).find("pj_mac"), std::string::npos);
}

TEST(Cost, RefusesWhatIsNoNetwork) {
  CostOptions options;
  options.input.shape = {4};
  options.plan.clear();
  EXPECT_NE(message_of<UsageError>([&] { measure_cost({linear(3, 4)}, options); }).find("window"),
            std::string::npos);
  options.plan = {{0, 1, true}};
  std::vector<StageInfo> rows = {linear(3, 4)};
  rows[0].head = true;
  EXPECT_NE(message_of<UsageError>([&] { measure_cost(rows, options); }).find("head"), std::string::npos);
}

}  // namespace
}  // namespace spiketrain
