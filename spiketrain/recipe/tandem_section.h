// Progressive tandem learning in a recipe: the section [tandem].
#pragma once
#include <string>
#include <vector>

#include "spiketrain/base/options.h"

namespace spiketrain {

struct TandemSection {
  bool progressive = false;
  double percentile = 99.9, last_rate = 0.1;
  int64_t samples = 0;
  std::string freeze = "after";
  std::vector<double> thresholds;
  int64_t stage = 0;

  template <class V>
  void visit(V& v) {
    constexpr OnResume free = OnResume::may_change;
    v(progressive, "progressive",
      "progressive tandem learning: begins with a trained analog network (init.file) and turns its hidden layers into neurons of "
      "[neuron] one after the other, each in a stage of at most `epochs` epochs, which train.patience ends; a last stage follows, at "
      "a lower learning rate");
    v(percentile, "percentile",
      "the threshold of a layer that is converted is this percentile of its analog activations, divided by steps",
      Range{0, 100});
    v(samples, "samples", "training samples, the first ones, that the percentile is taken of; 0: one batch",
      Range{0, 1e6});
    v(freeze, "freeze",
      "a converted layer learns no more after its stage, or from its conversion on, but for the first (before: as the authors' code)",
      Choices{{"after", "before"}});
    v(last_rate, "last_rate", "factor on the learning rate in the last stage", Range{0, 1});
    v(thresholds, "thresholds",
      "firing thresholds of the layers that are converted, first to last; written by the run", Range{}, free);
    v(stage, "stage", "stage of the run that this recipe is of, from 1; 0: all; written by the run",
      Range{0, 1e6}, free);
  }
  /// UsageError for a stage that is not one of progressive learning.
  void check() const;
  /// The run goes through all stages.
  bool has_stages() const { return progressive && stage == 0; }
};

}  // namespace spiketrain
