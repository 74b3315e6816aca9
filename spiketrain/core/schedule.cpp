#include "spiketrain/core/schedule.h"

#include <algorithm>

namespace spiketrain {

ST_DEFINE_REGISTRY(Schedule, "schedule")

void check_plan(const Plan& plan, int64_t steps) {
  int64_t t = 0;
  bool error = false;
  for (size_t i = 0; i < plan.size(); ++i) {
    const Segment& s = plan[i];
    ST_CHECK(s.t0 == t && s.t1 > s.t0, "schedule: expected segments that cover the ", steps,
             " steps in order; segment ", i, " is [", s.t0, ", ", s.t1, ") after step ", t);
    t = s.t1;
    error = error || s.role != Role::burn_in;
    ST_CHECK(!s.update || error, "schedule: the update after segment ", i, " follows no segment with a loss");
    const bool goes_on = s.role == Role::replay && i + 1 < plan.size() && plan[i + 1].role == Role::replay;
    ST_CHECK(!s.update || !goes_on, "schedule: an update between replay segments would change the weights ",
             "before their gradient is taken");
    if (s.update) error = false;
  }
  ST_CHECK(t == steps && !plan.empty(), "schedule: the segments end at step ", t, " of ", steps);
  ST_CHECK(plan.back().update, "schedule: no update follows the last segment");
}

void divide_loss(Plan& plan, int64_t steps, const std::string& divide_by) {
  if (divide_by == "scored") return;
  double factor = 0;
  for (const Segment& s : plan) factor += s.role == Role::burn_in ? 0 : static_cast<double>(s.steps());
  if (divide_by == "steps") factor /= static_cast<double>(steps);
  for (Segment& s : plan) s.loss_factor = factor;
}

int64_t segments_per_update(const Plan& plan) {
  int64_t most = 0, count = 0;
  for (const Segment& segment : plan) {
    most = std::max(most, ++count);
    if (segment.update) count = 0;
  }
  return most;
}

int64_t updates(const Plan& plan) {
  return std::count_if(plan.begin(), plan.end(), [](const Segment& s) { return s.update; });
}

}  // namespace spiketrain
