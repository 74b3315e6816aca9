// spiketrain export TARGET RUN: a trained network for other programs, one file of this folder per target.
#include "apps/spiketrain/commands.h"
#include "apps/spiketrain/export.h"

namespace spiketrain::cli {

void add_export(CLI::App& app, int& exit_code) {
  CLI::App* sub = app.add_subcommand("export", "write a trained network for other programs");
  sub->require_subcommand(1);
  add_export_c(*sub, exit_code);
  add_export_onnx(*sub, exit_code);
}

}  // namespace spiketrain::cli
