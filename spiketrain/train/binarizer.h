// Which layers' weights are binary, chosen while a network trains: at the start of an epoch, from estimates of what it costs, under a budget of
// storage; and, if asked for, a last phase in which binary weights change by flips of their signs alone.
//   relative_error  ||W - B||^2 / ||W||^2 of each layer, B its binary weight
//   loss_increase   loss with the layer binary less loss with it in full precision, the other layers as they are, on validation samples; the
//                   norms' statistics are estimated anew for each
//   largest, random the layer with most weights first; an order that the seed draws: to compare with
// Whether a layer is binary is a buffer of the network (core/switched_quantizer.h), so checkpoints hold it.
// Source: after Pei et al. 2023, "ALBSNN", of which only the idea was at hand: estimators, scheduler and their constants are ours.
// Tests: train/binarize_test.cpp, golden/albsnn_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/weight_storage.h"
#include "spiketrain/train/training.h"

namespace spiketrain {

/// The recipe's section [binarize].
struct BinarizeOptions {
  std::string choice = "none";
  double budget = 0.8;
  int64_t warmup = 1, every = 0, at_most = 0, samples = 500, norm_batches = 30, flips_after = 0;
  double flip_rate = 1e-3, flip_threshold = 1e-6;
  std::vector<std::string> keep, layers;

  template <class V>
  void visit(V& v) {
    v(choice, "choice",
      "which layers with the quantizer binary are binary: none: all of them, from the start; loss_increase: those that raise the loss on "
      "validation samples least; relative_error: those whose weights change least; largest: those with most weights; random: any; listed: "
      "those in layers",
      Choices{{"none", "loss_increase", "relative_error", "largest", "random", "listed"}});
    v(budget, "budget",
      "most that the network's numbers may take when stored, as a share of 32 bits each; layers become binary until they fit",
      Range{1e-6, 1});
    v(warmup, "warmup", "epochs in full precision before the first choice", Range{0, 1e9});
    v(every, "every", "epochs from one choice to the next; 0: one choice for good", Range{0, 1e9});
    v(at_most, "at_most",
      "layers that a choice may add to those before, which then stay binary; 0: each choice begins anew",
      Range{0, 1e6});
    v(samples, "samples", "loss_increase: validation samples to measure on, in whole batches", Range{1, 1e9});
    v(norm_batches, "norm_batches",
      "training batches from which statistics of norms are estimated anew, after a choice and for each loss that is measured; 0: they stay",
      Range{0, 1e6});
    v(keep, "keep", "places that stay in full precision, such as readout; names as in [rules]");
    v(layers, "layers", "listed: places that become binary after the warm-up");
    v(flips_after, "flips_after",
      "epochs after which the weights of binary layers change by flips of their signs alone; 0: never",
      Range{0, 1e9});
    v(flip_rate, "flip_rate", "weight of a new gradient in the evidence for a flip", Range{1e-9, 1});
    v(flip_threshold, "flip_threshold", "evidence above which a sign flips, in units of the gradient",
      Range{0, 1e9});
  }
  /// UsageError if options contradict each other.
  void check() const;
  bool chooses() const { return choice != "none"; }
  /// Whether a training has anything to do for it.
  bool active() const { return chooses() || flips_after > 0; }
};

class Binarizer {
 public:
  using Stages = std::vector<std::shared_ptr<Stage>>;
  /// `keep` and `listed`: the stages at those places.  All layers begin in full precision, unless choice is none.  UsageError if no layer can be chosen, if the
  /// budget is out of reach, or if flips have no weights to flip.
  Binarizer(BinarizeOptions options, std::shared_ptr<const Network> network, const Stages& keep,
            const Stages& listed, uint64_t seed);

  /// What the start of an epoch changed, for people; `layers`: other layers are binary now.
  struct Change {
    bool layers = false;
    std::vector<std::string> lines = {};
  };
  /// Before the first batch of an epoch, counted from 0; again for the same epoch, it does nothing.
  Change begin_epoch(const Training& training, int64_t epoch);
  /// Between the gradients of an update and the optimizer's step: weights that flip keep no gradient.
  void before_step();
  /// At the end of an epoch: how many signs flipped in it; empty: none could.
  std::string end_epoch();
  /// What is wrong at the end of a run; empty: nothing.
  std::string complaint() const;
  /// What a run that is stopped and resumed has to keep; shares memory.
  NamedTensors state() const;

  /// Cost of making each candidate binary, as the choice measures it, in the order of candidates().
  std::vector<double> costs(const Training& training, int64_t epoch) const;
  /// Layers that may be chosen.
  const std::vector<StoredWeight>& candidates() const { return candidates_; }

 private:
  bool is_due(int64_t epoch) const;
  bool flips() const;
  void choose(const Training& training, int64_t epoch, Change& change);
  void begin_flips(Change& change);
  std::vector<double> loss_increases(const Training& training, int64_t epoch) const;

  BinarizeOptions options_;
  std::shared_ptr<const Network> network_;
  uint64_t seed_;
  std::vector<StoredWeight> candidates_;
  std::vector<bool> listed_;      ///< [candidate]
  Tensor begun_;                  ///< int64: the last epoch that began; -1: none
  std::vector<Tensor> evidence_;  ///< [candidate] for flips; empty: there are none
  Tensor flipped_;                ///< int64: flips in this epoch
};

}  // namespace spiketrain
