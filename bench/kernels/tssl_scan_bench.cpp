// What the TSSL-BP kernels (cases_bench.cpp) stand beside: the same computation in LibTorch operations.
//   torch_forward  the forward as a loop over steps of ATen operations, no autograd
//   torch_credit   the head rule as a loop over steps of ATen operations, no autograd
//   torch_autograd forward and backward of the loop under autograd (sigmoid surrogate), as one writes it
//   first
// Reported: CPU time of all threads per neuron and step; CPU time, because it is not upset by other programs
// on the machine.
// Threads: OMP_NUM_THREADS, for both.
#include <benchmark/benchmark.h>

#include "spiketrain/kernels/tssl_scan/tssl_scan.h"
#include "spiketrain/ops/torch.h"

namespace spiketrain {
namespace {

using torch::Tensor;

// The layers whose neurons cost most: MNIST 15C5 (batch 50), Fashion-MNIST 400 (batch 100), N-MNIST 12C5
// (batch 8).
void shapes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"T", "N"})->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();
  b->Args({5, 50 * 15 * 24 * 24})->Args({5, 100 * 400})->Args({30, 8 * 12 * 32 * 32});
}

struct Layer {
  int64_t T, N;
  cpu::TsslParams p{5.0, 3.0, 1.0};
  Tensor I, delta, s, u, a;
  // Currents that make about 15 % of the entries fire.
  explicit Layer(const benchmark::State& state) : T(state.range(0)), N(state.range(1)) {
    torch::manual_seed(1);
    I = torch::randn({T, N}) * 0.6 + 0.2;
    delta = torch::randn({T, N});
    s = torch::zeros({T, N}, torch::kUInt8);
    u = torch::zeros({T, N}), a = torch::zeros({T, N});
    cpu::TsslForwardArgs<float> x;
    x.T = T, x.N = N, x.I = I.data_ptr<float>(), x.s = s.data_ptr<uint8_t>();
    x.u = u.data_ptr<float>(), x.a = a.data_ptr<float>();
    cpu::tssl_forward(p, x);
  }
};

void report(benchmark::State& state, const Layer& layer) {
  const double steps = static_cast<double>(layer.T * layer.N) * static_cast<double>(state.iterations());
  state.counters["per_item"] =
      benchmark::Counter(steps, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["fires"] = layer.s.to(torch::kFloat32).mean().item<double>();
}

void torch_forward(benchmark::State& state) {
  torch::NoGradGuard no_grad;
  Layer layer(state);
  for (auto _ : state) {
    Tensor m = torch::zeros({layer.N}), a = torch::zeros({layer.N});
    std::vector<Tensor> all_s, all_u, all_a;
    for (int64_t t = 0; t < layer.T; ++t) {
      const Tensor u = m + (layer.I[t] - m / 5.0);
      const Tensor s = (u > 1.0).to(torch::kFloat32);
      m = u * (1.0 - s);
      a = a + (s - a) / 3.0;
      all_s.push_back(s), all_u.push_back(u), all_a.push_back(a);
    }
    benchmark::DoNotOptimize(torch::stack(all_a));
    benchmark::DoNotOptimize(torch::stack(all_u));
    benchmark::DoNotOptimize(torch::stack(all_s));
  }
  report(state, layer);
}

Tensor sigma_prime(const Tensor& u) {
  const Tensor f = torch::exp(torch::clamp((1.0 - u) / 0.2, -8.0, 8.0));
  return f / (0.2 * (1.0 + f) * (1.0 + f));
}

void torch_credit(benchmark::State& state) {
  torch::NoGradGuard no_grad;
  Layer layer(state);
  const Tensor fired = layer.s.to(torch::kBool), s = layer.s.to(torch::kFloat32);
  for (auto _ : state) {
    std::vector<Tensor> all(static_cast<size_t>(layer.T));
    Tensor A = torch::zeros({layer.N}), theta = torch::zeros({layer.N});
    for (int64_t t = layer.T - 1; t >= 0; --t) {
      const Tensor u = layer.u[t];
      A = layer.delta[t] / 3.0 + (2.0 / 3.0) * A;
      const Tensor du = t > 0 ? u - layer.u[t - 1] * (1.0 - s[t - 1]) : u;
      const Tensor at_spike = torch::clamp_max(1.0 / du, 8.0) * (A + u * theta / 5.0);
      theta = torch::where(fired[t], at_spike, 0.8 * theta);
      all[static_cast<size_t>(t)] = torch::where(layer.a[t] < 1.0 / 12.0, A * sigma_prime(u), theta);
    }
    benchmark::DoNotOptimize(torch::stack(all));
  }
  report(state, layer);
}

void torch_autograd(benchmark::State& state) {
  Layer layer(state);
  for (auto _ : state) {
    const Tensor I = layer.I.detach().requires_grad_();
    Tensor m = torch::zeros({layer.N}), a = torch::zeros({layer.N});
    std::vector<Tensor> all_a;
    for (int64_t t = 0; t < layer.T; ++t) {
      const Tensor u = m + (I[t] - m / 5.0);
      const Tensor soft = torch::sigmoid((u - 1.0) / 0.2);
      const Tensor s = soft + ((u > 1.0).to(torch::kFloat32) - soft).detach();
      m = u * (1.0 - s);
      a = a + (s - a) / 3.0;
      all_a.push_back(a);
    }
    torch::stack(all_a).backward(layer.delta);
    benchmark::DoNotOptimize(I.grad());
  }
  report(state, layer);
}

BENCHMARK(torch_forward)->Apply(shapes);
BENCHMARK(torch_credit)->Apply(shapes);
BENCHMARK(torch_autograd)->Apply(shapes);

}  // namespace
}  // namespace spiketrain
