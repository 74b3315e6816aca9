#include "spiketrain/recipe/cost_options.h"

#include <algorithm>

#include "spiketrain/core/encoder.h"
#include "spiketrain/cost/footprint.h"
#include "spiketrain/data/source.h"
#include "spiketrain/engine/step_scores.h"
#include "spiketrain/train/memory_left.h"
#include "spiketrain/train/probe.h"

namespace spiketrain {
namespace {

SampleSpec sample_of(const Recipe& recipe, const Shape& input) {
  for (const DatasetInfo& info : dataset_infos()) {
    if (info.name != recipe.data.name || info.form == Batch::Form::image) continue;
    return SampleSpec::frames(recipe.steps, input, info.events ? torch::kByte : torch::kFloat);
  }
  return SampleSpec::image(input);
}

CostInput input_of(const Recipe& recipe, const SampleSpec& sample) {
  const auto encoder = make<Encoder>(recipe.encoder);
  const bool frames = sample.form == Batch::Form::frames;
  // What kind of signal comes out does not depend on the size, which may be any: of one value.
  Shape shape = frames ? Shape{recipe.steps, 1} : Shape{1};
  shape.insert(shape.end(), sample.shape.size(), 1);
  Batch batch;
  batch.form = sample.form;
  batch.x = torch::zeros(shape, sample.type);
  const Encoder::Request request = {0, recipe.steps, recipe.steps};
  const Signal signal = frames ? encoder->frames(batch, request) : encoder->encode(batch, request);

  CostInput input;
  input.shape = sample.shape;
  input.spikes = signal.is_spikes();
  input.constant = signal.is_constant();
  const bool zero_or_one = frames && sample.type == torch::kByte && recipe.events.accumulate == "or";
  input.values = input.spikes || zero_or_one ? Values::binary : Values::real;
  return input;
}

}  // namespace

CostOptions cost_options(const Recipe& recipe, const SampleSpec& sample) {
  CostOptions options;
  const auto schedule = make<Schedule>(recipe.schedule);
  options.plan = schedule->plan({recipe.steps, static_cast<uint64_t>(recipe.seed)});
  if (schedule->scoring(recipe.steps)) options.scoring = scoring_plan(recipe.steps);
  options.block_major = recipe.blocks.order != "time";
  options.batch = recipe.data.batch;
  options.input = input_of(recipe, sample);
  // An image is there before the pass; what is made of it, or of frames, for each window is not.
  options.count_input = !options.input.constant;
  options.rule = make<Rule>(recipe.rule);
  options.optimizer_words = make<Optimizer>(recipe.optimizer)->state_words();
  options.energy = recipe.cost;
  return options;
}

CostOptions cost_options(const Recipe& recipe, const Shape& input) {
  return cost_options(recipe, sample_of(recipe, input));
}

namespace {

/// Of the batches of a run.
CostOptions run_options(const Recipe& recipe, const Training& training) {
  const Dataset& data = *training.data.train;
  CostOptions options = cost_options(recipe, data.sample());
  options.batch = std::min(recipe.data.batch, data.size());
  options.rules = training.learner->parts().method.layers;
  options.threads = at::get_num_threads();
  return options;
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

}  // namespace

std::string check_memory(const Recipe& recipe, const Training& training) {
  const CostOptions options = run_options(recipe, training);
  const int64_t activations =
      measure_cost(network_rows(training.network()), options).activation_bytes_predicted * options.batch;
  int64_t learned = 0;
  for (const auto& item : training.optimizer->parameters())
    learned += static_cast<int64_t>(item.second.nbytes());
  const int64_t more = activations + learned * (1 + options.optimizer_words);
  const std::string need =
      str("at least ", static_cast<int64_t>(mebibytes(more)) + 1, " MiB more: activations of a batch of ",
          options.batch, ", gradients, optimizer");
  if (!training.device.is_cpu()) return need;
  check_fits(more, "the run needs " + need, "data.batch, steps, schedule.window or the blocks");
  const int64_t evaluated = evaluation_batch(recipe, training);
  const int64_t held = evaluated * evaluation_bytes(training, options.plan);
  check_fits(held,
             str("evaluation needs at least ", static_cast<int64_t>(mebibytes(held)) + 1,
                 " MiB more for a batch of ", evaluated),
             "train.eval_batch (data.batch if it is 0) or steps");
  return need;
}

void CostObserver::on_begin(const BeginReport& report) {
  if (!report.run_dir || report.progress.iteration > 0) return;
  const Training& training = report.training;
  const auto rows = network_rows(training.network());
  const CostOptions options = run_options(recipe_, training);
  const int64_t samples = options.batch;
  const CostReport cost = measure_cost(rows, options);
  const int64_t bytes = measure_activation_bytes(training, samples);
  const int64_t whole = predict_end_to_end(rows, options);
  Config json = to_json(cost);
  json["activation_bytes_measured"] = bytes / samples;
  json["activation_bytes_end_to_end"] = whole;
  report.run_dir->write_json("cost.json", json);
  report.message(str("activations of a batch of ", samples, ": ", mebibytes(bytes), " MiB, predicted ",
                     mebibytes(cost.activation_bytes_predicted * samples), " MiB; end to end ",
                     mebibytes(whole * samples), " MiB; see cost.json"),
                 /*warning=*/false);
}

}  // namespace spiketrain
