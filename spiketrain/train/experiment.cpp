#include "spiketrain/train/experiment.h"

#include <torch/cuda.h>

#include <algorithm>

#include "spiketrain/data/events/event_sets.h"

namespace spiketrain {
namespace {

std::string name_of(const Config& part) { return part.at("name").get<std::string>(); }

void check_data(const Datasets& data) {
  ST_CHECK(data.train && data.test, "experiment: a training and a test split are needed");
  ST_CHECK(data.train->size() > 0, "data: the training split is empty");
  for (const auto& other : {data.validation, data.test}) {
    if (!other) continue;
    ST_CHECK(other->sample_shape() == data.train->sample_shape() &&
                 other->classes() == data.train->classes() && other->steps() == data.train->steps(),
             "data: the splits differ in shape, steps or classes");
  }
}

/// Refuses what would train nothing.
PassPlan make_plan(const Recipe& recipe, const Schedule& schedule, const Network& network) {
  PassPlan plan;
  plan.windows = schedule.plan(recipe.steps);
  plan.block_major = recipe.blocks.order != "time";
  const bool silent =
      std::any_of(plan.windows.begin(), plan.windows.end(), [](const Window& w) { return !w.loss; });
  ST_CHECK(!silent || network.blocks() == 1,
           "schedule: a loss in the last window only leaves the blocks of a ", "network cut in ",
           network.blocks(), " blocks without a gradient in all others; use schedule.loss = ", "\"every\"");
  return plan;
}

std::shared_ptr<const Objective> make_objective(const Recipe& recipe, int64_t classes, const PassPlan& plan) {
  const auto readout = Registry<Neuron>::get().make(recipe.readout);
  auto objective = Registry<Objective>::get().make(recipe.objective);
  objective->prepare(
      {classes, recipe.steps, readout->emits_psp(), readout->psp_constants().tau_s, plan.windows.size() > 1});
  return objective;
}

/// UsageError if the encoder cannot take frames.
void check_takes_frames(const Encoder& encoder) { encoder.frames(torch::zeros({1, 1, 1}, torch::kUInt8)); }

/// UsageError if the encoder reads intensities and the recipe does not leave the images as they are.
void check_normalisation(const Recipe& recipe) {
  const bool intensities = Registry<Encoder>::get().make(recipe.encoder)->reads_intensities();
  const std::vector<double> zero = {0}, one = {1};
  const bool plain = recipe.data.mean == zero && recipe.data.std == one;
  ST_CHECK(
      !intensities || plain || dataset_info(recipe.data.name).events, "encoder ", name_of(recipe.encoder),
      ": expected intensities from 0 to 1, but the images are normalised; set data.mean = [0] and data.std = "
      "[1]");
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
  if (!section.mean.empty()) options.mean = section.mean[0];
  if (!section.std.empty()) options.std = section.std[0];
  options.train_size = section.train_size;
  options.test_size = section.test_size;
  options.steps = recipe.steps;
  options.events = recipe.events;

  const auto open = [&](const char* split, int64_t limit) {
    options.split = split;
    options.limit = limit;
    return std::shared_ptr<const Dataset>(open_dataset(options));
  };
  Datasets data;
  data.train = open("train", section.limit);
  if (section.validation > 0) data.validation = open("validation", 0);
  data.test = open("test", section.test_limit);
  return data;
}

torch::Device parse_device(const std::string& name) {
  if (name == "cpu") return torch::kCPU;
  ST_CHECK(name == "cuda", "device: expected cpu or cuda, got '", name, "'");
  ST_CHECK(torch::cuda::is_available(),
           "device cuda: this LibTorch or this machine has no CUDA; use --device cpu");
  return torch::kCUDA;
}

std::shared_ptr<Network> make_network(const Recipe& recipe, const Shape& input, int64_t classes) {
  auto& neurons = Registry<Neuron>::get();
  const auto rule = Registry<Rule>::get().make(recipe.rule);
  for (const Config* neuron : {&recipe.neuron, &recipe.readout}) {
    check_compatible(*rule, name_of(recipe.rule), *neurons.make(*neuron), name_of(*neuron));
  }
  NetworkContext context;
  context.input = input;
  context.classes = classes;
  context.neuron = [&] { return neurons.make(recipe.neuron); };
  context.readout = [&] { return neurons.make(recipe.readout); };
  auto network = Registry<NetworkBuilder>::get().make(recipe.network)->build(context);
  ST_CHECK(network->out_shape() == Shape{classes}, "network ", network->spec(), ": expected ", classes,
           " outputs, one per class");
  network->partition(recipe.blocks.sizes(network->hidden_units()), recipe.blocks.cut == "before_pooling");
  for (size_t b = 0; b + 1 < network->blocks(); ++b) {
    network->attach_head(b, make_head(network->block_shape(b), classes, recipe.head, context.readout()));
  }
  network->initialise(static_cast<uint64_t>(recipe.seed));
  return network;
}

void check_recipe(const Recipe& recipe) {
  check_normalisation(recipe);
  const DatasetInfo& data = dataset_info(recipe.data.name);
  const bool sized = std::count(data.shape.begin(), data.shape.end(), 0) == 0;
  if (data.classes == 0 || !(sized || (data.events && !recipe.events.sensor.empty()))) return;
  const Shape shape = data.events ? event_frame_shape(data, recipe.events) : data.shape;
  const auto network = make_network(recipe, shape, data.classes);
  const PassPlan plan = make_plan(recipe, *Registry<Schedule>::get().make(recipe.schedule), *network);
  if (data.events) check_takes_frames(*Registry<Encoder>::get().make(recipe.encoder));
  make_objective(recipe, data.classes, plan);
}

Experiment build_experiment(const Recipe& recipe, Datasets data, torch::Device device) {
  check_data(data);
  Experiment experiment;
  experiment.recipe = recipe;
  experiment.device = device;
  const int64_t classes = data.train->classes();
  experiment.network = make_network(recipe, data.train->sample_shape(), classes);
  experiment.network->to(device);
  const int64_t frames = data.train->steps();
  ST_CHECK(frames == 0 || frames == recipe.steps, "data: ", frames,
           " frames a sample, but steps = ", recipe.steps);
  experiment.data = std::move(data);
  experiment.rule = Registry<Rule>::get().make(recipe.rule);
  experiment.plan = make_plan(recipe, *Registry<Schedule>::get().make(recipe.schedule), *experiment.network);
  experiment.encoder = Registry<Encoder>::get().make(recipe.encoder);

  if (frames > 0) check_takes_frames(*experiment.encoder);
  experiment.objective = make_objective(recipe, classes, experiment.plan);
  return experiment;
}

}  // namespace spiketrain
