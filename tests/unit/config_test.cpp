// Recipes: TOML in and out, defaults, overrides, and errors that say where and what.
#include <gtest/gtest.h>

#include <filesystem>

#include "spiketrain/base/file.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/train/experiment.h"
#include "spiketrain/train/toml.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain {
namespace {

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
  EXPECT_EQ(data.train->sample_shape(), (std::vector<int64_t>{1, 17, 17}));
  EXPECT_EQ(data.train->steps(), recipe.steps);
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
  EXPECT_EQ(recipe.readout, recipe.neuron);
  EXPECT_EQ(recipe.neuron.at("tau_m"), 5.0);
  EXPECT_TRUE(recipe.neuron.contains("threshold"));
  EXPECT_EQ(recipe.paper.at("published"), "2020-12-06");
}

TEST(Config, ResolvedRecipeLoadsToTheSame) {
  const Recipe recipe = parse_recipe(kRecipe);
  const Config resolved = resolve(recipe);
  const std::string text = write_toml(resolved);
  const Config again = resolve(parse_recipe(text));
  EXPECT_EQ(Config::diff(resolved, again).dump(), "[]") << text;
  EXPECT_EQ(write_toml(again), text);
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
  fails_with("\"adamw\"", "\"adamm\"", "did you mean \"adam");
  fails_with("batch = 32", "batch = \"32\"", "data.batch: expected an integer");
  fails_with("batch = 32", "batch = 0", "data.batch: expected a value in [1");
  fails_with("name = \"psp_lif\"\n", "", "[neuron]: expected name");
  fails_with("epochs = 3", "train = 3", "expected a section [train]");
  fails_with("lr = 5e-4", "lr = 5e-4\nmomentum = 0.9", "only sgd");
  fails_with("[paper]", "[train]\nname = \"x\"\n[paper]", "train: unknown option 'name'");
  EXPECT_THROW(load_recipe("/nonexistent/recipe.toml"), DataError);
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
  EXPECT_EQ(recipe.optimizer.lr, 1e-3);
  EXPECT_EQ(recipe.data.name, "mnist");
  EXPECT_TRUE(recipe.data.augment);
  EXPECT_EQ(recipe.train.clip_norm, 2.0);
  EXPECT_EQ(recipe.rule.at("name"), "bptt");
  EXPECT_EQ(recipe.title, "1 = 2");
  for (const char* bad : {"epochs", "=3", "data..x=1", ".=1", "epochs.x=1"}) {
    EXPECT_THROW(apply_set(config, bad), UsageError) << bad;
  }
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

TEST(Config, EveryRecipeBuildsItsNetwork) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ST_SOURCE_DIR "/recipes")) {
    if (entry.path().extension() != ".toml") continue;
    SCOPED_TRACE(entry.path().string());
    const Recipe recipe = load_recipe(entry.path().string());
    const DatasetInfo& info = dataset_info(recipe.data.name);
    const bool folder =
        recipe.data.name == "event-folder";  // its files decide; the recipe's are five objects
    const Shape input = folder        ? Shape{2, 32, 32}
                        : info.events ? event_frame_shape(info, recipe.events)
                                      : info.shape;
    EXPECT_GT(make_network(recipe, input, folder ? 5 : info.classes)->parameter_count(), 0);
    ++count;
  }
  EXPECT_GT(count, 0);
}

TEST(Config, EncodersOfIntensitiesWantImagesAsTheyAre) {
  for (const char* encoder : {"poisson", "latency"}) {
    const std::vector<std::string> sets = {"data={name=\"glyphs\", train_size=20, test_size=10}",
                                           std::string("encoder.name=") + encoder};
    const std::string message = message_of<UsageError>([&] { open_datasets(tiny_recipe(sets), ""); });
    EXPECT_TRUE(contains(message, "data.mean = [0] and data.std = [1]")) << message;
    EXPECT_THROW(check_recipe(tiny_recipe(sets)), UsageError);
    std::vector<std::string> plain = sets;
    plain.insert(plain.end(), {"data.mean=[0]", "data.std=[1]"});
    EXPECT_NO_THROW(open_datasets(tiny_recipe(plain), ""));
  }
}

TEST(Config, BytesThatAreNoTextAreShownAsAnError) {
  const std::string message = message_of<UsageError>([] { make_recipe({{"steps", "\xff"}}); });
  EXPECT_TRUE(contains(message, "steps: expected an integer")) << message;
}

TEST(Config, PartsAreCheckedAgainstEachOther) {
  Datasets data = tiny_data();
  EXPECT_NO_THROW(build_experiment(tiny_recipe(), data));
  EXPECT_THROW(build_experiment(tiny_recipe({"network.spec=6C3-P2-5"}), data), UsageError);
  EXPECT_THROW(build_experiment(tiny_recipe({"network.spec=6C9-4"}), data), UsageError);
  EXPECT_THROW(build_experiment(tiny_recipe(), Datasets{}), UsageError);
  EXPECT_THROW(parse_device("tpu"), UsageError);
  for (const auto* neuron : Registry<Neuron>::get().entries()) {
    if (neuron->make(Config::object())->provides() & kPsp) continue;
    const Recipe recipe = tiny_recipe({"neuron={name=\"" + neuron->name + "\"}"});
    const std::string message = message_of<UsageError>([&] { build_experiment(recipe, data); });
    EXPECT_TRUE(contains(message, "psp_lif")) << message;
  }
}

}  // namespace
}  // namespace spiketrain
