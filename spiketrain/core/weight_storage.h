// What a network's numbers take when they are stored: weights of layers whose quantizer is on as the quantizer says, all others 32
// bits each.  A count; no file is written so.
// Tests: unit/weight_storage_test.cpp, golden/albsnn_test.cpp.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/network.h"
#include "spiketrain/core/switched_quantizer.h"

namespace spiketrain {

inline constexpr int64_t kFloatBits = 32;

/// The weight of one connection that has a synapse.
struct StoredWeight {
  std::string node, spec;  ///< name of the node; the layer in the notation
  std::shared_ptr<const Synapse> synapse;
  std::shared_ptr<const SwitchedQuantizer> quantizer;  ///< null: always 32 bits
  int64_t numbers = 0, quantized_bits = 0;             ///< 0: without a quantizer
  int64_t float_bits() const { return kFloatBits * numbers; }
  bool quantized() const { return quantizer && quantizer->is_on(); }
  int64_t bits() const { return quantized() ? quantized_bits : float_bits(); }
};

/// Heads of blocks are left out: they are not there when the network is used.
struct WeightStorage {
  std::vector<StoredWeight> weights;
  int64_t others =
      0;  ///< biases, parameters and statistics of norms, parameters of neurons, ...: 32 bits each
  int64_t bits() const;
  int64_t float_bits() const;
  double share() const { return static_cast<double>(bits()) / static_cast<double>(float_bits()); }
  /// Whether the network has a quantizer that can be switched.
  bool switched() const;
  /// "binary: 2 (32C3), 4 (64C3); storage 31,680 of 762,368 bits (4.2 %)"
  std::string text() const;
  /// {"bits", "float_bits", "share", "layers": [{"node", "layer", "weights", "bits", "quantized"}]}
  Config json() const;
};

/// UsageError for a layer with a switched quantizer whose weights it cannot quantize.
WeightStorage weight_storage(const Network& network);

}  // namespace spiketrain
