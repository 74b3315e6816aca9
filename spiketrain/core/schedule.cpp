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
    ST_CHECK(s.silent == 0, "schedule: the loss covers every step that is not left out; segment ", i, " has ",
             s.silent, " silent ones");
    runs += s.role == Role::replay && (i == 0 || plan[i - 1].role != Role::replay);
  }
  ST_CHECK(runs == 1, "schedule: segments that leave steps out have to follow each other; they come in ",
           runs, " groups");
}

/// Error enters at the last steps of a segment, or of replay segments that follow each other.
void check_silence(const Plan& plan) {
  int64_t read = 0;
  bool entered = false;  // in a replay segment of the present group
  for (size_t i = 0; i < plan.size(); ++i) {
    const Segment& s = plan[i];
    const bool replay = s.role == Role::replay,
               goes_on = replay && i + 1 < plan.size() && plan[i + 1].role == Role::replay && !s.update;
    ST_CHECK(s.silent >= 0 && s.silent <= (s.role == Role::burn_in ? 0 : s.steps()) &&
                 (goes_on || s.role == Role::burn_in || s.silent < s.steps()),
             "schedule: segment ", i, " of ", s.steps(), " steps has ", s.silent,
             " silent ones; one without error is a burn-in");
    ST_CHECK(!entered || s.silent == 0, "schedule: segment ", i, " has ", s.silent,
             " silent steps after others with a loss; silent steps come first");
    entered = goes_on && s.scored() > 0;
    ST_CHECK(s.unread >= 0 && s.unread <= s.steps(), "schedule: predictions leave out ", s.unread, " of the ",
             s.steps(), " steps of segment ", i);
    read += s.steps() - s.unread;
  }
  ST_CHECK(read > 0, "schedule: no step is left to predict from");
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
    error = error || s.scored() > 0;
    ST_CHECK(!s.update || error, "schedule: the update after segment ", i, " follows no segment with a loss");
    const bool goes_on = s.role == Role::replay && i + 1 < plan.size() && plan[i + 1].role == Role::replay;
    ST_CHECK(!s.update || !goes_on, "schedule: an update between replay segments would change the weights ",
             "before their gradient is taken");
    if (s.update) error = false;
  }
  ST_CHECK(t == steps && !plan.empty(), "schedule: the segments end at step ", t, " of ", steps);
  ST_CHECK(plan.back().update, "schedule: no update follows the last segment");
  check_skips(plan);
  check_silence(plan);
}

void score_last(Plan& plan, int64_t steps, int64_t live, const char* schedule) {
  ST_CHECK(live <= steps, "schedule ", schedule, ": ", live,
           " live steps are more than the sequence has, T = ", steps, "; expected 0 (all) to ", steps);
  if (live == 0) return;
  for (Segment& s : plan) {
    if (s.role == Role::burn_in) continue;
    s.silent = std::clamp<int64_t>(steps - live - s.t0, 0, s.steps());
    if (s.role != Role::live || s.silent < s.steps()) continue;
    s.role = Role::burn_in;
    s.silent = 0;
    s.update = false;
  }
}

void read_scored(Plan& plan) {
  for (Segment& s : plan) s.unread = s.steps() - s.scored();
}

double loss_factor(int64_t scored, int64_t steps, const std::string& divide_by) {
  if (divide_by == "scored") return 1;
  const auto n = static_cast<double>(scored);
  return divide_by == "steps" ? n / static_cast<double>(steps) : n;
}

void divide_loss(Plan& plan, int64_t steps, const std::string& divide_by) {
  int64_t scored = 0;
  for (const Segment& s : plan) scored += s.scored();
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
