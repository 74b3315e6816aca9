// The same networks in plain LibTorch: one convolution or product and one loop of ATen operations per layer,
// all T steps kept by autograd.  What anybody would write without this library, and what the benchmarks stand
// beside.
#pragma once
#include <memory>
#include <vector>

#include "spiketrain/core/neuron.h"

namespace spiketrain::bench {

struct PlainLayer {
  Tensor W;                         ///< [out,in] or [out,in,k,k]
  std::shared_ptr<Stepped> neuron;  ///< only its step() is used
  bool pool = false;                ///< 1.1 * sum over 2x2 windows afterwards
};

/// A registered neuron of this shape that is defined by its step.
inline std::shared_ptr<Stepped> plain_neuron(const Config& config, const Shape& shape) {
  auto neuron = std::dynamic_pointer_cast<Stepped>(make<Neuron>(config));
  ST_CHECK(neuron, "plain_neuron: ", config.dump(), " has no step()");
  neuron->build(shape);
  return neuron;
}

/// One layer on x [T,B,*], every step in autograd.
inline Tensor plain_forward(const PlainLayer& layer, const Tensor& x) {
  const int64_t T = x.size(0), B = x.size(1);
  Tensor I = layer.W.dim() == 4 ? torch::conv2d(x.flatten(0, 1), layer.W)
                                : torch::linear(x.flatten(2).flatten(0, 1), layer.W);
  I = I.unflatten(0, {T, B});
  State state = layer.neuron->initial(I.sizes().slice(1), x.options().requires_grad(false));
  std::vector<Tensor> a;
  for (int64_t t = 0; t < T; ++t) {
    Stepped::Step now = layer.neuron->step(I[t], state);
    a.push_back(now.a);
    state = now.next;
  }
  Tensor out = torch::stack(a);
  if (layer.pool) out = (torch::avg_pool2d(out.flatten(0, 1), {2, 2}) * 4.4).unflatten(0, {T, B});
  return out;
}

}  // namespace spiketrain::bench
