// Replay segments: the first pass, without a graph, keeps the states before each and their readouts; then the error is
// taken over all of them as over one segment, and each is computed again, from the last to the first, with the gradient
// of the states carried back.  A schedule may leave steps out of the second pass (Skip): the error then is that of the
// steps that are kept, the others are like padding.
// Tests: engine/schedules_test.cpp, engine/skipper_test.cpp.
#include <algorithm>
#include <numeric>

#include "spiketrain/core/group.h"
#include "spiketrain/engine/run.h"

namespace spiketrain {
namespace {

bool follow_each_other(const std::vector<int64_t>& steps) {
  return steps.back() - steps.front() + 1 == static_cast<int64_t>(steps.size());
}

/// These steps of an array whose first is step t0.
Tensor take(const Tensor& x, const std::vector<int64_t>& steps, int64_t t0) {
  if (follow_each_other(steps)) return x.slice(0, steps.front() - t0, steps.back() + 1 - t0);
  const Tensor index = torch::tensor(steps, torch::kInt64) - t0;
  return x.index_select(0, index.to(x.device()));
}

Signal take(const Signal& x, const std::vector<int64_t>& steps, int64_t t0) {
  if (follow_each_other(steps)) return x.slice(steps.front() - t0, steps.back() + 1 - t0);
  if (x.is_constant()) return Signal::constant(x.image(), take(x.gain(), steps, t0));
  std::vector<Signal> parts;
  for (size_t i = 0, j = 0; i < steps.size(); i = j) {
    for (j = i + 1; j < steps.size() && steps[j] == steps[j - 1] + 1;) ++j;
    parts.push_back(x.slice(steps[i] - t0, steps[j - 1] + 1 - t0));
  }
  return Signal::concatenate(parts);
}

}  // namespace

void Run::remember(const Segment& segment) {
  const torch::NoGradGuard no_grad;
  if (replayed_.empty()) begin_stretch(segment);
  Replayed kept = {segment, carry_, {}};
  Tally here(/*by_step=*/true);
  Tally* const tally = context_.tally;
  if (skips_) context_.tally = &here;
  readouts_.resize(static_cast<size_t>(blocks()));
  Signal x = input(segment);
  for (int64_t b = 0; b < blocks(); ++b) {
    const Shown shown = run_block(b, x, true);
    if (learns(b)) readouts_[static_cast<size_t>(b)].push_back(shown.readout);
    x = shown.output;
  }
  predict(x, segment);
  if (skips_) {
    context_.tally = tally;
    if (tally) tally->add(here);
    kept.activity = here.steps();
    kept.activity.resize(static_cast<size_t>(segment.steps()));
  }
  replayed_.push_back(std::move(kept));
}

/// Lets the schedule choose the steps that are kept: error enters there and nowhere else.
void Run::select(Segment& whole) {
  Plan segments;
  std::vector<int64_t> activity;
  for (const Replayed& r : replayed_) {
    segments.push_back(r.segment);
    activity.insert(activity.end(), r.activity.begin(), r.activity.end());
  }
  if (context_.group) {
    GroupSums sums(context_.group);
    for (int64_t& count : activity) sums.add(count);
    sums.run();
  }
  const Selection selection = p_.schedule->select(segments, activity);
  ST_CHECK(selection.kept.size() == activity.size(), "schedule: expected to hear of ", activity.size(),
           " steps whether they are kept, got ", selection.kept.size());
  whole.loss_factor = selection.loss_factor;
  kept_.assign(static_cast<size_t>(p_.steps), false);
  std::copy(selection.kept.begin(), selection.kept.end(), kept_.begin() + whole.t0);
  scored_ = std::count(kept_.begin(), kept_.end(), true);
  ST_CHECK(scored_ > 0, "schedule: no step was kept; at least one has to be");
  Tensor kept = torch::empty({p_.steps, 1}, torch::kBool);
  std::copy(kept_.begin(), kept_.end(), kept.data_ptr<bool>());
  kept = kept.to(batch_.x.device());
  kept_valid_ = valid_.defined() ? valid_ & kept : kept.expand({p_.steps, batch_.size()});
  scored_lengths_ = kept_valid_.sum(0);
}

/// [block] what goes back over all replayed segments.
std::vector<Tensor> Run::errors_over(const Segment& whole, BlockLosses& losses) const {
  const auto count = static_cast<size_t>(blocks());
  std::vector<Tensor> errors(count);
  losses.clear();
  for (size_t b = 0; b < count; ++b) {
    if (!learns(static_cast<int64_t>(b))) continue;
    Objective::Error error = error_at(Signal::concatenate(readouts_[b]), whole);
    losses.push_back(std::move(error.loss));
    errors[b] = std::move(error.delta);
  }
  for (size_t b = 0; b < count; ++b) {
    if (!errors[b].defined()) errors[b] = signal_at(static_cast<int64_t>(b), errors.back(), whole);
  }
  return errors;
}

/// What of a segment is computed again: all of it at once, its kept steps at once, or kept and other steps in turn.
std::vector<Run::Piece> Run::pieces(const Segment& segment) const {
  std::vector<Piece> list;
  for (int64_t t = segment.t0; t < segment.t1; ++t) {
    const bool kept = kept_.empty() || kept_[static_cast<size_t>(t)];
    ST_CHECK(kept || segment.skip != Skip::none, "schedule: step ", t,
             " is left out of a segment that skips none");
    if (!kept && segment.skip == Skip::pass) continue;
    if (list.empty() || list.back().learns != kept) list.push_back({{}, kept});
    list.back().steps.push_back(t);
  }
  if (!list.empty() && !list.back().learns) list.pop_back();  // nothing reads the states behind it
  return list;
}

/// The second pass over a segment, forward.
std::vector<Run::Piece> Run::again(const Replayed& replayed) {
  const Segment& segment = replayed.segment;
  std::vector<Piece> list = pieces(segment);
  carry_ = replayed.before;
  Signal all = input(segment);
  for (Piece& piece : list) {
    const torch::AutoGradMode grad(piece.learns);
    if (valid_.defined()) context_.valid = take(valid_, piece.steps, 0);
    carry_.detach();
    // The gradient crosses the border of a segment, and no other step that is cut.
    const bool from_before = segment.skip != Skip::cut || piece.steps.front() == segment.t0;
    const bool goes_on = segment.skip != Skip::cut || piece.steps.back() + 1 == segment.t1;
    if (piece.learns && from_before) {
      carry_ = carry_.as_leaves();
      piece.leaves = carry_.tensors();
    }
    Signal x = take(all, piece.steps, segment.t0);
    if (&piece == &list.back()) all = {};
    for (int64_t b = 0; b < blocks(); ++b) {
      const Shown shown = run_block(b, x, true);
      piece.roots.push_back(shown.readout.edge());
      piece.readouts.push_back(segment.skip == Skip::pass && learns(b) ? shown.readout.detached() : Signal());
      x = shown.output.detached();
    }
    if (goes_on) piece.carried = carry_.tensors();
  }
  return list;
}

/// The readouts of a segment as they were computed again; those of skipped steps do not count.
void Run::correct_readouts(size_t segment, const std::vector<Piece>& pieces) {
  const torch::NoGradGuard no_grad;
  for (size_t b = 0; b < readouts_.size(); ++b) {
    if (!learns(static_cast<int64_t>(b))) continue;
    const Signal& before = readouts_[b][segment];
    Tensor values = torch::zeros_like(before.values());
    for (const Piece& piece : pieces) {
      const Tensor index = torch::tensor(piece.steps, torch::kInt64) - replayed_[segment].segment.t0;
      values.index_copy_(0, index.to(values.device()), piece.readouts[b].values());
    }
    readouts_[b][segment] = Signal::dense(values);
  }
}

/// Takes the gradient of the remembered segments, from the last to the first.
void Run::replay() {
  if (replayed_.empty()) return;
  Segment whole = replayed_.front().segment;
  whole.t1 = replayed_.back().segment.t1;
  whole.silent = 0;
  for (const Replayed& r : replayed_) whole.silent += r.segment.silent;
  if (context_.penalties)
    penalties_.weigh(static_cast<double>(whole.steps()) / static_cast<double>(learning_));
  if (skips_) select(whole);
  BlockLosses losses;
  std::vector<Tensor> errors = errors_over(whole, losses);
  if (!skips_) readouts_.clear();
  const Carry after = std::move(carry_);
  const Mode mode = context_.mode;
  context_.mode = Mode::replay;
  Later later;
  for (; !replayed_.empty(); replayed_.pop_back()) {
    const Segment segment = replayed_.back().segment;
    std::vector<Piece> list = again(replayed_.back());
    if (segment.skip == Skip::pass) {  // its states are others than in the first pass
      correct_readouts(replayed_.size() - 1, list);
      errors = errors_over(whole, losses);
    }
    for (; !list.empty(); list.pop_back()) {
      Piece& piece = list.back();
      if (!piece.learns) continue;
      if (segment.skip != Skip::pass && piece.steps.back() + 1 != later.first) later.g.clear();
      std::vector<Tensor> gradients;
      for (const Tensor& error : errors) gradients.push_back(take(error, piece.steps, whole.t0));
      for (size_t k = 0; k < later.g.size(); ++k) {
        piece.roots.push_back(piece.carried[k]);
        gradients.push_back(later.g[k]);
      }
      backward(std::move(piece.roots), std::move(gradients));
      later = {piece.steps.front()};
      for (const Tensor& leaf : piece.leaves) later.g.push_back(leaf.defined() ? leaf.grad() : Tensor());
    }
  }
  readouts_.clear();
  kept_.clear();
  kept_valid_ = Tensor();
  context_.mode = mode;
  carry_ = after;
  add_losses(losses);
}

}  // namespace spiketrain
