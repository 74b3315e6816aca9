// spiketrain inspect: the tensors of a safetensors file, the network of a recipe or run, layer by layer, or
// what an event file holds.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "spiketrain/base/safetensors.h"
#include "spiketrain/data/events/event_file.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/train/experiment.h"

namespace spiketrain::cli {
namespace {

struct InspectCommand {
  std::string what;
  std::vector<int64_t> input;
  int64_t classes = 0;
  std::vector<std::string> sets;
};

/// Characters of a metadata value that are printed.
constexpr size_t kShown = 400;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::vector<std::string> parts;
  for (const int64_t n : shape) parts.push_back(std::to_string(n));
  return "[" + join(parts, ",") + "]";
}

void inspect_tensors(const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const auto& [key, value] : file.metadata()) {
    std::cout << key << ": " << (value.size() > kShown ? value.substr(0, kShown) + " ..." : value) << '\n';
  }
  std::vector<std::vector<std::string>> rows = {{"tensor", "type", "shape", "bytes"}};
  int64_t bytes = 0;
  for (const TensorEntry& entry : file.entries()) {
    rows.push_back(
        {entry.name, entry.dtype, shape_text(entry.shape), thousands(static_cast<int64_t>(entry.bytes))});
    bytes += static_cast<int64_t>(entry.bytes);
  }
  rows.push_back({"total", "", "", thousands(bytes)});
  print_table(rows);
}

/// Bytes one spiking layer records per neuron and step: current and output, the events, and the rule's slots.
int64_t tape_bytes(const Rule& rule) {
  int64_t bytes = 4 + 4 + 1;
  for (const uint32_t slot : {kU, kPsi}) bytes += rule.needs() & slot ? 4 : 0;
  return bytes;
}

void inspect_network(const InspectCommand& command, const std::string& recipe_path) {
  Config config = load_config(recipe_path);
  for (const std::string& assignment : command.sets) apply_set(config, assignment);
  const Recipe recipe = make_recipe(config);
  Shape input = command.input;
  int64_t classes = command.classes;
  ST_CHECK(input.empty() == (classes == 0), "inspect: --input and --classes go together");
  if (input.empty()) {
    const DatasetInfo& data = dataset_info(recipe.data.name);
    ST_CHECK(data.classes > 0, "inspect: the files of ", data.name, " decide; give --input and --classes");
    input = data.events ? event_frame_shape(data, recipe.events) : data.shape;
    classes = data.classes;
  }
  const auto network = make_network(recipe, input, classes);
  const auto rule = Registry<Rule>::get().make(recipe.rule);
  std::cout << network->spec() << "   input " << shape_text(input) << ", T = " << recipe.steps << '\n';
  std::vector<std::vector<std::string>> rows = {
      {"layer", "kind", "output", "parameters", "neurons", "MACs/step"}};
  int64_t parameters = 0, neurons = 0, macs = 0;
  for (const StageInfo& stage : network->describe()) {
    rows.push_back({stage.spec, stage.kind, shape_text(stage.out), thousands(stage.parameters),
                    thousands(stage.neurons), thousands(stage.macs)});
    parameters += stage.parameters;
    neurons += stage.neurons;
    macs += stage.macs;
  }
  rows.push_back({"total", "", "", thousands(parameters), thousands(neurons), thousands(macs)});
  print_table(rows);
  const int64_t bytes = neurons * recipe.steps * tape_bytes(*rule);
  std::cout << "recorded for the backward pass: about " << thousands(bytes) << " bytes per sample, "
            << number(static_cast<double>(bytes * recipe.data.batch) / (1 << 20)) << " MiB per batch of "
            << recipe.data.batch << '\n';
}

void inspect_events(const std::string& path) {
  const std::string format = detect_event_format(path);
  const EventStream stream = read_events(path, format);
  const auto count = static_cast<int64_t>(stream.events.size());
  int64_t on = 0, first = INT64_MAX, last = INT64_MIN;
  for (const Event& event : stream.events) {
    on += event.polarity;
    first = std::min(first, event.t_us);
    last = std::max(last, event.t_us);
  }
  std::cout << "format: " << format << "\nsensor: ";
  if (stream.width > 0) {
    std::cout << stream.width << " x " << stream.height << '\n';
  } else {
    std::cout << "the file does not say\n";
  }
  std::cout << "events: " << thousands(count) << '\n';
  if (count == 0) return;
  const double seconds = (static_cast<double>(last) - static_cast<double>(first)) * 1e-6;
  std::cout << "duration: " << number(seconds, 6)
            << " s\nON: " << percent(static_cast<double>(on) / static_cast<double>(count)) << '\n';
  if (seconds > 0)
    std::cout << "rate: " << thousands(std::llround(static_cast<double>(count) / seconds)) << " events/s\n";
}

void run_inspect(const InspectCommand& command) {
  const std::filesystem::path path = command.what;
  if (std::filesystem::is_directory(path)) return inspect_network(command, (path / "config.toml").string());
  if (path.extension() == ".toml") return inspect_network(command, command.what);
  if (path.extension() == ".safetensors") return inspect_tensors(command.what);
  if (has_event_extension(command.what)) return inspect_events(command.what);
  throw UsageError(str("inspect ", command.what,
                       ": expected a .safetensors file, a .toml recipe, an event file or a run directory"));
}

}  // namespace

void add_inspect(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<InspectCommand>();
  CLI::App* sub = app.add_subcommand("inspect", "show a file's tensors or events or a network's layers");
  sub->add_option("what", command->what, "FILE.safetensors, RECIPE.toml, an event file or a run directory")
      ->required();
  sub->add_option("--set", command->sets, "override a recipe option, as in train")->allow_extra_args(false);
  sub->add_option("--input", command->input,
                  "shape of a sample, e.g. 3,32,32, instead of that of the recipe's data set")
      ->delimiter(',');
  sub->add_option("--classes", command->classes, "number of classes, together with --input");
  sub->callback([command, &exit_code] {
    run_inspect(*command);
    exit_code = kOk;
  });
}

}  // namespace spiketrain::cli
