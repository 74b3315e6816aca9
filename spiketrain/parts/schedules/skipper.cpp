// As `checkpointed`, but only steps with much activity are computed again: those of a segment whose spikes, of all
// layers over the batch, are below a percentile of the segment are skipped.
//   recompute  skipped steps are not computed again: in the second pass of a segment, which starts from its true state,
//              states and traces pass over them unchanged, and so does their gradient in backward, from the first kept step
//              of a segment to the last kept one of the segment before.  Saves computing; u of the second pass is another
//   mask       the second pass has the true states; a skipped step has no loss, adds nothing to dW, and no gradient
//              crosses it: BPTT with a masked loss and cut edges
// A step is kept if its spikes reach the percentile by linear interpolation: as many as ceil((K-1) skip/100) of K are
// skipped, fewer where steps are as active as one that stays.  The loss is taken over the kept steps of all segments.
// Source: Singh et al. 2022 (MICRO), "Skipper": activation checkpoints and time-skipping.  Written from the abstract and a
// reconstruction; neither the text nor code was available.  Deviation: cut in time only, all layers together; `mask` is
// ours.
// Unsupported: rules that backpropagate nothing to the step before; `mask` with a norm, whose statistics need whole segments.
// Page: docs/methods/skipper.md.  Tests: golden/memory_rules, unit/schedule_test.cpp, engine/skipper_test.cpp.
#include <algorithm>
#include <cmath>

#include "spiketrain/parts/schedules/segments.h"

namespace spiketrain {
namespace {

struct Skipper final : Schedule {
  static constexpr const char* kDoc =
      "as checkpointed, but the least active steps of each segment are not recomputed (Skipper)";
  int64_t segment = 0;
  double skip = 50;
  std::string mode = "recompute", divide_by = "scored";
  template <class V>
  void visit(V& v) {
    v(segment, "segment", segment_doc(), Range{0, 1 << 20});
    v(skip, "skip",
      "steps of a segment whose number of spikes is below this percentile are skipped; 0: none; 100 is refused",
      Range{0, 100});
    v(mode, "mode",
      "skipped steps are not recomputed, or (mask) recomputed without loss and with the gradient cut around them",
      Choices{{"recompute", "mask"}});
    v(divide_by, "divide_by", divide_by_doc(), divide_by_choices());
  }
  void check() override {
    ST_CHECK(skip < 100, "schedule skipper: skip = ", skip,
             " leaves no step of a segment; expected 0 <= skip < 100 (99 leaves one of a hundred)");
  }
  Plan plan(const PlanRequest& request) const override {
    Plan plan = replay_segments(request.steps, segment, "skipper");
    divide_loss(plan, request.steps, divide_by);
    for (Segment& s : plan) {
      s.skipped = left_out(s.steps());
      if (s.skipped > 0) s.skip = mode == "mask" ? Skip::cut : Skip::pass;
    }
    return plan;
  }
  Selection select(const Plan& segments, const std::vector<int64_t>& activity) const override {
    Selection result;
    int64_t scored = 0;
    auto first = activity.begin();
    for (const Segment& s : segments) {
      std::vector<int64_t> sorted(first, first + s.steps());
      std::sort(sorted.begin(), sorted.end());
      // Between two of them the percentile lies above the lower one: the same as reaching the upper one.
      const int64_t least = sorted[static_cast<size_t>(left_out(s.steps()))];
      for (int64_t t = 0; t < s.steps(); ++t, ++first) {
        result.kept.push_back(*first >= least);
        scored += *first >= least;
      }
    }
    result.loss_factor = loss_factor(scored, segments.back().t1 - segments.front().t0, divide_by);
    return result;
  }

 private:
  /// Of K steps, if no two are equally active.
  int64_t left_out(int64_t K) const {
    return static_cast<int64_t>(std::ceil(static_cast<double>(K - 1) * skip / 100));
  }
};
ST_REGISTER(Schedule, "skipper", Skipper);

}  // namespace
}  // namespace spiketrain
