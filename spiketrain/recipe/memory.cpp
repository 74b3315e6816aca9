#include "spiketrain/recipe/memory.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/base/file.h"
#include "spiketrain/base/text.h"
#include "spiketrain/cost/footprint.h"
#include "spiketrain/cost/neurobench.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/data/noise.h"
#include "spiketrain/engine/by_step.h"
#include "spiketrain/engine/shares.h"
#include "spiketrain/ops/event_conv.h"
#include "spiketrain/ops/one_thread.h"
#include "spiketrain/recipe/cost_options.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/memory_left.h"
#include "spiketrain/train/probe.h"

namespace spiketrain {
namespace {

/// UsageError if a measurement takes too long, or more memory than there is.
void check_measurable(const Recipe& recipe, const Shape& input, const Shape& output) {
  constexpr double kMostWork = 5e12;  // multiply-accumulates: a minute or two
  constexpr double kSamples = 48, kPasses = 3, kBytes = 16;
  const auto network = make_network(recipe, input, output);
  double macs = 0, neurons = 0, parameters = 0;
  for (const NetworkRow& row : network_rows(*network)) {
    macs += static_cast<double>(row.macs);
    neurons += static_cast<double>(row.neurons);
    parameters += static_cast<double>(row.parameters);
  }
  int64_t longest = 0;
  for (const Segment& segment : make<Schedule>(recipe.schedule)->plan({recipe.steps}))
    longest = std::max(longest, segment.learning());
  const double work = kPasses * kSamples * static_cast<double>(recipe.steps) * macs;
  ST_CHECK(work < kMostWork, "measuring takes ", work, " multiply-accumulates");
  const double bytes = kBytes * (kSamples * static_cast<double>(longest) * neurons + parameters);
  const MemoryLeft left = memory_left();
  ST_CHECK(bytes < left.bytes, "measuring takes about ", bytes, " bytes; ", left.limit, " leaves ",
           left.bytes);
}

/// Over so many steps.
int64_t measured(Recipe recipe, SampleSpec sample, TargetSpec target, int64_t steps, torch::Device device) {
  recipe.steps = steps;
  recipe.train.patience = 0;  // noise has neither a validation split nor every class
  if (recipe.objective.contains("balanced")) recipe.objective["balanced"] = false;
  if (sample.form == Batch::Form::frames) sample.steps = steps;
  if (target.kind == Target::Kind::sequence) target.extent = steps;
  check_measurable(recipe, sample.shape, target.shape);
  Datasets data;
  data.train = data.test = std::make_shared<Noise>(recipe.data.batch, sample, target);
  const Experiment e = build_experiment(recipe, data, device);
  const ops::WithProducts dense(ops::Products::dense);
  return estimate_activation_bytes(e.training, recipe.data.batch);
}

/// Steps of the longest segment, if all segments are alike: error enters everywhere, nothing is computed again.  Else 0.
int64_t plain_window(const Recipe& recipe) {
  const auto schedule = make<Schedule>(recipe.schedule);
  if (schedule->scoring(recipe.steps)) return 0;
  int64_t longest = 0;
  for (const Segment& segment : schedule->plan({recipe.steps, static_cast<uint64_t>(recipe.seed)})) {
    if (segment.role != Role::live || segment.silent > 0 || segment.unread > 0) return 0;
    longest = std::max(longest, segment.steps());
  }
  return longest;
}

double mebibytes(int64_t bytes) { return static_cast<double>(bytes >> 10) / 1024; }

/// UsageError if this process cannot get so many bytes.
void check_fits(int64_t bytes, const std::string& what, const std::string& smaller) {
  const MemoryLeft left = memory_left();
  ST_CHECK(static_cast<double>(bytes) <= left.bytes, "memory: ", what, "; ", left.limit, " leaves ",
           static_cast<int64_t>(left.bytes / (1 << 20)), " MiB; make ", smaller, " smaller");
}

/// Samples of the largest batch.
int64_t evaluation_batch(const Recipe& recipe, const Training& training) {
  const int64_t batch = recipe.train.eval_batch > 0 ? recipe.train.eval_batch : recipe.data.batch;
  int64_t most = training.data.test->size();
  if (training.data.validation) most = std::max(most, training.data.validation->size());
  return std::min(batch, most);
}

/// Of one sample: the input, and the current of the largest layer over the longest segment.
int64_t evaluation_bytes(const Training& training, const Plan& plan) {
  int64_t steps = 0, widest = 0;
  for (const Segment& segment : plan) steps = std::max(steps, segment.t1 - segment.t0);
  for (const NetworkRow& row : network_rows(training.network())) widest = std::max(widest, row.neurons);
  const SampleSpec& sample = training.data.train->sample();
  const auto input = static_cast<int64_t>(c10::elementSize(sample.type)) * numel(sample.shape) *
                     std::max<int64_t>(1, sample.steps);
  return input + steps * widest * kFloatBytes;
}

/// Of the batches of a run.
CostOptions run_options(const Recipe& recipe, const Training& training) {
  const Dataset& data = *training.data.train;
  CostOptions options = cost_options(recipe, data.sample());
  options.batch = std::min(recipe.data.batch, data.size());
  options.rules = training.learner->parts().method.layers;
  return options;
}

/// Of one sample: what the records of a block hold at least.  It needs no pass.
int64_t least_kept(const Training& training, const CostOptions& options) {
  std::vector<int64_t> blocks(static_cast<size_t>(training.network().blocks()));
  for (const CostRow& row : measure_cost(network_rows(training.network()), options).rows)
    blocks[static_cast<size_t>(row.block)] += row.bytes_kept;
  return *std::max_element(blocks.begin(), blocks.end());
}

std::string need_text(int64_t bytes, int64_t batch) {
  return str("at least ", static_cast<int64_t>(mebibytes(bytes)) + 1, " MiB more: activations of a batch of ",
             batch, ", gradients, optimizer");
}

}  // namespace

int64_t measure_memory(const Recipe& recipe, const SampleSpec& sample, const TargetSpec& target,
                       torch::Device device) {
  constexpr int64_t kFew = 8;
  const int64_t T = recipe.steps, window = plain_window(recipe);
  const auto over = [&](const Recipe& made, int64_t steps) {
    return measured(made, sample, target, steps, device);
  };
  try {
    // What windows hold does not depend on how many there are, but on whether there is one before the last.
    if (window > 0 && 2 * window < T) return over(recipe, 2 * window);
    if (window == T && T > 3 * kFew) {  // all steps are kept: as much more for each
      Recipe shorter = recipe;
      shorter.schedule = Registry<Schedule>::get().resolve({{"name", "whole"}});
      const int64_t one = over(shorter, kFew), two = over(shorter, 2 * kFew);
      return one + (two - one) * (T - kFew) / kFew;
    }
  } catch (const UsageError&) {  // some objectives want a certain number of steps
  }
  return over(recipe, T);
}

Recipe end_to_end(Recipe recipe) {
  recipe.schedule = Registry<Schedule>::get().resolve({{"name", "whole"}});
  recipe.rule = Registry<Rule>::get().resolve({{"name", "bptt"}});
  recipe.rules = Config::object();
  recipe.blocks = {};
  recipe.train.freeze.clear();  // its places may not be there any more
  return recipe;
}

Recipe step_by_step(Recipe recipe) {
  recipe.schedule = Registry<Schedule>::get().resolve({{"name", "truncated"}, {"window", 1}});
  return recipe;
}

void fit_memory(Experiment& e) {
  if (e.recipe.compute.memory_limit.empty()) return;
  const CostOptions options = run_options(e.recipe, e.training);
  const int64_t limit = bytes_of(e.recipe.compute.memory_limit, "compute.memory_limit"),
                batch = options.batch;
  Learner& learner = *e.training.learner;
  // What is taken must depend on neither spikes nor threads: how many shares of a product are there at once is a matter of both.
  const ops::WithProducts dense(ops::Products::dense);
  const ops::OneThread one_thread;
  const auto held = [&] { return samples_held(learner.parts(), learner.plan(), batch); };
  const auto fitting = [&](double each) {
    return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(limit) / each));
  };
  /// In equal shares.
  const auto hold = [&](int64_t most) {
    const int64_t shares = (batch + most - 1) / most;
    learner.hold_samples((batch + shares - 1) / shares);
    return held();
  };
  const bool given = e.recipe.compute.samples > 0;
  int64_t at_once = held();
  // So that the measurement itself fits.
  const auto least = static_cast<double>(least_kept(e.training, options));
  if (!given && fitting(least) < at_once) at_once = hold(fitting(least));
  int64_t bytes = estimate_activation_bytes(e.training, batch);
  while (bytes > limit && at_once > 1 && !given) {
    const int64_t fewer =
        std::min(at_once - 1, fitting(static_cast<double>(bytes) / static_cast<double>(at_once)));
    if (hold(fewer) >= at_once) break;  // it takes its batches whole
    at_once = held();
    bytes = estimate_activation_bytes(e.training, batch);
  }
  ST_CHECK(bytes <= limit, "compute.memory_limit: expected ", mebibytes(limit), " MiB to be enough; ",
           at_once == batch && !given ? "this method takes a batch whole, which needs "
                                      : str(at_once, " samples at a time need "),
           mebibytes(bytes), " MiB; make ", given ? "compute.samples, " : "",
           "data.batch, steps, schedule.window or the blocks smaller");
  if (at_once == batch) return;
  e.recipe.compute.samples = at_once;
  e.training.config["compute"]["samples"] = at_once;
}

std::string check_memory(const Recipe& recipe, const Training& training) {
  const CostOptions options = run_options(recipe, training);
  int64_t more = 0;
  for (const auto& item : training.optimizer->parameters())
    more += static_cast<int64_t>(item.second.nbytes()) * (1 + options.optimizer_words);
  const auto check = [&](int64_t activations) {
    const std::string need = need_text(more + activations, options.batch);
    if (training.device.is_cpu())
      check_fits(more + activations, "the run needs " + need,
                 "data.batch, steps, schedule.window or the blocks");
    return need;
  };
  const int64_t held_at_once =
      samples_held(training.learner->parts(), training.learner->plan(), options.batch);
  check(held_at_once * least_kept(training, options));  // so that the measurement itself fits
  std::string need = check(estimate_activation_bytes(training, options.batch));
  if (!training.device.is_cpu()) return need;
  const int64_t evaluated = evaluation_batch(recipe, training);
  const int64_t held = evaluated * evaluation_bytes(training, options.plan);
  check_fits(held,
             str("evaluation needs at least ", static_cast<int64_t>(mebibytes(held)) + 1,
                 " MiB more for a batch of ", evaluated),
             "train.eval_batch (data.batch if it is 0) or steps");
  return need;
}

void CostObserver::on_begin(const BeginReport& report) {
  const Training& training = report.training;
  run_dir_ = report.run_dir;
  learner_ = training.learner;
  test_ = training.data.test;
  device_ = training.device;
  if (!report.run_dir || report.progress.iteration > 0) return;
  const CostOptions options = run_options(recipe_, training);
  const Dataset& data = *training.data.train;
  Recipe whole = end_to_end(recipe_);
  whole.data.batch = options.batch;
  const int64_t bytes = measure_activation_bytes(training, options.batch);
  Config json = to_json(measure_cost(network_rows(training.network()), options));
  json["activation_bytes"] = bytes / options.batch;
  std::string text = str("activations of a batch of ", options.batch, ": ", mebibytes(bytes), " MiB; ");
  try {
    const int64_t end = measure_memory(whole, data.sample(), data.target(), training.device);
    json["activation_bytes_end_to_end"] = end / options.batch;
    text += str("end to end ", mebibytes(end), " MiB; ");
  } catch (const std::exception&) {
    // It is too large to be measured, here or on the device, or its parts do not fit: no reason not to train.
  }
  json["neurobench"] = to_json(neurobench(training.network(), recipe_.steps));
  report.run_dir->write_json("cost.json", json);
  report.message(text + "see cost.json", /*warning=*/false);
}

void CostObserver::on_end(const Progress&, bool complete) {
  constexpr int64_t kSamples = 64;
  if (!complete || !run_dir_ || !runs_step_by_step(learner_->network())) return;
  const std::string path = run_dir_->file("cost.json");
  if (!file_exists(path)) return;  // the run began without an observer of its cost
  const Bytes bytes = read_file(path);
  Config json = Config::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw DataError(path, 0, "expected a JSON object");
  LoaderOptions options;
  options.batch_size = std::min(kSamples, test_->size());
  options.shuffle = false;
  Loader loader(*test_, options);
  loader.start(0);
  Batch batch;
  loader.next(batch);
  batch = batch.to(device_);
  batch.epoch = kEvaluationEpoch;
  json["neurobench"] = to_json(neurobench(*learner_, {batch}));
  run_dir_->write_json("cost.json", json);
}

}  // namespace spiketrain
