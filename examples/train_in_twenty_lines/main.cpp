// Trains a convolutional spiking network on the built-in drawn digits, without a recipe and without files.
// Usage: train_in_twenty_lines [TRAINING_SAMPLES [EPOCHS]]
#include <cstdlib>
#include <iostream>

#include "spiketrain/spiketrain.h"

using namespace spiketrain;

struct Print final : Observer {
  void on_epoch(const EpochReport& report) override {
    std::cout << "epoch " << report.epoch << "  loss " << report.train.loss << "  test accuracy "
              << report.test.at("accuracy") << std::endl;
  }
};

int main(int argc, char** argv) {
  DataOptions data;  // "glyphs", the training split
  data.train_size = argc > 1 ? std::atoll(argv[1]) : 5000;

  NetworkContext context;
  context.input = {1, 28, 28};
  context.output = {10};
  context.neuron = context.readout = [] { return make<Neuron>("lif", {{"leak", 0.5}}); };
  LearnerParts parts;
  parts.network = make<NetworkBuilder>("spec", {{"spec", "12C5-P2-24C5-P2-10"}})->build(context);
  parts.network->initialise(/*seed=*/1);
  parts.method.rule = make<Rule>("bptt");
  parts.objective = make<Objective>("rate_ce");
  parts.steps = 4;

  Training training;
  training.learner = std::make_shared<Learner>(parts);
  training.data.train = open_dataset(data);
  data.split = "test";
  training.data.test = open_dataset(data);
  training.optimizer = make<Optimizer>("adamw", {{"lr", 2e-3}});
  training.optimizer->attach(named_parameters(*parts.network));
  training.metrics = {make<Metric>("accuracy")};
  training.options.epochs = argc > 2 ? std::atoll(argv[2]) : 3;

  Print print;
  TrainerOptions options;
  options.observers = {&print};
  Trainer(training, options).run();
}
