#include "spiketrain/engine/run.h"

#include <torch/cuda.h>

#include <algorithm>

#include "spiketrain/core/layer.h"
#include "spiketrain/engine/signal_message.h"
#include "spiketrain/ops/one_thread.h"

namespace spiketrain {
namespace {

bool per_step(Target::Kind kind) {
  return kind == Target::Kind::sequence || kind == Target::Kind::spike_times;
}

/// Shape of one sample of a target, with the dimensions before it.
void check_target(const Target& target, const Shape& out, int64_t B, int64_t T) {
  std::vector<int64_t> wanted = {B};
  if (target.kind == Target::Kind::sequence) wanted.insert(wanted.begin(), T);
  if (target.kind != Target::Kind::class_index) wanted.insert(wanted.end(), out.begin(), out.end());
  const at::IntArrayRef sizes = target.y.sizes();
  const bool fits = target.kind == Target::Kind::spike_times
                        ? sizes.size() == wanted.size() + 1 && sizes.slice(0, wanted.size()).equals(wanted)
                        : sizes.equals(wanted);
  ST_CHECK(fits, "target: expected ", to_string(target.kind), " of shape ", at::IntArrayRef(wanted),
           target.kind == Target::Kind::spike_times ? " and times" : "", ", got ", sizes);
}

/// The steps of a segment in which error enters.
Segment scored_part(Segment segment) {
  segment.t0 += segment.silent;
  segment.silent = 0;
  return segment;
}

/// x [K,*] with zeros for so many steps before.
Tensor after_silence(const Tensor& x, int64_t silent) {
  if (silent == 0) return x;
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes[0] = silent;
  return torch::cat({torch::zeros(sizes, x.options()), x});
}

/// The last K steps.
Signal last_steps(const Signal& x, int64_t K) {
  return x.steps() == K ? x : x.slice(x.steps() - K, x.steps());
}

}  // namespace

std::set<int64_t> readout_slots(const Network& network) {
  std::set<int64_t> slots;
  for (int64_t b = 0; b < network.blocks(); ++b) {
    for (const auto& layer : network.layers(b, /*head=*/true)) slots.insert(layer->slot());
  }
  const auto last = network.layers(network.blocks() - 1, /*head=*/false);
  if (!last.empty()) slots.insert(last.back()->slot());
  return slots;
}

Run::Run(const LearnerParts& parts, const Batch& batch, Mode mode, uint64_t iteration, Tally* tally,
         double weight)
    : p_(parts),
      network_(*parts.network),
      batch_(batch),
      carry_(network_.start()),
      weight_(weight),
      penalties_(parts.regularizers,
                 parts.regularizers.empty() ? std::set<int64_t>() : readout_slots(*parts.network)) {
  const bool frames = batch.form == Batch::Form::frames;
  const at::IntArrayRef sizes = batch.x.sizes(),
                        sample = sizes.slice(std::min<size_t>(sizes.size(), frames ? 2 : 1));
  const Shape step = p_.encoder->step_shape(sample.vec());
  ST_CHECK(step == network_.input_shape(), "batch: expected samples of shape ",
           at::IntArrayRef(network_.input_shape()), ", got ", at::IntArrayRef(step));
  ST_CHECK(!frames || batch.x.size(0) == p_.steps, "batch: expected ", p_.steps, " frames, got ",
           batch.x.size(0));
  ST_CHECK(batch.target.kind == p_.target, "batch: expected targets of kind ", to_string(p_.target), ", got ",
           to_string(batch.target.kind));
  check_target(batch.target, network_.out_shape(), batch.size(), p_.steps);
  context_.method = p_.method;
  context_.mode = mode;
  context_.seed = p_.seed;
  context_.iteration = iteration;
  context_.ids = batch.ids;
  context_.tally = tally;
  context_.group = p_.sums && mode != Mode::evaluate ? &p_.sums->group() : nullptr;
  context_.group_norms = p_.group_norms;
  penalties_.share_with(context_.group);
  if (batch.lengths.defined()) {
    ST_CHECK(batch.lengths.numel() == batch.size() && batch.lengths.min().item<int64_t>() >= 1 &&
                 batch.lengths.max().item<int64_t>() <= p_.steps,
             "batch: expected a length between 1 and ", p_.steps, " for each of the ", batch.size(),
             " samples");
    lengths_ = batch.lengths.to(batch.x.device());
    const Tensor t = torch::arange(p_.steps, lengths_.options()).unsqueeze(1);
    valid_ = t < lengths_.unsqueeze(0);
  }
}

Signal Run::input(const Segment& segment) const {
  const Encoder::Request request = {segment.t0, segment.t1, p_.steps, p_.seed};
  return batch_.form == Batch::Form::frames ? p_.encoder->frames(batch_, request)
                                            : p_.encoder->encode(batch_, request);
}

/// What the lowest block here reads.
Signal Run::entering(const Segment& segment) const {
  return first() == 0 ? input(segment) : p_.pipe->receive(batch_.x.device());
}

/// What the highest block here has put out.
void Run::leaving(const Signal& x) const {
  if (!at_top()) p_.pipe->send(x);
}

/// Counts the steps in which error enters.
void Run::begin(const Plan& plan) {
  skips_ = skips(plan);
  std::vector<Tensor> valid;
  for (const Segment& segment : plan) {
    const int64_t K = segment.scored();
    scored_ += K;
    if (segment.role != Role::burn_in) learning_ += segment.steps();
    if (valid_.defined() && K > 0) valid.push_back(valid_.slice(0, segment.t1 - K, segment.t1));
  }
  if (!valid.empty()) scored_lengths_ = torch::cat(valid).sum(0);
  begin_reading(plan);
}

/// Which steps the prediction is read from.
void Run::begin_reading(const Plan& plan) {
  read_ = valid_;
  read_lengths_ = lengths_;
  if (std::none_of(plan.begin(), plan.end(), [](const Segment& s) { return s.unread > 0; })) return;
  Tensor read = torch::ones({p_.steps, 1}, torch::kBool);
  for (const Segment& s : plan) read.slice(0, s.t0, s.t0 + s.unread).fill_(false);
  read = read.to(batch_.x.device());
  read_ = valid_.defined() ? valid_ & read : read.expand({p_.steps, batch_.size()});
  read_lengths_ = read_.sum(0).clamp_min(1);
}

/// Gradients of `roots` that hang on parameters.
void Run::backward(std::vector<Tensor> roots, std::vector<Tensor> errors) const {
  for (size_t k = roots.size(); k-- > 0;) {
    if (roots[k].requires_grad() && errors[k].defined()) continue;
    roots.erase(roots.begin() + static_cast<int64_t>(k));
    errors.erase(errors.begin() + static_cast<int64_t>(k));
  }
  if (!roots.empty()) torch::autograd::backward(roots, errors);
}

void Run::enter(const Segment& segment) {
  carry_.detach();
  if (valid_.defined()) context_.valid = valid_.slice(0, segment.t0, segment.t1);
  const bool learns = context_.training() && segment.role != Role::burn_in;
  context_.penalties = learns && !p_.regularizers.empty() ? &penalties_ : nullptr;
}

/// A live segment, or replay segments that follow each other, for the regularizers.
void Run::begin_stretch(const Segment& segment) {
  if (!context_.penalties) return;
  penalties_.begin();
  penalties_.weigh(static_cast<double>(segment.steps()) / static_cast<double>(learning_));
}

/// [K,B] bool: steps of a segment that are no padding and not left out; undefined: all.
Tensor Run::scored_steps(const Segment& segment) const {
  const Tensor& all = kept_valid_.defined() ? kept_valid_ : valid_;
  return all.defined() ? all.slice(0, segment.t0, segment.t1) : Tensor();
}

Output Run::seen(const Signal& readout, const Segment& segment) const {
  Output out{readout, segment, scored_};
  out.valid = scored_steps(segment);
  if (out.valid.defined()) {
    out.lengths = scored_lengths_;
    out.all_lengths = lengths_.defined() ? lengths_ : torch::full_like(scored_lengths_, p_.steps);
  }
  return out;
}

/// Whether the objective's error enters at block b.
bool Run::learns(int64_t b) const { return b + 1 == blocks() || p_.signal->uses_heads(); }

Run::Shown Run::run_block(int64_t b, const Signal& x, bool error_enters, Tape* tape) {
  context_.tape = tape;
  const Signal y =
      end_to_end_ ? network_.forward(x, context_, carry_) : network_.forward_block(b, x, context_, carry_);
  const bool head = error_enters && b + 1 < blocks() && p_.signal->uses_heads();
  Shown shown = {y, head ? network_.forward_head(b, y, context_, carry_) : y};
  context_.tape = nullptr;
  return shown;
}

void Run::predict(const Signal& out, const Segment& segment) {
  const ops::OneThread one_thread;  // its sums, as those of the objective below
  const torch::NoGradGuard no_grad;
  if (per_step(p_.target)) {
    outputs_.push_back(seen(out.detached(), segment).values());
    return;
  }
  const int64_t K = segment.steps() - segment.unread;
  if (K == 0) return;
  Segment read = segment;
  read.t0 += segment.unread;
  const Tensor evidence = p_.objective->evidence(seen(last_steps(out.detached(), K), read));
  evidence_ = evidence_.defined() ? evidence_ + evidence : evidence;
}

Objective::Error Run::error_at(const Signal& readout, const Segment& segment) const {
  const ops::OneThread one_thread;
  const Signal scored = last_steps(readout, segment.scored());
  Objective::Error error = p_.objective->error(seen(scored, scored_part(segment)), batch_.target);
  error.delta = after_silence(error.delta, segment.silent);
  if (segment.loss_factor != 1) error.loss = error.loss * segment.loss_factor;
  const double factor = segment.loss_factor * weight_;
  if (factor != 1) error.delta = error.delta * factor;
  return error;
}

/// dL/d(output of block b) where no head gives it.  A signal that is an average over the segment is weighed by the
/// segment's share of the scored steps.
Tensor Run::signal_at(int64_t b, const Tensor& error, const Segment& segment) const {
  const Segment scored = scored_part(segment);
  const int64_t K = scored.steps();
  const Tensor at_scored = error.defined() ? error.slice(0, segment.silent) : error;
  const Tensor delta = p_.signal->delta(b, at_scored, batch_.target, K, scored_steps(scored), batch_.share);
  const double share = segment.loss_factor * static_cast<double>(K) / static_cast<double>(scored_);
  return after_silence(p_.signal->weighed() || share == 1 ? delta : delta * share, segment.silent);
}

void Run::add_losses(const BlockLosses& losses) {
  losses_.resize(losses.size());
  for (size_t b = 0; b < losses.size(); ++b)
    if (losses[b].defined()) losses_[b] = losses_[b].defined() ? losses_[b] + losses[b] : losses[b];
}

void Run::took(int64_t b, double BlockCost::*part, Clock::time_point& begin) const {
  if (!costs_) return;
  if (batch_.x.is_cuda()) torch::cuda::synchronize();
  const Clock::time_point now = Clock::now();
  (*costs_)[static_cast<size_t>(b)].*part += std::chrono::duration<double>(now - begin).count();
  begin = now;
}

void Run::live(const Segment& segment) {
  const int64_t blocks = this->blocks();
  begin_stretch(segment);
  Clock::time_point begin;
  const bool block_major = p_.block_major && (p_.signal->uses_heads() || !p_.signal->reads_error());
  BlockLosses losses(this->losses());
  std::vector<Tape> tapes(static_cast<size_t>(blocks));
  std::vector<Tensor> roots(tapes.size()), errors(tapes.size());
  const auto on_tape = [&](size_t b) {
    return !end_to_end_ && !network_.runs_by_step(static_cast<int64_t>(b));
  };
  std::function<void()> ready;
  if (p_.sums) ready = [this] { p_.sums->ready(); };
  const auto back = [&](size_t b) {
    if (on_tape(b)) {
      tapes[b].backward(std::move(errors[b]), ready);
    } else {
      backward({std::move(roots[b])}, {std::move(errors[b])});
      if (ready) ready();
    }
    // The current of a still image has its gradient at the update.
    const bool held = context_.currents && batch_.form == Batch::Form::image;
    if (p_.sums && segment.update && !held) p_.sums->finished(static_cast<int64_t>(b));
    took(static_cast<int64_t>(b), &BlockCost::backward, begin);
  };
  Signal x = entering(segment);
  begin = Clock::now();
  for (int64_t b = first(); b < end(); ++b) {
    const auto at = static_cast<size_t>(b);
    Shown shown = run_block(b, x, true, on_tape(at) ? &tapes[at] : nullptr);
    if (b + 1 == blocks) predict(shown.output, segment);
    if (learns(b)) {
      Objective::Error error = error_at(shown.readout, segment);
      losses[loss_of(b)] = std::move(error.loss);
      errors[at] = std::move(error.delta);
    } else if (!p_.signal->reads_error()) {
      errors[at] = signal_at(b, {}, segment);
    }
    roots[at] = shown.readout.edge();
    x = shown.output.detached();
    shown = {};
    if (b + 1 == end()) leaving(x);
    took(b, &BlockCost::forward, begin);
    if (costs_ && b + 1 < blocks) {
      (*costs_)[at].message += to_message(x).numel();
      begin = Clock::now();
    }
    if (finished_ && b + 1 == end()) carry_ = {};
    if (!block_major) continue;
    back(at);
    carry_.detach();  // the carried states are the last that hold on to the block's graph
  }
  x = {};
  if (!block_major) {
    for (int64_t b = first(); b < end(); ++b) {
      const auto at = static_cast<size_t>(b);
      if (!errors[at].defined()) errors[at] = signal_at(b, errors.back(), segment);
    }
    for (int64_t b = end(); b-- > first();) back(static_cast<size_t>(b));  // from the top, as end to end
  }
  add_losses(losses);
}

void Run::burn_in(const Segment& segment) {
  const torch::NoGradGuard no_grad;
  Signal x = entering(segment);
  for (int64_t b = first(); b < end(); ++b) x = run_block(b, x, true).output;
  leaving(x);
  if (at_top()) predict(x, segment);
}

PassResult Run::train(const Plan& plan, const OnUpdate& on_update) {
  begin(plan);
  if (segments_per_update(plan) > 1 || network_.runs_by_step()) context_.currents = &currents_;
  for (size_t i = 0; i < plan.size(); ++i) {
    const Segment& segment = plan[i];
    finished_ = i + 1 == plan.size();
    enter(segment);
    if (segment.role == Role::live) live(segment);
    if (segment.role == Role::burn_in) burn_in(segment);
    if (segment.role == Role::replay) remember(segment);
    carry_.detach();  // nothing of the segment is left
    if (i + 1 == plan.size() || plan[i + 1].role != Role::replay || segment.update) replay();
    if (!segment.update) continue;
    currents_.settle();
    const Tensor loss = losses_.empty() ? Tensor() : losses_.back();
    if (loss.defined()) total_loss_ = total_loss_.defined() ? total_loss_ + loss : loss;
    if (on_update && !on_update(segment, losses_)) carry_ = network_.start();
    losses_.clear();
  }
  return result();
}

PassResult Run::infer(const Plan& plan) {
  begin(plan);
  if (plan.size() > 1 || network_.runs_by_step()) context_.currents = &currents_;
  std::vector<Signal> together;  // the readouts of replay segments that follow each other: one loss
  Segment scored;
  for (size_t i = 0; i < plan.size(); ++i) {
    const Segment& segment = plan[i];
    enter(segment);
    Signal x = entering(segment);
    for (int64_t b = first(); b < end(); ++b) x = network_.forward_block(b, x, context_, carry_);
    leaving(x);
    if (!at_top()) continue;
    predict(x, segment);
    const int64_t K = segment.scored();
    if (K == 0) continue;  // as in training: no error enters there
    scored.t0 = together.empty() ? segment.t1 - K : scored.t0;
    scored.t1 = segment.t1;
    scored.loss_factor = segment.loss_factor;
    together.push_back(last_steps(x, K));
    x = {};
    const bool last = i + 1 == plan.size() || segment.update || plan[i + 1].role != Role::replay;
    if (segment.role == Role::replay && !last) continue;
    const ops::OneThread one_thread;
    Tensor loss = p_.objective->loss(seen(Signal::concatenate(together), scored), batch_.target);
    if (scored.loss_factor != 1) loss = loss * scored.loss_factor;
    total_loss_ = total_loss_.defined() ? total_loss_ + loss : loss;
    together.clear();
  }
  return result();
}

Tensor Run::exact(const Plan& plan) {
  end_to_end_ = true;
  return train(plan, {}).loss;
}

PassResult Run::result() {
  PassResult result;
  if (context_.training() && !p_.regularizers.empty()) result.penalties = penalties_.values();
  if (!at_top()) return result;
  result.prediction = outputs_.empty()       ? p_.objective->prediction(evidence_, read_lengths_)
                      : outputs_.size() == 1 ? outputs_[0]
                                             : torch::cat(outputs_);
  result.loss = total_loss_;
  result.valid = read_;
  return result;
}

}  // namespace spiketrain
