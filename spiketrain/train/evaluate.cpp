#include "spiketrain/train/evaluate.h"

#include <algorithm>
#include <chrono>

#include "spiketrain/data/loader.h"
#include "spiketrain/train/line.h"

namespace spiketrain {

namespace {

/// Over the processes with other samples.
void add_up(Group* group, Evaluation& result, MetricTotals& totals, std::vector<Tally::Count>& counts) {
  GroupSums sums(group);
  sums.add(result.loss);
  sums.add(result.samples);
  for (auto& [label, values] : totals)
    for (double& value : values) sums.add(value);
  for (Tally::Count& count : counts) sums.add(count.spikes), sums.add(count.sites);
  sums.run();
}

/// Over those with other blocks.
void add_up_line(BlockPipe& pipe, const Network& network, Evaluation& result,
                 std::vector<Tally::Count>& counts) {
  share_scores(pipe.line(), result);
  GroupSums sums(&pipe.line());
  add_activity(sums, network, counts);
  sums.run();
}

}  // namespace

Evaluation evaluate(const Training& training, const Dataset& data, int64_t batch_size,
                    const OnEvaluated& on_batch) {
  const Learner& learner = *training.learner;
  return evaluate(training, data, batch_size, learner.network(), [&](const Batch& batch, Tally* tally) {
    PassResult pass = learner.infer(batch, tally);
    if (on_batch) on_batch(batch, pass);
    return pass;
  });
}

Evaluation evaluate(const Training& training, const Dataset& data, int64_t batch_size, const Network& network,
                    const std::function<PassResult(const Batch&, Tally*)>& infer) {
  ST_CHECK(data.size() > 0, "evaluate: the data set is empty");
  const Learner& learner = *training.learner;
  const Learner::Share share = learner.share();
  ST_CHECK(std::min(batch_size, data.size()) >= share.of, "evaluate: ", data.size(),
           " samples in batches of ", batch_size, " leave a process of ", share.of,
           " without any; use fewer processes, or a larger train.eval_batch or data.batch");
  const auto begin = std::chrono::steady_clock::now();
  const bool sums = learner.parts().objective->sums_over_samples();
  LoaderOptions options;
  options.batch_size = batch_size;
  options.shuffle = false;
  options.threads = static_cast<int>(training.options.loader_threads);
  options.part = share.index;
  options.parts = share.of;
  options.inputs = training.reads_inputs();
  Loader loader(data, options);
  loader.start(0);

  Evaluation result;
  result.loss = 0;
  MetricSet metrics(training.metrics, learner.parts().target);
  Tally tally;
  for (Batch batch; loader.next(batch);) {
    if (batch.size() == 0) continue;  // all of them are in other processes
    Batch there = batch.to(training.device);
    there.epoch = kEvaluationEpoch;
    const int64_t samples = batch.size();
    const PassResult pass = infer(there, &tally);
    result.samples += samples;
    if (!pass.prediction.defined()) continue;  // the process with the last blocks has it
    const auto loss = pass.loss.item<double>();
    result.loss += sums ? loss : loss * static_cast<double>(samples);
    metrics.add(metrics.sums(pass, there.target));
  }
  MetricTotals totals = metrics.totals();
  std::vector<Tally::Count> counts = tally.counts();
  add_up(share.of > 1 ? &learner.parts().sums->group() : nullptr, result, totals, counts);
  result.loss /= static_cast<double>(result.samples);
  result.metrics = metrics.values(totals);
  if (training.pipe()) add_up_line(*training.pipe(), network, result, counts);
  result.rates = layer_rates(network, counts);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace spiketrain
