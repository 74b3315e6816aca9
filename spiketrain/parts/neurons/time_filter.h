// Causal filters over time, as shifted sums: what the neurons of the PSN family that have few taps make of their input.
//   y[t] = sum_{i<k} w[i] * x[t - dilation*(k-1-i)]        the newest step meets the last tap
// Taps are numbers, one per channel [C,1,1], or one per step [T,1,...].  Steps before the segment come from the state
// {x[-1], x[-2], ..., x[-depth]}, depth = dilation*(k-1).  Sums are in the order of the taps, a product and a sum each, so
// that neither the borders of segments nor the number of threads changes a bit.
// Tests: grad/psn_test.cpp, property/neuron_test.cpp, property/threads_test.cpp.
#pragma once
#include <functional>
#include <vector>

#include "spiketrain/core/neuron.h"

namespace spiketrain {

struct TimeFilter {
  std::vector<Tensor> taps;  ///< oldest first, each expands to [T,B,*]
  int64_t dilation = 1;

  int64_t size() const { return static_cast<int64_t>(taps.size()); }
  int64_t depth() const { return dilation * (size() - 1); }
  /// Steps between tap i and the newest.
  int64_t lag(int64_t i) const { return dilation * (size() - 1 - i); }
};

/// Zeros without memory.
State silent_past(int64_t depth, at::IntArrayRef shape, const torch::TensorOptions& options);
/// The first `depth` states after the steps I [T,B,*], from those before; holds no memory of I.
State past_after(const State& before, int64_t depth, const Tensor& I);

/// y [T,B,*] of samples that are x's and the state's.  One thread.
Tensor filtered(const TimeFilter& filter, const Tensor& x, const State& before);

/// dL/dy -> dL/dx, dL/d(state before), and dL/d(taps).
struct FilterAdjoint {
  Tensor g;
  State g_before;
  std::vector<Tensor> g_taps;  ///< shaped like the taps
};
FilterAdjoint filter_adjoint(const TimeFilter& filter, const Tensor& x, const State& before,
                             const Tensor& gy);
/// Adds dL/d(state after), of which undefined entries are zero, to dL/dx [T,B,*] and dL/d(state before), which has all
/// inputs of the state.
void add_after(const State& g_after, Tensor& g, State& g_before);

/// f(part, begin, end) for fixed shares of the samples of x [T,B,*], in parallel, each on one thread; returns how many there
/// were.
size_t share_steps(const Tensor& x, const std::function<void(size_t, int64_t, int64_t)>& f);
/// Samples [i, j) of a state.
State state_share(const State& state, int64_t i, int64_t j);

}  // namespace spiketrain
