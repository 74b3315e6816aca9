// Passes of a run's network over test samples, for its report.
#include <algorithm>
#include <cmath>

#include "spiketrain/base/file.h"
#include "spiketrain/base/png.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/engine/by_step.h"
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/overrides.h"
#include "spiketrain/report/metrics_file.h"
#include "spiketrain/report/run_watch.h"
#include "spiketrain/report/some_samples.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"

namespace spiketrain {
namespace {

constexpr size_t kMistakes = 8, kPictures = 4;
constexpr int64_t kMostSteps = 60;     ///< numbers of steps in the latency curve
constexpr int64_t kBenchSamples = 64;  ///< for the metrics of NeuroBench, which take all products once more

/// These samples of a data set, as evaluation sees them.
Batch batch_of(const Training& training, const Dataset& data, const std::vector<int64_t>& wanted) {
  struct Chosen final : Dataset {
    const Dataset& data;
    const std::vector<int64_t>& list;
    Chosen(const Dataset& d, const std::vector<int64_t>& l) : data(d), list(l) {}
    int64_t at(int64_t i) const { return list.at(static_cast<size_t>(i)); }
    int64_t size() const override { return static_cast<int64_t>(list.size()); }
    const SampleSpec& sample() const override { return data.sample(); }
    const TargetSpec& target() const override { return data.target(); }
    void read(int64_t i, int64_t epoch, void* out) const override { data.read(at(i), epoch, out); }
    int64_t class_of(int64_t i) const override { return data.class_of(at(i)); }
    void read_target(int64_t i, void* out) const override { data.read_target(at(i), out); }
    bool has_lengths() const override { return data.has_lengths(); }
    int64_t length(int64_t i) const override { return data.length(at(i)); }
    int64_t id(int64_t i) const override { return data.id(at(i)); }
    std::string describe() const override { return data.describe(); }
  } const chosen(data, wanted);
  LoaderOptions options;
  options.batch_size = chosen.size();
  options.shuffle = false;
  Loader loader(chosen, options);
  loader.start(0);
  Batch batch;
  loader.next(batch);
  batch = batch.to(training.device);
  batch.epoch = kEvaluationEpoch;
  return batch;
}

/// The metric as if the sequence ended after so many steps.
class Latency {
 public:
  Latency(const Training& training, int64_t steps) : training_(training) {
    const int64_t count = std::min(steps, kMostSteps);
    for (int64_t i = 1; i <= count; ++i) {
      steps_.push_back(i * steps / count);
      metrics_.emplace_back(training.metrics, training.learner->parts().target);
    }
  }
  /// Outputs [T,B,*] of a batch.
  void add(const Batch& batch, const Tensor& output) {
    const ops::OneThread one_thread;
    const Objective& objective = *training_.learner->parts().objective;
    for (size_t i = 0; i < steps_.size(); ++i) {
      const int64_t t = steps_[i];
      Output seen{Signal::dense(output.slice(0, 0, t)), {0, t}, t};
      Tensor lengths = torch::full({batch.size()}, t, torch::kLong).to(output.device());
      if (batch.lengths.defined()) {
        lengths = torch::minimum(lengths, batch.lengths.to(output.device()));
        seen.valid = torch::arange(t, lengths.options()).unsqueeze(1) < lengths.unsqueeze(0);
        seen.lengths = seen.all_lengths = lengths;
      }
      PassResult result;
      result.prediction = objective.prediction(objective.evidence(seen), lengths);
      metrics_[i].add(result, batch.target);
    }
  }
  Points points(const std::string& label) const {
    Points list;
    for (size_t i = 0; i < steps_.size(); ++i) {
      const double value = metrics_[i].values(metrics_[i].totals()).at(label);
      if (std::isfinite(value)) list.emplace_back(static_cast<double>(steps_[i]), value);
    }
    return list;
  }

 private:
  const Training& training_;
  std::vector<int64_t> steps_;
  std::vector<MetricSet> metrics_;
};

/// Why the latency curve cannot be drawn; "" if it can.
std::string without_latency(const Training& training) {
  const Target::Kind kind = training.learner->parts().target;
  if (kind == Target::Kind::sequence || kind == Target::Kind::spike_times)
    return str("no curve by the number of steps: targets of kind ", to_string(kind),
               " are judged at every step");
  if (!runs_step_by_step(training.network()))
    return "no curve by the number of steps: the network reads the whole sequence at once";
  if (training.metrics.empty()) return "no curve by the number of steps: the run has no metric";
  return "";
}

/// A sample as grey values: an image, the mean over its channels; frames, their sum.  Nothing for samples that are no maps.
std::optional<SamplePicture> picture_of(const SomeSamples& data, int64_t i) {
  const SampleSpec& spec = data.sample();
  const Shape& shape = spec.shape;
  if (shape.size() != 3) return {};
  const int64_t steps = std::max<int64_t>(1, spec.form == Batch::Form::frames ? spec.steps : 1);
  Tensor x = torch::zeros({steps, shape[0], shape[1], shape[2]}, spec.type);
  data.read(i, kEvaluationEpoch, x.data_ptr());
  const Tensor map = x.to(torch::kDouble).sum(at::IntArrayRef({0, 1}));
  const double least = map.min().item<double>(), span = map.max().item<double>() - least;
  const Tensor grey = ((map - least) * (255 / (span > 0 ? span : 1))).round().to(torch::kUInt8).contiguous();
  const auto* pixel = grey.data_ptr<uint8_t>();
  return SamplePicture{data.index(i), shape[2], shape[1],
                       grey_png(shape[2], shape[1], {pixel, pixel + grey.numel()})};
}

/// Which class was taken for which, and samples of each pair.
class Confusions {
 public:
  explicit Confusions(int64_t classes)
      : counts_(static_cast<size_t>(classes), std::vector<int64_t>(static_cast<size_t>(classes), 0)) {}
  void add(const Tensor& labels, const Tensor& predicted) {
    const Tensor y = labels.cpu().contiguous(), p = predicted.cpu().contiguous();
    for (int64_t b = 0; b < y.numel(); ++b, ++next_) {
      const auto label = y.data_ptr<int64_t>()[b], taken = p.data_ptr<int64_t>()[b];
      ++counts_.at(static_cast<size_t>(label)).at(static_cast<size_t>(taken));
      std::vector<int64_t>& samples = samples_[{label, taken}];
      if (label != taken && samples.size() < kPictures) samples.push_back(next_);
    }
  }
  void report(RunPasses& passes, const SomeSamples& data) const {
    passes.confusion = counts_;
    for (const auto& [pair, samples] : samples_) {
      if (pair.first == pair.second) continue;
      const auto at = std::make_pair(static_cast<size_t>(pair.first), static_cast<size_t>(pair.second));
      passes.mistakes.push_back({pair.first, pair.second, counts_[at.first][at.second], {}});
    }
    std::stable_sort(passes.mistakes.begin(), passes.mistakes.end(),
                     [](const Mistake& a, const Mistake& b) { return a.count > b.count; });
    if (passes.mistakes.size() > kMistakes) passes.mistakes.resize(kMistakes);
    for (Mistake& mistake : passes.mistakes) {
      for (const int64_t i : samples_.at({mistake.label, mistake.predicted}))
        if (auto picture = picture_of(data, i)) mistake.pictures.push_back(std::move(*picture));
    }
  }

 private:
  int64_t next_ = 0;
  std::vector<std::vector<int64_t>> counts_;
  std::map<std::pair<int64_t, int64_t>, std::vector<int64_t>> samples_;
};

/// The first sample of each class; of targets that are no classes the first few.
std::vector<int64_t> one_per_class(const SomeSamples& data, int64_t most) {
  constexpr int64_t kWithoutClasses = 3;
  std::vector<int64_t> chosen;
  if (data.target().kind != Target::Kind::class_index) {
    for (int64_t i = 0; i < std::min(kWithoutClasses, data.size()); ++i) chosen.push_back(i);
    return chosen;
  }
  std::map<int64_t, int64_t> first;
  for (int64_t i = 0; i < data.size(); ++i) first.try_emplace(data.class_of(i), i);
  for (const auto& item : first)
    if (static_cast<int64_t>(chosen.size()) < most) chosen.push_back(item.second);
  return chosen;
}

void add_rasters(RunPasses& passes, const Training& training, const SomeSamples& data, int64_t most) {
  const std::vector<int64_t> chosen = one_per_class(data, most);
  const bool classes = data.target().kind == Target::Kind::class_index;
  const Batch batch = batch_of(training, data, chosen);
  RasterWatch watch(training.network());
  const PassResult result = training.learner->infer(batch);
  passes.rasters = watch.rasters();
  for (size_t b = 0; b < passes.rasters.size(); ++b) {
    Raster& raster = passes.rasters[b];
    raster.sample = data.index(chosen[b]);
    if (!classes) continue;
    raster.label = data.class_of(chosen[b]);
    raster.predicted = result.prediction[static_cast<int64_t>(b)].argmax().item<int64_t>();
  }
  if (passes.rasters.empty())
    passes.notes.emplace_back("no rasters: the network sends spike times, not spikes at steps");
  if (classes && data.target().classes > most)
    passes.notes.push_back(str("rasters: a sample of ", most, " of the ", data.target().classes, " classes"));
}

void add_neurobench(RunPasses& passes, const Training& training, const SomeSamples& data) {
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < std::min(kBenchSamples, data.size()); ++i)
    chosen.push_back(i * data.size() / std::min(kBenchSamples, data.size()));
  try {
    passes.neurobench = neurobench(*training.learner, {batch_of(training, data, chosen)});
  } catch (const UsageError& error) {
    passes.notes.emplace_back(error.what());
    passes.neurobench = neurobench(training.network(), training.learner->parts().steps);
  }
}

RunPasses passes_over(const Training& training, const SomeSamples& data, int64_t available,
                      int64_t batch_size) {
  RunPasses passes;
  passes.samples = data.size();
  passes.available = available;
  PassWatch watch(training.network());
  const bool classes = data.target().kind == Target::Kind::class_index;
  Confusions confusions(classes ? data.target().classes : 0);
  const std::string why_not = without_latency(training);
  std::optional<Latency> latency;
  if (why_not.empty()) {
    latency.emplace(training, training.learner->parts().steps);
  } else {
    passes.notes.push_back(why_not);
  }
  const Evaluation result =
      evaluate(training, data, batch_size, [&](const Batch& batch, const PassResult& pass) {
        const Tensor output = watch.take_output();
        if (classes) confusions.add(batch.target.y, pass.prediction.argmax(1));
        if (latency) latency->add(batch, output);
      });
  const MetricSet metrics(training.metrics, training.learner->parts().target);
  passes.metric = metrics.labels().front();
  passes.value = result.at(passes.metric);
  passes.loss = result.loss;
  passes.seconds = result.seconds;
  passes.layers = watch.layers();
  if (latency) passes.latency = latency->points(passes.metric);
  if (classes) {
    confusions.report(passes, data);
  } else {
    passes.notes.push_back(str("no confusion matrix: the targets are of kind ",
                               to_string(training.learner->parts().target), ", not classes"));
  }
  return passes;
}

}  // namespace

void measure_run(RunData& run, const PassOptions& options) {
  const std::string weights = best_weights(run.path);
  if (weights.empty()) return;  // read_run_data() has said so
  Recipe recipe;
  Datasets data;
  try {
    recipe = overridden(run.config, options.sets);
    data = open_datasets(recipe, options.data_dir);
  } catch (const DataError& error) {
    run.missing.push_back(
        str("rasters, rates of single neurons, confusions, the curve by steps: the data set ", run.data,
            " cannot be read (", error.what(), "); is --data-dir the right folder?"));
    return;
  } catch (const UsageError& error) {
    if (!options.sets.empty() || !options.data_dir.empty()) throw;
    run.missing.push_back(
        str("rasters, rates of single neurons, confusions, the curve by steps: the data set ", run.data,
            " is not at hand (", error.what(), ")"));
    return;
  }
  const Experiment experiment = build_experiment(recipe, data);
  const Training& training = experiment.training;
  load_weights(open_checkpoint(weights), training.network());
  const SomeSamples some(data.test, options.samples);
  RunPasses passes = passes_over(training, some, data.test->size(), recipe.data.batch);
  passes.weights = weights;
  add_rasters(passes, training, some, options.rasters);
  add_neurobench(passes, training, some);
  run.passes = std::move(passes);
}

}  // namespace spiketrain
