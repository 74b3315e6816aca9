// Recipe = the complete configuration of one run, read from TOML.
//   top level: title seed steps epochs
//   [data] [events] [encoder] [network] [neuron] [readout] [rule] [schedule] [blocks] [head] [objective]
//   [optimizer] [lr] [train] [cost] [paper]
// Sections that name a registered part (encoder ... objective) hold that part's options; [readout] is the
// output layer's neuron and defaults to [neuron]; [paper] is free text that no code reads.
// A Recipe is always resolved: every option has its value, so writing it out and reading it again changes
// nothing.
// Tests: unit/config_test.cpp.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/core/registry.h"
#include "spiketrain/data/events/event_options.h"
#include "spiketrain/networks/head.h"
#include "spiketrain/train/energy.h"
#include "spiketrain/train/optimizer.h"

namespace spiketrain {

struct DataSection {
  std::string name = "glyphs";
  int64_t batch = 50;
  int64_t validation = 0;
  int64_t limit = 0, test_limit = 0;
  bool augment = false, drop_last = false;
  int64_t train_size = 10000, test_size = 2000;
  std::vector<double> mean, std;

  template <class V>
  void visit(V& v) {
    v(name, "name", "data set; `spiketrain list data` shows them");
    v(batch, "batch", "samples per batch", Range{1, 1e6});
    v(validation, "validation", "samples moved from the training to the validation split", Range{0, 1e9});
    v(limit, "limit", "use only the first so many training samples; 0: all", Range{0, 1e9});
    v(test_limit, "test_limit", "use only the first so many test samples; 0: all", Range{0, 1e9});
    v(augment, "augment",
      "training images: random shift by up to 2 pixels (mnist, fashion-mnist) or 4 (cifar10), and random "
      "mirror (not mnist)");
    v(drop_last, "drop_last", "leave out the last training batch if it is smaller");
    v(train_size, "train_size", "built-in data sets: number of training samples", Range{1, 1e7});
    v(test_size, "test_size", "built-in data sets: number of test samples", Range{1, 1e7});
    v(mean, "mean", "[m]: x = (pixel / 255 - m) / std; []: the data set's own");
    v(std, "std", "[s]: see mean; []: the data set's own");
  }
};

/// How the network is cut in space.  Each block but the last has a head, section [head]; the last block's
/// head is the output layer.
struct BlockSection {
  int64_t size = 0;
  std::vector<int64_t> partition;
  std::string order = "auto", cut = "after_pooling";

  template <class V>
  void visit(V& v) {
    v(size, "size", "hidden layers per block, the last may have fewer; 0 or \"all\": one block, end to end",
      Range{0, 1e6});
    v(partition, "partition", "hidden layers of each block, instead of size");
    v(order, "order",
      "block: a block finishes a window, backward included, before the next begins (least memory); time: all "
      "blocks go forward first, the same bits; auto: block",
      Choices{{"auto", "block", "time"}});
    v(cut, "cut",
      "a block ends after the pooling and dropout that follow its last layer, or before them: its head then "
      "reads the layer, and they open the next block",
      Choices{{"after_pooling", "before_pooling"}});
  }
  /// Sizes of the blocks of a network of `layers` hidden layers.
  std::vector<int64_t> sizes(int64_t layers) const;
};

struct TrainSection {
  double clip_norm = 0;
  double clamp = 0;
  int64_t checkpoint_every = 1, checkpoint_batches = 0, checkpoint_seconds = 0;
  int64_t keep = 3;
  int64_t eval_batch = 0;
  std::string on_nan = "stop";
  double dead_below = 1e-3, saturated_above = 0.9;
  int64_t gradient_cosine = 0;

  template <class V>
  void visit(V& v) {
    v(clip_norm, "clip_norm",
      "largest norm of the gradient, of all parameters of a block together; 0: no clipping", Range{0, 1e9});
    v(clamp, "clamp", "synaptic weights are kept in [-clamp, clamp]; 0: no limit", Range{0, 1e9});
    v(checkpoint_every, "checkpoint_every", "epochs between checkpoints", Range{1, 1e9});
    v(checkpoint_batches, "checkpoint_batches", "also after so many batches; 0: no", Range{0, 1e12});
    v(checkpoint_seconds, "checkpoint_seconds", "also after so many seconds; 0: no", Range{0, 1e9});
    v(keep, "keep", "number of checkpoints kept", Range{1, 1e6});
    v(eval_batch, "eval_batch", "samples per batch in evaluation; 0: as in training", Range{0, 1e6});
    v(gradient_cosine, "gradient_cosine",
      "after each epoch, compare the gradient of so many training samples with that of the whole sequence "
      "and "
      "one block, layer by layer; 0: no",
      Range{0, 1e6});
    v(on_nan, "on_nan", "a loss or gradient that is not finite: stop with exit code 4, or skip the update",
      Choices{{"stop", "skip"}});
    v(dead_below, "dead_below", "warn of layers that fire less often than this", Range{0, 1});
    v(saturated_above, "saturated_above", "warn of layers that fire more often than this", Range{0, 1});
  }
};

struct Recipe {
  std::string title;
  int64_t seed = 1, steps = 5, epochs = 1;
  DataSection data;
  EventOptions events;
  Config encoder, network, neuron, readout, rule, schedule, objective;  ///< name and every option
  BlockSection blocks;
  HeadOptions head;
  OptimizerOptions optimizer;
  LrOptions lr;
  TrainSection train;
  EnergyTable cost;
  Config paper = Config::object();

  /// The values at the top level.
  template <class V>
  void visit(V& v) {
    v(title, "title", "free text");
    v(seed, "seed", "key of everything random", Range{0, 1e15});
    v(steps, "steps", "time steps T per sample", Range{1, 1e5});
    v(epochs, "epochs", "passes over the training data", Range{0, 1e9});
  }
};

/// Checks a configuration and fills in every default.  UsageError on unknown sections, options or names.
Recipe make_recipe(const Config& config);
/// The same from TOML text; `origin` is named in errors.
Recipe parse_recipe(const std::string& text, const std::string& origin = "recipe");
/// The configuration in a file (at most 1 MiB), not yet checked.  DataError if it cannot be read, UsageError
/// "file:line:column: what" if it is no TOML.
Config load_config(const std::string& path);
Recipe load_recipe(const std::string& path);

/// Applies "section.key=value"; the value is read as TOML, or as plain text if it is none.  UsageError if the
/// assignment is malformed.
void apply_set(Config& config, const std::string& assignment);

/// Every option with its value, in the order of a recipe.
Config resolve(const Recipe& recipe);

/// Options of the top level ("") and of the sections that name no registered part.
std::vector<std::pair<std::string, std::vector<OptionDoc>>> recipe_options();

}  // namespace spiketrain
