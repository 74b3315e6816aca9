// Level layer: one layer, synapse and LIF neurons, forward and backward for given spikes and a given gradient of what it
// sends: gradient of its weights and of its input, as inside a network.
#include "apps/spiketrain/bench_case.h"
#include "apps/spiketrain/bench_plain.h"
#include "spiketrain/core/layer.h"

namespace spiketrain::cli::bench {
namespace {

struct OneLayer {
  const char *name, *spec;
  Shape in, out;
  int64_t kernel, steps, batch;
};
const OneLayer kLayers[] = {
    {"conv 128->128 3x3 @16 T=4 B=32", "128C3p1", {128, 16, 16}, {128, 16, 16}, 3, 4, 32},
    {"linear 512->512 T=20 B=64", "512", {512}, {512}, 0, 20, 64}};

bool is_map(const OneLayer& layer) { return layer.kernel > 0; }

std::vector<int64_t> sizes_of(const OneLayer& layer, const Shape& shape) {
  std::vector<int64_t> sizes = {layer.steps, layer.batch};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  return sizes;
}

/// {gradient of x, gradient of W} of outputs y.
using Gradients = std::vector<Tensor>;

Gradients our_layer(Network& network, const Context& context, const Spikes& spikes, const Tensor& g) {
  const Tensor edge = carrier(spikes.sizes(), torch::kFloat).requires_grad_();
  Carry carry = network.start();
  const Tensor y = network.forward(Signal::spikes(spikes, edge), context, carry).edge();
  return torch::autograd::grad({y}, {edge, network.parameters()[0]}, {g});
}

/// For x [T*B,*] and W, leaves.
Gradients plain_layer(const PlainUnit& unit, const Tensor& x, const Tensor& g, int64_t steps, bool naive) {
  const Tensor I = plain_current(unit, x);
  const Tensor y = naive ? naive_neurons(I, steps) : strong_neurons(I, steps, /*still=*/false);
  return torch::autograd::grad({y}, {x, unit.W}, {g});
}

Tensor leaf(const Tensor& x, bool channels_last) {
  return x.clone(channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous)
      .requires_grad_();
}

std::function<Gradients()> plain_form(const OneLayer& layer, const Tensor& s, const Tensor& W,
                                      const Tensor& g_last, bool naive) {
  const bool last = is_map(layer) && !naive;
  const PlainUnit unit = {leaf(W, last), layer.kernel / 2, false};
  const Tensor x = leaf(s.flatten(0, 1).to(torch::kFloat), last);
  const Tensor flat = g_last.flatten(0, 1), g = naive ? flat.contiguous() : flat;
  return [=] { return plain_layer(unit, x, g, layer.steps, naive); };
}

Contest layer_contest(const OneLayer& layer, double density) {
  torch::manual_seed(1);
  const Tensor s = draw_spikes(sizes_of(layer, layer.in), density);
  std::vector<int64_t> shape = {layer.out[0], layer.in[0]};
  if (is_map(layer)) shape.insert(shape.end(), {layer.kernel, layer.kernel});
  const Tensor W = draw_weights(shape);
  const Tensor drawn = torch::randn(sizes_of(layer, layer.out));
  const Tensor g = is_map(layer) ? drawn.movedim(-3, -1).contiguous().movedim(-1, -3) : drawn;
  const auto network = make_network(layer.spec, layer.in, layer.out, {W});
  Context context;
  context.method.rule = make<Rule>("bptt");
  context.mode = Mode::train;
  const Spikes spikes = Spikes::from_bytes(s);
  const auto ours = [=] { return our_layer(*network, context, spikes, g); };
  const auto plain = plain_form(layer, s, W, g, false), naive = plain_form(layer, s, W, g, true);
  const Gradients a = ours(), b = plain(), c = naive();
  for (size_t k = 0; k < a.size(); ++k) {
    check_same(layer.name, a[k].reshape(b[k].sizes()), b[k]);
    check_same(str(layer.name, ", naive form"), a[k].reshape(c[k].sizes()), c[k]);
  }
  Contest contest;
  contest.forms = {
      {"ours", [ours] { ours(); }}, {"plain", [plain] { plain(); }}, {"naive", [naive] { naive(); }}};
  contest.density = spikes.density();
  return contest;
}

}  // namespace

std::vector<Case> layer_cases(const std::vector<double>& densities) {
  const std::vector<double> own = {0.2, 0.1, 0.05, 0.02};
  std::vector<Case> cases;
  for (const OneLayer& layer : kLayers) {
    for (const double d : densities.empty() ? own : densities)
      cases.push_back(
          {"layer", layer.name, "forward+backward", d, [&layer, d] { return layer_contest(layer, d); }});
  }
  return cases;
}

}  // namespace spiketrain::cli::bench
