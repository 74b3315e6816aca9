// What the targets of `spiketrain export` share.  Each target is one file, export_TARGET.cpp.
#pragma once
#include <memory>
#include <string>

#include "apps/spiketrain/commands.h"
#include "spiketrain/core/network.h"

namespace spiketrain::cli {

struct ExportCommand {
  std::string run, checkpoint = "best", out;
};

/// Adds the argument RUN, --checkpoint and --out.
void add_export_options(CLI::App& target, ExportCommand& command, const std::string& out_help);
/// The network of a run directory or a .safetensors file, with its weights; loads the plugins it needs.  UsageError if there is none.
std::shared_ptr<Network> exported_network(const ExportCommand& command);

}  // namespace spiketrain::cli
