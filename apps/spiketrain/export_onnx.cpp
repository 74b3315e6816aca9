// spiketrain export onnx RUN --out FILE: one time step as an ONNX graph.
#include <iostream>

#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/export.h"
#include "apps/spiketrain/trained.h"
#include "spiketrain/base/file.h"
#include "spiketrain/deploy/onnx.h"
#include "spiketrain/deploy/read_network.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/runtime.h"

namespace spiketrain::cli {
namespace {

struct OnnxCommand {
  SavedRun from;
  std::string out;
  bool spikes = false;
};

int run_export_onnx(const OnnxCommand& command) {
  prepare_process(nullptr, 0);
  const std::string weights = open_weights(command.from).path();
  const deploy::Model model = deploy::read_network(*load_network(weights));
  const std::string text = write_onnx(model, "One time step of " + model.notation, command.spikes);
  write_file_atomic(command.out, text);
  std::cout << weights << " -> " << command.out << ", one time step, "
            << thousands(static_cast<int64_t>(text.size())) << " bytes\n";
  return kOk;
}

}  // namespace

void add_export_onnx(CLI::App& app, int& exit_code) {
  auto command = std::make_shared<OnnxCommand>();
  CLI::App* sub = app.add_subcommand("onnx", "one time step as an ONNX graph");
  command->from.command = "export onnx";
  add_saved(*sub, command->from);
  add_out(*sub, command->out, "file to write")->required();
  sub->add_flag("--spikes", command->spikes, "the spikes of every layer are outputs, too");
  sub->callback([command, &exit_code] { exit_code = run_export_onnx(*command); });
}

}  // namespace spiketrain::cli
