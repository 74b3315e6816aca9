// From a recipe to what is trained: parts that must fit each other, rules per place, metrics, cost report, and runs whose
// targets are no classes.
#include "spiketrain/recipe/experiment.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "spiketrain/base/file.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/recipe/memory.h"
#include "spiketrain/train/caveats.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::experiment_test {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Two hidden layers in a block each, and the output layer in the second.
std::vector<std::string> two_blocks(std::vector<std::string> more = {}) {
  more.insert(more.end(), {"network.spec=6C3-P2-8-4", "blocks.size=1"});
  return more;
}

TEST(Experiment, EveryRecipeBuildsItsNetwork) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(ST_SOURCE_DIR "/recipes")) {
    if (entry.path().extension() != ".toml") continue;
    SCOPED_TRACE(entry.path().string());
    const Recipe recipe = load_recipe(entry.path().string());
    const DatasetInfo info = dataset_info(recipe.data.name);
    // Their files decide: five objects in the one recipe, irises or tumours in the others.
    const bool folder = recipe.data.name == "event-folder", table = recipe.data.name == "table";
    const Shape input = folder        ? Shape{2, 32, 32}
                        : table       ? Shape{4}
                        : info.events ? event_frame_shape(info, recipe.events)
                                      : info.shape;
    const Shape output = folder ? Shape{5} : table ? Shape{3} : info.target.shape;
    EXPECT_GT(make_network(recipe, input, output)->parameter_count(), 0);
    if (!folder && !table) {
      EXPECT_NO_THROW(check_recipe(recipe));
    }
    ++count;
  }
  EXPECT_GT(count, 0);
}

TEST(Experiment, EncodersOfIntensitiesWantImagesAsTheyAre) {
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

TEST(Experiment, PartsAreCheckedAgainstEachOther) {
  const Datasets data = tiny_data();
  EXPECT_NO_THROW(build_experiment(tiny_recipe(), data));
  EXPECT_THROW(build_experiment(tiny_recipe({"network.spec=6C3-P2-5"}), data), UsageError);
  EXPECT_THROW(build_experiment(tiny_recipe({"network.spec=6C9-4"}), data), UsageError);
  EXPECT_THROW(build_experiment(tiny_recipe(), Datasets{}), UsageError);
  EXPECT_THROW(parse_device("tpu"), UsageError);
  for (const auto* neuron : Registry<Neuron>::get().entries()) {
    if (neuron->make(Config::object())->provides() & kTiming) continue;
    if (neuron->name == "complex_few_spikes") continue;  // for multiples of four maps, the network has six
    const Recipe recipe = tiny_recipe({"neuron={name=\"" + neuron->name + "\"}"});
    const std::string message = message_of<UsageError>([&] { build_experiment(recipe, data); });
    EXPECT_TRUE(contains(message, "psp_lif")) << message;
  }
}

TEST(Experiment, RulesGoToTheirPlaces) {
  const Experiment e = tiny_experiment(two_blocks({"rules={block0=\"bptt\", readout={name=\"bptt\"}}"}));
  const Network& network = e.training.network();
  const Method& method = e.training.learner->parts().method;
  const auto rule = [&](const std::shared_ptr<const Layer>& layer) {
    return method.at(layer->slot())->part_name();
  };
  const auto upper = network.layers(1, false);
  ASSERT_EQ(upper.size(), 2u);
  EXPECT_EQ(rule(network.layers(0, false).at(0)), "bptt");
  EXPECT_EQ(rule(network.layers(0, true).at(0)), "bptt") << "the head of a block is a readout";
  EXPECT_EQ(rule(upper[0]), "tssl_bp");
  EXPECT_EQ(rule(upper[1]), "bptt");

  // A node's name wins over its block.
  std::string name;
  for (const Network::Node& node : network.nodes())
    if (node.stage == network.layers(0, false).at(0)) name = node.name;
  ASSERT_FALSE(name.empty());
  Recipe recipe = tiny_recipe(two_blocks({"rules.block0=bptt"}));
  recipe.rules[name] = recipe.rule;
  EXPECT_EQ(make_method(recipe, network).at(network.layers(0, false).at(0)->slot())->part_name(), "tssl_bp");
}

TEST(Experiment, RulesOfNoPlaceAreRefused) {
  const std::string message =
      message_of<UsageError>([] { tiny_experiment(two_blocks({"rules.block2.name=bptt"})); });
  EXPECT_TRUE(contains(message, "no place 'block2'; did you mean 'block")) << message;
  EXPECT_TRUE(contains(message, "readout")) << message;
  EXPECT_THROW(tiny_recipe({"rules.readout.name=bptt", "rules.readout.x=1"}), UsageError);
  EXPECT_THROW(tiny_recipe({"rules.readout=bppt"}), UsageError);
  EXPECT_THROW(tiny_recipe({"rules=bptt"}), UsageError);
}

TEST(Experiment, FeedbackReachesEverySynapseThatReadsALayer) {
  const auto feedback = [](const std::vector<std::string>& sets) {
    const Experiment e = tiny_experiment(two_blocks(sets));
    std::vector<std::string> names;
    for (int64_t b = 0; b < 2; ++b) {
      const Connection& c = e.training.network().layers(b, false).at(0)->connections()[0];
      names.push_back(c.feedback ? c.feedback->part_name() : "");
    }
    return names;
  };
  EXPECT_EQ(feedback({}), (std::vector<std::string>{"", ""}));
  EXPECT_EQ(feedback({"feedback.name=sign"}), (std::vector<std::string>{"", "sign"}));
}

TEST(Experiment, OnlyALearningSignalThatUsesHeadsHasThem) {
  EXPECT_TRUE(tiny_experiment(two_blocks()).training.network().has_head(0));
  EXPECT_FALSE(tiny_experiment(two_blocks({"learning_signal.name=dfa"})).training.network().has_head(0));
}

TEST(Experiment, SaysWhichSectionsHaveNoEffect) {
  const auto caveats = [](const std::vector<std::string>& sets) {
    return tiny_experiment(sets).training.caveats;
  };
  EXPECT_TRUE(caveats({}).empty());
  EXPECT_TRUE(caveats(two_blocks({"head.pool_to=20"})).empty());
  EXPECT_TRUE(
      contains(caveats({"head.pool_to=20"}).at(0), "[head] have no effect: the network is one block"));
  EXPECT_TRUE(contains(caveats({"learning_signal.name=dfa"}).at(0), "[learning_signal] has no effect"));
  EXPECT_TRUE(contains(caveats(two_blocks({"head.pool_to=20", "learning_signal.name=dfa"})).at(0),
                       "blocks learn from [learning_signal] dfa"));
}

/// Of rule e_prop, whose kappa belongs to a leaky readout.
TEST(Experiment, SaysWhereKappaIsNotTheReadoutsLeak) {
  const auto lines = [](const std::string& kappa, const std::string& leak) {
    const Experiment e =
        tiny_experiment({"rule={name=\"e_prop\", kappa=" + kappa + "}", "rules.readout=ottt", "neuron=lif",
                         "objective=rate_ce", "readout={name=\"leaky_readout\", leak=" + leak + "}"});
    return caveats(e.training);
  };
  EXPECT_TRUE(lines("0.9", "0.9").empty());
  ASSERT_EQ(lines("0.5", "0.9").size(), 1u);
  EXPECT_TRUE(contains(lines("0.5", "0.9")[0], "kappa = 0.5, but the readout has the leak 0.9"));
}

TEST(Experiment, BlocksLearnWithABurnIn) {
  const std::vector<std::string> sets = two_blocks({"schedule={name=\"truncated\", window=1, burn_in=3}"});
  Experiment e = tiny_experiment(sets);
  StopAfter observer(2);
  TrainerOptions options;
  options.observers = {&observer};
  options.stop = &observer.stop;
  Trainer(e.training, options).run();
  ASSERT_EQ(observer.losses.size(), 2u);
  EXPECT_TRUE(std::isfinite(observer.losses[1]));
  EXPECT_NO_THROW(tiny_experiment(two_blocks({"schedule={name=\"truncated\", window=2, loss=\"last\"}"})));
}

TEST(Experiment, MetricsFollowTheTargets) {
  const auto labels = [](const std::vector<std::string>& sets, Target::Kind kind) {
    return MetricSet(make_metrics(tiny_recipe(sets), kind), kind).labels();
  };
  using Labels = std::vector<std::string>;
  EXPECT_EQ(labels({}, Target::Kind::class_index), (Labels{"accuracy"}));
  EXPECT_EQ(labels({}, Target::Kind::values), (Labels{"mse"}));
  EXPECT_EQ(labels({}, Target::Kind::sequence), (Labels{"mse"}));
  EXPECT_EQ(labels({}, Target::Kind::spike_times), (Labels{"loss"}));
  EXPECT_EQ(labels({"metrics=[{name=\"top_k\", k=2}, \"accuracy\"]"}, Target::Kind::class_index),
            (Labels{"top2", "accuracy"}));
  EXPECT_THROW(tiny_experiment({"metrics=[\"mse\"]"}), UsageError);
  EXPECT_THROW(tiny_experiment({"metrics=[\"accuracy\", \"accuracy\"]"}), UsageError);
}

TEST(Experiment, TargetsThatDoNotFitAreRefusedBeforeTheDataAreThere) {
  Config config = load_config(ST_SOURCE_DIR "/recipes/regression-waves.toml");
  EXPECT_NO_THROW(check_recipe(make_recipe(config)));
  Config classes = config;
  apply_set(classes, "objective={name=\"rate_ce\"}");
  EXPECT_TRUE(contains(message_of<UsageError>([&] { check_recipe(make_recipe(classes)); }), "kind values"));
  apply_set(config, "metrics=[\"accuracy\"]");
  EXPECT_THROW(check_recipe(make_recipe(config)), UsageError);
}

/// Trains a recipe of this repository on a few samples.
LossRecorder train_small(const std::string& recipe, int64_t epochs) {
  Config config = load_config(ST_SOURCE_DIR "/recipes/" + recipe);
  for (const std::string& set : {std::string("data.train_size=200"), std::string("data.test_size=50"),
                                 str("epochs=", epochs), std::string("optimizer.lr=5e-3")})
    apply_set(config, set);
  const Recipe small = make_recipe(config);
  Experiment e = build_experiment(small, open_datasets(small, ""));
  LossRecorder recorder;
  TrainerOptions options;
  options.observers = {&recorder};
  EXPECT_TRUE(Trainer(e.training, options).run());
  return recorder;
}

TEST(Experiment, RegressionLearns) {
  for (const char* recipe : {"regression-waves.toml", "regression-echo.toml"}) {
    SCOPED_TRACE(recipe);
    const LossRecorder run = train_small(recipe, 6);
    ASSERT_EQ(run.epochs.size(), 6u);
    const EpochReport &first = run.epochs.front(), &last = run.epochs.back();
    EXPECT_EQ(last.labels, (std::vector<std::string>{"mse", "r2"}));
    EXPECT_LT(last.train.loss, first.train.loss);
    EXPECT_LT(last.test.at("mse"), first.test.at("mse"));
    EXPECT_GT(last.test.at("r2"), first.test.at("r2"));
    const Config line = to_json(last);
    for (const char* key : {"train_mse", "test_mse", "train_r2", "test_r2"})
      EXPECT_TRUE(line.contains(key)) << key;
    EXPECT_FALSE(line.contains("test_accuracy"));
  }
}

TEST(Experiment, MethodsAreDescribed) {
  const auto text = [](const std::vector<std::string>& sets) { return method_text(tiny_recipe(sets)); };
  const std::string plain = text({"rule=bptt", "neuron=lif", "objective=rate_ce"});
  EXPECT_EQ(plain, "rule bptt, neuron lif, schedule whole, objective rate_ce");
  EXPECT_EQ(
      text({"rule=bptt", "neuron=lif", "objective=rate_ce", "rules={readout=\"sltt\"}", "feedback=sign",
            "blocks.size=1", "blocks.output=apart"}),
      "rule bptt (readout: sltt), feedback sign, neuron lif, schedule whole, objective rate_ce, blocks of 1 layer, the output "
      "layer apart");
  EXPECT_TRUE(contains(text({"blocks.partition=[2, 1]"}), ", blocks of 2-1 layers"));
  EXPECT_EQ(text({"network=event", "objective=rate_ce"}).rfind("the adjoint of network event, objective", 0),
            0U);
  EXPECT_TRUE(contains(text({"network={name=\"saved\", file=\"x\"}"}), "neuron the network's own"));
}

/// Every option that the advice names can be set.
TEST(Experiment, AdviceNamesOptionsThatAreThere) {
  const auto advice = [](const std::vector<std::string>& sets) { return rate_advice(tiny_recipe(sets)); };
  const RateAdvice spec = advice({"neuron=lif"});
  EXPECT_EQ(spec.silent, "lower neuron.threshold, or raise network.conv_scale, network.linear_scale");
  EXPECT_EQ(spec.busy, "raise neuron.threshold, or lower network.conv_scale, network.linear_scale");
  EXPECT_EQ(advice({"network=event"}).silent, "lower network.threshold, or raise network.weight_mean");
  EXPECT_EQ(advice({"network={name=\"saved\", file=\"x\"}"}).silent, "");
  EXPECT_EQ(build_experiment(tiny_recipe({}), tiny_data()).training.rate_advice.silent, advice({}).silent);
}

TEST(Experiment, ARunBeginsWithACostReport) {
  TempDir dir;
  Experiment e = tiny_experiment({"epochs=1"});
  RunDir run(dir / "run", false);
  CostObserver cost(e.recipe);
  LossRecorder recorder;
  TrainerOptions options;
  options.run_dir = &run;
  options.observers = {&recorder, &cost};
  ASSERT_TRUE(Trainer(e.training, options).run());
  const Bytes bytes = read_file(run.file("cost.json"));
  const Config json = Config::parse(bytes.begin(), bytes.end());
  for (const char* key : {"mac_forward", "activation_bytes", "activation_bytes_end_to_end", "energy_uj"})
    EXPECT_GT(json.at(key).get<double>(), 0) << key;
  EXPECT_EQ(json.at("neurobench").at("samples"), 16) << "measured when the run was complete";
  EXPECT_GT(json["neurobench"]["synaptic_operations"]["Dense"].get<double>(), 0);
  const bool told = std::any_of(recorder.messages.begin(), recorder.messages.end(),
                                [](const std::string& text) { return contains(text, "see cost.json"); });
  EXPECT_TRUE(told);
}

/// Weights that make all classes count the same, written into the recipe of the run; one that has them keeps them.
TEST(Experiment, BalancesClasses) {
  const std::vector<std::string> sets = {"neuron=lif", "rule=bptt", "readout=leaky_readout",
                                         "objective={name=\"rate_ce\", balanced=true}"};
  const Experiment e = tiny_experiment(sets);
  const Dataset& train = *e.training.data.train;
  std::vector<double> samples(4);
  for (int64_t i = 0; i < train.size(); ++i) ++samples[static_cast<size_t>(train.class_of(i))];
  const auto weights = e.training.config["objective"]["class_weights"].get<std::vector<double>>();
  ASSERT_EQ(weights.size(), 4U);
  double total = 0;
  for (size_t c = 0; c < 4; ++c) {
    EXPECT_DOUBLE_EQ(weights[c], static_cast<double>(train.size()) / (4 * samples[c]));
    total += weights[c] * samples[c];
  }
  EXPECT_DOUBLE_EQ(total, static_cast<double>(train.size()));
  Recipe kept = make_recipe(e.training.config);
  kept.objective["class_weights"] = {1, 2, 3, 4};
  EXPECT_EQ(build_experiment(kept, tiny_data()).training.config["objective"]["class_weights"],
            Config({1, 2, 3, 4}));
  EXPECT_NO_THROW(check_recipe(parse_recipe(
      "objective = {name = \"rate_ce\", balanced = true}\nnetwork = {name = \"spec\", spec = \"10\"}\n"
      "neuron = \"lif\"\nrule = \"bptt\"\n")));
}

}  // namespace spiketrain::experiment_test
