#include "spiketrain/train/evaluate.h"

#include <chrono>

#include "spiketrain/data/loader.h"

namespace spiketrain {

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
  const auto begin = std::chrono::steady_clock::now();
  const Learner& learner = *training.learner;
  const bool sums = learner.parts().objective->sums_over_samples();
  LoaderOptions options;
  options.batch_size = batch_size;
  options.shuffle = false;
  options.threads = static_cast<int>(training.options.loader_threads);
  Loader loader(data, options);
  loader.start(0);

  Evaluation result;
  result.loss = 0;
  MetricSet metrics(training.metrics, learner.parts().target);
  Tally tally;
  for (Batch batch; loader.next(batch);) {
    Batch there = batch.to(training.device);
    there.epoch = kEvaluationEpoch;
    const int64_t samples = batch.size();
    const PassResult pass = infer(there, &tally);
    const auto loss = pass.loss.item<double>();
    result.loss += sums ? loss : loss * static_cast<double>(samples);
    result.samples += samples;
    metrics.add(pass, there.target);
  }
  result.loss /= static_cast<double>(result.samples);
  result.metrics = metrics.values(metrics.totals());
  result.rates = layer_rates(network, tally.counts());
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace spiketrain
