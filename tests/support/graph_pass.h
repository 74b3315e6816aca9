// A learner's pass in autograd's graph, to compare with that on tapes.
#pragma once
#include "spiketrain/ops/memory_tracker.h"
#include "tests/support/engine.h"

namespace spiketrain {

/// The pass written out over Network: one segment after the other, credit cut between them, in autograd's graph.
inline Tensor graph_pass(const Learner& learner, const Batch& batch) {
  const LearnerParts& p = learner.parts();
  Network& network = *p.network;
  ConstantCurrents currents;
  Context context;
  context.method = p.method;
  context.mode = Mode::train;
  context.seed = p.seed;
  const Plan plan = learner.plan();
  if (plan.size() > 1) context.currents = &currents;
  Carry carry = network.start();
  Tensor total = torch::zeros({});
  for (const Segment& segment : plan) {
    carry.detach();
    const Encoder::Request request{segment.t0, segment.t1, p.steps, p.seed};
    Signal x = batch.form == Batch::Form::frames ? p.encoder->frames(batch, request)
                                                 : p.encoder->encode(batch, request);
    for (int64_t b = 0; b < network.blocks(); ++b) {
      const Signal y = network.forward_block(b, x, context, carry);
      const Signal readout = network.has_head(b) ? network.forward_head(b, y, context, carry) : y;
      const Tensor loss = p.objective->loss(Output{readout, segment, p.steps}, batch.target);
      loss.backward();
      if (b + 1 == network.blocks()) total = total + loss.detach();
      x = y.detached();
      carry.detach();
    }
  }
  currents.settle();
  return total;
}

/// Bytes that a pass over frames holds at most, on a tape or in the graph, in float arrays of the network's input over all steps.
inline double arrays_at_once(const std::shared_ptr<Network>& network, int64_t steps, int64_t classes,
                             bool tape = true) {
  constexpr int64_t kSamples = 8;
  draw_weights(*network);
  network->to(torch::kFloat);
  const Learner learner(learner_parts(network, steps, "rate_ce"));
  Batch data = frames_batch(steps, kSamples, 1, label_target(kSamples, classes));
  std::vector<int64_t> sizes = {steps, kSamples};
  sizes.insert(sizes.end(), network->input_shape().begin(), network->input_shape().end());
  data.x = torch::rand(sizes);
  learner.pass(data, 0);  // the gradients are there
  const MemoryTracker tracker;
  tape ? learner.pass(data, 0).loss : graph_pass(learner, data);
  return static_cast<double>(tracker.peak()) / static_cast<double>(data.x.nbytes());
}

}  // namespace spiketrain
