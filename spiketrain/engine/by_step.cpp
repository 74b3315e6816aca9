#include "spiketrain/engine/by_step.h"

#include <algorithm>

#include "spiketrain/core/layer.h"

namespace spiketrain {

bool runs_step_by_step(const Network& network) {
  return std::all_of(network.nodes().begin(), network.nodes().end(), [](const Network::Node& node) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    return !node.stage->whole_sequence() && !node.stage->takes_times() && !node.stage->sends_times() &&
           !(layer && layer->neuron()->whole_sequence());
  });
}

std::vector<Signal> infer_by_step(const LearnerParts& parts, const Batch& batch) {
  const torch::NoGradGuard no_grad;
  const int64_t T = parts.steps;
  const bool frames = batch.form == Batch::Form::frames;
  ST_CHECK(!frames || batch.x.size(0) == T, "batch: expected ", T, " frames, got ", batch.x.size(0));
  Tensor valid;
  if (batch.lengths.defined()) {
    const Tensor lengths = batch.lengths.to(batch.x.device());
    valid = torch::arange(T, lengths.options()).unsqueeze(1) < lengths.unsqueeze(0);
  }
  Context context;
  context.method = parts.method;
  context.seed = parts.seed;
  context.ids = batch.ids;
  Carry carry = parts.network->start();
  const int64_t window = runs_step_by_step(*parts.network) ? 1 : T;
  std::vector<Signal> out;
  for (int64_t t = 0; t < T; t += window) {
    const Encoder::Request request = {t, t + window, T, parts.seed};
    const Signal x = frames ? parts.encoder->frames(batch, request) : parts.encoder->encode(batch, request);
    if (valid.defined()) context.valid = valid.slice(0, t, t + window);
    out.push_back(parts.network->forward(x, context, carry));
  }
  return out;
}

}  // namespace spiketrain
