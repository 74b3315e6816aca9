// spiketrain inspect: the tensors of a safetensors file, the network of a recipe or run, layer by layer, or
// what an event file holds.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/inspect_parallel.h"
#include "apps/spiketrain/storage_table.h"
#include "spiketrain/base/file.h"
#include "spiketrain/base/safetensors.h"
#include "spiketrain/cost/neurobench.h"
#include "spiketrain/cost/neuron_energy.h"
#include "spiketrain/data/events/event_file.h"
#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/engine/by_step.h"
#include "spiketrain/recipe/binarize.h"
#include "spiketrain/recipe/cost_options.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/recipe/memory.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct InspectCommand {
  const CLI::App* line = nullptr;  ///< as it was given
  std::string what, data_dir;
  std::vector<int64_t> input, output;
  std::vector<std::string> sets;
  ParallelQuestion parallel;
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
    std::cout << one_line(key) << ": "
              << one_line(value.size() > kShown ? value.substr(0, kShown) + " ..." : value) << '\n';
  }
  std::vector<std::vector<std::string>> rows = {{"tensor", "type", "shape", "bytes"}};
  int64_t bytes = 0;
  for (const TensorEntry& entry : file.entries()) {
    rows.push_back({one_line(entry.name), entry.dtype, shape_text(entry.shape),
                    thousands(static_cast<int64_t>(entry.bytes))});
    bytes += static_cast<int64_t>(entry.bytes);
  }
  rows.push_back({"total", "", "", thousands(bytes)});
  print_table(rows);
}

/// 1234567 -> "1.23M"
std::string short_number(int64_t value) {
  const char* units[] = {"", "k", "M", "G", "T", "P"};
  auto x = static_cast<double>(value);
  size_t unit = 0;
  for (; x >= 1000 && unit + 1 < std::size(units); ++unit) x /= 1000;
  return number(x, 3) + units[unit];
}

std::vector<std::string> cost_cells(const Operations& n, int64_t bytes) {
  std::vector<std::string> cells;
  for (const int64_t value :
       {n.ac, n.mac_forward, n.mac_error, n.mac_weight, n.vector, n.memory_words, bytes}) {
    cells.push_back(short_number(value));
  }
  return cells;
}

std::string mebibytes(int64_t bytes) { return number(static_cast<double>(bytes) / (1 << 20), 4) + " MiB"; }

/// Bytes of activations: the recipe's own windows and blocks, end to end, and windows of one step.
void print_memory(const Recipe& recipe, const Shape& input, const Shape& output, const Plan& plan,
                  int64_t blocks) {
  int64_t K = 0;
  for (const Segment& segment : plan) K = std::max(K, segment.steps());
  const std::string cut = str(blocks, blocks == 1 ? " block" : " blocks");
  std::vector<std::string> refused;
  const auto bytes = [&](const std::string& name, const Recipe& variant) -> int64_t {
    try {
      return measure_memory(variant, sample_of(variant, input), target_of(variant, output));
    } catch (const UsageError& error) {
      refused.push_back(str("not measured: ", name, ": ", error.what()));
      return 0;
    }
  };
  std::vector<std::vector<std::string>> rows = {{"activation memory, measured on noise",
                                                 "batch of " + std::to_string(recipe.data.batch),
                                                 "of end to end"}};
  const std::string all = "end to end: all steps, one block";
  const int64_t whole = bytes(all, end_to_end(recipe));
  const auto add = [&](const std::string& name, int64_t n) {
    const bool known = n > 0 && whole > 0;
    rows.push_back({name, n > 0 ? mebibytes(n) : "-",
                    known ? percent(static_cast<double>(n) / static_cast<double>(whole)) : "-"});
  };
  const auto add_variant = [&](const std::string& name, const Recipe& variant) {
    add(name, bytes(name, variant));
  };
  add_variant(str("this recipe: windows of ", K, " of ", recipe.steps, " steps, ", cut), recipe);
  add(all, whole);
  if (K > 1) add_variant(str("windows of 1 step, ", cut), step_by_step(recipe));
  std::cout << '\n';
  print_table(rows);
  for (const std::string& line : refused) std::cout << line << '\n';
}

/// Operations of one training pass per sample, layer by layer.
void print_cost(const std::vector<NetworkRow>& network, const CostOptions& options) {
  const CostReport report = measure_cost(network, options);
  std::cout << "\ntraining, per sample\n";
  std::vector<std::vector<std::string>> rows = {
      {"layer", "AC", "MAC forward", "MAC error", "MAC weight", "vector", "words", "bytes kept"}};
  const auto add = [&](const std::string& name, const Operations& n, int64_t bytes) {
    rows.push_back({name});
    for (std::string& cell : cost_cells(n, bytes)) rows.back().push_back(std::move(cell));
  };
  int64_t bytes = 0;
  for (const CostRow& row : report.rows) {
    add((row.head ? "head " : "") + row.spec, row.dense, row.bytes_kept);
    bytes += row.bytes_kept;
  }
  add("total", report.total, bytes);
  print_table(rows);
  if (report.mac_forward_run != report.total.mac_forward) {
    std::cout << "the input is the same at every step: " << short_number(report.mac_forward_run)
              << " forward MACs and " << short_number(report.mac_weight_run)
              << " of the weight gradient are carried out\n";
  }
  std::cout << "energy: about " << number(report.energy_uj) << " uJ, an estimate (recipe section [cost])\n";
}

/// What neurons that weigh their input over time do in a forward pass; nothing where there are none.
void print_time_operations(const std::vector<NetworkRow>& network, int64_t steps) {
  std::vector<std::vector<std::string>> rows = {
      {"neurons over time, forward, per sample", "multiplications", "shifts", "additions", "uJ"}};
  const auto add = [&](const std::string& name, const NeuronOperations& n) {
    rows.push_back({name, thousands(n.multiplications), thousands(n.shifts), thousands(n.additions),
                    number(n.energy_uj(), 4)});
  };
  NeuronOperations total, published;
  for (const NetworkRow& row : network) {
    if (!row.neuron || !weighs_time(*row.neuron)) continue;
    const NeuronOperations n = neuron_operations(*row.neuron, row.neurons, steps);
    add(row.spec, n);
    total += n;
    published += neuron_operations(*row.neuron, row.neurons, steps, /*published=*/true);
  }
  if (rows.size() == 1) return;
  add("total", total);
  if (published.additions != total.additions) add("total, taps counted as if dilations were 1", published);
  std::cout << '\n';
  print_table(rows);
}

/// NeuroBench's metrics of a forward pass: of a complete run as it has measured them, else what no sample is needed for.
void print_neurobench(const Network& network, int64_t steps, const Config& cost) {
  const Config measured = cost.value("neurobench", Config::object());
  const bool run = measured.contains("samples");
  const Config json = run ? measured : to_json(neurobench(network, steps));
  std::cout << "\nNeuroBench's metrics"
            << (run ? str(", measured on ", json["samples"], " test samples") : "") << '\n';
  std::vector<std::vector<std::string>> rows;
  const auto add = [&](const std::string& name, const Config& from, const char* key, bool whole) {
    const auto it = from.find(key);
    if (it == from.end() || !it->is_number()) return;
    const auto value = it->get<double>();
    rows.push_back({name + key, whole ? thousands(std::llround(value)) : number(value, 6)});
  };
  for (const char* key : {"footprint", "parameter_count"}) add("", json, key, true);
  for (const char* key : {"connection_sparsity", "activation_sparsity"}) add("", json, key, false);
  const Config operations = json.value("synaptic_operations", Config::object());
  for (const char* key : {"Effective_MACs", "Effective_ACs", "Dense"})
    add("synaptic_operations ", operations, key, true);
  add("", json, "membrane_updates", true);
  print_table(rows);
  if (run) return;
  std::cout
      << (runs_step_by_step(network)
              ? "what takes samples is measured when a run is complete (cost.json, `spiketrain report`)\n"
              : "the others are defined by steps, which this network does not have\n");
}

/// Names of the nodes that a row reads.
std::string sources_text(const Network& network, const std::vector<NetworkRow>& rows, const NetworkRow& row) {
  std::vector<std::string> names;
  for (size_t k = 0; k < row.sources.size(); ++k) {
    const int64_t source = row.sources[k];
    const bool delayed = k < row.delays.size() && row.delays[k] > 0;
    const auto name = [&] {
      const auto node = static_cast<size_t>(rows[static_cast<size_t>(source)].node);
      return network.nodes()[node].name;
    };
    names.push_back((source < 0 ? "input" : name()) + (delayed ? " (t-1)" : ""));
  }
  return join(names);
}

void print_network(const Network& network, const std::vector<NetworkRow>& rows) {
  std::vector<std::vector<std::string>> table = {
      {"node", "layer", "kind", "reads", "block", "output", "parameters", "neurons", "MACs/step"}};
  int64_t parameters = 0, neurons = 0, macs = 0;
  for (const NetworkRow& row : rows) {
    table.push_back({network.nodes()[static_cast<size_t>(row.node)].name, row.spec,
                     row.head ? "head: " + row.kind : row.kind, sources_text(network, rows, row),
                     std::to_string(row.block), shape_text(row.out), thousands(row.parameters),
                     thousands(row.neurons), thousands(row.macs)});
    parameters += row.parameters;
    neurons += row.neurons;
    macs += row.macs;
  }
  table.push_back({"total", "", "", "", "", "", thousands(parameters), thousands(neurons), thousands(macs)});
  print_table(table);
}

/// Below which densities of spikes the products of a layer are event-driven.
void print_event_limits(const std::vector<NetworkRow>& rows, const Recipe& recipe) {
  if (recipe.compute.products != "automatic") {
    std::cout << "\nproducts of spikes: " << recipe.compute.products << " (compute.products)\n";
    return;
  }
  std::vector<std::vector<std::string>> table = {
      {"event-driven if spikes are fewer than", "forward", "weight gradient"}};
  const auto limit = [](const NetworkRow& row, ops::EventProduct product) {
    const double density = row.synapse->event_limit(product);
    return density > 0 ? percent(std::min(1.0, density)) : std::string("never");
  };
  for (const NetworkRow& row : rows) {
    if (row.synapse)
      table.push_back(
          {row.spec, limit(row, ops::EventProduct::forward), limit(row, ops::EventProduct::gradient)});
  }
  std::cout << '\n';
  print_table(table);
}

/// What the recipe's data are like; false if only their files could say, and no folder is given.
bool data_shapes(const InspectCommand& command, const Recipe& recipe, Shape& input, Shape& output) {
  const DatasetInfo data = dataset_info(recipe.data.name);
  const bool framed = !data.events || data.shape[1] > 0 || !recipe.events.sensor.empty();
  if (numel(data.target.shape) > 0 && framed) {
    input = data.events ? event_frame_shape(data, recipe.events) : data.shape;
    output = data.target.shape;
    return true;
  }
  const std::string& file = data.table ? recipe.table.file : recipe.events.folder;
  if (command.data_dir.empty() && file.rfind('/', 0) != 0) return false;
  const Datasets files = open_datasets(recipe, command.data_dir);
  check_data(files, recipe);
  input = files.train->sample().shape;
  output = files.train->target().shape;
  return true;
}

struct Inspected {
  Recipe recipe;
  Shape input, output;
};

Inspected inspected(const InspectCommand& command, const Config& config, const Overrides& overrides) {
  Inspected result = {overridden(config, overrides.sets), command.input, command.output};
  if (!command.input.empty()) return result;
  ST_CHECK(data_shapes(command, result.recipe, result.input, result.output), "inspect: the files of ",
           result.recipe.data.name, " decide; give --data-dir, or --input and --output");
  check_recipe(result.recipe);
  return result;
}

/// What a run directory has in cost.json; {} of anything else.
Config run_cost(const std::string& path) {
  const std::string file = path + "/cost.json";
  if (!file_exists(file)) return Config::object();
  const Bytes bytes = read_file(file);
  const Config json = Config::parse(bytes.begin(), bytes.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw DataError(file, 0, "expected a JSON object");
  return json;
}

void inspect_network(const InspectCommand& command, const std::string& recipe_path) {
  ST_CHECK(command.input.empty() == command.output.empty(), "inspect: --input and --output go together");
  const Config config = load_config(recipe_path);
  Inspected made;
  try {
    made = inspected(command, config, {command.sets, {}});
  } catch (const UsageError& error) {
    const auto check = [&](const Overrides& o) { inspected(command, config, o); };
    throw with_working_command(error, {command.sets, {}}, check, *command.line);
  }
  const auto& [recipe, input, output] = made;
  const auto network = make_network(recipe, input, output);
  const std::vector<NetworkRow> rows = network_rows(*network);
  const CostOptions options = cost_options(recipe, input);
  measure_cost(rows, options);  // refuses what is too much to count before anything is printed
  std::cout << network->notation() << "   input " << shape_text(input) << ", T = " << recipe.steps << '\n';
  print_network(*network, rows);
  print_event_limits(rows, recipe);
  print_cost(rows, options);
  print_time_operations(rows, recipe.steps);
  make_binarizer(recipe, network);  // layers begin as its choice says
  take_choice(command.what, *network);
  print_storage(*network);
  print_neurobench(*network, recipe.steps, command.sets.empty() ? run_cost(command.what) : Config::object());
  std::cout << std::flush;   // what follows takes a while
  prepare_process(nullptr);  // as many threads as train takes: each holds a share of what products need
  print_memory(recipe, input, output, options.plan, network->blocks());
}

void inspect_steps(const InspectCommand& command, const std::string& recipe, const std::string& run) {
  ST_CHECK(command.input.empty(), "inspect --parallel measures on the recipe's own data; leave out --input");
  inspect_parallel(load_config(recipe), command.sets, command.data_dir, run, command.parallel);
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
  std::error_code error;
  const bool folder = std::filesystem::is_directory(path, error);
  if (error && error != std::errc::no_such_file_or_directory)
    throw DataError(command.what, 0, "cannot be read: " + error.message());
  if (folder) {
    const std::string config = (path / "config.toml").string();
    ST_CHECK(file_exists(config), "inspect: ", command.what,
             " is no run directory; expected one that `spiketrain train --out` wrote");
    load_plugins_of_run(command.what);
    if (command.parallel.processes > 0) return inspect_steps(command, config, command.what);
    return inspect_network(command, config);
  }
  if (path.extension() == ".toml" && command.parallel.processes > 0)
    return inspect_steps(command, command.what, "");
  if (path.extension() == ".toml") return inspect_network(command, command.what);
  ST_CHECK(command.parallel.processes == 0, "inspect --parallel: expected a .toml recipe or a run directory");
  if (path.extension() == ".safetensors") return inspect_tensors(command.what);
  if (has_event_extension(command.what)) return inspect_events(command.what);
  throw UsageError(str("inspect ", command.what,
                       ": expected a .safetensors file, a .toml recipe, an event file or a run directory"));
}

}  // namespace

void add_inspect(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<InspectCommand>();
  CLI::App* sub = app.add_subcommand("inspect", "show a file's tensors or events or a network's layers");
  command->line = sub;
  sub->add_option("what", command->what, "FILE.safetensors, RECIPE.toml, an event file or a run directory")
      ->required();
  sub->add_option("--set", command->sets, "override a recipe option, as in train")->allow_extra_args(false);
  add_data_dir(*sub, command->data_dir);
  sub->add_option("--input", command->input,
                  "shape of a sample, e.g. 3,32,32, instead of that of the recipe's data set")
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  sub->add_option("--output,--classes", command->output,
                  "shape of the output: the number of classes or of values, together with --input")
      ->delimiter(',')
      ->check(CLI::Range(1, 1000000));
  add_parallel(*sub, command->parallel);
  sub->callback([command, &exit_code] {
    run_inspect(*command);
    exit_code = kOk;
  });
}

}  // namespace spiketrain::cli
