// Binary layers chosen in training: nothing chosen changes nothing, budgets are kept, estimates are what they say, a run that was stopped and
// resumed is the same, flips of signs, and what is refused.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "spiketrain/core/layer.h"
#include "spiketrain/core/weight_storage.h"
#include "spiketrain/recipe/initial_weights.h"
#include "spiketrain/train/binarizer.h"
#include "spiketrain/train/held_out_loss.h"
#include "tests/support/runs.h"

namespace spiketrain::binarize_test {

using Sets = std::vector<std::string>;

/// Settings of a network of LIF neurons with batch norm, and these.
Sets lif_sets(const Sets& more, const char* spec = "6C3-P2-8-6-4") {
  Sets sets = {"neuron=lif",      "rule=bptt",         "objective=rate_ce",        "readout=leaky_readout",
               "network.norm=bn", "data.validation=1", str("network.spec=", spec), "train={}"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}
Sets binary_sets(const Sets& more, const char* spec = "6C3-P2-8-6-4") {
  Sets sets = {"network.quantizer=binary", "epochs=4"};
  sets.insert(sets.end(), more.begin(), more.end());
  return lif_sets(sets, spec);
}

/// Trains without a run directory.
LossRecorder train(Experiment& e) {
  LossRecorder recorder;
  TrainerOptions options;
  options.observers = {&recorder};
  EXPECT_TRUE(Trainer(e.training, options).run());
  return recorder;
}

bool said(const LossRecorder& recorder, const std::string& part) {
  return std::any_of(recorder.messages.begin(), recorder.messages.end(),
                     [&](const std::string& text) { return text.find(part) != std::string::npos; });
}

std::vector<bool> choice_of(const Network& network) {
  std::vector<bool> on;
  for (const StoredWeight& w : weight_storage(network).weights) on.push_back(w.quantized());
  return on;
}
int64_t chosen_in(const Network& network) {
  const std::vector<bool> on = choice_of(network);
  return std::count(on.begin(), on.end(), true);
}

/// A budget that needs no binary layer leaves every bit as it is without the quantizer.
TEST(Binarize, ChoosingNothingIsTheBaseline) {
  for (const char* choice : {"relative_error", "loss_increase", "largest", "random"}) {
    Experiment plain = tiny_experiment(lif_sets({"epochs=4"})),
               ours = tiny_experiment(
                   binary_sets({str("binarize.choice=", choice), "binarize.budget=1", "binarize.every=1"}));
    const LossRecorder a = train(plain), b = train(ours);
    EXPECT_EQ(a.losses, b.losses) << choice;
    EXPECT_EQ(chosen_in(ours.training.network()), 0);
    NamedTensors weights;
    for (auto& item : network_tensors(ours.training.network()))
      if (!is_quantizer_switch(item.first)) weights.push_back(item);
    EXPECT_TRUE(same_tensors(network_tensors(plain.training.network()), weights)) << choice;
  }
}

TEST(Binarize, TheBudgetIsKeptFromTheWarmUpOn) {
  for (const char* choice : {"relative_error", "loss_increase", "largest", "random"}) {
    for (const double budget : {0.8, 0.5, 0.42}) {
      SCOPED_TRACE(str(choice, " ", budget));
      Experiment e =
          tiny_experiment(binary_sets({str("binarize.choice=", choice), str("binarize.budget=", budget),
                                       "binarize.warmup=2", "binarize.every=1"}));
      EXPECT_EQ(chosen_in(e.training.network()), 0);
      const LossRecorder recorder = train(e);
      EXPECT_LE(weight_storage(e.training.network()).share(), budget);
      EXPECT_TRUE(said(recorder, "epoch 3: binary: "));
      EXPECT_TRUE(said(recorder, "epoch 4: binary: "));
      EXPECT_FALSE(said(recorder, "epoch 2: "));
      EXPECT_TRUE(recorder.messages.back().rfind("binary: ", 0) == 0) << recorder.messages.back();
      // The best epoch is one of the network that is binary.
      EXPECT_GE(recorder.epochs.back().best.at("accuracy").test_epoch, 3);
    }
  }
}

TEST(Binarize, KeptPlacesStayAndListedOnesAreTaken) {
  Experiment kept = tiny_experiment(
      binary_sets({"binarize.choice=largest", "binarize.budget=0.75", "binarize.keep=[\"0\", \"readout\"]"}));
  train(kept);
  EXPECT_EQ(choice_of(kept.training.network()), (std::vector<bool>{false, true, false, false}));
  Experiment listed =
      tiny_experiment(binary_sets({"binarize.choice=listed", "binarize.layers=[\"3\", \"readout\"]"}));
  train(listed);
  EXPECT_EQ(choice_of(listed.training.network()), (std::vector<bool>{false, false, true, true}));
  Experiment all = tiny_experiment(binary_sets({}));
  EXPECT_EQ(chosen_in(all.training.network()), 4);
  Experiment frozen = tiny_experiment(
      binary_sets({"binarize.choice=largest", "binarize.budget=0.9", "train.freeze=[\"2\"]"}));
  train(frozen);
  EXPECT_FALSE(choice_of(frozen.training.network())[1]);
}

TEST(Binarize, LayersAreAddedOneByOne) {
  Experiment e = tiny_experiment(binary_sets({"binarize.choice=loss_increase", "binarize.budget=0.42",
                                              "binarize.every=1", "binarize.at_most=1", "epochs=3"}));
  std::vector<int64_t> counts;
  struct Count : Observer {
    std::vector<int64_t>* counts;
    const Network* network;
    void on_epoch(const EpochReport&) override { counts->push_back(chosen_in(*network)); }
  } count;
  count.counts = &counts;
  count.network = &e.training.network();
  LossRecorder recorder;
  TrainerOptions options;
  options.observers = {&count, &recorder};
  Trainer(e.training, options).run();
  EXPECT_EQ(counts, (std::vector<int64_t>{0, 1, 2}));
  EXPECT_TRUE(said(recorder, "the run ended above binarize.budget"));
}

/// Of all 16 subsets: each measured increase is that of one layer alone, and what is chosen is not worse than most subsets that fit the budget.
TEST(Binarize, TheMeasuredChoiceAgainstAllSubsets) {
  Datasets data = tiny_data();
  data.train = std::make_shared<TinyDataset>(200, 1);
  data.validation = std::make_shared<TinyDataset>(160, 2);
  Experiment e = build_experiment(
      tiny_recipe(binary_sets({"binarize.choice=loss_increase", "binarize.budget=0.6", "binarize.warmup=6",
                               "binarize.norm_batches=20", "epochs=7"})),
      data);
  Training& training = e.training;
  e.training.options.epochs = 6;
  train(e);  // in full precision
  const std::vector<StoredWeight>& layers = training.binarizer->candidates();
  ASSERT_EQ(layers.size(), 4u);
  HeldOutLoss loss(training, 500, 20, 6);
  const double base = loss.measure();
  struct Subset {
    double loss;
    int64_t bits;
  };
  std::vector<Subset> subsets;
  for (int mask = 0; mask < 16; ++mask) {
    for (int l = 0; l < 4; ++l) layers[static_cast<size_t>(l)].quantizer->turn(mask >> l & 1);
    subsets.push_back({loss.measure(), weight_storage(training.network()).bits()});
  }
  for (const StoredWeight& w : layers) w.quantizer->turn(false);
  EXPECT_EQ(subsets[0].loss, base);
  const std::vector<double> costs = training.binarizer->costs(training, 6);
  for (size_t l = 0; l < 4; ++l) EXPECT_EQ(costs[l], subsets[size_t{1} << l].loss - base) << l;
  EXPECT_EQ(choice_of(training.network()), std::vector<bool>(4, false));  // measuring leaves it as it was

  const Binarizer::Change change = training.binarizer->begin_epoch(training, 6);
  EXPECT_TRUE(change.layers);
  size_t chosen = 0;
  for (size_t l = 0; l < 4; ++l) chosen |= layers[l].quantized() ? size_t{1} << l : 0;
  const double budget = 0.6 * static_cast<double>(weight_storage(training.network()).float_bits());
  int better = 0, fitting = 0;
  for (const Subset& s : subsets) {
    if (static_cast<double>(s.bits) > budget) continue;
    ++fitting;
    better += s.loss < subsets[chosen].loss ? 1 : 0;
  }
  EXPECT_LE(static_cast<double>(subsets[chosen].bits), budget);
  EXPECT_GT(fitting, 3);
  EXPECT_LE(better, fitting / 3) << "of " << fitting;
}

std::vector<Tensor> statistics_of(const Network& network) {
  std::vector<Tensor> list;
  for (const auto& item : network.named_buffers())
    if (item.key().find("running") != std::string::npos) list.push_back(item.value().clone());
  return list;
}
bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(),
                    [](const Tensor& x, const Tensor& y) { return torch::equal(x, y); });
}

TEST(Binarize, NormsAreEstimatedAnewAfterAChoiceAndPutBackAfterAMeasurement) {
  for (const int64_t batches : {0, 30}) {
    Experiment e = tiny_experiment(binary_sets(
        {"binarize.choice=loss_increase", "binarize.budget=0.5", str("binarize.norm_batches=", batches)}));
    Training& training = e.training;
    const auto before = statistics_of(training.network());
    training.binarizer->costs(training, 1);
    EXPECT_TRUE(same(before, statistics_of(training.network())));
    NamedTensors parameters = named_parameters(training.network());
    for (auto& item : parameters) item.second = item.second.detach().clone();
    training.binarizer->begin_epoch(training, 1);
    EXPECT_EQ(same(before, statistics_of(training.network())), batches == 0);
    EXPECT_TRUE(same_tensors(parameters, named_parameters(training.network())));
  }
}

/// Of a first layer the statistics after many batches are those of its current on the training samples.
TEST(Binarize, RenewedStatisticsAreThoseOfTheBinaryWeights) {
  Experiment e = tiny_experiment(binary_sets({"network.norm={name=\"bn\", momentum=0.5}", "data.batch=40"}));
  Training& training = e.training;
  renew_statistics(training, 1, 0);
  renew_statistics(training, 1, 1);
  for (int i = 0; i < 30; ++i) renew_statistics(training, 1, 0);
  const Batch all = some_batches(training, *training.data.train, 1, 0, false)[0];
  const auto layer = std::dynamic_pointer_cast<const Layer>(training.network().nodes()[0].stage);
  const torch::NoGradGuard no_grad;
  const Tensor I = torch::conv2d(all.x, layer->connections()[0].weight(true)).transpose(0, 1).flatten(1);
  const Tensor mean = training.network().named_buffers()["0.norm.running_mean"];
  EXPECT_LT((mean - I.mean(1)).abs().max().item<double>(), 1e-5);
}

TEST(Binarize, AResumedRunIsTheSame) {
  const std::vector<Sets> cases = {
      {"binarize.choice=loss_increase", "binarize.budget=0.6", "binarize.every=1", "binarize.at_most=1"},
      {"binarize.choice=relative_error", "binarize.budget=0.5", "binarize.every=1", "binarize.warmup=0"},
      {"binarize.choice=random", "binarize.budget=0.5", "binarize.flips_after=2",
       "binarize.flip_threshold=1e-4", "binarize.flip_rate=0.1",
       "optimizer={name=\"sgd\", lr=0.01, momentum=0.9, weight_decay=0.01}"}};
  TempDir dir;
  int number = 0;
  for (const Sets& more : cases) {
    SCOPED_TRACE(more[0]);
    const Sets sets = binary_sets(more);
    const std::string whole = dir / str("whole", number), parts = dir / str("parts", number);
    ++number;
    EXPECT_TRUE(run_part(whole, sets, false, 0));
    EXPECT_FALSE(run_part(parts, sets, false, 2));  // within the first epoch
    EXPECT_FALSE(run_part(parts, sets, true, 3));   // at its end: the next one has begun, but for its batches
    EXPECT_FALSE(run_part(parts, sets, true, 8));   // within the third
    EXPECT_TRUE(run_part(parts, sets, true, 0));
    expect_same_run(whole, parts);
  }
}

TEST(Binarize, WeightsFilesHoldTheChoice) {
  TempDir dir;
  const Sets sets = binary_sets({"binarize.choice=largest", "binarize.budget=0.6"});
  EXPECT_TRUE(run_part(dir / "run", sets, false, 0));
  const std::string best = dir / "run/ckpt/best.safetensors";
  Experiment e = tiny_experiment(sets);
  load_weights(open_checkpoint(best), e.training.network());
  EXPECT_EQ(chosen_in(e.training.network()), 1);
  EXPECT_EQ(choice_of(*load_network(best)), choice_of(e.training.network()));
  const Config summary = Config::parse(text_of(dir / "run/summary.json"));
  EXPECT_EQ(summary["storage"]["bits"], weight_storage(e.training.network()).bits());
  EXPECT_LE(summary["storage"]["share"].get<double>(), 0.6);
  // Weights to begin with are weights: which layers are binary is the recipe's affair.
  Experiment again = tiny_experiment(sets);
  load_initial_weights({best, {}}, again.training.network());
  EXPECT_EQ(chosen_in(again.training.network()), 0);
  Experiment plain = tiny_experiment(lif_sets({}));
  save_weights(dir / "plain.safetensors", plain.training.network(), {}, {});
  load_initial_weights({dir / "plain.safetensors", {}}, again.training.network());
  EXPECT_EQ(chosen_in(again.training.network()), 0);
}

TEST(Binarize, OnlySignsOfBinaryLayersChangeInTheLastPhase) {
  Experiment e =
      tiny_experiment(binary_sets({"binarize.choice=largest", "binarize.budget=0.6", "binarize.flips_after=2",
                                   "binarize.flip_threshold=1e-5", "binarize.flip_rate=0.2", "epochs=5"}));
  Training& training = e.training;
  struct Watch : LossRecorder {
    std::vector<Tensor> binary, full;
    const Training* training;
    void on_epoch(const EpochReport& report) override {
      LossRecorder::on_epoch(report);
      for (const StoredWeight& w : weight_storage(training->network()).weights) {
        const Tensor W = std::const_pointer_cast<Synapse>(w.synapse)->weight().detach().clone();
        (w.quantized() ? binary : full).push_back(W);
      }
    }
  } watch;
  watch.training = &training;
  TrainerOptions options;
  options.observers = {&watch};
  Trainer(training, options).run();
  // One layer, from the second epoch on: the latent weights learn in that, and flip in the third to fifth.
  ASSERT_EQ(watch.binary.size(), 4u);
  EXPECT_FALSE(torch::equal(watch.binary[0].abs(), watch.binary[1].abs()));
  for (size_t epoch = 2; epoch < 4; ++epoch) {
    EXPECT_TRUE(torch::equal(watch.binary[1].abs(), watch.binary[epoch].abs()));
    EXPECT_FALSE(torch::equal(watch.binary[1], watch.binary[epoch]));
  }
  EXPECT_FALSE(torch::equal(watch.full[watch.full.size() - 1], watch.full[watch.full.size() - 4]));
  EXPECT_TRUE(said(watch, "epoch 3: signs flip in 2 (8)"));
  EXPECT_TRUE(said(watch, " flips of "));
  EXPECT_FALSE(said(watch, "epoch 3: 0 flips"));
}

std::string refusal(const Sets& sets) {
  return message_of<UsageError>([&] { tiny_experiment(sets); });
}

TEST(Binarize, RefusesWhatMakesNoSense) {
  const auto expect = [](const Sets& sets, const std::string& part) {
    const std::string text = refusal(sets);
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  expect(lif_sets({"binarize.choice=largest"}), "set network.quantizer = \"binary\"");
  expect(lif_sets({"binarize.choice=largest", "network.quantizer=uniform"}),
         "set network.quantizer = \"binary\"");
  expect(binary_sets({"binarize.choice=largest", "binarize.budget=0.1"}), "is out of reach");
  expect(binary_sets({"binarize.choice=largest", "binarize.budget=0.6", "binarize.keep=[\"2\"]"}),
         "is out of reach");
  expect(binary_sets({"binarize.choice=largest", "binarize.keep=[\"block0\"]"}),
         "no layer is left to choose");
  expect(binary_sets({"binarize.choice=largest", "binarize.keep=[\"9\"]"}), "has no place '9'");
  expect(binary_sets({"binarize.choice=largest", "binarize.warmup=4"}), "no layer would become binary");
  expect(binary_sets({"binarize.choice=loss_increase", "data.validation=0"}), "expected validation samples");
  expect(binary_sets({"binarize.choice=listed"}), "go together");
  expect(binary_sets({"binarize.choice=largest", "binarize.layers=[\"2\"]"}), "go together");
  expect(binary_sets({"binarize.choice=listed", "binarize.layers=[\"2\"]", "binarize.keep=[\"3\"]"}),
         "leave the places out");
  expect(binary_sets({"binarize.keep=[\"3\"]"}), "nothing to keep out");
  expect(binary_sets({"binarize.choice=largest", "binarize.flips_after=1"}), "expected more than warmup");
  expect(binary_sets({"binarize.flips_after=1", "network.quantizer={name=\"binary\", backward=\"full\"}"}),
         "backward = \"identity\"");
  expect(binary_sets({"binarize.flips_after=1", "network.weight_standardisation=true", "network.norm=none"}),
         "weight_standardisation");
  expect(binary_sets({"binarize.flips_after=4"}), "no sign would flip");
  expect(binary_sets({"binarize.choice=listed", "binarize.layers=[\"2\"]", "train.freeze=[\"2\"]"}),
         "frozen or fixed");
  expect(binary_sets({"network.longest_delay=3"}), "as learned delays do");
}

/// A resumed run keeps its choice.
TEST(Binarize, ARunKeepsItsOptions) {
  TempDir dir;
  EXPECT_FALSE(run_part(dir / "run", binary_sets({"binarize.choice=largest"}), false, 2));
  const std::string text = message_of<UsageError>(
      [&] { run_part(dir / "run", binary_sets({"binarize.choice=random"}), true, 0); });
  EXPECT_NE(text.find("binarize.choice was \"largest\" and is now \"random\""), std::string::npos) << text;
}

}  // namespace spiketrain::binarize_test
