// Weights to begin with (init.file, init.redraw), places that do not learn (train.freeze) and early stopping (train.patience).
#include <algorithm>
#include <fstream>

#include "spiketrain/recipe/run_training.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/blocks.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::transfer_test {

/// A network of LIF neurons, whose layers are the nodes 0, 2, 3, ...
Experiment lif_experiment(std::vector<std::string> sets, Datasets data = tiny_data()) {
  sets.insert(sets.begin(), {"neuron=lif", "rule=bptt", "objective=rate_ce", "readout=leaky_readout"});
  return tiny_experiment(sets, std::move(data));
}

/// Weights of such a network from another seed.
std::string saved(const TempDir& dir, const std::vector<std::string>& sets = {}) {
  std::vector<std::string> all = sets;
  all.emplace_back("seed=77");
  const Experiment e = lif_experiment(all);
  save_weights(dir / "w.safetensors", e.training.network(), {}, {});
  return dir / "w.safetensors";
}

std::map<std::string, Tensor> tensors_of(const Network& network) {
  std::map<std::string, Tensor> all;
  for (const auto& [name, value] : network_tensors(network)) all[name] = value.detach().clone();
  return all;
}

TEST(Transfer, BeginsWithTheTensorsOfTheFile) {
  TempDir dir;
  const std::string file = saved(dir);
  Experiment e = lif_experiment({"init.file=" + file});
  const std::string line = load_initial_weights(e.recipe.init, e.training.network());
  EXPECT_EQ(line, "begins with 2 tensors of " + file);
  EXPECT_TRUE(same_tensors(network_tensors(e.training.network()),
                           network_tensors(lif_experiment({"seed=77"}).training.network())));
}

TEST(Transfer, DrawsTheNamedPlacesWhateverTheirShape) {
  TempDir dir;
  const std::string file = saved(dir, {"network.spec=6C3-P2-9-4"});
  // Layer 2 is 9 wide there and 7 here, which changes the output layer, too.
  const auto begin = [&](const std::vector<std::string>& redraw) {
    Experiment e = lif_experiment(
        {"network.spec=6C3-P2-7-4", "init.file=" + file, "init.redraw=" + Config(redraw).dump()});
    load_initial_weights(e.recipe.init, e.training.network());
    return tensors_of(e.training.network());
  };
  const std::string message = message_of<UsageError>([&] { begin({"2"}); });
  EXPECT_NE(message.find("the network has"), std::string::npos) << message;
  EXPECT_NE(message.find("init.redraw"), std::string::npos) << message;
  EXPECT_NE(message_of<UsageError>([&] {
              begin({"readout"});
            }).find("name its place in init.redraw to draw its weights: 2"),
            std::string::npos);
  const auto now = begin({"2", "readout"});
  const auto drawn = tensors_of(lif_experiment({"network.spec=6C3-P2-7-4"}).training.network());
  const auto there = tensors_of(lif_experiment({"network.spec=6C3-P2-9-4", "seed=77"}).training.network());
  EXPECT_TRUE(torch::equal(now.at("0.synapse.weight"), there.at("0.synapse.weight")));
  EXPECT_TRUE(torch::equal(now.at("2.synapse.weight"), drawn.at("2.synapse.weight")));
  EXPECT_TRUE(torch::equal(now.at("3.synapse.weight"), drawn.at("3.synapse.weight")));
}

TEST(Transfer, SaysWhatTheFileHasBesides) {
  TempDir dir;
  const std::string file = saved(dir, {"network.spec=6C3-P2-4-4"});
  Experiment e = lif_experiment({"init.file=" + file});
  const std::string line = load_initial_weights(e.recipe.init, e.training.network());
  EXPECT_NE(line.find("not used of the file: 3.synapse.weight"), std::string::npos) << line;
}

/// A way back that the file lacks is drawn; one that it has is taken.
TEST(Transfer, DrawsAWayBackThatTheFileLacks) {
  TempDir dir;
  const std::vector<std::string> random = {"network.spec=6C3-P2-9-4", "feedback=random"};
  const std::string plain = saved(dir, {random[0]});
  std::vector<std::string> sets = random;
  sets.push_back("init.file=" + plain);
  Experiment e = lif_experiment(sets);
  const auto before = tensors_of(e.training.network());
  const std::string line = load_initial_weights(e.recipe.init, e.training.network());
  EXPECT_NE(line.find("drawn: 2.feedback.feedback"), std::string::npos) << line;
  EXPECT_TRUE(torch::equal(before.at("2.feedback.feedback"),
                           tensors_of(e.training.network()).at("2.feedback.feedback")));
}

TEST(Transfer, RefusesAndThenChangesNothing) {
  TempDir dir;
  const std::string file = saved(dir, {"network.spec=6C3-P2-9-4"});
  Experiment e = lif_experiment({"init.file=" + file, "init.redraw=[\"readot\"]"});
  const auto before = tensors_of(e.training.network());
  const auto load = [&] { load_initial_weights(e.recipe.init, e.training.network()); };
  EXPECT_NE(message_of<UsageError>(load).find("readout"), std::string::npos);
  e.recipe.init.redraw = {};
  EXPECT_NE(message_of<UsageError>(load).find("2.synapse.weight"), std::string::npos);
  for (const auto& [name, value] : tensors_of(e.training.network()))
    EXPECT_TRUE(torch::equal(value, before.at(name))) << name;
  e.recipe.init.file = dir / "none.safetensors";
  EXPECT_THROW(load(), DataError);
  std::ofstream(dir / "text.safetensors") << "no weights";
  e.recipe.init.file = dir / "text.safetensors";
  EXPECT_THROW(load(), DataError);
  EXPECT_THROW(tiny_recipe({"init.redraw=[\"readout\"]"}), UsageError);
  e.recipe.init.file = dir.path();
  EXPECT_NE(message_of<UsageError>(load).find("is a folder"), std::string::npos);
}

TEST(Transfer, AResumedRunDoesNotBeginAnew) {
  TempDir dir;
  const std::string file = saved(dir);
  const auto run = [&](bool resume, size_t batches) {
    Experiment e = lif_experiment({"init.file=" + file});
    RunDir folder(dir / "run", resume);
    StopAfter stop(batches);
    RunSettings settings;
    settings.resume = resume;
    settings.observers = {&stop};
    settings.stop = &stop.stop;
    run_training(e, &folder, settings);
    return tensors_of(e.training.network());
  };
  Experiment straight = lif_experiment({"init.file=" + file});
  run_training(straight, nullptr, {});
  run(false, 3);
  std::remove(file.c_str());  // nor does it need the file
  const auto resumed = run(true, 1000);
  for (const auto& [name, value] : tensors_of(straight.training.network()))
    EXPECT_TRUE(torch::equal(value, resumed.at(name))) << name;
}

struct Frozen : testing::TestWithParam<std::vector<std::string>> {};

/// What is frozen stays, whatever clamps, decays and normalises; the rest moves as far as the frozen layers let error through.
TEST_P(Frozen, StaysBitForBit) {
  for (const std::string place : {"0", "2", "readout"}) {
    std::vector<std::string> sets = GetParam();
    sets.insert(sets.end(),
                {"network.spec=6C3-P2-9-4", "train.freeze=[\"" + place + "\"]", "train.clamp=0.05",
                 "optimizer={name=\"adamw\", lr=0.01, weight_decay=0.5}", "train.gradient_cosine=8"});
    Experiment e = tiny_experiment(sets);
    const auto before = tensors_of(e.training.network());
    run_training(e, nullptr, {});
    const std::string node = place == "readout" ? "3." : place + ".";
    for (const auto& [name, value] : tensors_of(e.training.network())) {
      const bool same = torch::equal(value, before.at(name));
      if (name.rfind(node, 0) == 0 || (place == "readout" && name.rfind("head", 0) == 0)) {
        EXPECT_TRUE(same) << place << " " << name;
      } else if (name.find("weight") != std::string::npos) {
        EXPECT_FALSE(same) << place << " " << name;
      }
    }
  }
}
INSTANTIATE_TEST_SUITE_P(
    Rules, Frozen,
    testing::Values(std::vector<std::string>{"neuron=lif", "rule=bptt", "objective=rate_ce",
                                             "readout=leaky_readout", "network.norm=bn"},
                    std::vector<std::string>{"neuron={name=\"lif\", learn_leak=true}", "rule=bptt",
                                             "objective=rate_ce", "readout=leaky_readout"},
                    std::vector<std::string>{"neuron=lif", "rule=ottt", "objective=tet_ce",
                                             "readout=leaky_readout",
                                             "schedule={name=\"truncated\", window=1}"},
                    std::vector<std::string>{"neuron=lif", "rule=bptt", "objective=rate_ce",
                                             "readout=leaky_readout", "blocks.size=1"}));

/// The gradient of what still learns is that of the whole network.
TEST(Freeze, LeavesTheGradientsOfTheRest) {
  const auto gradients = [](const std::vector<std::string>& more) {
    std::vector<std::string> sets = {"network.spec=6C3-P2-9-4", "neuron=lif", "rule=bptt",
                                     "objective=rate_ce", "readout=leaky_readout"};
    sets.insert(sets.end(), more.begin(), more.end());
    const Experiment e = tiny_experiment(sets);
    const Batch batch = tiny_batch();
    e.training.learner->pass(batch, 0, [](const Segment&, const BlockLosses&) { return true; });
    std::map<std::string, Tensor> g;
    for (const auto& [name, p] : named_parameters(e.training.network())) g[name] = p.grad();
    return g;
  };
  const auto all = gradients({});
  for (const std::string place : {"0", "2", "3"}) {
    for (const auto& [name, g] : gradients({"train.freeze=[\"" + place + "\"]"})) {
      if (name.rfind(place + ".", 0) == 0) {
        EXPECT_FALSE(g.defined()) << name;
      } else {
        EXPECT_TRUE(torch::equal(g, all.at(name))) << place << " " << name;
      }
    }
  }
}

/// Event-driven stages are places, too.
TEST(Freeze, HoldsForEventDrivenLayers) {
  const std::vector<std::string> sets = {"network={name=\"event\", hidden=[7], readout=\"membrane\"}",
                                         "encoder={name=\"latency\", exact=true}", "objective=rate_ce",
                                         "data={batch=8, mean=[0], std=[1]}"};
  for (const std::string place : {"", "readout", "0"}) {
    std::vector<std::string> all = sets;
    if (!place.empty()) all.push_back("train.freeze=[\"" + place + "\"]");
    Experiment e = tiny_experiment(all);
    const auto before = tensors_of(e.training.network());
    ASSERT_EQ(before.size(), 2U);
    run_training(e, nullptr, {});
    const auto after = tensors_of(e.training.network());
    EXPECT_EQ(torch::equal(before.begin()->second, after.begin()->second), place == "0") << place;
    EXPECT_EQ(torch::equal(before.rbegin()->second, after.rbegin()->second), place == "readout") << place;
  }
}

TEST(Freeze, RefusesAnUnknownPlaceAndAFrozenNetwork) {
  EXPECT_NE(message_of<UsageError>([] { tiny_experiment({"train.freeze=[\"9\"]"}); }).find("Places: block0"),
            std::string::npos);
  EXPECT_NE(message_of<UsageError>([] { tiny_experiment({"train.freeze=[\"block0\"]"}); }).find("learns"),
            std::string::npos);
}

/// Epochs that a run with this patience has, and its end.
std::pair<int64_t, LossRecorder> patient(const std::vector<std::string>& more, RunDir* dir = nullptr,
                                         bool resume = false) {
  std::vector<std::string> sets = {"epochs=9"};
  sets.insert(sets.end(), more.begin(), more.end());
  Datasets data = tiny_data();
  data.validation = data.test;
  Experiment e = tiny_experiment(sets, data);
  std::pair<int64_t, LossRecorder> end;
  RunSettings settings;
  settings.observers = {&end.second};
  settings.resume = resume;
  const RunEnd done = run_training(e, dir, settings);
  EXPECT_TRUE(done.complete);
  end.first = done.progress.epoch;
  return end;
}

TEST(Patience, EndsARunThatDoesNotImprove) {
  TempDir dir;
  // Without a learning rate no epoch is better than the first.
  RunDir folder(dir / "run", false);
  const auto [epochs, recorder] = patient({"train.patience=3", "optimizer.lr=0"}, &folder);
  EXPECT_EQ(epochs, 4);
  ASSERT_FALSE(recorder.messages.empty());
  EXPECT_NE(recorder.messages.back().find("stopped early: accuracy"), std::string::npos);
  EXPECT_TRUE(run_is_done(dir / "run"));
  EXPECT_EQ(patient({"optimizer.lr=0"}).first, 9);
  EXPECT_EQ(patient({"train.patience=9", "optimizer.lr=0"}).first, 9);
}

TEST(Patience, ARunThatHasStoppedIsCompleteAndMayBeGivenMore) {
  TempDir dir;
  {
    RunDir folder(dir / "run", false);
    patient({"train.patience=2", "optimizer.lr=0"}, &folder);
  }
  {
    RunDir folder(dir / "run", true);
    EXPECT_EQ(patient({"train.patience=2", "optimizer.lr=0"}, &folder, true).first, 3);
    EXPECT_TRUE(run_is_done(dir / "run"));
  }
  RunDir folder(dir / "run", true);
  EXPECT_EQ(patient({"train.patience=5", "optimizer.lr=0"}, &folder, true).first, 6);
}

/// A run that was told to stop within an epoch goes on with it, whatever its patience.
TEST(Patience, AnEpochIsFinished) {
  TempDir dir;
  const auto run = [&](bool resume, int64_t patience, size_t batches) {
    Datasets data = tiny_data();
    data.validation = data.test;
    Experiment e = tiny_experiment({"epochs=9", "optimizer.lr=0", str("train.patience=", patience)}, data);
    RunDir folder(dir / "run", resume);
    StopAfter stop(batches);
    RunSettings settings;
    settings.resume = resume;
    settings.observers = {&stop};
    settings.stop = &stop.stop;
    return run_training(e, &folder, settings).progress;
  };
  const Progress stopped = run(false, 0, 2 * 5 + 2);  // the third epoch has begun
  ASSERT_GT(stopped.batch, 0);
  const Progress done = run(true, 1, 1000);
  EXPECT_EQ(done.epoch, stopped.epoch + 1);
  EXPECT_EQ(done.batch, 0);
}

TEST(Patience, NeedsAValidationSplit) {
  Datasets data = tiny_data();
  data.validation = nullptr;
  EXPECT_NE(message_of<UsageError>([&] {
              Experiment e = tiny_experiment({"train.patience=3"}, data);
              run_training(e, nullptr, {});
            }).find("data.validation"),
            std::string::npos);
  EXPECT_NE(message_of<UsageError>([] {
              check_recipe(parse_recipe(
                  "[data]\nname=\"glyphs\"\n[network]\nname=\"spec\"\nspec=\"10\"\n"
                  "[neuron]\nname=\"lif\"\n[rule]\nname=\"bptt\"\n[objective]\nname=\"rate_ce\"\n"
                  "[train]\npatience=2\n"));
            }).find("data.validation"),
            std::string::npos);
}

}  // namespace spiketrain::transfer_test
