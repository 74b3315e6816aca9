#include "spiketrain/recipe/experiment.h"

#include <torch/cuda.h>

#include "spiketrain/base/text.h"
#include "spiketrain/core/head.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/recipe/binarize.h"
#include "spiketrain/recipe/places.h"
#include "spiketrain/recipe/saved_network.h"
#include "spiketrain/recipe/tandem_network.h"
#include "spiketrain/recipe/teacher.h"
#include "spiketrain/train/metrics.h"

namespace spiketrain {
namespace {

std::string name_of(const Config& part) { return part.at("name").get<std::string>(); }

/// UsageError if the encoder reads intensities and the recipe does not leave the images as they are.
void check_normalisation(const Recipe& recipe) {
  const std::vector<double> zero = {0}, one = {1};
  if (recipe.data.mean == zero && recipe.data.std == one) return;
  const DatasetInfo data = dataset_info(recipe.data.name);
  const bool intensities = make<Encoder>(recipe.encoder)->reads_intensities();
  ST_CHECK(!intensities || !data.table || recipe.table.scale == "minmax", "encoder ", name_of(recipe.encoder),
           ": expected values from 0 to 1; set table.scale = \"minmax\", not ", recipe.table.scale);
  ST_CHECK(!intensities || data.table || data.form != Batch::Form::image, "encoder ", name_of(recipe.encoder),
           ": expected intensities from 0 to 1, but the images are ",
           "normalised; set data.mean = [0] and data.std = [1]");
}

/// What the recipe says of how the network learns.
ops::Products products_of(const std::string& name) {
  return name == "events"  ? ops::Products::events
         : name == "dense" ? ops::Products::dense
                           : ops::Products::automatic;
}

LearnerParts learner_parts(const Recipe& recipe, std::shared_ptr<Network> network, Target::Kind target) {
  LearnerParts parts;
  parts.method = make_method(recipe, *network);
  parts.network = std::move(network);
  parts.objective = make<Objective>(recipe.objective);
  parts.steps = recipe.steps;
  parts.schedule = make<Schedule>(recipe.schedule);
  parts.encoder = make<Encoder>(recipe.encoder);
  parts.signal = make<LearningSignal>(recipe.learning_signal);
  parts.target = target;
  parts.seed = static_cast<uint64_t>(recipe.seed);
  parts.block_major = recipe.blocks.order != "time";
  parts.samples_at_once = recipe.compute.samples;
  parts.products = products_of(recipe.compute.products);
  parts.group_norms = recipe.parallel.norm == "group";
  set_precision(*parts.network, recipe.compute.precision == "mixed" ? Precision::mixed : Precision::fp32);
  for (const Config& part : recipe.regularizers) parts.regularizers.push_back(make<Regularizer>(part));
  return parts;
}

TrainOptions train_options(const Recipe& recipe) {
  TrainOptions options = recipe.train;
  options.seed = recipe.seed;
  options.epochs = recipe.epochs;
  options.batch = recipe.data.batch;
  options.loader_threads = recipe.data.loader_threads;
  options.drop_last = recipe.data.drop_last;
  return options;
}

bool has_own_neurons(const Recipe& recipe) {
  return std::dynamic_pointer_cast<StartsWithWeights>(make<NetworkBuilder>(recipe.network)) != nullptr;
}

/// Sections that a user may have written for nothing.
std::vector<std::string> idle_sections(const Recipe& recipe, const Network& network) {
  std::vector<std::string> lines;
  const bool head = recipe.head != Registry<Head>::get().resolve({{"name", "linear"}});
  const bool signal = name_of(recipe.learning_signal) != "heads";
  if (!make<NetworkBuilder>(recipe.network)->uses_neurons() &&
      (recipe.neuron != Registry<Neuron>::get().resolve({{"name", "lif"}}) ||
       recipe.readout != recipe.neuron || name_of(recipe.rule) != "bptt" || !recipe.rules.empty()))
    lines.push_back(str("[neuron], [readout], [rule] and [rules] have no effect: network ",
                        name_of(recipe.network), " has time constants and an adjoint of its own"));
  if (has_own_neurons(recipe) && (recipe.neuron != Registry<Neuron>::get().resolve({{"name", "lif"}}) ||
                                  recipe.readout != recipe.neuron))
    lines.push_back(str("[neuron] and [readout] have no effect: network ", name_of(recipe.network),
                        " has neurons of its own"));
  if (head && network.blocks() == 1)
    lines.emplace_back(
        "the options of [head] have no effect: the network is one block, whose head is the output layer");
  if (head && signal && network.blocks() > 1)
    lines.push_back(str("the options of [head] have no effect: blocks learn from [learning_signal] ",
                        name_of(recipe.learning_signal)));
  if (signal && network.blocks() == 1)
    lines.emplace_back("[learning_signal] has no effect: the network is one block");
  if (!recipe.teacher.run.empty() && !learns_from_teacher(recipe))
    lines.push_back(
        str("[teacher] has no effect: objective ", name_of(recipe.objective), " does not learn from one"));
  return lines;
}

/// Without weights that only the data can tell.
Recipe unbalanced(Recipe recipe) {
  if (recipe.objective.contains("balanced")) recipe.objective["balanced"] = false;
  return recipe;
}

/// With `balanced`, weights of the classes from the training split; those of a recipe that was resolved with data stay.
Recipe with_balanced_classes(Recipe recipe, const Dataset& train) {
  Config& objective = recipe.objective;
  if (!objective.value("balanced", false) || !objective["class_weights"].empty()) return recipe;
  ST_CHECK(train.target().kind == Target::Kind::class_index, "objective ", name_of(objective),
           ": balanced needs data whose targets are classes");
  std::vector<int64_t> samples(static_cast<size_t>(train.target().classes));
  for (int64_t i = 0; i < train.size(); ++i) ++samples[static_cast<size_t>(train.class_of(i))];
  std::vector<double> weights;
  for (size_t c = 0; c < samples.size(); ++c) {
    ST_CHECK(samples[c] > 0, "objective ", name_of(objective), ": balanced: class ", c,
             " has no training sample; give class_weights instead");
    weights.push_back(static_cast<double>(train.size()) /
                      static_cast<double>(train.target().classes * samples[c]));
  }
  objective["class_weights"] = weights;
  return recipe;
}

}  // namespace

Datasets open_datasets(const Recipe& recipe, const std::string& data_dir) {
  check_normalisation(recipe);
  const DataSection& section = recipe.data;
  DataOptions options;
  options.name = section.name;
  options.dir = data_dir;
  options.seed = static_cast<uint64_t>(recipe.seed);
  options.validation = section.validation;
  options.augment = section.augment;
  options.rotate = section.rotate;
  options.zoom = section.zoom;
  if (!section.mean.empty()) options.mean = section.mean[0];
  if (!section.std.empty()) options.std = section.std[0];
  options.train_size = section.train_size;
  options.test_size = section.test_size;
  options.steps = recipe.steps;
  options.events = recipe.events;
  options.table = recipe.table;

  const auto open = [&](const char* split, int64_t limit) {
    options.split = split;
    options.limit = limit;
    return std::shared_ptr<const Dataset>(open_dataset(options));
  };
  Datasets data;
  data.train = open("train", section.limit);
  if (section.validation > 0) data.validation = open("validation", 0);
  data.test = open("test", section.test_limit);
  return learns_from_teacher(recipe) ? taught(data, recipe, data_dir) : data;
}

void check_data(const Datasets& data, const Recipe& recipe) {
  ST_CHECK(data.train && data.test, "experiment: a training and a test split are needed");
  ST_CHECK(data.train->size() > 0, "data: the training split is empty");
  for (const auto& other : {data.validation, data.test}) {
    if (!other) continue;
    ST_CHECK(other->sample() == data.train->sample() && other->target() == data.train->target(),
             "data: the splits differ in shape, steps or targets");
  }
  const int64_t frames = data.train->sample().steps;
  ST_CHECK(frames == 0 || frames == recipe.steps, "data: ", frames,
           " frames a sample, but steps = ", recipe.steps);
  const TargetSpec& target = data.train->target();
  ST_CHECK(target.kind != Target::Kind::class_index || numel(target.shape) > 1,
           "data: ", data.train->describe(),
           ": one class alone; a network cannot learn to tell it from others");
  ST_CHECK(target.kind != Target::Kind::sequence || target.extent == recipe.steps, "data: targets for ",
           target.extent, " steps, but steps = ", recipe.steps);
}

torch::Device parse_device(const std::string& name) {
  if (name == "cpu") return torch::kCPU;
  ST_CHECK(name == "cuda", "device: expected cpu or cuda, got '", name, "'");
  ST_CHECK(torch::cuda::is_available(),
           "device cuda: this LibTorch or this machine has no CUDA; use --device cpu");
  return torch::kCUDA;
}

std::shared_ptr<Network> make_network(const Recipe& recipe, const Shape& input, const Shape& output) {
  NetworkContext context;
  context.input = make<Encoder>(recipe.encoder)->step_shape(input);
  context.output = output;
  context.neuron = hidden_neurons(recipe);
  context.readout = [&] { return make<Neuron>(recipe.readout); };
  if (name_of(recipe.feedback) != "transpose") context.feedback = recipe.feedback;
  auto network = make<NetworkBuilder>(recipe.network)->build(context);
  ST_CHECK(network->out_shape() == output, "network ", network->notation(), ": expected an output of shape ",
           at::IntArrayRef(output), ", got ", at::IntArrayRef(network->out_shape()));
  network->partition(recipe.blocks.sizes(network->hidden_units()), recipe.blocks.cut == "before_pooling");
  if (make<LearningSignal>(recipe.learning_signal)->uses_heads()) {
    const auto head = make<Head>(recipe.head);
    for (int64_t b = 0; b + 1 < network->blocks(); ++b)
      network->attach_head(b, head->build(network->block_shape(b), output, context.readout()));
  }
  check_tandem(recipe, *network);
  return network;
}

Method make_method(const Recipe& recipe, const Network& network) {
  Method method;
  method.rule = make<Rule>(recipe.rule);
  std::vector<std::string> named;
  for (const auto& item : recipe.rules.items()) named.push_back(item.key());
  for (const auto& [place, layers] : places(network, named, "rules")) {
    const auto rule = make<Rule>(recipe.rules[place]);
    for (const auto& stage : layers)
      if (std::dynamic_pointer_cast<Layer>(stage)) method.layers[stage->slot()] = rule;
  }
  return method;
}

std::vector<MetricP> make_metrics(const Recipe& recipe, Target::Kind kind) {
  std::vector<MetricP> metrics;
  for (const Config& metric : recipe.metrics) metrics.push_back(make<Metric>(metric));
  if (metrics.empty() && kind != Target::Kind::spike_times)
    metrics.push_back(make<Metric>(kind == Target::Kind::class_index ? "accuracy" : "mse"));
  MetricSet(metrics, kind);  // they fit the targets
  return metrics;
}

void check_recipe(const Recipe& recipe) {
  check_normalisation(recipe);
  const std::string& limit = recipe.compute.memory_limit;
  if (!limit.empty()) bytes_of(limit, "compute.memory_limit");
  ST_CHECK(recipe.train.patience == 0 || recipe.data.validation > 0, kPatienceNeedsValidation);
  const DatasetInfo data = dataset_info(recipe.data.name);
  const bool framed = data.events && !recipe.events.sensor.empty();
  if (numel(data.target.shape) == 0 || !(framed || numel(data.shape) > 0)) return;
  const Shape shape = data.events ? event_frame_shape(data, recipe.events) : data.shape;
  const auto network = make_network(recipe, shape, data.target.shape);
  freeze(*network, recipe.train.freeze);
  places(*network, recipe.init.redraw, "init.redraw");
  make_binarizer(recipe, network);
  const Learner learner(learner_parts(unbalanced(recipe), network, data.target.kind));
  if (data.form == Batch::Form::frames) learner.parts().encoder->check_frames();
  make_metrics(recipe, data.target.kind);
}

std::string method_text(const Recipe& r) {
  const std::string teacher = learns_from_teacher(r) ? ", teacher " + r.teacher.run : "";
  const std::string end =
      ", schedule " + name_of(r.schedule) + ", objective " + name_of(r.objective) + teacher;
  if (!make<NetworkBuilder>(r.network)->uses_neurons())
    return "the adjoint of network " + name_of(r.network) + ", objective " + name_of(r.objective) + teacher;
  std::vector<std::string> others;
  for (const auto& rule : r.rules.items()) others.push_back(rule.key() + ": " + name_of(rule.value()));
  std::string text = "rule " + name_of(r.rule) + (others.empty() ? "" : " (" + join(others) + ")");
  if (name_of(r.feedback) != "transpose") text += ", feedback " + name_of(r.feedback);
  text += ", neuron " + (has_own_neurons(r) ? "the network's own" : name_of(r.neuron)) + end;
  const BlockSection& blocks = r.blocks;
  if (!blocks.partition.empty()) {
    std::vector<std::string> sizes;
    for (const int64_t size : blocks.partition) sizes.push_back(std::to_string(size));
    text += ", blocks of " + join(sizes, "-") + " layers";
  } else if (blocks.size > 0) {
    text += str(", blocks of ", blocks.size, blocks.size == 1 ? " layer" : " layers");
  }
  if (blocks.output == "apart") text += ", the output layer apart";
  return text;
}

RateAdvice rate_advice(const Recipe& recipe) {
  const Config all = resolve(recipe);
  std::string thresholds;
  std::vector<std::string> weights;
  if (all["network"].contains("threshold")) {
    thresholds = "network.threshold";
  } else if (make<NetworkBuilder>(recipe.network)->uses_neurons() && !has_own_neurons(recipe) &&
             all["neuron"].contains("threshold")) {
    thresholds = "neuron.threshold";
  }
  for (const char* option : {"conv_scale", "linear_scale", "weight_mean"})
    if (all["network"].contains(option)) weights.push_back(str("network.", option));
  const auto advice = [&](const std::string& threshold, const std::string& weight) {
    std::vector<std::string> parts;
    if (!thresholds.empty()) parts.push_back(threshold + thresholds);
    if (!weights.empty()) parts.push_back(weight + join(weights));
    return join(parts, ", or ");
  };
  return {advice("lower ", "raise "), advice("raise ", "lower ")};
}

Experiment build_experiment(const Recipe& given, Datasets data, torch::Device device) {
  check_data(data, given);
  check_teacher(given, *data.train);
  const Recipe recipe = with_teacher_digest(with_balanced_classes(given, *data.train));
  const Dataset& train = *data.train;
  const TargetSpec& target = train.target();
  auto network = make_network(recipe, train.sample().shape, target.shape);
  network->initialise(static_cast<uint64_t>(recipe.seed));
  if (const auto saved = std::dynamic_pointer_cast<StartsWithWeights>(make<NetworkBuilder>(recipe.network)))
    saved->load(*network);
  network->to(device);
  freeze(*network, recipe.train.freeze);
  const auto optimizer = make<Optimizer>(recipe.optimizer);
  optimizer->attach(trained_parameters(*network));
  const auto binarizer = make_binarizer(recipe, network);

  Experiment experiment;
  experiment.recipe = recipe;
  Training& training = experiment.training;
  training.caveats = idle_sections(recipe, *network);
  training.rate_advice = rate_advice(recipe);
  training.learner = std::make_shared<Learner>(learner_parts(recipe, std::move(network), target.kind));
  if (train.sample().form == Batch::Form::frames) training.learner->parts().encoder->check_frames();
  training.optimizer = optimizer;
  training.binarizer = binarizer;
  training.rate = make<LearningRate>(recipe.learning_rate);
  training.metrics = make_metrics(recipe, target.kind);
  training.options = train_options(recipe);
  training.device = device;
  training.config = resolve(recipe);
  training.docs = resolved_options(recipe);
  training.data = std::move(data);
  return experiment;
}

}  // namespace spiketrain
