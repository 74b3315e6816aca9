// spiketrain export TARGET RUN_DIR | FILE.safetensors --out ...: a trained network for other programs.  Each target is one file,
// export_TARGET.cpp.
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/export.h"

namespace spiketrain::cli {

void add_export(CLI::App& app, int& exit_code) {
  CLI::App* sub = app.add_subcommand("export", "write a trained network for other programs");
  sub->require_subcommand(1);
  add_export_nir(*sub, exit_code);
  add_export_c(*sub, exit_code);
  add_export_onnx(*sub, exit_code);
  add_export_shifts(*sub, exit_code);
  add_export_rtl(*sub, exit_code);
}

void add_check_samples(CLI::App& command, deploy::ExportOptions& options) {
  command
      .add_option("--check", options.check,
                  "test samples on which the program is compared with the library's network; 0: none")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
}

void print_comparison(const deploy::Comparison& check, bool decides) {
  std::cout << "spikes of the library's network on " << thousands(check.samples)
            << " test samples, beside the exported one's:\n";
  std::vector<std::vector<std::string>> rows = {{"layer", "spikes", "different"}};
  for (const auto& layer : check.layers)
    rows.push_back({layer.layer, thousands(layer.spikes), thousands(layer.different)});
  print_table(rows);
  if (decides)
    std::cout << "decisions different: " << thousands(check.decisions) << " of " << thousands(check.samples)
              << "; ";
  std::cout << "outputs differ by at most " << number(check.output, 2) << ", the largest is "
            << number(check.largest_output, 2) << "\n";
}

}  // namespace spiketrain::cli
