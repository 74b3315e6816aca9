// What a run reports, warns of and refuses, and that it repeats its bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>

#include "spiketrain/ops/torch.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::trainer_test {

TEST(Trainer, SameBitsOnAnyNumberOfThreads) {
  const int before = torch::get_num_threads();
  NamedTensors first;
  for (const int threads : {1, 2, 5}) {
    torch::set_num_threads(threads);
    Experiment experiment = tiny_experiment();
    StopAfter observer(3);
    TrainerOptions options;
    options.observers = {&observer};
    options.stop = &observer.stop;
    Trainer(experiment.training, options).run();
    const NamedTensors now = copy_of(network_tensors(experiment.training.network()));
    if (first.empty()) first = now;
    EXPECT_TRUE(same_tensors(first, now)) << threads << " threads";
  }
  torch::set_num_threads(before);
}

TEST(Trainer, LearnsAndReports) {
  Experiment experiment = tiny_experiment({"epochs=12"});
  LossRecorder recorder;
  TrainerOptions options;
  options.observers = {&recorder};
  Trainer trainer(experiment.training, options);
  EXPECT_TRUE(trainer.run());
  ASSERT_EQ(recorder.epochs.size(), 12u);
  const EpochReport& last = recorder.epochs.back();
  EXPECT_LT(last.train.loss, recorder.epochs.front().train.loss);
  EXPECT_GT(last.train.at("accuracy"), 0.6);
  EXPECT_GT(last.best.at("accuracy").test, 0.6);
  ASSERT_TRUE(last.validation.has_value());
  EXPECT_GE(last.validation->at("accuracy"), 0);
  EXPECT_EQ(last.rates.size(), 2u);
  EXPECT_EQ(recorder.losses.size(), 60u);
  EXPECT_EQ(trainer.progress().best.at("accuracy").test, last.best.at("accuracy").test);
  const Evaluation again = evaluate(experiment.training, *experiment.training.data.test, 8);
  EXPECT_EQ(again.at("accuracy"), last.test.at("accuracy"));
  EXPECT_EQ(again.loss, last.test.loss);
}

// One update in the epoch, so that means are the update's own.
TEST(Trainer, GradientNormsOfLayersMakeUpThatOfAll) {
  for (const bool blocks : {false, true}) {
    Experiment experiment = tiny_experiment(
        {"epochs=1", "data.batch=40", "train.clip_norm=1e-3", str("blocks.size=", blocks ? 1 : 0)});
    LossRecorder recorder;
    TrainerOptions options;
    options.observers = {&recorder};
    Trainer(experiment.training, options).run();
    ASSERT_EQ(recorder.epochs.size(), 1u);
    const EpochReport& epoch = recorder.epochs[0];
    EXPECT_EQ(epoch.clipped, 1);
    EXPECT_EQ(epoch.optimizer_steps, 1);
    ASSERT_EQ(epoch.grad_norms.size(), 2u);
    double squares = 0;
    for (const LayerNorm& layer : epoch.grad_norms) {
      EXPECT_GT(layer.norm, 0) << layer.spec;
      squares += layer.norm * layer.norm;
    }
    EXPECT_NEAR(std::sqrt(squares), epoch.grad_norm, 1e-9 * epoch.grad_norm);
    EXPECT_EQ(epoch.grad_norms[0].spec, "6C3");
    EXPECT_EQ(epoch.grad_norms[0].node, epoch.rates[0].node);
    const Config json = to_json(epoch);
    EXPECT_EQ(json["grad_norms"][1]["norm"], epoch.grad_norms[1].norm);
    EXPECT_EQ(json["clipped"], 1);
  }
}

TEST(Trainer, WarnsOfSilentLayers) {
  Experiment experiment = tiny_experiment({"neuron.threshold=1e6", "epochs=2"});
  LossRecorder recorder;
  TrainerOptions options;
  options.observers = {&recorder};
  Trainer(experiment.training, options).run();
  ASSERT_EQ(recorder.messages.size(), 1u) << "one warning of all layers, not one per epoch";
  for (const LayerRate& layer : recorder.epochs.at(0).rates)
    EXPECT_NE(recorder.messages[0].find(" " + layer.spec + " (rate 0)"), std::string::npos) << layer.spec;
}

TEST(Trainer, StopsAtNanWithADump) {
  TempDir dir;
  Datasets data = tiny_data();
  data.train = std::make_shared<BrokenDataset>(40, 1);
  const std::vector<std::string> sets = {"optimizer={name=\"sgd\", lr=0.01}"};
  Experiment experiment = tiny_experiment(sets, data);
  {
    RunDir run(dir / "run", false);
    TrainerOptions options;
    options.run_dir = &run;
    EXPECT_THROW(Trainer(experiment.training, options).run(), NumericError);
  }
  const SafetensorsFile dump = SafetensorsFile::open(dir / "run/nan_dump.safetensors");
  EXPECT_TRUE(std::isinf(to_tensor(dump.at("batch.x")).max().item<float>()));
  for (const auto& item : network_tensors(experiment.training.network())) {
    EXPECT_TRUE(torch::isfinite(to_tensor(dump.at(item.first))).all().item<bool>()) << item.first;
  }

  Experiment skipping = tiny_experiment({sets[0], "train.on_nan=skip"}, data);
  LossRecorder recorder;
  TrainerOptions options;
  options.observers = {&recorder};
  EXPECT_TRUE(Trainer(skipping.training, options).run());
  EXPECT_EQ(recorder.epochs[0].skipped, 1);
  for (const auto& [name, tensor] : network_tensors(skipping.training.network())) {
    EXPECT_TRUE(torch::isfinite(tensor).all().item<bool>()) << name;
  }
}

TEST(Trainer, WithoutAMetricTheLossDecides) {
  TempDir dir;
  Experiment experiment = tiny_experiment();
  experiment.training.metrics.clear();
  experiment.training.data.validation = nullptr;
  LossRecorder recorder;
  {
    RunDir run(dir / "run", false);
    TrainerOptions options;
    options.run_dir = &run;
    options.observers = {&recorder};
    EXPECT_TRUE(Trainer(experiment.training, options).run());
  }
  std::ifstream file(dir / "run/summary.json");
  const Config summary = Config::parse(file);
  double least = recorder.epochs[0].test.loss;
  for (const EpochReport& epoch : recorder.epochs) least = std::min(least, epoch.test.loss);
  EXPECT_EQ(summary.at("best_test_loss"), least);
  EXPECT_EQ(recorder.epochs[0].labels, std::vector<std::string>{"loss"});
  EXPECT_EQ(to_json(recorder.epochs[0]).count("test_accuracy"), 0u);
  const SafetensorsFile best = SafetensorsFile::open(dir / "run/ckpt/best.safetensors");
  EXPECT_EQ(progress_from_json(Config::parse(best.metadata().at("progress"))).best.at("loss").test, least);
}

/// Notes the losses of batches and of the epoch.
struct Losses : Observer {
  double sum = 0, epoch = 0;
  int64_t batches = 0;
  void on_batch(const BatchReport& report) override { sum += report.loss, ++batches; }
  void on_epoch(const EpochReport& report) override { epoch = report.train.loss; }
};

TEST(Trainer, TheLossOfABatchIsOnTheScaleOfTheEpochs) {
  for (const char* objective : {"objective=van_rossum", "objective=rate_ce"}) {
    Experiment experiment = tiny_experiment({"epochs=1", objective});
    Losses losses;
    TrainerOptions options;
    options.observers = {&losses};
    Trainer(experiment.training, options).run();
    ASSERT_GT(losses.batches, 1);
    EXPECT_NEAR(losses.sum / static_cast<double>(losses.batches), losses.epoch, 1e-6 * losses.epoch)
        << objective;
  }
}

/// Notes the order of calls.
struct Caller : Observer {
  std::string calls;
  int64_t begun_at = -1;
  void on_begin(const BeginReport& report) override {
    calls += 'b';
    begun_at = report.progress.iteration;
    report.message("hello", false);
  }
  void on_batch(const BatchReport& report) override {
    calls += '.';
    const double right = report.metrics.values(report.progress.sums.metrics).at("accuracy");
    EXPECT_TRUE(right >= 0 && right <= 1);
  }
  void on_epoch(const EpochReport&) override { calls += 'e'; }
  void on_end(const Progress& progress, bool complete) override {
    calls += complete ? 'E' : 'S';
    EXPECT_EQ(progress.epochs, 2);
  }
  void on_message(const std::string& text, bool) override {
    if (text == "hello") calls += 'm';
  }
};

TEST(Trainer, TellsEveryObserver) {
  TempDir dir;
  const auto run = [&](bool resume, size_t stop_after) {
    Experiment experiment = tiny_experiment();
    RunDir run_dir(dir / "run", resume);
    Caller first, second;
    StopAfter stopper(stop_after);
    TrainerOptions options;
    options.run_dir = &run_dir;
    options.observers = {&first, &second, &stopper};
    options.stop = &stopper.stop;
    Trainer trainer(experiment.training, options);
    if (resume) trainer.resume();
    trainer.run();
    EXPECT_EQ(first.begun_at, resume ? 3 : 0);
    EXPECT_EQ(first.calls.size(), second.calls.size());
    return first.calls;
  };
  EXPECT_EQ(run(false, 3), "bmm...S") << "each observer's message goes to all";
  EXPECT_EQ(run(true, 99), "bmm..e.....eE");
}

TEST(Trainer, RefusesWhatIsIncomplete) {
  const auto refuse = [](const std::function<void(Training&)>& change, const std::string& part) {
    Experiment experiment = tiny_experiment();
    change(experiment.training);
    const std::string message = message_of<UsageError>([&] { Trainer(experiment.training, {}); });
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  refuse([](Training& t) { t.data.test = nullptr; }, "test data");
  refuse([](Training& t) { t.optimizer = nullptr; }, "an optimizer");
  refuse([](Training& t) { t.optimizer = make<Optimizer>("sgd"); }, "attach");
  refuse([](Training& t) { t.metrics = {make<Metric>("mse")}; }, "metric mse");
  refuse([](Training& t) { t.options.batch = 64, t.options.drop_last = true; }, "do not fill one batch");
}

}  // namespace spiketrain::trainer_test
