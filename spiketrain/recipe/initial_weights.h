// The weights that a run begins with, from a file: [init].
// Tests: unit/transfer_test.cpp, train/transfer_test.cpp.
#pragma once
#include <string>

#include "spiketrain/core/network.h"

namespace spiketrain {

/// The section [init].
struct InitSection {
  std::string file;
  std::vector<std::string> redraw;

  template <class V>
  void visit(V& v) {
    v(file, "file",
      "checkpoint or weights (.safetensors) to start from, matched by tensor name; empty: random initial weights");
    v(redraw, "redraw",
      "layers that get random weights in spite of `file`, and may have other shapes than in it; names as in [rules]: a "
      "layer, block0, readout");
  }
  /// UsageError for places without a file.
  void check() const;
};

/// Copies the file's tensors into the network, but for those at the places to be drawn, and ways back (feedback) that the file lacks; returns one line that says so, and which
/// tensors of the file were not used.  Does nothing and returns "" without a file.  DataError if the file cannot be read or holds NaN; UsageError
/// names the tensor that is missing or of another shape or type, or the place that the network does not have; then nothing has been changed.
std::string load_initial_weights(const InitSection& init, Network& network);

}  // namespace spiketrain
