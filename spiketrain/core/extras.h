// Interfaces that few parts have beside their main one.  Who needs one asks the part for it (dynamic_cast).
#pragma once
#include "spiketrain/core/context.h"

namespace spiketrain {

/// A neuron that draws initial values of its own.
struct DrawsValues {
  virtual ~DrawsValues() = default;
  /// After build(); the same bits for the same (seed, index), index: the layer's slot.
  virtual void initialise(uint64_t seed, uint64_t index) = 0;
};

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

/// An encoder whose steps have another shape than the sample.
struct ReshapesSamples {
  virtual ~ReshapesSamples() = default;
  /// Shape of a step for samples of this shape.  UsageError if there is none.
  virtual Shape step_shape(const Shape& sample) const = 0;
};

/// What a network reads of samples of this shape that `encoder` sends.
template <class Encoder>
Shape step_shape(const Encoder& encoder, const Shape& sample) {
  const auto* reshapes = dynamic_cast<const ReshapesSamples*>(&encoder);
  return reshapes ? reshapes->step_shape(sample) : sample;
}

}  // namespace spiketrain
