// Recipes: TOML in and out, defaults, overrides, and errors that say where and what.
#include <gtest/gtest.h>

#include <algorithm>

#include "spiketrain/base/file.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/sections.h"
#include "spiketrain/recipe/toml.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::config_test {

constexpr const char* kRecipe = R"(
title = "a \"quoted\" title"
epochs = 3
[data]
name = "glyphs"
batch = 32
[network]
name = "spec"
spec = "15C5-P2-10"
[neuron]
name = "psp_lif"
tau_m = 5
[rule]
name = "tssl_bp"
[objective]
name = "count"
[optimizer]
name = "adamw"
lr = 5e-4
[paper]
value = 99.53
published = 2020-12-06
)";

std::string without(const std::string& text, const std::string& part, const std::string& replacement = "") {
  std::string result = text;
  const size_t at = result.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return result.replace(at, part.size(), replacement);
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Config, EventsSectionReachesTheFrames) {
  const std::string text = without(kRecipe, "name = \"glyphs\"\nbatch = 32",
                                   "name = \"glyph-events\"\ntrain_size = 6\ntest_size = 3\n[events]\n"
                                   "downsample = 2\npolarity = \"merged\"");
  Recipe recipe = parse_recipe(text);
  EXPECT_EQ(resolve(recipe)["events"]["downsample"], 2);
  const Datasets data = open_datasets(recipe, "");
  EXPECT_EQ(data.train->sample().shape, (Shape{1, 17, 17}));
  EXPECT_EQ(data.train->sample().steps, recipe.steps);
  EXPECT_EQ(data.train->size(), 6);
  EXPECT_EQ(data.test->size(), 3);
  for (const char* bad : {"name = \"x\"", "by = \"frames\"", "drop = 2", "donwsample = 2"})
    EXPECT_THROW(parse_recipe(without(text, "downsample = 2", bad)), UsageError) << bad;
  recipe.data.name = "glyphs";
  EXPECT_THROW(open_datasets(recipe, ""), UsageError) << "images have no [events]";
}

TEST(Config, ReadsARecipeAndFillsInDefaults) {
  const Recipe recipe = parse_recipe(kRecipe);
  EXPECT_EQ(recipe.title, "a \"quoted\" title");
  EXPECT_EQ(recipe.epochs, 3);
  EXPECT_EQ(recipe.steps, 5);
  EXPECT_EQ(recipe.data.batch, 32);
  EXPECT_EQ(recipe.encoder.at("name"), "direct");
  EXPECT_EQ(recipe.schedule.at("name"), "whole");
  EXPECT_EQ(recipe.feedback.at("name"), "transpose");
  EXPECT_EQ(recipe.head.at("name"), "linear");
  EXPECT_EQ(recipe.learning_signal.at("name"), "heads");
  EXPECT_EQ(recipe.learning_rate.at("name"), "constant");
  EXPECT_EQ(recipe.optimizer.at("beta1"), 0.9);
  EXPECT_TRUE(recipe.rules.empty());
  EXPECT_TRUE(recipe.metrics.empty());
  EXPECT_EQ(recipe.readout, recipe.neuron);
  EXPECT_EQ(recipe.neuron.at("tau_m"), 5.0);
  EXPECT_TRUE(recipe.neuron.contains("threshold"));
  EXPECT_EQ(recipe.paper.at("published"), "2020-12-06");
}

TEST(Config, ResolvedRecipeLoadsToTheSame) {
  const std::string more =
      "metrics = [\"accuracy\", {name = \"top_k\", k = 3}]\n[rules]\nreadout = \"bptt\"\n"
      "[rules.block0]\nname = \"tssl_bp\"\n[head]\npool_to = 64\nfeedback = \"random\"\n[data]\n";
  for (const std::string& source : {std::string(kRecipe), without(kRecipe, "[data]\n", more)}) {
    const Config resolved = resolve(parse_recipe(source));
    const std::string text = write_toml(resolved);
    const Config again = resolve(parse_recipe(text));
    EXPECT_EQ(Config::diff(resolved, again).dump(), "[]") << text;
    EXPECT_EQ(write_toml(again), text);
  }
}

TEST(Config, EverySectionIsWrittenAndDocumented) {
  const Recipe recipe = parse_recipe(kRecipe);
  const Config resolved = resolve(recipe);
  const OptionDocs docs = resolved_options(recipe);
  for (const Section& section : recipe_sections()) {
    const auto doc =
        std::find_if(docs.begin(), docs.end(), [&](const auto& d) { return d.first == section.name; });
    ASSERT_NE(doc, docs.end()) << section.name;
    if (section.name == "rules" || section.name == "paper" || section.name == "metrics" ||
        section.name == "regularizers")
      continue;
    ASSERT_TRUE(resolved.contains(section.name)) << section.name;
    for (const OptionDoc& option : doc->second)
      EXPECT_TRUE(resolved[section.name].contains(option.name)) << section.name << "." << option.name;
    const size_t name = section.part ? 1 : 0;  // a part's name is no option
    EXPECT_EQ(resolved[section.name].size(), doc->second.size() + name) << section.name;
  }
}

TEST(Config, RegularizersAreAList) {
  const std::string list = "regularizers = [\"rate\", {name = \"voltage\", weight = 0.1}]\n";
  const std::string tables =
      "[[regularizers]]\nname = \"rate\"\n[[regularizers]]\nname = \"voltage\"\nweight = 0.1\n";
  for (const std::string& source : {list + kRecipe, kRecipe + ("\n" + tables)}) {
    const Config resolved = resolve(parse_recipe(source)), given = resolved.at("regularizers");
    ASSERT_EQ(given.size(), 2U);
    EXPECT_EQ(given[0], Registry<Regularizer>::get().resolve({{"name", "rate"}}));
    EXPECT_EQ(given[1], Registry<Regularizer>::get().resolve({{"name", "voltage"}, {"weight", 0.1}}));
    EXPECT_EQ(resolve(parse_recipe(write_toml(resolved))), resolved);
  }
  EXPECT_TRUE(resolve(parse_recipe(kRecipe)).at("regularizers").empty());
  EXPECT_THROW(parse_recipe("regularizers = [\"rates\"]\n" + std::string(kRecipe)), UsageError);
}

TEST(Config, ASectionWithADefaultNeedsNoName) {
  const std::string rate = "[learning_rate]\nwarmup_epochs = 2\n[paper]";
  EXPECT_EQ(parse_recipe(without(kRecipe, "[paper]", rate)).learning_rate,
            Config({{"name", "constant"}, {"warmup_epochs", 2.0}}));
  EXPECT_EQ(parse_recipe(without(kRecipe, "name = \"adamw\"\n")).optimizer.at("name"), "adamw");
  const std::string readout = without(kRecipe, "[paper]", "[readout]\ntau_m = 3\n[paper]");
  EXPECT_TRUE(contains(message_of<UsageError>([&] { parse_recipe(readout); }), "expected name"));
}

TEST(Config, OptionsOfAPartAreCheckedAgainstEachOther) {
  const auto error = [](const std::string& section) {
    return message_of<UsageError>([&] { parse_recipe(without(kRecipe, "[paper]", section + "\n[paper]")); });
  };
  EXPECT_TRUE(contains(error("[learning_rate]\nname = \"constant\"\ngamma = 0.5"), "unknown option 'gamma'"));
  EXPECT_TRUE(
      contains(error("[schedule]\nname = \"truncated\"\nwindow = 2\nupdate = \"step\""), "needs window = 1"));
  EXPECT_TRUE(contains(error("[blocks]\nsize = 1\npartition = [1]"), "either size or partition"));
  const std::string sgd = without(without(kRecipe, "\"adamw\"", "\"sgd\""), "lr = 5e-4", "nesterov = true");
  EXPECT_TRUE(contains(message_of<UsageError>([&] { parse_recipe(sgd); }), "needs momentum"));
}

TEST(Config, OldNamesOfSectionsSayTheNewOnes) {
  const std::string text = without(kRecipe, "[paper]", "[lr]\nname = \"cosine\"\n[paper]");
  const std::string message = message_of<UsageError>([&] { parse_recipe(text); });
  EXPECT_TRUE(contains(message, "[lr] is now called [learning_rate]")) << message;
}

TEST(Config, MetricsAreOneOrAList) {
  const auto metrics = [](const std::string& value) {
    return parse_recipe(without(kRecipe, "epochs = 3", "metrics = " + value)).metrics;
  };
  const Config accuracy = {{"name", "accuracy"}}, top = {{"name", "top_k"}, {"k", 3}};
  EXPECT_EQ(metrics("\"accuracy\""), Config::array({accuracy}));
  EXPECT_EQ(metrics("[\"accuracy\", {name = \"top_k\", k = 3}]"), Config::array({accuracy, top}));
  EXPECT_EQ(metrics("[]"), Config::array());
  for (const char* bad : {"[\"acuracy\"]", "3", "[3]", "[{k = 3}]", "{name = \"top_k\", kk = 3}"})
    EXPECT_THROW(metrics(bad), UsageError) << bad;
}

TEST(Config, WritesEveryKindOfValue) {
  const Config config = {{"text", "tab\t quote\" back\\ \x7f umlaut \xc3\xa4"},
                         {"tiny", 5e-324},
                         {"third", 1.0 / 3},
                         {"big", 1e300},
                         {"whole", 2.0},
                         {"most", INT64_MAX},
                         {"least", INT64_MIN},
                         {"yes", true},
                         {"list", {1, 2.5, "x", Config::array(), {{"k", 1}}}},
                         {"odd key.", 1},
                         {"table", {{"a", 1}, {"inner", {{"b", "c"}}}}}};
  const Config again = parse_toml(write_toml(config), "again");
  EXPECT_EQ(nlohmann::json::parse(config.dump()), nlohmann::json::parse(again.dump()));  // tables are sorted
  EXPECT_TRUE(again.at("whole").is_number_float());
  EXPECT_THROW(write_toml(Config({{"bad", "\xff"}})), UsageError);
  EXPECT_THROW(write_toml(Config::array()), UsageError);
}

TEST(Config, ErrorsNameThePlace) {
  EXPECT_TRUE(
      contains(message_of<UsageError>([] { parse_recipe("a = 1\nb = = 2\n", "x.toml"); }), "x.toml:2:"));
  EXPECT_TRUE(contains(message_of<UsageError>([] { parse_recipe("seed = inf", "x.toml"); }), "x.toml:1:8"));
  const auto fails_with = [](const std::string& part, const std::string& replacement,
                             const std::string& expected) {
    const std::string text = without(kRecipe, part, replacement);
    const std::string message = message_of<UsageError>([&] { parse_recipe(text); });
    EXPECT_TRUE(contains(message, expected)) << message;
    EXPECT_FALSE(contains(message, "\n")) << message;
  };
  fails_with("epochs", "epoch", "did you mean 'epochs'");
  fails_with("[optimizer]", "[optimiser]", "did you mean 'optimizer'");
  fails_with("tau_m", "taum", "did you mean 'tau_m'");
  fails_with("\"tssl_bp\"", "\"tsl_bp\"", "did you mean 'tssl_bp'");
  fails_with("\"adamw\"", "\"adamm\"", "did you mean 'adam");
  fails_with("batch = 32", "batch = \"32\"", "data.batch: expected an integer");
  fails_with("batch = 32", "batch = 0", "data.batch: expected a value in [1");
  fails_with("name = \"psp_lif\"\n", "", "[neuron]: expected name");
  fails_with("epochs = 3", "train = 3", "expected a section [train]");
  fails_with("lr = 5e-4", "lr = 5e-4\nmomentum = 0.9", "optimizer adamw: unknown option 'momentum'");
  fails_with("[paper]", "[train]\nname = \"x\"\n[paper]", "train: unknown option 'name'");
  EXPECT_THROW(load_recipe("/nonexistent/recipe.toml"), UsageError);
}

TEST(Config, RefusesHugeFiles) {
  TempDir dir;
  write_file_atomic(dir / "big.toml", std::string((1 << 20) + 1, '#'));
  EXPECT_THROW(load_config(dir / "big.toml"), DataError);
}

TEST(Config, SetOverridesAnyKey) {
  Config config = parse_toml(kRecipe, "recipe");
  apply_set(config, "epochs=7");
  apply_set(config, "optimizer.lr=1e-3");
  apply_set(config, "data.name=mnist");
  apply_set(config, "data.augment=true");
  apply_set(config, "train.clip_norm=2");
  apply_set(config, "rule={name=\"bptt\"}");
  apply_set(config, "title=1 = 2");
  const Recipe recipe = make_recipe(config);
  EXPECT_EQ(recipe.epochs, 7);
  EXPECT_EQ(recipe.optimizer.at("lr"), 1e-3);
  EXPECT_EQ(recipe.data.name, "mnist");
  EXPECT_TRUE(recipe.data.augment);
  EXPECT_EQ(recipe.train.clip_norm, 2.0);
  EXPECT_EQ(recipe.rule.at("name"), "bptt");
  EXPECT_EQ(recipe.title, "1 = 2");
  for (const char* bad : {"epochs", "=3", "data..x=1", ".=1", "epochs.x=1"}) {
    EXPECT_THROW(apply_set(config, bad), UsageError) << bad;
  }
}

TEST(Config, PartsThatMayBeNoneAreNoNumbers) {
  for (const char* bad :
       {"network.norm=5", "network.norm={name=5}", "network.norm=[]", "network.norm={name=\"bm\"}"}) {
    Config config = parse_toml(kRecipe, "recipe");
    apply_set(config, bad);
    EXPECT_THROW(make_recipe(config), UsageError) << bad;
  }
  Config config = parse_toml(kRecipe, "recipe");
  apply_set(config, "network.norm=none");
  EXPECT_NO_THROW(make_recipe(config));
}

TEST(Config, ValuesOfSetMayHoldNoFurtherKeys) {
  EXPECT_EQ(parse_toml_value("1\nw = 2"), Config("1\nw = 2"));
  EXPECT_EQ(parse_toml_value("[1, 2]"), Config({1, 2}));
  EXPECT_EQ(parse_toml_value(""), Config(""));
  EXPECT_EQ(parse_toml_value("15C5-P2"), Config("15C5-P2"));
}

TEST(Config, DamagedTextGivesAnErrorOrARecipe) {
  const std::string original = kRecipe;
  for (uint64_t round = 0; round < 3000; ++round) {
    Rng rng(1, Purpose::test, round);
    std::string text = original;
    for (uint64_t edits = 1 + rng.below(4); edits > 0; --edits) {
      const size_t at = rng.below(text.size());
      switch (rng.below(4)) {
        case 0:
          text[at] = static_cast<char>(rng.below(256));
          break;
        case 1:
          text.erase(at, 1 + rng.below(8));
          break;
        case 2:
          text.insert(at, 1, "[]{}=\"'.#\n,-e0"[rng.below(14)]);
          break;
        default:
          text.insert(at, text.substr(rng.below(text.size()), rng.below(20)));
      }
      if (text.empty()) text = "x";
    }
    try {
      const Recipe recipe = parse_recipe(text);
      EXPECT_EQ(resolve(parse_recipe(write_toml(resolve(recipe)))), resolve(recipe)) << text;
    } catch (const UsageError& error) {
      EXPECT_FALSE(contains(error.what(), "\n")) << error.what();
    }
  }
}

TEST(Config, DeepNestingIsRefused) {
  std::string deep = "paper = ";
  for (int i = 0; i < 60; ++i) deep += "[";
  for (int i = 0; i < 60; ++i) deep += "]";
  EXPECT_THROW(parse_toml(deep, "deep"), UsageError);
}

TEST(Config, BytesThatAreNoTextAreShownAsAnError) {
  const std::string message = message_of<UsageError>([] { make_recipe({{"steps", "\xff"}}); });
  EXPECT_TRUE(contains(message, "steps: expected an integer")) << message;
}

}  // namespace spiketrain::config_test
