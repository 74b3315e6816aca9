#include "spiketrain/recipe/cost_options.h"

#include <algorithm>

#include "spiketrain/core/encoder.h"
#include "spiketrain/data/source.h"
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
  options.plan = make<Schedule>(recipe.schedule)->plan({recipe.steps, static_cast<uint64_t>(recipe.seed)});
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
      str("about ", static_cast<int64_t>(mebibytes(more)) + 1, " MiB more: activations of a batch of ",
          options.batch, ", gradients, optimizer");
  const MemoryLeft left = memory_left();
  ST_CHECK(!training.device.is_cpu() || static_cast<double>(more) <= left.bytes, "memory: the run needs ",
           need, "; ", left.limit, " leaves ", static_cast<int64_t>(left.bytes / (1 << 20)),
           " MiB; make data.batch, steps, schedule.window or the blocks smaller");
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
