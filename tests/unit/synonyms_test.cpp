// The words of other libraries are answered with ours.
#include "spiketrain/base/synonyms.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <utility>

#include "spiketrain/core/neuron.h"
#include "spiketrain/recipe/part_kinds.h"
#include "spiketrain/recipe/recipe.h"
#include "spiketrain/recipe/sections.h"
#include "tests/support/message.h"

namespace spiketrain::synonyms_test {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Every option, part, section and choice.
std::set<std::string> our_words() {
  std::set<std::string> words;
  const auto add = [&](const std::vector<OptionDoc>& options) {
    for (const OptionDoc& option : options) {
      words.insert(option.name);
      std::string choice;
      for (const char c : option.allowed + " ") {
        if (c != ' ' && c != '|') {
          choice += c;
        } else if (!choice.empty()) {
          words.insert(std::exchange(choice, ""));
        }
      }
    }
  };
  for (const auto& section : recipe_options()) add(section.second);
  for (const Section& section : recipe_sections()) words.insert(section.name);
  for (const PartKind& kind : part_kinds()) {
    for (const PartDoc& part : kind.parts()) {
      words.insert(part.name);
      add(part.options);
    }
  }
  return words;
}

TEST(Synonyms, EveryWordOfOursExists) {
  const std::set<std::string> ours = our_words();
  for (const Synonym& synonym : synonyms()) {
    EXPECT_TRUE(ours.count(synonym.ours)) << synonym.word << " -> " << synonym.ours;
    EXPECT_EQ(bare_word(synonym.word), synonym.word);
  }
}

TEST(Synonyms, AnswersWithOurWord) {
  EXPECT_EQ(our_word("beta", {}), "beta is called leak here: neuron.leak = 0.9");
  EXPECT_TRUE(contains(our_word("tau", {"tau_m", "tau_s"}), "called tau_m here"));
  EXPECT_TRUE(contains(our_word("tau", {}), "called leak here"));
  EXPECT_TRUE(contains(our_word("LIFNode()", {}), "called lif here"));
  EXPECT_EQ(our_word("leak", {}), "");
}

TEST(Synonyms, ReachTheErrorsOfARecipe) {
  const auto error = [](const Config& change) {
    Config config = {{"network", {{"name", "spec"}, {"spec", "8-10"}}},
                     {"neuron", "lif"},
                     {"rule", "bptt"},
                     {"objective", "rate_ce"}};
    config.merge_patch(change);
    return message_of<UsageError>([&] { make_recipe(config); });
  };
  const auto neuron = [&](const char* key, const Config& value) {
    return error({{"neuron", {{"name", "lif"}, {key, value}}}});
  };
  EXPECT_TRUE(contains(neuron("beta", 0.9), "beta is called leak here: neuron.leak = 0.9."));
  EXPECT_TRUE(contains(neuron("decay", 0.9), "called leak here"));
  EXPECT_TRUE(contains(neuron("tau", 2.0), "1 - 1/tau"));
  EXPECT_TRUE(contains(neuron("reset", "subtract"), "called soft here"));
  EXPECT_TRUE(contains(neuron("reset", "zero"), "called hard here"));
  EXPECT_TRUE(contains(neuron("surrogate", "surrogate.fast_sigmoid"), "did you mean 'fast_sigmoid'?"));
  EXPECT_TRUE(contains(neuron("surrogate", "ATan"), "did you mean 'atan'?"));
  for (const auto& [theirs, ours] :
       std::map<std::string, std::string>{{"LIFNode", "lif"},
                                          {"IFNode", "if"},
                                          {"ParametricLIFNode", "neuron.learn_leak = true"},
                                          {"Leaky", "lif"},
                                          {"Synaptic", "cuba_lif"}})
    EXPECT_TRUE(contains(error({{"neuron", theirs}}), ours)) << theirs;
  EXPECT_TRUE(contains(error({{"beta", 0.9}}), "neuron.leak = 0.9"));
  EXPECT_TRUE(contains(error({{"num_steps", 5}}), "steps = 5"));
  EXPECT_TRUE(contains(error({{"batch_size", 5}}), "data.batch"));
  EXPECT_TRUE(contains(error({{"learning_rate", 0.01}}), "optimizer.lr = 0.01"));
  EXPECT_TRUE(contains(error({{"lr", 0.01}}), "optimizer.lr = 0.01"));
  EXPECT_TRUE(contains(error({{"lr", {{"name", "cosine"}}}}), "[lr] is now called [learning_rate]"));
}

}  // namespace spiketrain::synonyms_test
