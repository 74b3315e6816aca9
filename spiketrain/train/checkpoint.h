// Checkpoints: one safetensors file with weights, buffers and optimizer state, and metadata
//   "kind" = "checkpoint" | "weights", "version", and as JSON "config" (resolved recipe), "environment" (what
//   it ran on), "data" (fingerprint of the data sets), "network" (Network::config(), if it can be written),
//   "progress"; and "spiketrain.sha256", by which damage is found (base/safetensors.h).
// Weights carry the network's own names ("0.synapse.weight"); optimizer tensors the prefix "optimizer.", those of the
// learner (Learner::state) "learner.".
// Files are written atomically and named after the iteration, so the newest is the last by name.
// Tests: unit/checkpoint_test.cpp, train/resume_test.cpp.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/base/safetensors.h"
#include "spiketrain/core/network.h"
#include "spiketrain/core/optimizer.h"
#include "spiketrain/train/progress.h"

namespace spiketrain {

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

/// Writes tensors (any device, detached and made contiguous here), atomically and sealed.
void save_tensors(const std::string& path, const NamedTensors& tensors,
                  const std::map<std::string, std::string>& metadata);
/// Any file that holds weights.  DataError if it is missing, malformed or damaged; files older than version 3 have no
/// checksum.
SafetensorsFile open_checkpoint(const std::string& path);
/// A copy of one entry.  UsageError if LibTorch has no such type.
Tensor to_tensor(const TensorEntry& entry);

/// `learner`: Learner::state().
void save_checkpoint(const std::string& path, const Network& network, const Optimizer& optimizer,
                     const RunInfo& info, const Progress& progress, const NamedTensors& learner = {});
/// Weights and buffers only.
void save_weights(const std::string& path, const Network& network, const RunInfo& info,
                  const Progress& progress);

/// Copies weights and buffers into the network.  UsageError names the tensor that is missing, left over, or
/// of another shape or type, DataError one that is not finite; then nothing has been changed.
void load_weights(const SafetensorsFile& file, Network& network);
/// The network of a checkpoint or of saved weights, built anew, with its weights: no recipe is needed.
/// DataError if the file does not hold a network, or cannot be read; errors of load_weights().
std::shared_ptr<Network> load_network(const std::string& path);
/// Weights, buffers, the optimizer's state and `learner`, the tensors of Learner::state(); returns where the run stood.
/// UsageError also if the file describes another network.
Progress load_checkpoint(const SafetensorsFile& file, Network& network, Optimizer& optimizer,
                         const NamedTensors& learner = {});
/// A recipe of an earlier revision with values that were renamed since; it stays as it is otherwise.
Config with_present_names(Config recipe);
/// The recipe a file was written with, in present names.  DataError if it holds none.
Config checkpoint_config(const SafetensorsFile& file);
/// The fingerprint of the data sets it was trained on.  DataError if it holds none.
Config checkpoint_data(const SafetensorsFile& file);

/// What the run had run on.  DataError if it holds none.
Config checkpoint_environment(const SafetensorsFile& file);

/// "dir/0000001234.safetensors"
std::string checkpoint_path(const std::string& dir, int64_t iteration);
/// Checkpoints in a folder, newest first, best.safetensors excluded.
std::vector<std::string> list_checkpoints(const std::string& dir);
/// Removes all but the newest `keep`.
void prune_checkpoints(const std::string& dir, int64_t keep);

}  // namespace spiketrain
