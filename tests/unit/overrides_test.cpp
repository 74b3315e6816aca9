// A part by its name alone, and the command that was meant where the name of a part alone was changed.
#include "spiketrain/recipe/overrides.h"

#include <gtest/gtest.h>

#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/toml.h"
#include "tests/support/message.h"

namespace spiketrain::overrides_test {

Config base() {
  return parse_toml(
      "[data]\nname = \"glyphs\"\n[network]\nname = \"spec\"\nspec = \"8-10\"\n[neuron]\nname = \"psp_lif\"\n"
      "tau_m = 4\n[rule]\nname = \"tssl_bp\"\nvariant = \"dec2020\"\n[objective]\nname = \"van_rossum\"\n",
      "recipe");
}

void check(const Overrides& overrides) { check_recipe(overridden(base(), overrides.sets)); }

std::vector<std::string> working(const std::vector<std::string>& sets) {
  const auto found = working_overrides({sets, {}}, check);
  return found ? found->sets : std::vector<std::string>();
}

using Words = std::vector<std::string>;

TEST(Overrides, APartByItsNameHasItsDefaults) {
  const Recipe recipe =
      overridden(base(), {"neuron=lif", "rule=bptt", "neuron.leak=0.9", "rules.readout=bptt"});
  EXPECT_EQ(recipe.neuron.at("name"), "lif");
  EXPECT_EQ(recipe.neuron.at("leak"), 0.9);
  EXPECT_FALSE(recipe.neuron.contains("tau_m"));
  EXPECT_EQ(recipe.rule, overridden(base(), {"rule={name=\"bptt\"}"}).rule);
  EXPECT_EQ(recipe.readout, recipe.neuron);
  EXPECT_EQ(make_recipe(parse_toml(write_toml(resolve(recipe)), "again")).neuron, recipe.neuron);
  // Sections of plain options have no name.
  EXPECT_THROW(overridden(base(), {"train=lif"}), UsageError);
  EXPECT_THROW(overridden(base(), {"title=lif", "title.x=1"}), UsageError);
}

TEST(Overrides, AChangedNameIsCompletedToACommandThatWorks) {
  EXPECT_EQ(working({"neuron.name=lif"}), (Words{"neuron=lif", "rule=bptt", "objective=rate_ce"}));
  EXPECT_EQ(working({"neuron=lif"}), (Words{"neuron=lif", "rule=bptt", "objective=rate_ce"}));
  EXPECT_EQ(working({"neuron.leak=0.9", "neuron.name=lif", "rule.name=bptt"}),
            (Words{"neuron=lif", "rule=bptt", "neuron.leak=0.9", "objective=rate_ce"}));
  EXPECT_EQ(working({"rule.name=bptt"}), Words{"rule=bptt"});
}

TEST(Overrides, NothingIsTakenBackInSilence) {
  const auto set = [](const Words& sets) { overridden(base(), sets); };
  EXPECT_EQ(
      message_of<UsageError>([&] {
        set({"neuron.leak=0.9", "neuron=lif", "rule=bptt"});
      }),
      "--set neuron=lif takes back --set neuron.leak=0.9, which comes before it; give neuron=lif first");
  EXPECT_THROW(set({"rules.readout=bptt", "rules={readout=\"bptt\"}"}), UsageError);
  EXPECT_NO_THROW(set({"neuron=lif", "neuron.leak=0.9", "neuron.leak=0.8", "rule=bptt"}));
  EXPECT_EQ(working({"neuron.leak=0.9", "neuron=lif", "rule=bptt"}),
            (Words{"neuron=lif", "rule=bptt", "neuron.leak=0.9", "objective=rate_ce"}));
}

TEST(Overrides, NothingIsMadeUp) {
  EXPECT_EQ(working({"neuron.name=psp_lif"}), Words());              // works as it is
  EXPECT_EQ(working({"epochs=x"}), Words());                         // names no part
  EXPECT_EQ(working({"neuron=lif", "epochs=x"}), Words());           // would not work either
  EXPECT_EQ(working({"neuron=lif", "rule.name=tssl_bp"}), Words());  // the rule is the user's word
}

}  // namespace spiketrain::overrides_test
