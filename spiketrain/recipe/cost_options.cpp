#include "spiketrain/recipe/cost_options.h"

#include "spiketrain/core/encoder.h"
#include "spiketrain/core/extras.h"
#include "spiketrain/data/source.h"

namespace spiketrain {
namespace {

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
  input.shape = step_shape(*encoder, sample.shape);
  input.constant = signal.is_constant();
  const bool zero_or_one = frames && sample.type == torch::kByte && recipe.events.accumulate == "or";
  input.values = (signal.is_spikes() && !frames) || zero_or_one ? Values::binary : Values::real;
  return input;
}

}  // namespace

SampleSpec sample_of(const Recipe& recipe, const Shape& input) {
  for (const DatasetInfo& info : dataset_infos()) {
    if (info.name != recipe.data.name || info.form == Batch::Form::image) continue;
    return SampleSpec::frames(recipe.steps, input, info.events ? torch::kByte : torch::kFloat);
  }
  return SampleSpec::image(input);
}

TargetSpec target_of(const Recipe& recipe, const Shape& output) {
  TargetSpec target = dataset_info(recipe.data.name).target;
  target.shape = output;
  if (target.kind == Target::Kind::class_index) target.classes = numel(output);
  if (target.kind == Target::Kind::sequence) target.extent = recipe.steps;
  return target;
}

CostOptions cost_options(const Recipe& recipe, const SampleSpec& sample) {
  CostOptions options;
  const auto schedule = make<Schedule>(recipe.schedule);
  options.plan = schedule->plan({recipe.steps, static_cast<uint64_t>(recipe.seed)});
  options.batch = recipe.data.batch;
  options.input = input_of(recipe, sample);
  options.rule = make<Rule>(recipe.rule);
  options.optimizer_words = make<Optimizer>(recipe.optimizer)->state_words();
  options.energy = recipe.cost;
  return options;
}

CostOptions cost_options(const Recipe& recipe, const Shape& input) {
  return cost_options(recipe, sample_of(recipe, input));
}

}  // namespace spiketrain
