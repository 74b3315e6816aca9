// Schedule = which steps are worked on together, where credit is cut, and when the weights change.
#pragma once
#include <optional>
#include <vector>

#include "spiketrain/base/registry.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain {

/// What happens in a segment.
enum class Role {
  burn_in,  ///< forward only: state and traces advance, no loss
  live,     ///< forward, loss, backward; no gradient leaves it
  replay  ///< forward without a graph, and once more, from the last such segment back, for the gradient, which
  ///< is backpropagated from each into the one before, as far as replay segments follow each other.  Their loss is
  ///< taken over all of them as over one segment.
};

/// What becomes of the steps of a replay segment that Schedule::select leaves out.
enum class Skip {
  none,  ///< there are none
  pass,  ///< they are not recomputed: what is carried, and its gradient in backward, pass over them unchanged
  cut    ///< they are recomputed for the states alone: no loss there, no gradient crosses them
};

/// Steps [t0, t1).  State is carried into a segment.
struct Segment {
  int64_t t0 = 0, t1 = 0;
  Role role = Role::live;
  bool update = true;      ///< the optimiser steps after it
  double lr_factor = 1;    ///< on the learning rate of that update
  double loss_factor = 1;  ///< on its share of the loss, which by itself is a mean over the steps with a loss
  Skip skip = Skip::none;
  int64_t skipped = 0;  ///< most steps that are left out; select() may find fewer
  int64_t silent = 0;   ///< first steps without a loss, though the gradient of later ones passes through them
  int64_t unread = 0;   ///< first steps that the prediction leaves out
  int64_t steps() const { return t1 - t0; }
  /// Steps with a loss: the last of them.
  int64_t scored() const { return role == Role::burn_in ? 0 : steps() - silent; }
  /// Steps of which something is kept for backward, if as many are left out as possible.
  int64_t learning() const { return role == Role::burn_in ? 0 : steps() - skipped; }
};
using Plan = std::vector<Segment>;

/// Option of schedules with a loss at some steps only: the divisor of the sum of their losses.
inline Choices divide_by_choices() { return {{"scored", "steps", "one"}}; }
inline const char* divide_by_doc() {
  return "the losses of the steps are added up and divided by: scored: the number of steps with a loss; steps: T; one: nothing";
}
/// Options of schedules whose loss may cover the last steps alone.
inline const char* live_doc() { return "only the last so many steps have a loss; 0: all"; }
inline Choices predict_choices() { return {{"all", "scored"}}; }
inline const char* predict_doc() {
  return "steps that the prediction reads, in training and evaluation: all, or scored: those with a loss";
}
/// Restricts the loss to the last `live` of T steps (0: all): a live segment before them becomes a burn-in, while replay
/// segments still backpropagate.  UsageError if T has not as many.
void score_last(Plan& plan, int64_t steps, int64_t live, const char* schedule);
/// Predictions leave out the steps without a loss.
void read_scored(Plan& plan);
/// Of a loss that is a mean over `scored` of T steps.
double loss_factor(int64_t scored, int64_t steps, const std::string& divide_by);
/// Sets the loss factors of a plan for T steps.
void divide_loss(Plan& plan, int64_t steps, const std::string& divide_by);

/// What a schedule may look at.
struct PlanRequest {
  int64_t steps = 1;                 ///< T
  uint64_t seed = 0, iteration = 0;  ///< key of random plans
  torch::Tensor lengths = {};        ///< [B] int64, see Batch; undefined: T
  torch::Tensor scores = {};         ///< [T] double, see Scoring; undefined: none yet
};

/// Which steps of replay segments that follow each other are kept.
struct Selection {
  std::vector<bool> kept = {};  ///< [step], from the first of the first segment on
  double loss_factor = 1;       ///< as Segment's, on the mean over the kept steps
};

/// When the learner measures how much each step adds to the gradient (engine/step_scores.h): in the first batch and in
/// every `refresh`-th iteration (0: never again), joined with what was before as smoothing*before + (1-smoothing)*now.
struct Scoring {
  int64_t refresh = 0;
  double smoothing = 0;
};

struct Schedule : Part {
  /// Segments for one batch.
  virtual Plan plan(const PlanRequest& request) const = 0;
  /// After the first pass over replay segments that follow each other, some of which skip steps: activity [step] is the
  /// number of spikes of all layers and samples.  The default keeps all.
  virtual Selection select(const Plan& segments, const std::vector<int64_t>& activity) const;
  /// Whether plan() reads scores, for T steps.
  virtual std::optional<Scoring> scoring(int64_t /*steps*/) const { return {}; }
};

/// Whether steps are left out in some segment.
bool skips(const Plan& plan);

/// UsageError unless the segments cover [0, steps) in order, the last one updates, and error enters before each
/// update; replay segments that follow each other may update only after the last of them, and their silent steps come
/// first.  Steps are left out only where replay segments that follow each other are all that error enters in, because the
/// loss waits for what is kept.
void check_plan(const Plan& plan, int64_t steps);

/// Most segments that see the same weights.
int64_t segments_per_update(const Plan& plan);

/// Number of updates in a plan.
int64_t updates(const Plan& plan);

}  // namespace spiketrain
