// Trainer = the one training loop: epoch -> batch -> Learner::pass (engine/learner.h) -> update.
// Everything random depends on (seed, epoch, batch, sample) only, and a checkpoint holds all that a batch
// leaves behind, so a run that was stopped anywhere and resumed gives the same bits as one that was not.
// Tests: train/trainer_test.cpp, train/resume_test.cpp, train/guard_test.cpp, train/trajectory_test.cpp.
#pragma once
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/norm.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/observer.h"

namespace spiketrain {

struct TrainerOptions {
  RunDir* run_dir = nullptr;                ///< null: nothing is written
  std::vector<Observer*> observers = {};    ///< told in this order
  const std::atomic<bool>* stop = nullptr;  ///< set to true: checkpoint and return after the current batch
  Config environment = Config::object();    ///< written to checkpoints
  StageOfRun stage = {};                    ///< told to the observers
  std::map<std::string, Best> best = {};    ///< what the first epochs have to beat; empty: nothing
  std::string version = {};                 ///< of the program, which all processes of a group must share
};

class Trainer {
 public:
  /// `training` and what `options` points to must outlive the trainer.  UsageError if something is missing, a
  /// metric cannot judge the targets, or the data do not fill a batch.
  Trainer(Training& training, TrainerOptions options);

  /// Continues from the newest valid checkpoint of the run directory; from the start if there is none.
  /// UsageError if the checkpoint belongs to another configuration, network or data set or is past the last
  /// epoch, or if there is none where one must have been.
  /// In a group process 0 does, which has the run directory, and the others continue with it.
  void resume();

  /// Trains until the epochs are done (true) or `stop` is set (false).  NumericError if a loss or gradient is
  /// not finite and on_nan is "stop", or if the loss of an evaluation or a weight is not; DataError if a file
  /// cannot be read or written.
  bool run();

  const Progress& progress() const { return progress_; }

 private:
  struct Gathered;

  void check_line() const;
  void begin();
  bool out_of_patience() const;
  bool train_epoch();
  void begin_epoch();
  /// What the learner and the choice of binary layers keep from batch to batch.
  NamedTensors kept() const;
  void train_batch(const Batch& batch);
  Gathered gather(const BlockLosses& losses) const;
  bool update(const Batch& batch, const Segment& segment, const BlockLosses& losses);
  double learning_rate(int64_t iteration) const;
  void finish_epoch();
  EpochReport report_training() const;
  void evaluate_splits(EpochReport& report);
  Scores evaluate_split(const Dataset& data, const char* name, double& seconds);
  void check_weights();
  /// Advice where on_nan = "skip" does not help.
  const char* past_skipping() const;
  struct Left;
  void hand_in(std::vector<Tensor> metrics, std::vector<Tally::Count> counts, int64_t samples);
  void take_up();
  void agree(int64_t stop, int64_t due);
  void add_norms(const double* of_blocks);
  EpochSums settled();
  void keep_own(EpochSums& sums) const;
  void collect();
  Group::Traffic traffic();
  bool checkpoint_due() const;
  bool checkpoint_time() const;
  void checkpoint();
  void write_checkpoint(const Progress& progress);
  void check_epochs() const;
  void finish();
  void report_storage();
  [[noreturn]] void fail(const Batch* batch, const std::string& what, const std::string& advice);
  void message(const std::string& text, bool warning = false);
  void resume_here();
  /// In a group only together, after a batch.
  bool stopping() const { return group_ ? group_stops_ : options_.stop && *options_.stop; }
  RunInfo info() const { return {t_.config, options_.environment, data_}; }

  Training& t_;
  Group* group_;     ///< null: a process by itself
  BlockPipe* pipe_;  ///< null: all blocks are here
  TrainerOptions options_;
  Network& network_;
  MetricSet metrics_;
  std::vector<Tensor> synaptic_;      ///< what clamping applies to
  std::vector<NamedTensors> blocks_;  ///< parameters of each block that is here: clipped together
  std::vector<LayerNorm>
      layers_;  ///< layers and other stages that learn, block by block, each block's head after it
  std::vector<std::vector<size_t>> layer_of_;  ///< [block][parameter] which of them
  NormStatistics norms_;  ///< as they were after the last update, should the next be skipped
  RateWarnings rate_warnings_;
  Loader loader_;
  Config data_;  ///< fingerprint of the data sets
  Progress progress_;
  std::shared_ptr<Left> left_;  ///< of the last batch, on its way between processes; null: taken up
  bool group_stops_ = false, group_saves_ = false;  ///< what the group has agreed on
  std::vector<double> norms_here_;  ///< [update][block] of gradients, where the other blocks' are elsewhere
  double batch_loss_ = 0;           ///< of the output layer and the last batch, summed over its updates
  std::chrono::steady_clock::time_point last_checkpoint_ = std::chrono::steady_clock::now();
};

}  // namespace spiketrain
