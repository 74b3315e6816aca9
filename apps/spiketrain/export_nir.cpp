// spiketrain export nir RUN --out FILE.nir
#include <iostream>

#include "apps/spiketrain/export_command.h"
#include "spiketrain/nir/export.h"
#include "spiketrain/nir/file.h"

namespace spiketrain::cli {
namespace {

struct NirCommand : ExportCommand {
  NirExportOptions options;
  bool keep_gain = false;
};

void run_export(const NirCommand& command) {
  ST_CHECK(!command.out.empty(), "export nir: expected --out FILE.nir");
  NirExportOptions options = command.options;
  options.fold = !command.keep_gain;
  const NirExport exported = to_nir(*exported_network(command), options);
  write_nir(command.out, exported.graph);
  for (const std::string& note : exported.notes) std::cout << "note: " << note << '\n';
  std::cout << "wrote " << command.out << ": " << exported.graph.nodes.size() << " nodes, "
            << exported.graph.edges.size() << " edges\n";
}

}  // namespace

void add_export_nir(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<NirCommand>();
  CLI::App* sub = app.add_subcommand("nir", "a graph of the Neuromorphic Intermediate Representation");
  add_export_options(*sub, *command, "the file, FILE.nir");
  sub->add_option("--dt", command->options.dt, "seconds a step")->capture_default_str();
  sub->add_flag(
      "--keep-gain", command->keep_gain,
      "leave the input gain in r instead of multiplying the weights by it: the weights keep their bits");
  sub->callback([command, &exit_code] {
    run_export(*command);
    exit_code = kOk;
  });
}

}  // namespace spiketrain::cli
