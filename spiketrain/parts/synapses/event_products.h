// Products of spikes, and of their PSP, by the event-driven kernels: shared by the synapses of this folder.
// A PSP is a linear filter in time, and the same for every input, so
//   W psp(s) = psp(W s)                        sum_t g[t] (x) psp(s)[t] = sum_t adjoint_filter(g)[t] (x) s[t]
// with the state before the segment filtered along.  Source: design of Zhang & Li 2020 read as filters; exact but for rounding.
// Tests: grad/synapse_test.cpp, equiv/event_conv_test.cpp.
#pragma once
#include <cmath>

#include "spiketrain/core/synapse.h"
#include "spiketrain/ops/event_limit.h"
#include "spiketrain/ops/tssl_scan.h"

namespace spiketrain {

/// Spikes and counts are, and so are they times a power of two; others stay in float32 in mixed precision.
inline bool is_exact_in_bfloat16(const Signal& x) {
  int exponent = 0;
  return x.is_spikes() && std::frexp(x.scale(), &exponent) == 0.5;
}

/// Whether the spikes behind x are so few that their additions take less time than the dense product with W.  A PSP that began before
/// the segment costs a dense product of a step as well, which a few steps do not make up for.
inline bool by_events(ops::EventProduct product, const Signal& x, const Tensor& W, ops::ConvKind kind) {
  constexpr int64_t kFew = 4;
  kind.mixed = kind.mixed && is_exact_in_bfloat16(x);
  if (x.tau_s() > 0 && x.before().defined() && x.steps() < kFew) return false;
  return x.has_spikes() && x.spikes().bits().defined() &&
         ops::event_pays(product, x.spikes().bits(), x.spikes().total(), W, kind);
}

/// W x.  dense(x): the dense product, for a step of real numbers.
template <class Dense>
Tensor apply_events(const Signal& x, const Tensor& W, const ops::ConvKind& kind, const Dense& dense) {
  const Tensor I = ops::event_forward(x.spikes().bits(), x.spikes().total(), W, kind, x.scale());
  if (x.is_spikes()) return I;
  Tensor carried;
  if (x.before().defined()) carried = dense(Signal::dense(x.before().unsqueeze(0)))[0];
  return ops::psp_scan(I, x.tau_s(), carried);
}

/// sum_t g[t] (x) q[t], of a weight of this shape.  dense(g, q): the dense product, of a single step.
template <class Dense>
Tensor outer_events(const Tensor& g, const Signal& q, at::IntArrayRef W, const ops::ConvKind& kind,
                    const Dense& dense) {
  if (q.is_spikes()) return ops::event_gradient(q.spikes().bits(), q.spikes().total(), g, W, kind, q.scale());
  const Tensor h = ops::psp_adjoint(g, q.tau_s());
  Tensor g_W = ops::event_gradient(q.spikes().bits(), q.spikes().total(), h, W, kind, q.scale());
  // h[0] is 1/tau_s times what the first input gathers; the state before decays once more, and is not divided.
  if (q.before().defined())
    g_W.add_(dense((h.slice(0, 0, 1) * (q.tau_s() - 1)), Signal::dense(q.before().unsqueeze(0))));
  return g_W;
}

}  // namespace spiketrain
