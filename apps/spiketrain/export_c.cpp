// spiketrain export c RUN --out DIR: C99 for microcontrollers.
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

struct CExportCommand {
  TrainedRun from;
  std::string out;
  deploy::ExportOptions options;
};

void print_footprint(const deploy::CFootprint& f) {
  print_table({{"weights", thousands(f.weight_bytes) + " bytes"},
               {"other constants", thousands(f.coefficient_bytes) + " bytes"},
               {"state", thousands(f.ram_bytes) + " bytes"},
               {"weights added per step", thousands(static_cast<int64_t>(f.additions + 0.5)) +
                                              " of at most " + thousands(f.most_additions)},
               {"neurons updated per step", thousands(f.updates)}});
}

int run_export(const CExportCommand& command) {
  prepare_process(nullptr, 0);
  const Trained trained = load_trained(command.from, torch::kCPU);
  deploy::ExportOptions options = command.options;
  options.source = std::filesystem::path(trained.path).filename().string();
  const deploy::Exported made = deploy::export_c(trained.experiment.training, options);
  deploy::write_files(command.out, made.files);
  std::cout << trained.path << " -> " << command.out << ", " << options.type << "\n";
  print_footprint(made.footprint);
  print_unpacked(trained.experiment.training.network());
  std::cout << made.input << "\n";
  if (made.check.samples > 0) print_comparison(made.check, made.decides);
  return kOk;
}

}  // namespace

void add_export_c(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<CExportCommand>();
  CLI::App* sub = app.add_subcommand("c", "C99 without dependencies, for microcontrollers");
  command->from.command = "export c";
  add_trained(*sub, command->from);
  deploy::ExportOptions& options = command->options;
  add_out(*sub, command->out, "folder to write to")->required();
  sub->add_option("--type", options.type, "f32; q7, q15: integers, weights of 8 or 16 bits")
      ->check(CLI::IsMember({"f32", "q7", "q15"}))
      ->capture_default_str();
  sub->add_option("--samples", options.samples, "test samples that model_test.c holds")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  add_check_samples(*sub, options);
  sub->callback([command, &exit_code] { exit_code = run_export(*command); });
}

}  // namespace spiketrain::cli
