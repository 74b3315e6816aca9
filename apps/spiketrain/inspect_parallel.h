// `spiketrain inspect RECIPE --parallel N`: how long a training step would take in several processes.
#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "spiketrain/base/options.h"
#include "spiketrain/cost/parallel_model.h"

namespace spiketrain::cli {

struct ParallelQuestion {
  int64_t processes = 0;                        ///< most; 0: nobody asks
  double bandwidth_mb = 1000, latency_us = 50;  ///< MB/s and microseconds
  int64_t cores = 0, threads = 1;
  bool json = false;
  Machines machines() const { return {1e6 * bandwidth_mb, 1e-6 * latency_us, cores}; }
};

/// Adds --parallel and what goes with it.
void add_parallel(CLI::App& command, ParallelQuestion& question);

/// Measures the blocks of a recipe on its own data, with the weights of `run` if there is one that has been trained, and prints what
/// 1, 2, 4, ... processes would take.  UsageError as build_experiment() and measure_blocks().
void inspect_parallel(const Config& recipe, const std::vector<std::string>& sets, const std::string& data_dir,
                      const std::string& run, const ParallelQuestion& question);

}  // namespace spiketrain::cli
