// spiketrain export TARGET RUN_DIR | FILE.safetensors --out ...: a trained network for other programs.  Each target is one file,
// export_TARGET.cpp.
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
}

}  // namespace spiketrain::cli
