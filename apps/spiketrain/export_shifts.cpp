// spiketrain export shifts RUN --out FILE.safetensors: neurons cw_psn with weights that are powers of two, as signs, shifts and
// integer thresholds, and how the integers do beside the neurons on test samples.
#include <cmath>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/export.h"
#include "apps/spiketrain/trained.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/core/watch.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/parts/neurons/shift_add.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct ShiftsCommand {
  TrainedRun from;
  std::string out;
  int64_t bits = 12, check = 100;
};

struct IntegerLayer {
  std::string name;
  int64_t slot = 0;
  ShiftAdd form;
  int64_t spikes = 0, different = 0, sites = 0;
};

std::vector<IntegerLayer> integer_layers(const Network& network, int64_t bits) {
  std::vector<IntegerLayer> layers;
  for (const Network::Node& node : network.nodes()) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    const auto* neuron = layer ? dynamic_cast<const ChannelPsn*>(layer->neuron().get()) : nullptr;
    if (!neuron || !neuron->quantizer.is_object() || neuron->quantizer["name"] != "power_of_two") continue;
    layers.push_back({node.name, layer->slot(), ShiftAdd::of(*neuron, bits)});
  }
  ST_CHECK(
      !layers.empty(),
      "export shifts: expected layers of neuron cw_psn with quantizer = \"power_of_two\"; this network has none");
  return layers;
}

/// Currents beyond this many units of 2^-bits might overflow.
constexpr double kLargest = 1 << 15;

/// Adds what the integers send for one layer's currents beside what the neuron sent.
void compare(IntegerLayer& layer, const Recorder::Trace& trace, int64_t bits) {
  const Tensor I = torch::cat(trace.I), s = torch::cat(trace.output);
  const Tensor x = torch::round(I.to(torch::kDouble) * std::ldexp(1.0, static_cast<int>(bits)));
  ST_CHECK(I.abs().max().item<double>() < kLargest, "export shifts: layer ", layer.name,
           " has currents of 2^15 and more");
  const Tensor sent = layer.form.run(x.to(torch::kInt64)).s;
  layer.spikes += s.sum().item<int64_t>();
  layer.different += (sent != s.to(torch::kInt64)).sum().item<int64_t>();
  layer.sites += s.numel();
}

int64_t compare_samples(const Training& training, std::vector<IntegerLayer>& layers,
                        const ShiftsCommand& command) {
  const Dataset& data = *training.data.test;
  LoaderOptions options;
  options.batch_size = std::min<int64_t>({command.check, data.size(), 100});
  options.shuffle = false;
  Loader loader(data, options);
  loader.start(0);
  int64_t done = 0;
  for (Batch batch; done < command.check && loader.next(batch); done += batch.size()) {
    batch.epoch = kEvaluationEpoch;
    Recorder recorder;
    for (const IntegerLayer& layer : layers) recorder.ask(layer.slot, kI);
    training.learner->infer(batch);
    for (IntegerLayer& layer : layers) compare(layer, recorder.traces().at(layer.slot), command.bits);
  }
  return done;
}

void write_shifts(const std::string& path, const std::vector<IntegerLayer>& layers, int64_t bits) {
  NamedTensors tensors;
  for (const IntegerLayer& layer : layers) {
    tensors.emplace_back(layer.name + ".sign", layer.form.sign.to(torch::kChar));
    tensors.emplace_back(layer.name + ".shift", layer.form.shift.to(torch::kByte));
    tensors.emplace_back(layer.name + ".threshold", layer.form.threshold);
    tensors.emplace_back(layer.name + ".dilation", torch::tensor(layer.form.dilation));
  }
  save_tensors(path, tensors, {{"kind", "shifts"}, {"input_bits", std::to_string(bits)}});
}

int run_export(const ShiftsCommand& command) {
  prepare_process(nullptr, 0);
  const Trained trained = load_trained(command.from, torch::kCPU);
  const Training& training = trained.experiment.training;
  std::vector<IntegerLayer> layers = integer_layers(training.network(), command.bits);
  write_shifts(command.out, layers, command.bits);
  std::cout << trained.path << " -> " << command.out << ": " << layers.size()
            << " layers, currents in units of 2^-" << command.bits << "\n";
  if (command.check == 0) return kOk;
  const int64_t samples = compare_samples(training, layers, command);
  std::cout << "spikes of the neurons on " << thousands(samples)
            << " test samples, and of shifts and additions on the same currents, rounded:\n";
  std::vector<std::vector<std::string>> rows = {{"layer", "neurons and steps", "spikes", "different"}};
  for (const IntegerLayer& layer : layers)
    rows.push_back({layer.name, thousands(layer.sites), thousands(layer.spikes), thousands(layer.different)});
  print_table(rows);
  return kOk;
}

}  // namespace

void add_export_shifts(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<ShiftsCommand>();
  CLI::App* sub =
      app.add_subcommand("shifts", "neurons over time as signs, shifts and integer thresholds (cw_psn)");
  command->from.command = "export shifts";
  add_trained(*sub, command->from);
  add_out(*sub, command->out, "file to write, FILE.safetensors")->required();
  sub->add_option("--bits", command->bits, "fraction bits of the currents")
      ->check(CLI::Range(0, 24))
      ->capture_default_str();
  sub->add_option("--check", command->check,
                  "test samples on which integers are compared with the neurons; 0: none")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  sub->callback([command, &exit_code] { exit_code = run_export(*command); });
}

}  // namespace spiketrain::cli
