#include "spiketrain/core/schedule.h"

#include <algorithm>

namespace spiketrain {

ST_DEFINE_REGISTRY(Schedule, "schedule")

namespace {

/// Steps are left out only in replay segments that are together the only ones with error.
void check_skips(const Plan& plan) {
  if (!skips(plan)) return;
  int64_t runs = 0;
  for (size_t i = 0; i < plan.size(); ++i) {
    const Segment& s = plan[i];
    ST_CHECK(s.skipped >= 0 && s.skipped < s.steps() && (s.skip != Skip::none || s.skipped == 0),
             "schedule: segment ", i, " of ", s.steps(), " steps leaves out ", s.skipped,
             "; at least one has to stay");
    ST_CHECK(s.role != Role::live && (s.skip == Skip::none || s.role == Role::replay),
             "schedule: steps are left out where all segments with error are computed again; segment ", i,
             " is not");
    runs += s.role == Role::replay && (i == 0 || plan[i - 1].role != Role::replay);
  }
  ST_CHECK(runs == 1, "schedule: segments that leave steps out have to follow each other; they come in ",
           runs, " groups");
}

}  // namespace

bool skips(const Plan& plan) {
  return std::any_of(plan.begin(), plan.end(), [](const Segment& s) { return s.skip != Skip::none; });
}

Selection Schedule::select(const Plan& /*segments*/, const std::vector<int64_t>& activity) const {
  return {std::vector<bool>(activity.size(), true)};
}

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
  check_skips(plan);
}

double loss_factor(int64_t scored, int64_t steps, const std::string& divide_by) {
  if (divide_by == "scored") return 1;
  const auto n = static_cast<double>(scored);
  return divide_by == "steps" ? n / static_cast<double>(steps) : n;
}

void divide_loss(Plan& plan, int64_t steps, const std::string& divide_by) {
  int64_t scored = 0;
  for (const Segment& s : plan) scored += s.role == Role::burn_in ? 0 : s.steps();
  for (Segment& s : plan) s.loss_factor = loss_factor(scored, steps, divide_by);
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
