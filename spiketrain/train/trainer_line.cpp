// What a run's processes tell each other: after each batch what the samples have left and what comes next; where process 0 reports or
// writes, what it does not know because the blocks are elsewhere.
#include <algorithm>
#include <memory>

#include "spiketrain/core/layer.h"
#include "spiketrain/engine/gradients.h"
#include "spiketrain/train/line.h"
#include "spiketrain/train/trainer.h"

namespace spiketrain {

/// UsageError for what needs all blocks at each update.
void Trainer::check_line() const {
  ST_CHECK(
      t_.options.on_nan == "stop",
      "train.on_nan = \"skip\": an update is left out by all blocks or by none, and processes that share blocks do "
      "not wait for each other; use \"stop\"");
  ST_CHECK(
      t_.options.gradient_cosine == 0,
      "train.gradient_cosine needs all blocks in one process, and here they are in several; set it to 0");
}

/// Of a batch, to be added up over the processes with its other samples; and what they would do next.
struct Trainer::Left {
  std::vector<Tensor> metrics;  ///< none: the network's output is elsewhere
  std::vector<Tally::Count> counts;
  int64_t samples = 0, stop = 0, due = 0;
  GroupSums sums{nullptr};
};

/// The sums are on their way while the next batch is under way.
void Trainer::hand_in(std::vector<Tensor> metrics, std::vector<Tally::Count> counts, int64_t samples) {
  auto left = std::make_shared<Left>();
  left->metrics = std::move(metrics);
  left->counts = std::move(counts);
  left->samples = samples;
  left->stop = options_.stop && *options_.stop ? 1 : 0;
  left->due = t_.learner->share().index == 0 && checkpoint_time() ? 1 : 0;
  if (const auto& shares = t_.learner->parts().sums) left->sums = GroupSums(&shares->group());
  for (Tensor& values : left->metrics) left->sums.add(values);
  for (Tally::Count& count : left->counts) left->sums.add(count.spikes), left->sums.add(count.sites);
  for (int64_t* number : {&left->samples, &left->stop, &left->due}) left->sums.add(*number);
  left->sums.begin();
  take_up();
  left_ = std::move(left);
  if (!group_) take_up();
}

/// What a batch has left joins the epoch's sums.
void Trainer::take_up() {
  if (!left_) return;
  left_->sums.finish();
  if (!left_->metrics.empty()) metrics_.add(left_->metrics);
  if (t_.device.is_cpu()) progress_.sums.metrics = metrics_.totals();  // elsewhere reading would wait
  progress_.sums.samples += left_->samples;
  add_counts(progress_.sums.activity, left_->counts);
  if (group_) agree(left_->stop, left_->due);
  left_ = nullptr;
}

/// All do the same next.  The process of the first blocks says what, as it is ahead of the others in its line.
void Trainer::agree(int64_t stop, int64_t due) {
  if (pipe_) {
    if (stop > 0) group_->ask_to_stop();
    std::vector<int64_t> numbers = {group_->asked_to_stop() ? 1 : 0, due};
    pipe_->pass_on(numbers);
    stop = numbers[0];
    due = numbers[1];
  }
  group_stops_ = stop > 0;
  group_saves_ = due > 0;
}

/// Of the blocks' gradients at an update.
void Trainer::add_norms(const double* of_blocks) {
  const double* const end = of_blocks + blocks_.size();
  const double most = t_.options.clip_norm;
  progress_.sums.grad_norm += joint_norm(of_blocks, blocks_.size());
  progress_.sums.clipped +=
      most > 0 && std::any_of(of_blocks, end, [&](double n) { return n > most; }) ? 1 : 0;
}

/// Of all blocks: what the processes of a line have each added up for its own.  Process 0 of the line gets the norms of updates,
/// which are of all blocks, from now on.
EpochSums Trainer::settled() {
  EpochSums all = progress_.sums;
  if (!pipe_) return all;
  pipe_->flush();
  const LearnerParts& parts = t_.learner->parts();
  all.head_losses.resize(parts.signal->uses_heads() ? blocks_.size() - 1 : 0);
  all.layer_norms.resize(layers_.size());
  all.penalties.resize(parts.regularizers.size());
  Tensor norms = torch::tensor(norms_here_, torch::kDouble);
  GroupSums sums(&pipe_->line());
  sums.add(all.loss);
  sums.add(norms);
  for (auto* list : {&all.head_losses, &all.layer_norms, &all.penalties})
    for (double& x : *list) sums.add(x);
  add_activity(sums, network_, all.activity);
  sums.run();
  norms_here_.clear();
  if (!pipe_->at_top()) return all;
  for (int64_t k = 0; k < norms.numel(); k += network_.blocks()) add_norms(norms.data_ptr<double>() + k);
  all.grad_norm = progress_.sums.grad_norm;
  all.clipped = progress_.sums.clipped;
  return all;
}

/// Of sums of all blocks, those of the blocks that are here.
void Trainer::keep_own(EpochSums& sums) const {
  const auto keep = [&](auto& list, size_t k, int64_t block) {
    if (k < list.size() && !pipe_->has(block)) list[k] = {};
  };
  for (size_t b = 0; b < sums.head_losses.size(); ++b) keep(sums.head_losses, b, static_cast<int64_t>(b));
  for (size_t n = 0; n < network_.nodes().size(); ++n) {
    const Network::Node& node = network_.nodes()[n];
    const int64_t block = network_.block_of(static_cast<int64_t>(n));
    for (size_t k = 0; k < layers_.size(); ++k)
      if (layers_[k].node == node.name) keep(sums.layer_norms, k, block);
    if (const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage))
      keep(sums.activity, static_cast<size_t>(layer->slot()), block);
  }
  if (pipe_->at_top()) return;
  sums.loss = sums.grad_norm = 0;
  sums.clipped = 0;
  sums.penalties.clear();
}

/// Process 0 gets what the others have learnt.
void Trainer::collect() {
  if (pipe_ && t_.learner->share().index == 0) collect_state(*pipe_, network_, *t_.optimizer);
}

/// Of this process since the last time; bytes and messages of its line, if it is in one.
Group::Traffic Trainer::traffic() {
  Group::Traffic all = group_->traffic_since_last();
  GroupSums sums(pipe_ ? &pipe_->line() : nullptr);
  sums.add(all.messages);
  sums.add(all.bytes);
  sums.run();
  return all;
}

}  // namespace spiketrain
