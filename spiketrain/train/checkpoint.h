// Checkpoints: one safetensors file with weights, buffers and optimiser state, and metadata
//   "kind" = "checkpoint" | "weights", "version", and as JSON "config" (resolved recipe), "environment" (what
//   it ran on), "data" (fingerprint of the data sets), "progress".
// Weights carry the network's own names ("0.synapse.weight"); optimiser tensors the prefix "optimizer.".
// Files are written atomically and named after the iteration, so the newest is the last by name.
// Tests: unit/checkpoint_test.cpp, train/resume_test.cpp.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "spiketrain/base/safetensors.h"
#include "spiketrain/core/network.h"
#include "spiketrain/train/optimizer.h"

namespace spiketrain {

/// Sums over the training batches of one epoch so far; doubles survive JSON unchanged.
struct EpochSums {
  double loss = 0, grad_norm = 0, seconds = 0;
  int64_t samples = 0, correct = 0, updates = 0, skipped = 0;
  std::vector<double> head_losses;      ///< [block], without the output layer's
  std::vector<int64_t> spikes, places;  ///< [slot]
};

/// Where a run stands: `batch` batches of epoch `epoch` (counted from 0) are done.
struct Progress {
  int64_t epoch = 0, batch = 0, iteration = 0, optimizer_steps = 0;
  EpochSums sums;
  double best_test = -1, best_validation = -1, test_at_best_validation = -1, last_test = -1;
  int64_t best_test_epoch = 0, best_validation_epoch = 0;  ///< counted from 1; 0: none yet
  int64_t metrics_bytes = 0;                               ///< length of metrics.jsonl
  double seconds = 0;                                      ///< of all epochs that are complete
};
Config to_json(const Progress& progress);
/// UsageError if it is not what to_json writes.
Progress progress_from_json(const Config& json);

/// What describes a run besides its tensors.
struct RunInfo {
  Config config = Config::object(), environment = Config::object();
  Config data = Config::object();  ///< fingerprint of the data sets
};

/// Parameters, then buffers, with their names; shares memory.
NamedTensors network_tensors(const Network& network);
/// Name of the first tensor that holds NaN or infinity; empty if there is none.  Spikes hide such weights:
/// the comparison with the threshold is false, the neuron silent and the loss finite.
std::string first_not_finite(const NamedTensors& tensors);

/// Writes tensors (any device, detached and made contiguous here), atomically.
void save_tensors(const std::string& path, const NamedTensors& tensors,
                  const std::map<std::string, std::string>& metadata);
/// A copy of one entry.  UsageError if LibTorch has no such type.
Tensor to_tensor(const TensorEntry& entry);

void save_checkpoint(const std::string& path, const Network& network, const Optimizer& optimizer,
                     const RunInfo& info, const Progress& progress);
/// Weights and buffers only.
void save_weights(const std::string& path, const Network& network, const RunInfo& info,
                  const Progress& progress);

/// Copies weights and buffers into the network.  UsageError names the tensor that is missing, left over, or
/// of another shape or type, DataError one that is not finite; then nothing has been changed.
void load_weights(const SafetensorsFile& file, Network& network);
/// Also the optimiser's state; returns where the run stood.
Progress load_checkpoint(const SafetensorsFile& file, Network& network, Optimizer& optimizer);
/// The recipe a file was written with.  DataError if it holds none.
Config checkpoint_config(const SafetensorsFile& file);
/// The fingerprint of the data sets it was trained on.  DataError if it holds none.
Config checkpoint_data(const SafetensorsFile& file);

/// UsageError that names the first option in which a resumed run differs in a way that would change its
/// course.
void check_resumable(const Config& before, const Config& now);

/// "dir/0000001234.safetensors"
std::string checkpoint_path(const std::string& dir, int64_t iteration);
/// Checkpoints in a folder, newest first, best.safetensors excluded.
std::vector<std::string> list_checkpoints(const std::string& dir);
/// Removes all but the newest `keep`.
void prune_checkpoints(const std::string& dir, int64_t keep);

}  // namespace spiketrain
