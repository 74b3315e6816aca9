// spiketrain export TARGET RUN_DIR | FILE.safetensors --out ...: a trained network for other programs.
#include <filesystem>

#include "apps/spiketrain/export.h"
#include "apps/spiketrain/export_command.h"
#include "spiketrain/base/file.h"
#include "spiketrain/train/checkpoint.h"

namespace spiketrain::cli {
namespace {

/// The file that holds the weights.
std::string exported_file(const ExportCommand& command) {
  const auto is_file = [](const std::string& path) {
    return std::filesystem::path(path).extension() == ".safetensors";
  };
  if (is_file(command.run)) return command.run;
  ST_CHECK(file_exists(command.run + "/config.toml"), "export: ", command.run,
           " is no run directory; expected one that `spiketrain train --out` wrote, or a .safetensors file");
  if (is_file(command.checkpoint)) return command.checkpoint;
  const std::string dir = command.run + "/ckpt";
  if (command.checkpoint == "last") {
    const std::vector<std::string> all = list_checkpoints(dir);
    ST_CHECK(!all.empty(), "export: no checkpoint in ", dir);
    return all.front();
  }
  ST_CHECK(command.checkpoint == "best",
           "export --checkpoint: expected best, last or a .safetensors file, got ", command.checkpoint);
  ST_CHECK(file_exists(dir + "/best.safetensors"), "export: ", dir,
           "/best.safetensors does not exist; no epoch is complete yet");
  return dir + "/best.safetensors";
}

}  // namespace

void add_export_options(CLI::App& target, ExportCommand& command, const std::string& out_help) {
  target.add_option("run", command.run, "run directory or FILE.safetensors")->required();
  target.add_option("--checkpoint", command.checkpoint, "of a run: best, last or a .safetensors file")
      ->capture_default_str();
  add_out(target, command.out, out_help);
}

std::shared_ptr<Network> exported_network(const ExportCommand& command) {
  const std::string file = exported_file(command);
  if (file == command.run) {
    load_plugins_of(checkpoint_environment(open_checkpoint(file)), file);
  } else {
    load_plugins_of_run(command.run);
  }
  return load_network(file);
}

void add_export(CLI::App& app, int& exit_code) {
  CLI::App* sub = app.add_subcommand("export", "write a trained network for other programs");
  sub->require_subcommand(1);
  add_export_nir(*sub, exit_code);
  add_export_c(*sub, exit_code);
  add_export_onnx(*sub, exit_code);
}

}  // namespace spiketrain::cli
