// A recipe's training in a run directory: what `spiketrain train` and Python's spiketrain.train() both do.
// Tests: train/trainer_test.cpp, unit/cli_test.cpp, python/tests/test_train.py.
#pragma once
#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "spiketrain/recipe/experiment.h"
#include "spiketrain/train/observer.h"
#include "spiketrain/train/run_dir.h"

namespace spiketrain {

struct RunSettings {
  bool resume = false;       ///< from the newest checkpoint of the directory
  bool tensorboard = false;  ///< also write event files
  std::vector<Observer*> observers = {};
  const std::atomic<bool>* stop = nullptr;  ///< set to true: checkpoint and return after the current batch
  Config environment = Config::object();    ///< what it runs on, see train/environment.h
  StageOfRun stage = {};                    ///< of a run in stages, see recipe/tandem_stages.h
  std::map<std::string, Best> best = {};    ///< what the first epochs have to beat
  std::string version = {};                 ///< of the program: the same in all processes of a group
};

struct RunEnd {
  Progress progress;
  bool complete = false;  ///< false: it was told to stop
};

/// Gives the network the weights of [init] unless a checkpoint of `run_dir` is resumed; once.  run_training() does it, and whoever wants its errors
/// before there is a directory.  Errors as load_initial_weights(); UsageError for a network that has a file of its own, and if stages have no
/// weights to begin with.
void begin_training(Experiment& experiment, const std::string& run_dir, bool resume);

/// Trains, in stages if the recipe says so, and writes everything that a run directory holds; `dir` null: nothing is written, as in the
/// processes of a group other than the first.  Errors as Trainer's and train_stages(); stages are for one process alone.
RunEnd run_training(Experiment& experiment, RunDir* dir, const RunSettings& settings);

}  // namespace spiketrain
