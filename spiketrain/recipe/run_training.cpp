#include "spiketrain/recipe/run_training.h"

#include <memory>
#include <utility>

#include "spiketrain/recipe/memory.h"
#include "spiketrain/recipe/saved_network.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/tensorboard.h"
#include "spiketrain/train/trainer.h"

namespace spiketrain {

void begin_training(Experiment& experiment, const std::string& run_dir, bool resume) {
  if (std::exchange(experiment.begun, true) || (resume && !list_checkpoints(run_dir + "/ckpt").empty()))
    return;
  const InitSection& init = experiment.recipe.init;
  const auto network = make<NetworkBuilder>(experiment.recipe.network);
  ST_CHECK(init.file.empty() || !std::dynamic_pointer_cast<StartsWithWeights>(network), "init.file: network ",
           network->part_name(), " begins with the weights of its own file; give one of them");
  const std::string line = load_initial_weights(init, experiment.training.network());
  if (!line.empty()) experiment.training.caveats.push_back(line);
}

RunEnd run_training(Experiment& experiment, RunDir* dir, const RunSettings& settings) {
  const Group* const group = experiment.training.group();
  ST_CHECK(dir || (group && group->rank() > 0) || (!settings.resume && !settings.tensorboard),
           "training: resume and tensorboard need a run directory; give one");
  CostObserver cost(experiment.recipe);
  std::unique_ptr<TensorBoardObserver> tensorboard;
  TrainerOptions options;
  options.run_dir = dir;
  options.observers = settings.observers;
  if (dir) options.observers.push_back(&cost);
  if (dir && settings.tensorboard) {
    tensorboard = std::make_unique<TensorBoardObserver>(dir->file("tensorboard"));
    options.observers.push_back(tensorboard.get());
  }
  options.stop = settings.stop;
  options.environment = settings.environment;
  options.version = settings.version;

  begin_training(experiment, dir ? dir->path() : "", settings.resume);
  Trainer trainer(experiment.training, options);
  if (settings.resume) trainer.resume();
  if (dir) {
    dir->write_text("config.toml", write_toml(experiment.training.config));
    dir->write_json("environment.json", options.environment);
  }
  const bool complete = trainer.run();
  return {trainer.progress(), complete};
}

}  // namespace spiketrain
