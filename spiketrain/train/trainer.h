// Trainer = the one training loop: epoch -> batch -> (train/pass.h: window -> block).
// Everything random depends on (seed, epoch, batch) only, and a checkpoint holds all that a batch leaves
// behind, so a run that was stopped anywhere and resumed gives the same bits as one that was not. Tests:
// train/resume_test.cpp, train/trajectory_test.cpp.
#pragma once
#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "spiketrain/core/norm.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/pass.h"
#include "spiketrain/train/run_dir.h"

namespace spiketrain {

struct TrainerOptions {
  RunDir* run_dir = nullptr;                ///< null: nothing is written
  Observer* observer = nullptr;             ///< null: nobody watches
  const std::atomic<bool>* stop = nullptr;  ///< set to true: checkpoint and return after the current batch
  Config environment = Config::object();    ///< written to checkpoints
};

class Trainer {
 public:
  /// `experiment` and what `options` points to must outlive the trainer.
  Trainer(Experiment& experiment, TrainerOptions options);

  /// Continues from the newest valid checkpoint of the run directory; from the start if there is none.
  /// UsageError if the checkpoint belongs to another recipe, network or data set or is past the recipe's last
  /// epoch, or if there is none where one must have been.
  void resume();

  /// Trains until the recipe's epochs are done (true) or `stop` is set (false).  NumericError if a loss or
  /// gradient is not finite and train.on_nan is "stop", or if the loss of an evaluation or a weight is not;
  /// DataError if a file cannot be read or written.
  bool run();

  const Progress& progress() const { return progress_; }

 private:
  bool train_epoch();
  void train_batch(const Batch& batch);
  void update(const Batch& batch, const Window& window);
  void caution();
  void write_cost();
  void finish_epoch();
  void judge(const EpochReport& report);
  void warn_of_rates(const std::vector<LayerRate>& rates);
  void checkpoint();
  bool checkpoint_due();
  void finish();
  void check_weights();
  void check_same_data(const SafetensorsFile& file) const;
  void check_epochs() const;
  Evaluation evaluate_split(const Dataset& data, const char* name);
  [[noreturn]] void fail_numerically(const Batch* batch, const std::string& what, const std::string& advice);
  void check_nothing_is_lost() const;
  void collect_correct();
  void say(const std::string& text, bool warning = false);
  bool stopping() const { return options_.stop && *options_.stop; }
  RunInfo info() const { return {resolve(e_.recipe), options_.environment, data_}; }

  Experiment& e_;
  TrainerOptions options_;
  std::vector<StageInfo> stages_;
  std::vector<Tensor> synaptic_;  ///< what clamping applies to
  Optimizer optimizer_;
  std::vector<NamedTensors> blocks_;  ///< parameters of each block: clipped together
  NormStatistics norms_;              ///< as they were before the batch, should its update be skipped
  Loader loader_;
  Config data_;  ///< fingerprint of the data sets
  Progress progress_;
  Tensor correct_;      ///< right answers not yet in progress_.sums: reading them would wait for the device
  BlockLosses losses_;  ///< since the last update
  double batch_loss_ = 0;     ///< of the output layer and the last batch, summed over its windows
  std::set<int64_t> warned_;  ///< slots
  std::chrono::steady_clock::time_point last_checkpoint_ = std::chrono::steady_clock::now();
};

}  // namespace spiketrain
