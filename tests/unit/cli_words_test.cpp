// What the command line says: commands that it suggests work, a section in `help` counts, an error names the choices.
#include <gtest/gtest.h>

#include <set>

#include "spiketrain/base/file.h"
#include "spiketrain/core/encoder.h"
#include "spiketrain/core/head.h"
#include "spiketrain/core/learning_signal.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/objective.h"
#include "spiketrain/core/optimizer.h"
#include "spiketrain/core/regularizer.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/schedule.h"
#include "spiketrain/recipe/part_kinds.h"
#include "tests/support/message.h"
#include "tests/support/process.h"
#include "tests/support/scoped_variable.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::cli_words_test {

class CliWords : public ::testing::Test {
 protected:
  CliWords() {
    write_file_atomic(
        recipe_, std::string("epochs = 1\nsteps = 4\n[data]\nname = \"glyphs\"\nbatch = 20\ntrain_size = 40\n"
                             "test_size = 20\n[network]\nname = \"spec\"\nspec = \"2C5-P2-10\"\n[neuron]\n"
                             "name = \"psp_lif\"\ntau_m = 4\n[rule]\nname = \"tssl_bp\"\n[objective]\n"
                             "name = \"van_rossum\"\n"));
  }
  int run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ST_CLI);
    return program(arguments);
  }
  bool says(const std::string& part) const { return text_.find(part) != std::string::npos; }
  /// Runs a command that fails, and then the one that it suggests, which is returned.
  std::string suggested(const std::vector<std::string>& arguments) {
    EXPECT_EQ(run(arguments), 2) << text_;
    const std::string start = "this works: spiketrain ", end = " (a part given by its name";
    const size_t from = text_.find(start), to = text_.find(end);
    if (from == std::string::npos || to == std::string::npos) {
      ADD_FAILURE() << text_;
      return "";
    }
    const std::string words = text_.substr(from + start.size(), to - from - start.size());
    EXPECT_EQ(program({"/bin/sh", "-c", std::string(ST_CLI) + " " + words}), 0) << words << '\n' << text_;
    return words;
  }
  const ScopedVariable no_data_{"SPIKETRAIN_DATA", nullptr};
  const TempDir dir_;
  const std::string recipe_ = dir_ / "recipe.toml", out_ = dir_ / "a run";
  std::string text_;

 private:
  int program(const std::vector<std::string>& arguments) {
    const int code = wait_for(spawn(arguments, dir_ / "output"));
    const Bytes bytes = read_file(dir_ / "output");
    text_.assign(bytes.begin(), bytes.end());
    return code;
  }
};

const std::string kFits = " --set neuron=lif --set rule=bptt --set objective=rate_ce";

TEST_F(CliWords, ASuggestedCommandHasEveryOtherWord) {
  EXPECT_EQ(suggested({"inspect", recipe_, "--set", "neuron.name=lif", "--data-dir", "no where", "--input",
                       "1,28,28", "--output", "10"}),
            "inspect " + recipe_ + " --set neuron=lif --data-dir 'no where' --input 1,28,28 --output 10");
  EXPECT_EQ(suggested({"sweep", recipe_, "--dry-run", "--set", "neuron.name=lif", "--seed-list", "3,4",
                       "--out", out_}),
            "sweep " + recipe_ + kFits + " --seed-list 3,4 --out '" + out_ + "' --dry-run");
  EXPECT_EQ(suggested({"train", recipe_, "--set", "neuron.name=lif", "--out", out_, "--threads", "1"}),
            "train " + recipe_ + kFits + " --out '" + out_ + "' --threads 1");
}

TEST_F(CliWords, ASuggestedCommandResumes) {
  ASSERT_EQ(run({"train", recipe_, "--out", out_, "--set", "neuron=lif", "--set", "rule=bptt", "--set",
                 "objective=rate_ce"}),
            0)
      << text_;
  EXPECT_EQ(suggested({"train", recipe_, "--resume", "--out", out_, "--set", "neuron.name=lif"}),
            "train " + recipe_ + kFits + " --out '" + out_ + "' --resume");
  // Nothing works: a run keeps its neuron.
  EXPECT_EQ(run({"train", "--resume", "--out", out_, "--set", "neuron.name=psp_lif"}), 2);
  EXPECT_FALSE(says("this works")) << text_;
}

TEST_F(CliWords, AMistakeIsAnsweredWithWhatToWrite) {
  using Words = std::vector<std::string>;
  const std::vector<std::pair<Words, std::string>> cases = {
      {{"--versoin"}, "did you mean '--version'?"},
      {{"data", "ftech", "mnist"}, "did you mean 'fetch'?"},
      {{"train", recipe_, "--set", "epochs", "=", "3"}, "write epochs=3 without blanks"},
      {{"train", dir_.path()}, "is a folder; expected a TOML file"},
      {{"train", recipe_, "--set", "batch=16"}, "a recipe has data.batch"},
      {{"train", recipe_, "--set", "train.epochs=1"}, "a recipe has epochs"},
      {{"train", recipe_, "--set", "schedule.window=2"}, "a recipe has schedule.window of truncated"},
      {{"train", recipe_, "--set", "rule.variant=jun2020", "--set", "rule.name=bptt"},
       "rule.variant of tssl_bp"},
      {{"train", recipe_, "--set", "neuron={name=lif}"}, "expected TOML"},
      {{"train", recipe_, "--set", "neuron=lif,leak=0.9"}, "expected TOML"},
      {{"train", recipe_, "--set", "neuron.beta=0.9"}, "beta is called tau_m here"},
      {{"train", recipe_, "--set", "neuron.leak=0.9", "--set", "neuron=lif"}, "takes back"},
      {{"train", recipe_, "--set", "data=glyph-events", "--set", "events.noise_hz=10000", "--set",
        "events.sensor=[256,256]", "--set", "events.recording_us=10000000"},
       "background events a recording"},
      {{"train", recipe_, "--out", ""}, "--out: expected a name"},
      {{"sweep", recipe_, "--out", " "}, "--out: expected a name"},
  };
  for (const auto& [words, answer] : cases) {
    EXPECT_EQ(run(words), 2) << text_;
    EXPECT_TRUE(says(answer)) << text_;
    EXPECT_EQ(std::count(text_.begin(), text_.end(), '\n'), 1) << text_;
  }
  EXPECT_EQ(run({"inspect", recipe_, "--set", "data=glyphs"}), 0) << text_;  // a name alone, as of a part
}

TEST_F(CliWords, ADamagedRecordOfTheMachineDoesNotHoldARunUp) {
  ASSERT_EQ(run({"train", recipe_, "--out", out_}), 0) << text_;
  write_file_atomic(out_ + "/environment.json", std::string("garbage"));
  EXPECT_EQ(run({"train", "--resume", "--out", out_, "--set", "epochs=2"}), 0) << text_;
  EXPECT_TRUE(says("environment.json is no JSON object")) << text_;
}

TEST_F(CliWords, HelpOnAnOptionOfASection) {
  ASSERT_EQ(run({"help", "neuron.leak"}), 0) << text_;
  EXPECT_TRUE(says("[neuron] name = \"lif\"")) << text_;
  const std::string neuron = text_;
  ASSERT_EQ(run({"help", "readout.leak"}), 0) << text_;
  EXPECT_EQ(text_, neuron);
  ASSERT_EQ(run({"help", "optimizer.eps"}), 0) << text_;
  EXPECT_FALSE(says("[neuron]") || says("norm ")) << text_;
  EXPECT_TRUE(says("[optimizer] name = \"adam")) << text_;
  ASSERT_EQ(run({"help", "network.norm.scale"}), 0) << text_;
  EXPECT_TRUE(says("norm tdbn")) << text_;
  EXPECT_FALSE(says("objective")) << text_;
  ASSERT_EQ(run({"help", "rules.block0.variant"}), 0) << text_;
  EXPECT_TRUE(says("[rule] name = \"tssl_bp\"")) << text_;
  for (const char* word : {"nonsense.clip_norm", "neuron.clip_norm", "nonsense.norm.scale", ".leak"})
    EXPECT_EQ(run({"help", word}), 2) << text_;
  EXPECT_EQ(run({"help", "nonsense.clip_norm"}), 2);
  EXPECT_TRUE(says("'nonsense.clip_norm'; did you mean 'clip_norm'?")) << text_;
}

/// A part without a name is an error that shows the names; returns the kind.
template <class Base>
std::string nameless() {
  for (const Config& config : {Config::object(), Config{{"name", 1}}, Config(1)}) {
    const std::string text = message_of<UsageError>([&] { make<Base>(config); });
    for (const std::string& name : Registry<Base>::get().names())
      EXPECT_NE(text.find(name), std::string::npos) << name << " in " << text;
  }
  return Registry<Base>::kind();
}

TEST(CliKinds, APartWithoutANameIsAnsweredWithTheNames) {
  const std::set<std::string> tried = {
      nameless<Encoder>(),   nameless<NetworkBuilder>(), nameless<Neuron>(),
      nameless<Rule>(),      nameless<Schedule>(),       nameless<Feedback>(),
      nameless<Head>(),      nameless<LearningSignal>(), nameless<Objective>(),
      nameless<Optimizer>(), nameless<LearningRate>(),   nameless<Metric>(),
      nameless<Synapse>(),   nameless<Norm>(),           nameless<Quantizer>(),
      nameless<Stage>(),     nameless<Regularizer>()};
  std::set<std::string> all;
  for (const PartKind& kind : part_kinds()) all.insert(kind.word);
  EXPECT_EQ(tried, all);
}

}  // namespace spiketrain::cli_words_test
