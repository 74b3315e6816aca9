// A neuron of the library as a node of a graph.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "spiketrain/core/neuron.h"
#include "spiketrain/nir/export.h"

namespace spiketrain::nir {

/// Why, and which nodes it is true of.
using Remarks = std::map<std::string, std::vector<std::string>>;

/// UsageError, with the node's name, if NIR has no such neuron.
void check_neuron(const Neuron& neuron, const std::string& node);

class NeuronExport {
 public:
  /// `neuron` is built for neurons of this shape.  UsageError as check_neuron(), and for coefficients that NIR cannot say.
  NeuronExport(const Neuron& neuron, const Shape& shape, const std::string& node,
               const NirExportOptions& options);

  /// It hands on its input: no node is needed.
  bool hands_on() const { return type_.empty(); }
  /// Weight of the input that goes into the weights, one for each neuron.
  const std::vector<double>& gains() const { return gains_; }
  /// The node; `folded`: the weights in front of it have been multiplied by gains().
  NirNode node(bool folded, Remarks& remarks) const;

 private:
  void choose_type();
  std::vector<double> coefficient(const char* name) const;
  NirArray array(const std::vector<double>& values) const;
  std::vector<double> taus(const std::vector<double>& leaks) const;
  /// Coefficients by the names of the options, with the gains that are left to the neuron.
  using Coefficients = std::map<std::string, std::vector<double>>;
  Coefficients coefficients(const std::vector<double>& gains, const std::vector<double>& gains_syn) const;
  void conventions(NirNode& node, const Coefficients& exact, Remarks& remarks) const;
  void reset_conventions(NirNode& node, Remarks& remarks) const;

  const Neuron& neuron_;
  Shape shape_;
  std::string name_, text_;
  NirExportOptions options_;
  Config config_;
  size_t count_ = 1;
  bool fires_ = false;
  std::string type_;
  std::vector<double> leaks_, leaks_syn_, in_, in_syn_, unit_, gains_;
};

}  // namespace spiketrain::nir
