#include "spiketrain/train/held_out_loss.h"

#include "spiketrain/data/loader.h"
#include "spiketrain/engine/move_statistics.h"
#include "spiketrain/train/evaluate.h"

namespace spiketrain {
namespace {

void move_by(const Training& training, const std::vector<Batch>& batches) {
  for (size_t i = 0; i < batches.size(); ++i)
    move_statistics(training.learner->parts(), batches[i], static_cast<uint64_t>(i));
}

std::vector<Batch> norm_batches(const Training& training, int64_t batches, int64_t epoch) {
  if (batches == 0 || !has_moving_statistics(training.network())) return {};
  return some_batches(training, *training.data.train, batches, epoch, /*shuffle=*/true);
}

}  // namespace

std::vector<Batch> some_batches(const Training& training, const Dataset& data, int64_t batches, int64_t epoch,
                                bool shuffle) {
  LoaderOptions options;
  options.batch_size = training.options.batch;
  options.seed = static_cast<uint64_t>(training.options.seed);
  options.shuffle = shuffle;
  options.drop_last = shuffle && training.options.drop_last;
  options.threads = static_cast<int>(training.options.loader_threads);
  Loader loader(data, options);
  loader.start(epoch);
  std::vector<Batch> list;
  for (Batch batch; static_cast<int64_t>(list.size()) < batches && loader.next(batch);)
    list.push_back(batch.to(training.device));
  return list;
}

void renew_statistics(const Training& training, int64_t batches, int64_t epoch) {
  move_by(training, norm_batches(training, batches, epoch));
}

HeldOutLoss::HeldOutLoss(const Training& training, int64_t samples, int64_t norm_batches, int64_t epoch)
    : training_(training), statistics_(training.network(), /*active=*/true) {
  ST_CHECK(
      training.data.validation,
      "binarize.choice = \"loss_increase\": expected validation samples to measure on; set data.validation to their number");
  const int64_t batch = training.options.batch;
  validation_ =
      some_batches(training, *training.data.validation, (samples + batch - 1) / batch, 0, /*shuffle=*/false);
  for (Batch& there : validation_) there.epoch = kEvaluationEpoch;
  train_ = spiketrain::norm_batches(training, norm_batches, epoch);
  statistics_.remember();
}

double HeldOutLoss::measure() {
  move_by(training_, train_);
  const bool sums = training_.learner->parts().objective->sums_over_samples();
  double loss = 0;
  int64_t samples = 0;
  for (const Batch& batch : validation_) {
    const auto own = training_.learner->infer(batch).loss.item<double>();
    loss += sums ? own : own * static_cast<double>(batch.size());
    samples += batch.size();
  }
  statistics_.restore();
  return loss / static_cast<double>(samples);
}

}  // namespace spiketrain
