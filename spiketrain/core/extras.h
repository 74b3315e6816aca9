// Interfaces that few neurons have beside their main one.  Who needs one asks the neuron for it (dynamic_cast).
#pragma once
#include "spiketrain/core/context.h"
#include "spiketrain/core/neuron.h"

namespace spiketrain {

/// A neuron that reads its input of every so many steps: a network may hand such numbers out, layer by layer.
struct Dilated {
  virtual ~Dilated() = default;
  virtual int64_t dilation_now() const = 0;
  /// Before build(); an option from then on.
  virtual void dilate(int64_t dilation) = 0;
};

/// A neuron with a batch norm of its own, of what it makes of the current.  Neuron::run() then takes the running
/// statistics, and Neuron::vjp() is the adjoint of run_training(), or of run() if `frozen`.
struct NormedNeuron {
  virtual ~NormedNeuron() = default;
  /// As Neuron::run() over all steps of a segment, with the statistics of these steps and samples; they move the running
  /// ones if `moves`.
  virtual void run_training(Record& record, bool moves) = 0;
  /// The norm is there, by the neuron's options.
  virtual bool has_norm() const = 0;
  /// Running statistics, to be copied and restored.
  virtual std::vector<Tensor> statistics() const = 0;
  /// It learns no more: run() in training, too, and the running statistics stay.
  bool frozen = false;
  /// Whether what becomes of a sample depends on the others of the batch.
  bool couples_samples() const { return has_norm() && !frozen; }
};

/// Runs the neuron over all steps of a segment: as in training if it has a norm that takes part.
inline void run_neuron(Neuron& neuron, Record& record, Mode mode) {
  auto* normed = mode == Mode::evaluate ? nullptr : dynamic_cast<NormedNeuron*>(&neuron);
  if (normed && normed->couples_samples()) return normed->run_training(record, mode == Mode::train);
  neuron.run(record, record.all());
}

}  // namespace spiketrain
