// A network's pass over a segment: node by node, or step by step between delayed edges.
#include <algorithm>

#include "spiketrain/core/network.h"
#include "spiketrain/core/rule.h"
#include "spiketrain/core/tape.h"
#include "spiketrain/core/watch.h"

namespace spiketrain {

/// A stage that is not taped becomes a step of the tape by autograd, from leaves where backward continues below.
Signal Network::forward_node(size_t node, const std::vector<Signal>& in, const Context& context,
                             Carry& carry) const {
  Stage& stage = *nodes_[node].stage;
  if (!context.tape || stage.taped()) return stage.forward(in, context, carry);
  Tape& tape = *context.tape;
  Context by_autograd = context;
  by_autograd.tape = nullptr;
  std::vector<c10::intrusive_ptr<CaughtGradient>> caught(in.size());
  std::vector<Signal> x = in;
  const torch::AutoGradMode grad(true);
  for (size_t k = 0; k < in.size(); ++k) {
    if (!tape.asks(k)) continue;
    caught[k] = c10::make_intrusive<CaughtGradient>();
    x[k] = x[k].with_edge(CatchGradient::apply(x[k].edge().detach().requires_grad_(), caught[k]));
  }
  const Signal y = stage.forward(x, by_autograd, carry);
  carry.detach();  // the step is all that holds the graph: credit does not leave the segment
  if (!y.edge().requires_grad()) return y;
  tape.add([caught, root = y.edge()](EdgeError delta) {
    torch::autograd::backward({root}, {delta.take()});
    std::vector<EdgeError> below(caught.size());
    for (size_t k = 0; k < caught.size(); ++k)
      if (caught[k]) below[k] = std::move(caught[k]->g);
    return below;
  });
  return y.detached();
}

void Network::call(const Program& program, size_t begin, size_t end, const Signal& x, const Context& context,
                   Carry& carry, std::vector<Signal>& out, bool release) const {
  Tape* const tape = context.tape;
  const int64_t entered = tape ? tape->output() : Tape::kNone;
  std::vector<int64_t> steps(out.size(), Tape::kNone);  // of the tape, behind what calls gave
  for (size_t i = begin; i < end; ++i) {
    const Call& call = program.calls[i];
    if (tape) {
      std::vector<int64_t> sources;
      for (const int64_t from : call.from)
        sources.push_back(from < 0 ? entered : steps[static_cast<size_t>(from)]);
      tape->read(std::move(sources));
    }
    std::vector<Signal> in;
    in.reserve(call.from.size());
    for (size_t k = 0; k < call.from.size(); ++k) {
      const int64_t from = call.from[k], delayed = call.delayed[k];
      if (delayed >= 0) {
        const Signal& before = carry.delayed[static_cast<size_t>(delayed)];
        const auto& rule = context.method.at(nodes_[call.node].stage->slot());
        in.push_back(rule && rule->local_in_time() ? before.detached() : before);
      } else {
        in.push_back(from < 0 ? x : out[static_cast<size_t>(from)]);
      }
    }
    out[i] = forward_node(call.node, in, context, carry);
    if (tape) steps[i] = tape->output();
    if (Watch* watch = Watch::now()) watch->saw(call.node, in, out[i], context);
    // Nobody else reads the call before: let its memory go.
    if (release && i > begin && !program.calls[i - 1].keep) out[i - 1] = {};
  }
}

void Network::run_by_step(const Program& program, const Signal& x, const Context& context, Carry& carry,
                          std::vector<Signal>& out) const {
  ST_ASSERT(!context.tape);  // the network's graph leads from step to step
  const size_t begin = program.step_begin, end = program.step_end;
  std::vector<std::vector<Signal>> parts(out.size());
  const std::vector<Signal> whole(out.begin(), out.begin() + static_cast<int64_t>(begin));
  Context now = context;
  for (int64_t t = 0; t < x.steps(); ++t) {
    if (context.valid.defined()) now.valid = context.valid.slice(0, t, t + 1);
    for (size_t i = 0; i < begin; ++i) {
      if (whole[i].defined()) out[i] = whole[i].slice(t, t + 1);
    }
    const Signal entering = x.slice(t, t + 1);
    for (size_t i = begin; i < end; ++i) {  // zeros before the first step
      for (size_t k = 0; k < program.calls[i].from.size(); ++k) {
        const int64_t delayed = program.calls[i].delayed[k];
        if (delayed < 0 || carry.delayed[static_cast<size_t>(delayed)].defined()) continue;
        const size_t source = program.calls[static_cast<size_t>(program.calls[i].from[k])].node;
        std::vector<int64_t> shape = {1, x.batch()};
        shape.insert(shape.end(), nodes_[source].out.begin(), nodes_[source].out.end());
        carry.delayed[static_cast<size_t>(delayed)] =
            Signal::dense(torch::zeros(shape, x.edge().options().requires_grad(false)));
      }
    }
    call(program, begin, end, entering, now, carry, out, /*release=*/false);
    for (size_t i = begin; i < end; ++i) {
      parts[i].push_back(out[i]);
      for (size_t k = 0; k < program.calls[i].from.size(); ++k) {
        const int64_t delayed = program.calls[i].delayed[k];
        if (delayed >= 0)
          carry.delayed[static_cast<size_t>(delayed)] = out[static_cast<size_t>(program.calls[i].from[k])];
      }
    }
  }
  for (size_t i = 0; i < begin; ++i) out[i] = whole[i];
  for (size_t i = begin; i < end; ++i) out[i] = Signal::concatenate(parts[i]);
}

Signal Network::run(const Program& program, const Signal& x, const Context& context, Carry& carry) const {
  const size_t n = program.calls.size();
  ST_CHECK(x.defined(), "network: expected a signal, got none");
  ST_CHECK(carry.state.size() == static_cast<size_t>(slots_) &&
               carry.delayed.size() == static_cast<size_t>(delays_),
           "network: expected a carry of this network, see start(); got one of ", carry.state.size(),
           " states and ", carry.delayed.size(), " delayed signals, not ", slots_, " and ", delays_);
  std::vector<Signal> out(n);
  if (program.step_end == 0) {
    call(program, 0, n, x, context, carry, out, /*release=*/true);
  } else {
    for (size_t i = 0; i < program.step_begin; ++i) call(program, i, i + 1, x, context, carry, out, false);
    run_by_step(program, x, context, carry, out);
    for (size_t i = program.step_end; i < n; ++i) call(program, i, i + 1, x, context, carry, out, false);
  }
  return std::move(out.back());
}

Signal Network::forward_block(int64_t b, const Signal& x, const Context& context, Carry& carry) {
  ST_CHECK(b >= 0 && b < blocks(), "network: no block ", b, "; it has ", blocks());
  ST_CHECK(!programs_.empty(), "network: a node reads another that is not there");
  return run(programs_[static_cast<size_t>(b)], x, context, carry);
}

Signal Network::forward_head(int64_t b, const Signal& x, const Context& context, Carry& carry) {
  ST_CHECK(b >= 0 && b < blocks() && has_head(b), "network: block ", b, " has no head");
  return run(heads_[static_cast<size_t>(b)], x, context, carry);
}

Signal Network::forward(const Signal& x, const Context& context, Carry& carry) {
  Signal signal = x;
  for (int64_t b = 0; b < blocks(); ++b) signal = forward_block(b, signal, context, carry);
  return signal;
}

}  // namespace spiketrain
