// The numbers of metrics.jsonl, epoch by epoch, as TensorBoard shows them, with histograms of the weights and pictures of the first
// kernels:
//   loss/train, accuracy/test, ...   what is measured / the samples it is measured on
//   rate/0_12C5                      spikes per neuron and step while training, by layer
//   grad_norm/0_12C5                 norm of the gradient of the layer, mean over updates
//   learning/lr, learning/grad_norm, learning/skipped, learning/clipped, learning/optimizer_steps, head_loss/0, penalty/NAME,
//   cosine/0_12C5
//   speed/seconds, speed/evaluation_seconds, speed/samples_per_second, speed/peak_memory_mib
//   weight/NAME                      histograms;   kernels/NAME, pictures of convolutions of up to three channels
// A run that goes on, or begins anew for want of a checkpoint, writes another file, which says from which epoch on it counts.  Steps are
// epochs.
// Tests: unit/tensorboard_test.cpp.
#pragma once
#include <string>

#include "spiketrain/base/event_records.h"
#include "spiketrain/train/observer.h"

namespace spiketrain {

/// Of the finite numbers of x, in `buckets` of equal width; without any, counts is empty.
Histogram histogram_of(const Tensor& x, int64_t buckets = 40);

/// Kernels W [O,C,kh,kw] side by side, grey: 0 is middle, the largest magnitude black or white.
struct Picture {
  int64_t width = 0, height = 0;
  std::string png;
};
Picture kernels_picture(const Tensor& W);

class TensorBoardObserver : public Observer {
 public:
  /// Writes into this folder, which is made.
  explicit TensorBoardObserver(std::string folder) : folder_(std::move(folder)) {}
  /// DataError if the file cannot be written.
  void on_begin(const BeginReport& report) override;
  void on_epoch(const EpochReport& report) override;
  /// The file of this run, once it has begun.
  const std::string& path() const { return path_; }

 private:
  void scalars(const EpochReport& report);
  void weights(int64_t epoch);
  void scalar(const std::string& tag, double value, int64_t epoch);

  std::string folder_, path_, pending_;
  std::shared_ptr<Network> network_;
};

}  // namespace spiketrain
