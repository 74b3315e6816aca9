// The cost meter against counts made by hand, and against the published saving of local training.  Networks
// themselves: cost_network_test.cpp.
#include "spiketrain/cost/cost.h"

#include <gtest/gtest.h>

#include "spiketrain/recipe/experiment.h"
#include "tests/support/tiny.h"

namespace spiketrain::cost_test {

NetworkRow layer(const std::string& spec, const Shape& out, int64_t weights, int64_t macs) {
  NetworkRow row;
  row.spec = spec;
  row.kind = "layer";
  row.out = out;
  row.parameters = weights;
  row.macs = macs;
  row.neurons = numel(out);
  row.values = Values::binary;
  row.keeps_input = true;
  return row;
}

NetworkRow pool(const Shape& out, Values values = Values::as_input) {
  NetworkRow row;
  row.spec = row.kind = "pool";
  row.out = out;
  row.values = values;
  row.linear = values == Values::real;
  return row;
}

NetworkRow conv3(int64_t maps, const Shape& in) {
  const int64_t weights = maps * in[0] * 9;
  return layer(str(maps, "C3"), {maps, in[1], in[2]}, weights, weights * in[1] * in[2]);
}

NetworkRow linear(int64_t outputs, int64_t inputs) {
  return layer(std::to_string(outputs), {outputs}, outputs * inputs, outputs * inputs);
}

/// The rows as a chain; the first row of a head reads the last row before it that belongs to no head.
std::vector<NetworkRow> chain(std::vector<NetworkRow> rows) {
  int64_t body = -1;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto index = static_cast<int64_t>(i);
    rows[i].node = index;
    rows[i].sources = {rows[i].head && i > 0 && rows[i - 1].head ? index - 1 : body};
    if (!rows[i].head) body = index;
  }
  return rows;
}

CostReport measure_chain(std::vector<NetworkRow> rows, const CostOptions& options) {
  return measure_cost(chain(std::move(rows)), options);
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
std::vector<NetworkRow> alexnet(int64_t n, int64_t B, Heads heads) {
  std::vector<NetworkRow> rows;
  Shape at = {2, n, n};
  int64_t index = 0;
  const auto add = [&](NetworkRow row) {
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
      const auto hang = [&](NetworkRow row) {
        row.block = block;
        row.head = true;
        rows.push_back(std::move(row));
      };
      if (read != at) hang(pool(read, Values::real));
      hang(linear(10, numel(read)));
    }
    ++index;
    if (pools && heads == Heads::before_pool) {
      NetworkRow row = pool(halved);  // belongs to the next block if this layer ends one
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
  NetworkRow output = linear(10, 1024);
  output.block = rows.back().block;
  rows.push_back(output);
  return chain(std::move(rows));
}

/// Percent of the MACs of error propagation that training in blocks saves.
double saving(int64_t n, int64_t B, Heads heads, int64_t K = 0) {
  CostOptions options;
  options.input = {{2, n, n}, Values::binary, false, 1};
  options.plan.clear();
  const int64_t T = 20;
  for (int64_t t = 0; t < T; t += K ? K : T) options.plan.push_back({t, std::min(T, t + (K ? K : T))});
  const auto local = measure_cost(alexnet(n, B, heads), options).total.mac_error;
  auto whole = alexnet(n, 8, heads);
  for (const NetworkRow& row : whole) EXPECT_FALSE(row.head);
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
    options.plan = {{0, 5}};
    const auto network = make_network(recipe, {2, 32, 32}, {10});
    return static_cast<double>(measure_cost(network_rows(*network), options).total.mac_error);
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
CostReport two_layers(Values input, bool constant, int64_t blocks,
                      Plan plan = {{0, 3, Role::live, false}, {3, 5}}) {
  std::vector<NetworkRow> rows = {linear(3, 4), linear(2, 3)};
  rows[1].block = blocks - 1;
  CostOptions options;
  options.plan = std::move(plan);
  options.input = {{4}, input, constant, 1};
  return measure_chain(rows, options);
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

TEST(Cost, SegmentsCountForWhatHappensInThem) {
  // Without error: forward only.
  const Operations burn_in =
      two_layers(Values::binary, false, 1, {{0, 3, Role::burn_in, false}, {3, 5}}).total;
  EXPECT_EQ(burn_in.ac, (5 + 2) * 18);
  EXPECT_EQ(burn_in.mac_error, 2 * 6);
  EXPECT_EQ(burn_in.memory_words, 5 * 18 + 2 * (2 * 12 + 3 * 6) + 6 * 18);
  // Computed again: forward twice.
  const Plan again = {{0, 3, Role::replay, false}, {3, 5, Role::replay}};
  const Operations replay = two_layers(Values::binary, false, 1, again).total;
  EXPECT_EQ(replay.ac, (2 * 5 + 5) * 18);
  EXPECT_EQ(replay.mac_error, 5 * 6);
  const CostReport still = two_layers(Values::real, true, 1, again);
  EXPECT_EQ(still.total.mac_forward, 2 * 5 * 12);
  EXPECT_EQ(still.mac_forward_run, 12);  // without a graph, once more with one: the same product
  EXPECT_EQ(still.mac_weight_run, 12);
  // Two steps left out: not computed again, or without the way back only.
  for (const Skip skip : {Skip::pass, Skip::cut}) {
    const Operations left = two_layers(Values::binary, false, 1,
                                       {{0, 3, Role::replay, false, 1, 1, skip, 2}, {3, 5, Role::replay}})
                                .total;
    EXPECT_EQ(left.ac, (5 + (skip == Skip::pass ? 3 : 5) + 3) * 18);
    EXPECT_EQ(left.mac_error, 3 * 6);
  }
}

TEST(Cost, FixedHeadsHaveNoWeightGradient) {
  std::vector<NetworkRow> rows = {linear(3, 4), linear(2, 3)};
  rows[1].head = true;
  CostOptions options;
  options.input = {{4}, Values::binary, false, 1};
  const Operations trained = measure_chain(rows, options).total;
  rows[1].parameters = 0;
  const Operations fixed = measure_chain(rows, options).total;
  EXPECT_EQ(trained.mac_error, 6);  // from the head into the block
  EXPECT_EQ(fixed.mac_error, 6);
  EXPECT_EQ(trained.ac - fixed.ac, 6);
}

TEST(Cost, RealSignalsMakeMacs) {
  CostOptions options;
  options.input = {{4, 4, 4}, Values::binary, false, 1};
  const std::vector<NetworkRow> averaged = {conv3(2, {4, 4, 4}), pool({2, 2, 2}, Values::real), linear(2, 8)};
  const std::vector<NetworkRow> maxima = {conv3(2, {4, 4, 4}), pool({2, 2, 2}), linear(2, 8)};
  EXPECT_EQ(measure_chain(averaged, options).total.mac_forward, 16);
  EXPECT_EQ(measure_chain(averaged, options).total.mac_weight, 16);
  EXPECT_EQ(measure_chain(maxima, options).total.mac_forward, 0);
  EXPECT_EQ(measure_chain(maxima, options).total.mac_error, 16);
}

TEST(Cost, RatesScaleTheAccumulates) {
  std::vector<NetworkRow> rows = {linear(3, 4), linear(2, 3)};
  rows[0].slot = 0;
  CostOptions options;
  options.input = {{4}, Values::binary, false, 0.5};
  EXPECT_EQ(measure_chain(rows, options).effective_ac, -1);
  options.rates = {0.25, 0.0};
  EXPECT_DOUBLE_EQ(measure_chain(rows, options).effective_ac, 2 * (0.5 * 12 + 0.25 * 6));
}

TEST(Cost, EnergyIsTheTableTimesTheCounts) {
  std::vector<NetworkRow> rows = {linear(3, 4), linear(2, 3)};
  CostOptions options;
  options.input = {{4}, Values::real, false, 1};
  options.energy = {1000, 10, 7, 0.1};
  const CostReport report = measure_chain(rows, options);
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
  for (const char* key : {"vector", "energy_uj"}) EXPECT_TRUE(json.contains(key)) << key;
}

TEST(Cost, RefusesWhatIsNoNetwork) {
  CostOptions options;
  options.input.shape = {4};
  const auto message = [&](std::vector<NetworkRow> rows) {
    return message_of<UsageError>([&] { measure_cost(rows, options); });
  };
  const std::vector<NetworkRow> good = chain({linear(3, 4), linear(2, 3)});
  EXPECT_NO_THROW(measure_cost(good, options));
  std::vector<NetworkRow> rows = good;
  rows[1].sources = {};
  EXPECT_NE(message(rows).find("reads nothing"), std::string::npos);
  for (const int64_t source : {-2, 2}) {
    rows[1].sources = {source};
    EXPECT_NE(message(rows).find("does not exist"), std::string::npos) << source;
  }
  rows[1].sources = {1};
  EXPECT_NE(message(rows).find("without a delay"), std::string::npos);
  rows[1].sources = {0, 1};
  rows[1].delays = {1};
  EXPECT_NE(message(rows).find("1 delays for 2 sources"), std::string::npos);
  rows = good;
  rows[0].head = true;
  EXPECT_NE(message(rows).find("head"), std::string::npos);

  for (const Plan& plan : {Plan{}, Plan{{0, 5, Role::burn_in}}}) {
    options.plan = plan;
    EXPECT_NE(message(good).find("no segment with a loss"), std::string::npos);
  }
  options.plan = {{0, 1}};
  options.rule = make<Rule>("bptt");
  EXPECT_NE(message(good).find("no synapse or neuron"), std::string::npos);  // only operations can be counted
  options.batch = 0;
  EXPECT_THROW(measure_cost(good, options), UsageError);
}

}  // namespace spiketrain::cost_test
