// spiketrain export rtl RUN --out DIR: SystemVerilog for FPGAs.
#include <filesystem>
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/export.h"
#include "apps/spiketrain/storage_table.h"
#include "apps/spiketrain/trained.h"
#include "spiketrain/deploy/export.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct RtlCommand {
  TrainedRun from;
  std::string out;
  deploy::ExportOptions options;
};

void print_memories(const deploy::RtlFootprint& f) {
  print_table({{"weights", thousands(f.weight_bits) + " bits"},
               {"sums", thousands(f.sum_bits) + " bits"},
               {"membranes and what else stays", thousands(f.state_bits) + " bits"},
               {"coefficients that differ", thousands(f.coefficient_bits) + " bits"},
               {"events that layers take, a sample", thousands(static_cast<int64_t>(f.events + 0.5))},
               {"cycles, a sample, at most", thousands(static_cast<int64_t>(f.most_cycles + 0.5))}});
}

void print_widths(const deploy::ExportedRtl& made) {
  std::vector<std::vector<std::string>> rows = {
      {"layer", "bits of weights", "of sums", "of membranes", "additions of membranes"}};
  for (size_t k = 0; k < made.layers.size(); ++k) {
    std::string weights, sums;
    for (const auto& product : made.bits[k].products) {
      weights += (weights.empty() ? "" : ", ") + std::to_string(product.weight);
      sums += (sums.empty() ? "" : ", ") + std::to_string(product.sum);
    }
    rows.push_back({made.layers[k], weights, sums, std::to_string(made.bits[k].membrane),
                    made.bits[k].saturates ? "saturate" : "cannot overflow"});
  }
  print_table(rows);
}

int run_export(const RtlCommand& command) {
  prepare_process(nullptr, 0);
  const Trained trained = load_trained(command.from, torch::kCPU);
  deploy::ExportOptions options = command.options;
  options.source = std::filesystem::path(trained.path).filename().string();
  const deploy::ExportedRtl made = deploy::export_rtl(trained.experiment.training, options);
  deploy::write_files(command.out, made.files);
  std::cout << trained.path << " -> " << command.out << ", " << options.type << "\n";
  print_memories(made.footprint);
  print_widths(made);
  print_unpacked(trained.experiment.training.network());
  std::cout << made.input << "\n";
  if (made.check.samples > 0) print_comparison(made.check, made.decides);
  std::cout << "make -C " << command.out << " icarus    simulates the samples; its README.md says more\n";
  return kOk;
}

}  // namespace

void add_export_rtl(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<RtlCommand>();
  command->options.type = "q7";
  command->options.samples = 20;
  CLI::App* sub = app.add_subcommand("rtl", "SystemVerilog of the integer network, for FPGAs");
  command->from.command = "export rtl";
  add_trained(*sub, command->from);
  deploy::ExportOptions& options = command->options;
  add_out(*sub, command->out, "folder to write to")->required();
  sub->add_option("--type", options.type, "q7, q15: weights of at most 8 or 16 bits")
      ->check(CLI::IsMember({"q7", "q15"}))
      ->capture_default_str();
  sub->add_option("--samples", options.samples, "test samples that the test bench runs")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  add_check_samples(*sub, options);
  sub->callback([command, &exit_code] { exit_code = run_export(*command); });
}

}  // namespace spiketrain::cli
