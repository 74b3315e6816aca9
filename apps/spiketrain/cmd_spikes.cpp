// spiketrain spikes RUN --sample N: what the network does while one sample is shown to it.
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/trained.h"
#include "spiketrain/base/file.h"
#include "spiketrain/report/sample_activity.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct SpikesCommand {
  TrainedRun from;
  std::string split = "test", out;
  int64_t sample = 0;
  int threads = 0;
};

std::string heading(const SpikesCommand& command, const Raster& raster, const TargetSpec& target) {
  std::string text = str(command.split, " sample ", raster.sample);
  if (raster.label < 0) return text;
  text += ", class " + target.class_text(raster.label);
  return raster.predicted == raster.label ? text
                                          : text + ", taken for " + target.class_text(raster.predicted);
}

/// Neurons, spikes and rate of each layer.
void print_layers(const Training& training, const NamedTensors& activity) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "neurons", "steps", "spikes", "firing rate", "silent"}};
  for (const Network::Node& node : training.network().nodes()) {
    for (const auto& [name, x] : activity) {
      if (name != node.name + ".output") continue;
      const int64_t T = x.size(0), neurons = x.numel() / T;
      std::vector<std::string> row = {node.name + " " + node.stage->notation(), thousands(neurons),
                                      std::to_string(T)};
      if (x.is_floating_point()) {
        row.insert(row.end(), {"-", "-", "-"});  // real numbers
      } else {
        const Tensor each = x.to(torch::kDouble).view({T, neurons}).sum(0);
        const double spikes = each.sum().item<double>();
        row.insert(row.end(),
                   {thousands(static_cast<int64_t>(spikes)), percent(spikes / static_cast<double>(x.numel())),
                    percent((each == 0).to(torch::kDouble).mean().item<double>())});
      }
      rows.push_back(row);
    }
  }
  print_table(rows);
}

int run_spikes(const SpikesCommand& command) {
  const std::string ending = std::filesystem::path(command.out).extension().string();
  ST_CHECK(command.out.empty() || ending == ".svg" || ending == ".safetensors",
           "spikes --out: expected a name that ends in .svg (a raster) or .safetensors (all values), got ",
           command.out);
  prepare_process(nullptr, command.threads);
  const Trained trained = load_trained(command.from, torch::kCPU);
  const Training& training = trained.experiment.training;
  const auto data = training.data.split(command.split);
  const NamedTensors activity = activity_of(training, data, command.sample);
  const std::vector<Raster> rasters = rasters_of(training, data, {command.sample});
  ST_CHECK(!rasters.empty(), "spikes: network ", training.network().notation(),
           " sends spike times, not spikes at steps");
  const std::string title = heading(command, rasters[0], data->target());
  std::cout << data->describe() << "\n" << trained.path << "\n" << title << "\n";
  print_layers(training, activity);
  if (ending == ".svg") write_file_atomic(command.out, raster_svg(rasters[0], title));
  if (ending == ".safetensors")
    save_tensors(
        command.out, activity,
        {{"run", command.from.run}, {"split", command.split}, {"sample", std::to_string(command.sample)}});
  if (!command.out.empty()) std::cout << "writes " << command.out << "\n";
  return kOk;
}

}  // namespace

void add_spikes(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<SpikesCommand>();
  CLI::App* sub = app.add_subcommand("spikes", "show the spikes and membranes of one sample");
  command->from.command = "spikes";
  add_trained(*sub, command->from);
  add_split(*sub, command->split);
  sub->add_option("--sample", command->sample, "which one, counted from 0")
      ->check(CLI::Range(int64_t{0}, int64_t{1000000000}))
      ->capture_default_str();
  add_out(*sub, command->out,
          "a raster as .svg, or the input and every layer's output and membrane [T,*] as .safetensors");
  sub->add_option("--threads", command->threads, "0: all cores")->capture_default_str();
  sub->callback([command, &exit_code] { exit_code = run_spikes(*command); });
}

}  // namespace spiketrain::cli
