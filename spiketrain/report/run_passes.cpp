// Passes of a run's network over test samples, for its report.
#include <algorithm>
#include <cmath>

#include "spiketrain/base/file.h"
#include "spiketrain/base/png.h"
#include "spiketrain/base/text.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/engine/by_step.h"
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/overrides.h"
#include "spiketrain/report/metrics_file.h"
#include "spiketrain/report/predictions.h"
#include "spiketrain/report/run_watch.h"
#include "spiketrain/report/sample_activity.h"
#include "spiketrain/report/some_samples.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/resume.h"

namespace spiketrain {
namespace {

constexpr size_t kMistakes = 8, kPictures = 4;
constexpr int64_t kMostSteps = 60;     ///< numbers of steps in the latency curve
constexpr int64_t kBenchSamples = 64;  ///< for the metrics of NeuroBench, which take all products once more

using Samples = std::shared_ptr<const SomeSamples>;

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
      metrics_[i].add(metrics_[i].sums(result, batch.target));
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

/// Which class was taken for which, and the first samples of the most frequent mistakes.
void add_confusion(RunPasses& passes, const Predictions& predictions, const SomeSamples& data) {
  passes.confusion = predictions.confusion();
  passes.target = predictions.target();
  for (size_t label = 0; label < passes.confusion.size(); ++label) {
    for (size_t taken = 0; taken < passes.confusion.size(); ++taken)
      if (label != taken && passes.confusion[label][taken] > 0)
        passes.mistakes.push_back(
            {static_cast<int64_t>(label), static_cast<int64_t>(taken), passes.confusion[label][taken], {}});
  }
  std::stable_sort(passes.mistakes.begin(), passes.mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return a.count > b.count; });
  if (passes.mistakes.size() > kMistakes) passes.mistakes.resize(kMistakes);
  const Tensor labels = predictions.targets(), taken = predictions.predicted();
  for (Mistake& mistake : passes.mistakes) {
    const Tensor found = ((labels == mistake.label) & (taken == mistake.predicted)).nonzero().flatten();
    for (int64_t k = 0; k < std::min<int64_t>(kPictures, found.size(0)); ++k)
      if (auto picture = picture_of(data, found[k].item<int64_t>()))
        mistake.pictures.push_back(std::move(*picture));
  }
}

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

void add_rasters(RunPasses& passes, const Training& training, const Samples& data, int64_t most) {
  const std::vector<int64_t> chosen = one_per_class(*data, most);
  const bool classes = data->target().kind == Target::Kind::class_index;
  std::vector<Raster> rasters = rasters_of(training, data, chosen);
  for (Raster& raster : rasters) raster.sample = data->index(raster.sample);
  if (rasters.empty())
    passes.notes.emplace_back("no rasters: the network sends spike times, not spikes at steps");
  if (classes && data->target().classes > most)
    passes.notes.push_back(
        str("rasters: a sample of ", most, " of the ", data->target().classes, " classes"));
  passes.rasters = std::move(rasters);
}

void add_neurobench(RunPasses& passes, const Training& training, const Samples& data) {
  passes.neurobench = neurobench(training.network(), training.learner->parts().steps);
  const Batch batch =
      samples_of(training, data, SomeSamples::at_equal_distances(data->size(), kBenchSamples));
  passes.neurobench = neurobench(*training.learner, {batch});
}

/// LibTorch's errors have many.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

/// What one part of the report cannot do is no reason to have none: it becomes a note.
template <class F>
void noted(RunPasses& passes, const char* what, F&& measure) {
  try {
    measure();
  } catch (const std::exception& error) {
    passes.notes.push_back(str(what, ": ", first_line(error)));
  }
}

RunPasses passes_over(const Training& training, const SomeSamples& data, int64_t available,
                      int64_t batch_size) {
  RunPasses passes;
  passes.samples = data.size();
  passes.available = available;
  PassWatch watch(training.network());
  const bool classes = data.target().kind == Target::Kind::class_index;
  std::optional<Predictions> predictions;
  if (classes) predictions.emplace(data);
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
        if (predictions) predictions->add(batch, pass);
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
    add_confusion(passes, *predictions, data);
  } else {
    passes.notes.push_back(str("no confusion matrix: the targets are of kind ",
                               to_string(training.learner->parts().target), ", not classes"));
  }
  return passes;
}

RunPasses measure(const Recipe& recipe, const Datasets& data, const std::string& weights,
                  const PassOptions& options) {
  const Experiment experiment = build_experiment(recipe, data);
  const Training& training = experiment.training;
  load_weights(open_checkpoint(weights), training.network());
  const auto some = std::make_shared<const SomeSamples>(data.test, options.samples);
  RunPasses passes = passes_over(training, *some, data.test->size(), recipe.data.batch);
  passes.weights = weights;
  passes.sets = options.sets;
  passes.steps = recipe.steps;
  noted(passes, "no rasters", [&] { add_rasters(passes, training, some, options.rasters); });
  noted(passes, "NeuroBench's metrics", [&] { add_neurobench(passes, training, some); });
  return passes;
}

/// Passes that are not those of the run say so.
void warn_of_passes(RunData& run, const PassOptions& options, const Datasets& data) {
  if (!options.sets.empty())
    run.warnings.push_back(
        "rates of single neurons, rasters, decisions and NeuroBench's metrics were measured with --set " +
        join(options.sets, " --set ") + ", not with the run's own recipe");
  const bool other_data = std::any_of(options.sets.begin(), options.sets.end(), [](const std::string& set) {
    return set.rfind("data.", 0) == 0 || set.rfind("data=", 0) == 0;
  });
  const std::string was = run.fingerprint.value("test", ""), is = fingerprint(data)["test"];
  if (!other_data && !was.empty() && was != is)
    run.warnings.push_back(
        str("the test split is another than the run was measured on while it trained: it was ", was,
            ", and is ", is, " here"));
}

}  // namespace

void measure_run(RunData& run, const PassOptions& options) {
  ST_CHECK(options.samples >= 0, "report: expected a number of samples, 0 for all, got ", options.samples);
  const Recipe recipe = overridden(run.config, options.sets);
  const std::string weights = best_weights(run.path);
  if (weights.empty()) return;  // read_run_data() has said so
  const auto leave_out = [&](const std::string& why) {
    run.missing.push_back("rasters, rates of single neurons, confusions, the curve by steps: " + why);
  };
  Datasets data;
  try {
    data = options.data ? *options.data : open_datasets(recipe, options.data_dir);
  } catch (const std::runtime_error& error) {
    const char* advice = options.data_dir.empty() ? "" : "; is --data-dir the right folder?";
    return leave_out(str("the data set ", recipe.data.name, " is not at hand (", error.what(), ")", advice));
  }
  try {
    run.passes = measure(recipe, data, weights, options);
    warn_of_passes(run, options, data);
  } catch (const std::exception& error) {
    if (!options.sets.empty()) throw;  // they may be the reason
    leave_out(first_line(error));
  }
}

}  // namespace spiketrain
