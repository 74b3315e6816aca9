// One layer, forward and backward, beside the same layer in plain LibTorch autograd.
#include <benchmark/benchmark.h>

#include "bench/support/plain.h"
#include "spiketrain/core/layer.h"

namespace spiketrain::bench {
namespace {

constexpr int64_t kSteps = 5, kBatch = 50;

struct Setting {
  Config synapse, neuron, rule;
  Shape in;
};

Setting setting(int64_t which) {
  const Config psp = {{"name", "psp_lif"}}, lif = {{"name", "lif"}};
  const Config tssl = {{"name", "tssl_bp"}}, bptt = {{"name", "bptt"}};
  const Config conv = {{"name", "conv2d"}, {"channels", 40}, {"kernel", 5}};
  const Config linear = {{"name", "linear"}, {"features", 400}};
  switch (which) {
    case 0:
      return {conv, psp, tssl, {15, 12, 12}};
    case 1:
      return {conv, lif, bptt, {15, 12, 12}};
    case 2:
      return {linear, psp, tssl, {400}};
    default:
      return {linear, lif, bptt, {400}};
  }
}

Tensor input(const Shape& in) {
  std::vector<int64_t> shape = {kSteps, kBatch};
  shape.insert(shape.end(), in.begin(), in.end());
  return torch::rand(shape).lt(0.15).to(torch::kFloat).requires_grad_();
}

void layer(benchmark::State& state) {
  torch::manual_seed(1);
  const Setting s = setting(state.range(0));
  Layer layer({Connection{make<Synapse>(s.synapse)}}, make<Neuron>(s.neuron));
  layer.build({s.in});
  int64_t slots = 0;
  layer.assign_slots(slots);
  layer.initialise(1);
  const Tensor x = input(s.in);
  Context context;
  context.method.rule = make<Rule>(s.rule);
  context.mode = Mode::train;
  for (auto _ : state) {
    Carry carry;
    carry.state.resize(1);
    carry.trace.resize(1);
    const Tensor edge = layer.forward({Signal::dense(x)}, context, carry).edge();
    edge.backward(torch::ones({}).expand_as(edge));
  }
  state.SetLabel("spiketrain, " + layer.notation() + ", " + s.rule["name"].get<std::string>());
}

void plain(benchmark::State& state) {
  torch::manual_seed(1);
  const Setting s = setting(state.range(0));
  const auto synapse = make<Synapse>(s.synapse);
  const Shape out = synapse->build(s.in);
  synapse->initialise(1, 0);
  const PlainLayer layer = {synapse->weight(), plain_neuron(s.neuron, out), false};
  const Tensor x = input(s.in);
  for (auto _ : state) plain_forward(layer, x).sum().backward();
  state.SetLabel("plain LibTorch autograd, " + synapse->notation() + ", surrogate gradient");
}

BENCHMARK(layer)->DenseRange(0, 3)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(plain)->DenseRange(0, 3)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace spiketrain::bench
