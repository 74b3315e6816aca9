// A learner's pass in autograd's graph, to compare with that on tapes.
#pragma once
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

}  // namespace spiketrain
