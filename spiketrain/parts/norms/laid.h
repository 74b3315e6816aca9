// Maps laid out for LibTorch's batch norm.
#pragma once
#include "spiketrain/ops/torch.h"

namespace spiketrain {

/// Contiguous forward and back, rows and columns exchanged if asked for.  LibTorch sums a channel within one thread if
/// maps and their gradients lie one after the other.  [M,N] and 1x1 maps it takes for "channels last", and shares their
/// rows among the threads: the bits would depend on the number of threads.
struct Laid : torch::autograd::Function<Laid> {
  static torch::Tensor lay(const torch::Tensor& x, bool turn) { return (turn ? x.t() : x).contiguous(); }
  static torch::Tensor forward(torch::autograd::AutogradContext* ctx, const torch::Tensor& x, bool turn) {
    ctx->saved_data["turn"] = turn;
    return lay(x, turn).alias();
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list g) {
    return {lay(g[0], ctx->saved_data["turn"].toBool()), torch::Tensor()};
  }
};

/// Whether maps [N,C,*] have one value per channel, so that rows and columns are exchanged for the norm.
inline bool one_per_channel(const torch::Tensor& maps) { return maps.numel() == maps.size(0) * maps.size(1); }

}  // namespace spiketrain
