// Dormant neurons: those that no error can pass in a sample, because the surrogate derivative psi = da/dI is zero at every step.
// Only surrogates that are zero away from the threshold (rect, triangle, a gate) make any.
// Source: the notion of Feng et al. 2022, "Multi-level firing with spiking DS-ResNet"; there in training, here in whatever passes are
// watched.  Tests: unit/dormant_test.cpp.
#pragma once
#include <map>

#include "spiketrain/core/watch.h"

namespace spiketrain {

class DormantWatch : public Watch {
 public:
  void saw(size_t, const std::vector<Signal>&, const Signal&, const Context&) override {}
  uint32_t wants(int64_t /*slot*/) const override { return kPsi; }
  void fired(int64_t slot, const Record& record, const Context& context) override;
  /// All segments of a batch have run.
  void end_batch();
  /// [slot] Share of the neurons of each layer that were dormant, over the samples of the batches so far; layers whose
  /// neurons have no psi are missing.
  std::map<int64_t, double> shares() const;

 private:
  struct Count {
    double dormant = 0, all = 0;
  };
  std::map<int64_t, Tensor> awake_;  ///< of the batch that runs [B,*] bool
  std::map<int64_t, Count> counts_;
};

}  // namespace spiketrain
