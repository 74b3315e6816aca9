// Level neuron: neurons over a sequence, forward and backward for given currents and a given gradient of what they send.  The
// fused scan of LIF (ours) and the same neuron in plain LibTorch, beside neurons that have no recursion in time: psn, one T x T
// product over the sequence, and sliding_psn, k shifted sums (docs/methods/psn.md).
#include "apps/spiketrain/bench_case.h"
#include "apps/spiketrain/bench_plain.h"

namespace spiketrain::cli::bench {
namespace {

constexpr int64_t kBatch = 16, kNeurons = 128;

/// Forward and backward once.
std::function<Tensor()> form_of(const std::shared_ptr<Neuron>& neuron, const Tensor& I, const Tensor& delta) {
  return [=] {
    const torch::NoGradGuard no_grad;
    const auto record = make_record(*neuron, I, {}, neuron->vjp_reads(I), Storage::bits);
    neuron->run(*record, record->all());
    return neuron->vjp(*record, delta, {}).g;
  };
}

std::shared_ptr<Neuron> built(const Config& config) {
  auto neuron = make<Neuron>(config);
  neuron->build({kNeurons});
  return neuron;
}

Contest neuron_contest(int64_t T) {
  torch::manual_seed(1);
  const Tensor I = on_grid(torch::randn({T, kBatch, kNeurons}) * 0.8 + 0.3), delta = torch::randn(I.sizes());
  const auto lif = bench::make_neuron();
  lif->build({kNeurons});
  const auto ours = form_of(lif, I, delta);
  const Tensor leaf = I.flatten(0, 1).requires_grad_(), g = delta.flatten(0, 1);
  const auto plain = [=] {
    return torch::autograd::grad({strong_neurons(leaf, T, /*still=*/false)}, {leaf}, {g})[0];
  };
  check_same("neurons over a sequence", ours().flatten(0, 1), plain());
  const auto psn = form_of(built({{"name", "psn"}, {"steps", T}}), I, delta);
  const auto sliding = form_of(built({{"name", "sliding_psn"}, {"k", 4}}), I, delta);
  Contest contest;
  contest.forms = {{"ours", [=] { ours(); }},
                   {"plain", [=] { plain(); }},
                   {"psn", [=] { psn(); }},
                   {"sliding_psn", [=] { sliding(); }}};
  const auto record = make_record(*lif, I, {}, 0);
  lif->run(*record, record->all());
  contest.density = record->spikes().density();
  return contest;
}

}  // namespace

std::vector<Case> neuron_cases() {
  std::vector<Case> cases;
  for (const int64_t T : {32, 64, 128, 256, 512, 1024})
    cases.push_back({"neuron", str("lif ", kNeurons, " T=", T, " B=", kBatch), "forward+backward", 0,
                     [T] { return neuron_contest(T); }});
  return cases;
}

}  // namespace spiketrain::cli::bench
