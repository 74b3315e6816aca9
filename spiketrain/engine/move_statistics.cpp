#include "spiketrain/engine/move_statistics.h"

#include "spiketrain/core/extras.h"

namespace spiketrain {

bool has_moving_statistics(const Network& network) {
  for (const auto& module : network.modules()) {
    if (const auto norm = std::dynamic_pointer_cast<const Norm>(module); norm && norm->couples_samples())
      return true;
    const auto normed = std::dynamic_pointer_cast<const NormedNeuron>(module);
    if (normed && normed->couples_samples()) return true;
  }
  return false;
}

void move_statistics(const LearnerParts& parts, const Batch& batch, uint64_t iteration) {
  const torch::NoGradGuard no_grad;
  const ops::WithProducts products(parts.products == ops::Products::automatic ? ops::products_in_use()
                                                                              : parts.products);
  Context context;
  context.method = {make<Rule>("bptt")};  // keeps no traces; nothing is asked of it
  context.mode = Mode::train;
  context.seed = parts.seed;
  context.iteration = iteration;
  context.ids = batch.ids;
  if (batch.lengths.defined()) {
    const Tensor lengths = batch.lengths.to(batch.x.device());
    context.valid = torch::arange(parts.steps, lengths.options()).unsqueeze(1) < lengths.unsqueeze(0);
  }
  const Encoder::Request request = {0, parts.steps, parts.steps, parts.seed};
  const Signal x = batch.form == Batch::Form::frames ? parts.encoder->frames(batch, request)
                                                     : parts.encoder->encode(batch, request);
  Carry carry = parts.network->start();
  parts.network->forward(x, context, carry);
}

}  // namespace spiketrain
