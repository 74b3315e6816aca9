// The targets of `spiketrain export`, one file each.
#pragma once
#include <CLI/CLI.hpp>

namespace spiketrain::cli {

void add_export_nir(CLI::App& command, int& exit_code);
void add_export_c(CLI::App& command, int& exit_code);
void add_export_onnx(CLI::App& command, int& exit_code);
void add_export_shifts(CLI::App& command, int& exit_code);

}  // namespace spiketrain::cli
