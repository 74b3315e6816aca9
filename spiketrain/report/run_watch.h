// What passes show of a network: rates of single neurons and its output (PassWatch), and all that a few samples send (RasterWatch).
#pragma once
#include <map>
#include <vector>

#include "spiketrain/core/watch.h"
#include "spiketrain/report/run_data.h"

namespace spiketrain {

/// "0 12C5"
std::string node_title(const Network::Node& node);
/// Whether neurons of the node itself fire.
bool has_neurons(const Network::Node& node);
/// Last node of the network that is no head's.
size_t output_node(const Network& network);

class PassWatch : public Watch {
 public:
  explicit PassWatch(const Network& network) : network_(network), counts_(network.nodes().size()) {}
  void saw(size_t node, const std::vector<Signal>& in, const Signal& out, const Context& context) override;
  /// The output over the batch so far [T,B,*], which is then forgotten.
  Tensor take_output();
  /// Of the layers that sent spikes.
  std::vector<LayerActivity> layers() const;

 private:
  struct Count {
    Tensor spikes;     ///< [*] double, flat
    double steps = 0;  ///< times samples
  };
  const Network& network_;
  std::vector<Count> counts_;  ///< [node]
  std::vector<Tensor> output_;
};

class RasterWatch : public Watch {
 public:
  explicit RasterWatch(const Network& network);
  void saw(size_t node, const std::vector<Signal>& in, const Signal& out, const Context& context) override;
  void fired(int64_t slot, const Record& record, const Context& context) override;
  /// Of every sample of the batch: its layers, and membranes of the output layer.
  std::vector<Raster> rasters() const;

 private:
  const Network& network_;
  int64_t readout_slot_ = -1;
  std::vector<Tensor> input_, membranes_;       ///< parts in time, [T,B,*]
  std::map<size_t, std::vector<Tensor>> sent_;  ///< by node
  std::map<size_t, bool> spikes_;
};

}  // namespace spiketrain
