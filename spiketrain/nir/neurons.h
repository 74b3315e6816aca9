// Neurons of the library for nodes of a graph.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "spiketrain/nir/flat.h"
#include "spiketrain/nir/import.h"

namespace spiketrain::nir {

/// Types whose nodes spike.
bool spikes(const std::string& type);
/// Types that have v_leak.
bool has_rest(const std::string& type);

/// A neuron, and, if its config says per = "neuron", the coefficients it holds for each: a list, or one number for all.
struct NeuronPlan {
  Config config;
  std::map<std::string, std::vector<double>> coefficients;
};

/// For a node of a type that is_neuron().  Notes are added to.  UsageError if an option does not fit.
NeuronPlan plan_neuron(const Flat& flat, size_t node, double dt, const NirImportOptions& options,
                       std::vector<std::string>& notes);

}  // namespace spiketrain::nir
