#include "spiketrain/recipe/run_training.h"

#include <memory>
#include <utility>

#include "spiketrain/recipe/memory.h"
#include "spiketrain/recipe/saved_network.h"
#include "spiketrain/recipe/tandem_stages.h"
#include "spiketrain/recipe/toml.h"
#include "spiketrain/train/tensorboard.h"
#include "spiketrain/train/trainer.h"

namespace spiketrain {

void begin_training(Experiment& experiment, const std::string& run_dir, bool resume) {
  if (std::exchange(experiment.begun, true) || (resume && !list_checkpoints(run_dir + "/ckpt").empty()))
    return;
  const InitSection& init = experiment.recipe.init;
  const bool in_stages = experiment.recipe.tandem.has_stages();
  if (in_stages && resume && stages_have_begun(run_dir)) return;
  ST_CHECK(
      !in_stages || !init.file.empty(),
      "tandem: the stages begin with a trained analog network; give its weights as init.file (--init FILE)");
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
  if (experiment.recipe.tandem.has_stages()) {
    ST_CHECK(!group, "tandem: stages are trained in one process; use a single one");
    ST_CHECK(dir, "tandem: each stage keeps its best weights in the run directory; give one");
    begin_training(experiment, dir->path(), settings.resume);
    return train_stages(experiment, *dir, settings);
  }
  CostObserver cost(experiment.recipe);
  std::unique_ptr<TensorBoardObserver> tensorboard;
  TrainerOptions options;
  options.run_dir = dir;
  options.observers = settings.observers;
  if (dir && settings.stage.number == settings.stage.of) options.observers.push_back(&cost);
  if (dir && settings.tensorboard) {
    tensorboard = std::make_unique<TensorBoardObserver>(dir->file("tensorboard"));
    options.observers.push_back(tensorboard.get());
  }
  options.stop = settings.stop;
  options.environment = settings.environment;
  options.stage = settings.stage;
  options.best = settings.best;
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
