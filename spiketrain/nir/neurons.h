// Neurons of the library for nodes of a graph.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "spiketrain/nir/flat.h"
#include "spiketrain/nir/import.h"

namespace spiketrain::nir {

/// A neuron, and, if its config says per = "neuron", the coefficients it holds for each.
struct NeuronPlan {
  Config config;
  std::map<std::string, std::vector<double>> coefficients;
};

/// For a node of a type that is_neuron().  Notes are added to.  UsageError if an option does not fit.
NeuronPlan plan_neuron(const Flat& flat, size_t node, double dt, const NirImportOptions& options,
                       std::vector<std::string>& notes);

}  // namespace spiketrain::nir
