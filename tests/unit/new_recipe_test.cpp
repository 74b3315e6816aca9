// Recipes from a few answers: every data set that is built in, every rule and every size gives one that trains.
#include "spiketrain/recipe/new_recipe.h"

#include "spiketrain/core/rule.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/run_training.h"
#include "tests/support/event_layout.h"
#include "tests/support/message.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::new_recipe_test {

Config config_of(const NewRecipe& answers, const std::string& dir = "") {
  return resolve(parse_recipe(new_recipe(answers, dir)));
}

/// Two updates of a recipe.
void train_a_little(const std::string& text) {
  Recipe recipe = parse_recipe(text);
  recipe.epochs = 1;
  recipe.data.train_size = 30;
  recipe.data.validation = 10;
  recipe.data.test_size = 10;
  recipe.data.batch = 10;
  recipe.steps = std::min<int64_t>(recipe.steps, recipe.data.name == "delayed-memory" ? 40 : 4);
  Experiment e = build_experiment(recipe, open_datasets(recipe, ""));
  const RunEnd end = run_training(e, nullptr, {});
  EXPECT_TRUE(end.complete);
}

TEST(NewRecipe, TrainsWithEveryRule) {
  for (const std::string& rule : Registry<Rule>::get().names()) {
    SCOPED_TRACE(rule);
    train_a_little(new_recipe({"glyphs", rule, "small", ""}, ""));
  }
}

TEST(NewRecipe, TrainsOnEveryBuiltInDataSet) {
  for (const DatasetInfo& info : dataset_infos()) {
    if (info.files || info.name == "given") continue;
    SCOPED_TRACE(info.name);
    if (info.shape.size() == 2) {  // complex numbers
      EXPECT_THROW(new_recipe({info.name, "bptt", "small", ""}, ""), UsageError);
      continue;
    }
    train_a_little(new_recipe({info.name, "bptt", "small", ""}, ""));
  }
}

TEST(NewRecipe, FitsDataWhoseFilesAreNotThere) {
  for (const DatasetInfo& info : dataset_infos()) {
    if (!info.files || info.name == "event-folder" || info.name == "table") continue;
    SCOPED_TRACE(info.name);
    for (const std::string& size : NewRecipe::sizes())
      EXPECT_EQ(config_of({info.name, "bptt", size, ""})["data"]["name"], info.name);
  }
  const Config gesture = config_of({"dvs-gesture", "bptt", "medium", ""});
  EXPECT_EQ(gesture["events"]["downsample"], 2);  // 128 -> 64
  EXPECT_EQ(gesture["network"]["spec"], "15C5-P2-40C5-P2-300-11");
}

/// Few recordings are cut into clips, and a folder without parts holds some out.
TEST(NewRecipe, LooksAtAFolderOfRecordings) {
  TempDir dir;
  std::vector<Event> events;
  for (int i = 0; i < 600; ++i)  // 0.6 s
    events.push_back({1000 * static_cast<int64_t>(i), static_cast<uint16_t>(i % 128),
                      static_cast<uint16_t>(i % 100), static_cast<uint8_t>(i % 2)});
  for (const char* part :
       {"flat/a", "flat/b", "parts/train/a", "parts/train/b", "parts/test/a", "parts/test/b"})
    for (const char* file : {"1.aedat", "2.aedat"})
      put_file(dir / (std::string(part) + "/" + file), make_aedat2(events, "DVS128", false));
  const Config flat = config_of({"event-folder", "bptt", "small", dir / "flat"});
  EXPECT_EQ(flat["events"]["train_dir"], ".");
  EXPECT_EQ(flat["events"]["test_share"], 0.2);
  EXPECT_EQ(flat["events"]["clip_us"], 200000);
  EXPECT_EQ(flat["events"]["downsample"], 2);
  EXPECT_EQ(flat["network"]["spec"], "12C5-P2-24C5-P2-100-2");
  const Config parts = config_of({"event-folder", "bptt", "small", "parts"}, dir.path());
  EXPECT_EQ(parts["events"]["train_dir"], "train");
  EXPECT_EQ(parts["events"]["test_share"], 0.0);
}

TEST(NewRecipe, LargerSizesHaveMoreNeurons) {
  const auto spec = [](const char* size) -> std::string {
    return config_of({"glyphs", "bptt", size, ""})["network"]["spec"];
  };
  EXPECT_EQ(spec("small"), "12C5-P2-24C5-P2-100-10");
  EXPECT_EQ(spec("large"), "32C5-P2-64C5-P2-1024-10");
}

TEST(NewRecipe, RefusesWhatIsNotThere) {
  const auto message = [](const NewRecipe& answers) {
    return message_of<UsageError>([&] { new_recipe(answers, ""); });
  };
  EXPECT_NE(message({"glyps", "bptt", "small", ""}).find("glyphs"), std::string::npos);
  EXPECT_NE(message({"glyphs", "bpt", "small", ""}).find("bptt"), std::string::npos);
  EXPECT_NE(message({"glyphs", "bptt", "tiny", ""}).find("small or medium or large"), std::string::npos);
  EXPECT_NE(message({"glyphs", "bptt", "small", "mine"}).find("event-folder"), std::string::npos);
}

}  // namespace spiketrain::new_recipe_test
