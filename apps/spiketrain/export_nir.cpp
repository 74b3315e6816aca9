// spiketrain export nir RUN --out FILE.nir
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/export.h"
#include "apps/spiketrain/trained.h"
#include "spiketrain/nir/export.h"
#include "spiketrain/nir/file.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain::cli {
namespace {

struct NirCommand {
  SavedRun from;
  std::string out;
  NirExportOptions options;
  bool keep_gain = false;
};

void run_export(const NirCommand& command) {
  NirExportOptions options = command.options;
  options.fold = !command.keep_gain;
  const NirExport exported = to_nir(*load_network(open_weights(command.from).path()), options);
  write_nir(command.out, exported.graph);
  for (const std::string& note : exported.notes) std::cout << "note: " << note << '\n';
  std::cout << "wrote " << command.out << ": " << exported.graph.nodes.size() << " nodes, "
            << exported.graph.edges.size() << " edges\n";
}

}  // namespace

void add_export_nir(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<NirCommand>();
  CLI::App* sub = app.add_subcommand("nir", "a graph of the Neuromorphic Intermediate Representation");
  command->from.command = "export nir";
  add_saved(*sub, command->from);
  add_out(*sub, command->out, "file to write, FILE.nir")->required();
  sub->add_option("--dt", command->options.dt,
                  "seconds a step; default: that of the graph it was imported from, or else 1e-4")
      ->check(CLI::PositiveNumber);
  sub->add_flag(
      "--keep-gain", command->keep_gain,
      "leave the input gain in r instead of multiplying the weights by it: the weights keep their bits");
  sub->callback([command, &exit_code] {
    run_export(*command);
    exit_code = kOk;
  });
}

}  // namespace spiketrain::cli
