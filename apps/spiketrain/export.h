// The targets of `spiketrain export`, one file each.
#pragma once
#include <CLI/CLI.hpp>

#include "spiketrain/deploy/deployment.h"
#include "spiketrain/deploy/export.h"

namespace spiketrain::cli {

void add_export_nir(CLI::App& command, int& exit_code);
void add_export_c(CLI::App& command, int& exit_code);
void add_export_onnx(CLI::App& command, int& exit_code);
void add_export_shifts(CLI::App& command, int& exit_code);
void add_export_rtl(CLI::App& command, int& exit_code);

/// Adds --check: samples to compare on.
void add_check_samples(CLI::App& command, deploy::ExportOptions& options);
/// The library's network beside the exported one.
void print_comparison(const deploy::Comparison& check, bool decides);

}  // namespace spiketrain::cli
