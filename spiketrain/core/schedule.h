// Schedule = which steps are worked on together, where credit is cut, and when the weights change.
#pragma once
#include <vector>

#include "spiketrain/base/registry.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain {

/// What happens in a segment.
enum class Role {
  burn_in,  ///< forward only: state and traces advance, no error enters
  live,     ///< forward, loss, backward; credit does not leave it
  replay  ///< forward without a graph, and once more, from the last such segment back, for the gradient: credit
  ///< crosses from each into the one before, as far as replay segments follow each other.  Their loss is
  ///< taken over all of them as over one segment.
};

/// Steps [t0, t1).  State is carried into a segment.
struct Segment {
  int64_t t0 = 0, t1 = 0;
  Role role = Role::live;
  bool update = true;      ///< the optimiser steps after it
  double lr_factor = 1;    ///< on the learning rate of that update
  double loss_factor = 1;  ///< on its share of the loss, which by itself is a mean over the steps with error
  int64_t steps() const { return t1 - t0; }
};
using Plan = std::vector<Segment>;

/// Option of schedules in which error enters at some steps only: what the sum of their losses is divided by.
inline Choices divide_by_choices() { return {{"scored", "steps", "one"}}; }
inline const char* divide_by_doc() {
  return "what the summed loss of the steps with error is divided by: their number, T, or one";
}
/// Sets the loss factors of a plan for T steps.
void divide_loss(Plan& plan, int64_t steps, const std::string& divide_by);

/// What a schedule may look at.
struct PlanRequest {
  int64_t steps = 1;                 ///< T
  uint64_t seed = 0, iteration = 0;  ///< key of random plans
  torch::Tensor lengths = {};        ///< [B] int64, see Batch; undefined: T
};

struct Schedule : Part {
  /// Segments for one batch.
  virtual Plan plan(const PlanRequest& request) const = 0;
};

/// UsageError unless the segments cover [0, steps) in order, the last one updates, and error enters before each
/// update; replay segments that follow each other may update only after the last of them.
void check_plan(const Plan& plan, int64_t steps);

/// Most segments that see the same weights.
int64_t segments_per_update(const Plan& plan);

/// Number of updates in a plan.
int64_t updates(const Plan& plan);

}  // namespace spiketrain
