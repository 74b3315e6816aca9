// Recipe = the complete configuration of one run, read from TOML.
//   top level: title seed steps epochs metrics regularizers
//   sections: [data] [events] [table] [encoder] [network] [neuron] [readout] [rule] [rules] [schedule] [blocks]
//   [feedback] [head] [learning_signal] [objective] [teacher] [optimizer] [learning_rate] [compute] [parallel]
//   [init] [tandem] [train] [binarize] [cost] [paper]
// A section that names a registered part holds `name` and that part's options.  [readout] is the output layer's
// neuron and defaults to [neuron]; [rules.PLACE] is the rule of one place; [paper] is free text that no code reads.
// A Recipe is always resolved: every option has its value, so writing it out and reading it again changes
// nothing.
// Tests: unit/config_test.cpp, unit/recipe_mutation_test.cpp.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "spiketrain/base/registry.h"
#include "spiketrain/cost/energy.h"
#include "spiketrain/data/events/event_options.h"
#include "spiketrain/data/table/table_options.h"
#include "spiketrain/recipe/initial_weights.h"
#include "spiketrain/recipe/tandem_section.h"
#include "spiketrain/train/binarizer.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

struct DataSection {
  std::string name = "glyphs";
  int64_t batch = 50;
  int64_t validation = 0;
  int64_t limit = 0, test_limit = 0;
  bool augment = false, drop_last = false;
  double rotate = 0, zoom = 0;
  int64_t train_size = 10000, test_size = 2000;
  std::vector<double> mean, std;
  int64_t loader_threads = 1;

  template <class V>
  void visit(V& v) {
    v(name, "name", "data set; `spiketrain list data` shows them");
    v(batch, "batch", "samples per batch", Range{1, 1e6});
    v(validation, "validation", "samples moved from the training to the validation split", Range{0, 1e9});
    v(limit, "limit", "use only this many training samples, the first ones; 0: all", Range{0, 1e9});
    v(test_limit, "test_limit", "use only this many test samples, the first ones; 0: all", Range{0, 1e9});
    v(augment, "augment",
      "augmentation of training images: random shift by up to 2 pixels (mnist, fashion-mnist) or 4 (cifar10), and random left-right flip (not mnist)");
    v(rotate, "rotate", "augmentation of training images: turned by up to so many degrees, black outside",
      Range{0, 180});
    v(zoom, "zoom",
      "augmentation of training images: scaled by a random factor between 1/(1 + zoom) and 1 + zoom",
      Range{0, 0.99});
    v(drop_last, "drop_last", "leave out the last training batch if it is smaller");
    v(train_size, "train_size", "built-in data sets: number of training samples", Range{1, 1e7});
    v(test_size, "test_size", "built-in data sets: number of test samples", Range{1, 1e7});
    v(mean, "mean", "[m]: x = (pixel / 255 - m) / std; []: the data set's own");
    v(std, "std", "[s]: see mean; []: the data set's own");
    v(loader_threads, "loader_threads",
      "threads that prepare batches in the background; their number does not change the batches",
      Range{1, 256}, OnResume::may_change);
  }
  /// UsageError unless mean and std are empty or one value each.
  void check() const;
};

/// How the network is cut in space.  The blocks below the last learn from [learning_signal].
struct BlockSection {
  int64_t size = 0;
  std::vector<int64_t> partition;
  std::string output = "joined", order = "auto", cut = "after_pooling";

  template <class V>
  void visit(V& v) {
    v(size, "size", "hidden layers per block, the last may have fewer; 0 or \"all\": one block, end to end",
      Range{0, 1e6});
    v(partition, "partition", "hidden layers of each block, instead of size");
    v(output, "output",
      "the output layer joins the last block, or is a block of its own: every hidden layer then learns from a head or "
      "from [learning_signal]",
      Choices{{"joined", "apart"}});
    v(order, "order",
      "block: a block finishes a window, backward included, before the next begins (least memory); time: all blocks go forward first, bit-identical, more memory; auto: block",
      Choices{{"auto", "block", "time"}}, OnResume::may_change);
    v(cut, "cut",
      "a block ends after the pooling and dropout that follow its last layer, or before them: its head then "
      "reads the layer, and they open the next block",
      Choices{{"after_pooling", "before_pooling"}});
  }
  /// UsageError if both size and partition are given.
  void check() const;
  /// Sizes of the blocks of a network of `layers` hidden layers, as Network::partition() takes them.
  std::vector<int64_t> sizes(int64_t layers) const;
};

/// How the arithmetic of a pass is done.
struct ComputeSection {
  std::string precision = "fp32", products = "automatic", memory_limit;
  int64_t samples = 0;

  template <class V>
  void visit(V& v) {
    v(precision, "precision",
      "fp32; mixed: dense matrix products and convolutions take bfloat16 operands with float32 sums where that is faster, states and the optimizer's weights stay float32",
      Choices{{"fp32", "mixed"}});
    v(products, "products",
      "how layers multiply spikes with weights: automatic: event-driven where spikes are few enough for that to be faster, else dense; events, dense: always one",
      Choices{{"automatic", "events", "dense"}});
    v(samples, "samples",
      "micro-batches: this many samples of a batch at a time, with accumulated gradients, so that memory is that of these only; 0: the whole batch; networks with batch norm, and regularizers, take all",
      Range{0, 1e6});
    v(memory_limit, "memory_limit",
      "most that the activations of a training pass may take, such as 500MiB or 2GiB: as many samples are taken at a "
      "time as fit, measured on one thread; empty: no limit");
  }
};

/// A trained network whose outputs an objective learns from; see recipe/teacher.h.
struct TeacherSection {
  std::string run, sha256;

  template <class V>
  void visit(V& v) {
    v(run, "run",
      "run directory of the teacher, or a .safetensors file of its weights, for objectives that learn from one (distillation); "
      "empty: none",
      Range{}, OnResume::may_change);
    v(sha256, "sha256",
      "digest that the teacher's file of weights must have; empty: any, and the run notes which it is");
  }
};

/// How several processes train one network together; of no effect in one by itself.
struct ParallelSection {
  int64_t line = 1;
  std::vector<int64_t> blocks;
  std::string norm = "own";
  bool bind = true;
  int64_t timeout = 30;

  template <class V>
  void visit(V& v) {
    v(line, "line",
      "processes in a line: each trains some of the network's blocks and sends their spikes on to the next; with a multiple of it each line has a share of every batch; 1: every process has all blocks",
      Range{1, 1e6}, OnResume::may_change);
    v(blocks, "blocks",
      "how many blocks each process of a line has, from the input on; []: balanced by the time they take, measured at the start",
      Range{1, 1e6}, OnResume::may_change);
    v(norm, "norm",
      "batch norm in training: own: over the samples that a process has, running statistics are their mean; group: over the batch of all processes, as one process would",
      Choices{{"own", "group"}});
    v(bind, "bind",
      "each process of a machine keeps to its own part of the cores, unless a launcher has bound it already; false: the system moves them",
      Range{}, OnResume::may_change);
    v(timeout, "timeout",
      "seconds after which a process that gives no sign of life, or that cannot be reached, ends the run of all",
      Range{2, 86400}, OnResume::may_change);
  }
};

struct Recipe {
  std::string title;
  int64_t seed = 1, steps = 5, epochs = 1;
  Config metrics = Config::array();       ///< each with name and every option; []: as the kind of target says
  Config regularizers = Config::array();  ///< likewise; []: none
  DataSection data;
  EventOptions events;
  TableOptions table;
  Config encoder, network, neuron, readout, rule, schedule;                     ///< name and every option
  Config feedback, head, learning_signal, objective, optimizer, learning_rate;  ///< likewise
  Config rules = Config::object();  ///< place -> rule; see make_method() in recipe/experiment.h
  BlockSection blocks;
  TeacherSection teacher;
  ComputeSection compute;
  ParallelSection parallel;
  InitSection init;
  BinarizeOptions binarize;
  TandemSection tandem;
  TrainOptions train;  ///< the section [train]; what comes from other sections is at its defaults
  EnergyTable cost;
  Config paper = Config::object();

  /// The values at the top level, lists of parts aside.
  template <class V>
  void visit(V& v) {
    v(title, "title", "free text", Range{}, OnResume::may_change);
    v(seed, "seed", "seed of all random numbers", Range{0, 1e15});
    v(steps, "steps", "number of time steps T per sample", Range{1, 1e5});
    v(epochs, "epochs", "passes over the training data", Range{0, 1e9}, OnResume::may_change);
  }
};

/// Checks a configuration and fills in every default.  UsageError on unknown sections, options or names.
Recipe make_recipe(const Config& config);
/// The same from TOML text; `origin` is named in errors.
Recipe parse_recipe(const std::string& text, const std::string& origin = "recipe");
/// The configuration in a file (at most 1 MiB), not yet checked.  DataError if it cannot be read, UsageError if
/// there is none, or "file:line:column: what" if it is no TOML.
Config load_config(const std::string& path);
Recipe load_recipe(const std::string& path);

/// Applies "section.key=value"; the value is read as TOML, or as plain text if it is none.  UsageError if the
/// assignment is malformed.
void apply_set(Config& config, const std::string& assignment);

/// Every option with its value, in the order of a recipe.
Config resolve(const Recipe& recipe);

/// Options of the top level ("") and of the sections that name no registered part.
OptionDocs recipe_options();

/// The same with the options of the parts that `recipe` names, by section: what resolve() may hold.
OptionDocs resolved_options(const Recipe& recipe);

}  // namespace spiketrain
