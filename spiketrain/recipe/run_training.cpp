#include "spiketrain/recipe/run_training.h"

#include <memory>

#include "spiketrain/recipe/memory.h"
#include "spiketrain/recipe/saved_network.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/tensorboard.h"
#include "spiketrain/train/trainer.h"

namespace spiketrain {

RunEnd run_training(Experiment& experiment, RunDir* dir, const RunSettings& settings) {
  ST_CHECK(dir || (!settings.resume && !settings.tensorboard),
           "training: resume and tensorboard need a run directory; give one");
  CostObserver cost(experiment.recipe);
  std::unique_ptr<TensorBoardObserver> tensorboard;
  TrainerOptions options;
  options.run_dir = dir;
  options.observers = settings.observers;
  if (dir) options.observers.push_back(&cost);
  if (settings.tensorboard) {
    tensorboard = std::make_unique<TensorBoardObserver>(dir->file("tensorboard"));
    options.observers.push_back(tensorboard.get());
  }
  options.stop = settings.stop;
  options.environment = settings.environment;

  if (!settings.resume || list_checkpoints(dir->checkpoints()).empty()) {
    const auto network = make<NetworkBuilder>(experiment.recipe.network);
    ST_CHECK(experiment.recipe.init.file.empty() || !std::dynamic_pointer_cast<StartsWithWeights>(network),
             "init.file: network ", network->part_name(),
             " begins with the weights of its own file; give one of them");
    const std::string begins = load_initial_weights(experiment.recipe.init, experiment.training.network());
    if (!begins.empty()) experiment.training.caveats.push_back(begins);
  }
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
