// Training = what a run trains, on what and how: everything the trainer needs, without a recipe.
#pragma once
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/core/optimizer.h"
#include "spiketrain/data/dataset.h"
#include "spiketrain/engine/learner.h"
#include "spiketrain/train/rates.h"

namespace spiketrain {

/// The recipe's section [train], and what it says at the top level and in [data] about how a run proceeds.
struct TrainOptions {
  int64_t seed = 1, epochs = 1, batch = 50, loader_threads = 1;
  bool drop_last = false;
  double clip_norm = 0, clamp = 0;
  int64_t checkpoint_every = 1, checkpoint_batches = 0, checkpoint_seconds = 0, keep = 3;
  int64_t eval_batch = 0, gradient_cosine = 0, patience = 0;
  std::vector<std::string> freeze;
  std::string on_nan = "stop";
  double dead_below = 1e-3, saturated_above = 0.9;

  /// The section [train]; the fields of the first two lines belong to other sections.
  template <class V>
  void visit(V& v) {
    constexpr OnResume free = OnResume::may_change;
    v(clip_norm, "clip_norm",
      "gradient clipping: largest norm of the gradient of all parameters of a block; 0: none", Range{0, 1e9});
    v(patience, "patience",
      "early stopping: end after so many epochs in which the first metric has not improved on the validation split; 0: no early stopping",
      Range{0, 1e9}, free);
    v(freeze, "freeze",
      "places that do not learn: their weights, neuron parameters and norm statistics stay as they are; names as in "
      "[rules]: a layer, block0, readout");
    v(clamp, "clamp", "synaptic weights are kept in [-clamp, clamp]; 0: no limit", Range{0, 1e9});
    v(checkpoint_every, "checkpoint_every", "epochs between checkpoints", Range{1, 1e9}, free);
    v(checkpoint_batches, "checkpoint_batches", "also after this many batches; 0: no", Range{0, 1e12}, free);
    v(checkpoint_seconds, "checkpoint_seconds", "also after this many seconds; 0: no", Range{0, 1e9}, free);
    v(keep, "keep", "number of checkpoints kept", Range{1, 1e6}, free);
    v(eval_batch, "eval_batch", "samples per batch in evaluation; 0: as in training", Range{0, 1e6});
    v(gradient_cosine, "gradient_cosine",
      "after each epoch, cosine between the recipe's gradient and that of full BPTT, for each layer, on this many training samples; 0: no",
      Range{0, 1e6}, free);
    v(on_nan, "on_nan",
      "a training loss or gradient that is not finite: stop with exit code 4, or skip the update; weights or "
      "an evaluation that are not finite stop in any case",
      Choices{{"stop", "skip"}}, free);
    v(dead_below, "dead_below", "warn of layers with fewer spikes per neuron and step than this", Range{0, 1},
      free);
    v(saturated_above, "saturated_above", "warn of layers with more spikes per neuron and step than this",
      Range{0, 1}, free);
  }
};

/// What is wrong if TrainOptions::patience comes without validation data.
inline constexpr const char* kPatienceNeedsValidation =
    "train.patience: expected a validation split to stop by; set data.validation to a number of samples, or give validation "
    "data";

/// Options of a configuration by section; those of the section "" stand at its top level.
using OptionDocs = std::vector<std::pair<std::string, std::vector<OptionDoc>>>;

class Binarizer;

struct Training {
  std::shared_ptr<Learner> learner;
  Datasets data;
  std::shared_ptr<Optimizer> optimizer;           ///< attached to the network's parameters
  std::shared_ptr<const LearningRate> rate = {};  ///< null: constant
  std::vector<MetricP> metrics = {};  ///< the first decides which epoch is best; empty: the loss does
  TrainOptions options = {};
  torch::Device device = torch::kCPU;  ///< of the network; batches are moved there
  Config config = Config::object();    ///< the resolved recipe, for checkpoints; {} without one
  OptionDocs docs = {};                ///< of `config`: which options a resumed run may change
  std::vector<std::string> caveats =
      {};  ///< what else should be said before this run is compared with another
  RateAdvice rate_advice = {};
  std::shared_ptr<Binarizer> binarizer = {};  ///< null: which layers are binary does not change

  Network& network() const { return learner->network(); }
  /// The processes that train together; null: this one alone.
  Group* group() const { return learner->parts().group.get(); }
  /// Those of them that have the other blocks; null: all blocks are here.
  BlockPipe* pipe() const { return learner->parts().pipe.get(); }
  /// Whether the first block is here.
  bool reads_inputs() const { return !pipe() || pipe()->at_bottom(); }
};

}  // namespace spiketrain
