// LIF scans: vector code against plain loops, around the vector width and for every reset; the fused neuron
// against its steps; windows against the whole; threads.  Bit equality except where a surrogate needs exp.
#include "spiketrain/kernels/lif_scan/lif_scan.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "spiketrain/core/surrogate.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain {
namespace {

using cpu::LifParams;
using cpu::LifReset;

constexpr int64_t kSizes[] = {1, 3, 15, 16, 17, 33, 511, 513, 4097};
constexpr int64_t kSteps[] = {1, 2, 7};
constexpr int kGuard = 64;  // written past the end of every output; must survive

template <class R>
struct Inputs {
  int64_t T, N;
  std::vector<R> I, z0, delta, g_out;
  // exact: multiples of 1/64, so that with leak 0.5 and threshold 1 the first steps are exact on any machine.
  Inputs(int64_t T, int64_t N, bool exact, unsigned seed) : T(T), N(N) {
    std::mt19937 random(seed);
    const auto fill = [&](std::vector<R>& v, int64_t n, double low, double high) {
      std::uniform_int_distribution<int> k(static_cast<int>(low * 64), static_cast<int>(high * 64));
      std::uniform_real_distribution<double> r(low, high);
      v.resize(static_cast<size_t>(n));
      for (R& x : v) x = static_cast<R>(exact ? k(random) / 64.0 : r(random));
    };
    fill(I, T * N, -0.5, 2.0);
    fill(z0, N, -0.5, 2.5);
    fill(delta, T * N, -2.0, 2.0);
    fill(g_out, N, -2.0, 2.0);
  }
};

template <class R>
struct Outputs {
  std::vector<uint8_t> s;
  std::vector<R> a, u, psi, z1, g, g_in;
  int64_t spikes = 0;
  double g_leak = 0;
};

template <class R>
Outputs<R> run(const LifParams& p, const Inputs<R>& c, bool reference) {
  const size_t n = static_cast<size_t>(c.T * c.N + kGuard), m = static_cast<size_t>(c.N + kGuard);
  Outputs<R> out;
  out.s.assign(n, 77);
  for (auto* v : {&out.a, &out.u, &out.psi, &out.g}) v->assign(n, R(77));
  for (auto* v : {&out.z1, &out.g_in}) v->assign(m, R(77));
  cpu::LifForwardArgs<R> x;
  x.T = c.T, x.N = c.N, x.I = c.I.data(), x.z0 = c.z0.data();
  x.s = out.s.data(), x.a = out.a.data(), x.u = out.u.data(), x.psi = out.psi.data(), x.z1 = out.z1.data();
  out.spikes = reference ? cpu::lif_forward_ref(p, x) : cpu::lif_forward(p, x);
  cpu::LifAdjointArgs<R> y;
  y.T = c.T, y.N = c.N, y.u = out.u.data(), y.s = out.s.data(), y.z0 = c.z0.data(), y.delta = c.delta.data();
  y.g_out = c.g_out.data(), y.I = c.I.data(), y.g = out.g.data(), y.g_in = out.g_in.data(),
  y.want_leak = true;
  out.g_leak = reference ? cpu::lif_adjoint_ref(p, y) : cpu::lif_adjoint(p, y);
  return out;
}

template <class V>
void expect_bits(const std::vector<V>& got, const std::vector<V>& want, const char* what) {
  ASSERT_EQ(got.size(), want.size());
  if (std::memcmp(got.data(), want.data(), got.size() * sizeof(V)) == 0) return;
  for (size_t i = 0; i < got.size(); ++i) ASSERT_EQ(got[i], want[i]) << what << " at " << i;
}

// Relative to the largest; exp of the vector code and of the C library differ by a few ulp.
template <class R>
void expect_near(const std::vector<R>& got, const std::vector<R>& want, const char* what) {
  R largest = 1;
  for (R x : want) largest = std::max(largest, std::abs(x));
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_LE(std::abs(got[i] - want[i]), 32 * std::numeric_limits<R>::epsilon() * largest)
        << what << " at " << i;
  }
}

template <class R>
void compare(const LifParams& p, const Inputs<R>& c) {
  SCOPED_TRACE(str("T ", c.T, ", N ", c.N, ", reset ", static_cast<int>(p.reset), ", delayed ", p.delayed,
                   ", detach ", p.detach_reset, ", strict ", p.strict, ", raised ", p.raised, ", shape ",
                   static_cast<int>(p.surrogate.shape)));
  const Outputs<R> fast = run(p, c, false), plain = run(p, c, true);
  expect_bits(fast.s, plain.s, "s");
  expect_bits(fast.a, plain.a, "a");
  expect_bits(fast.u, plain.u, "u");
  expect_bits(fast.z1, plain.z1, "z1");
  EXPECT_EQ(fast.spikes, plain.spikes);
  if (p.surrogate.shape <= cpu::SurrogateShape::gauss) {
    expect_near(fast.psi, plain.psi, "psi");
    expect_near(fast.g, plain.g, "g");
    expect_near(fast.g_in, plain.g_in, "g_in");
  } else {
    expect_bits(fast.psi, plain.psi, "psi");
    expect_bits(fast.g, plain.g, "g");
    expect_bits(fast.g_in, plain.g_in, "g_in");
  }
  double largest = 1;  // steep surrogates make gradients grow from step to step
  for (const R g : plain.g) largest = std::max(largest, std::abs(static_cast<double>(g)));
  const double scale = static_cast<double>(c.T * c.N) * 16 * largest;  // many terms of either sign
  EXPECT_NEAR(fast.g_leak, plain.g_leak, scale * static_cast<double>(std::numeric_limits<R>::epsilon()));
}

std::vector<LifParams> all_params(double leak) {
  std::vector<LifParams> all;
  for (const LifReset reset : {LifReset::soft_decayed, LifReset::soft, LifReset::hard, LifReset::none}) {
    for (int bits = 0; bits < 16; ++bits) {
      LifParams p;
      p.leak = leak;
      p.reset = reset;
      p.delayed = bits & 1;
      p.detach_reset = bits & 2;
      p.strict = bits & 4;
      p.raised = bits & 8;
      if (p.raised && (reset != LifReset::soft_decayed || p.delayed)) continue;
      p.v_reset = -0.25;
      p.gain_tie = p.strict ? 1 : 0;
      p.surrogate = surrogate_curve("triangle", 1, 1);
      all.push_back(p);
    }
  }
  return all;
}

TEST(LifScan, ExactFixture) {
  for (const LifParams& p : all_params(0.5)) {
    for (const int64_t N : {1, 17, 513}) {
      compare(p, Inputs<float>(5, N, true, 1));
      compare(p, Inputs<double>(5, N, true, 2));
    }
  }
}

TEST(LifScan, EverySizeAndSurrogate) {
  for (LifParams p : all_params(0.9)) {
    if (p.strict) continue;
    for (const int64_t N : kSizes) {
      for (const int64_t T : kSteps) compare(p, Inputs<float>(T, N, false, 3));
    }
    for (const std::string& name : surrogate_names()) {
      p.surrogate = surrogate_curve(name, 0, 1);
      p.gain = 0.75;
      p.rest = 0.0625;
      compare(p, Inputs<float>(7, 37, false, 4));
      compare(p, Inputs<double>(7, 37, false, 5));
    }
  }
}

TEST(LifScan, AnyNumberOfThreads) {
  LifParams p = all_params(0.9).front();
  const Inputs<float> c(4, 20000, false, 6);
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  const Outputs<float> one = run(p, c, false);
  omp_set_num_threads(4);
  const Outputs<float> four = run(p, c, false);
  omp_set_num_threads(before);
  expect_bits(one.u, four.u, "u");
  expect_bits(one.g, four.g, "g");
  EXPECT_EQ(one.spikes, four.spikes);
  EXPECT_EQ(one.g_leak, four.g_leak);
}

std::vector<Config> fused_neurons() {
  std::vector<Config> configs;
  for (Config config : lif_resets()) {
    for (const bool learn : {false, true}) {
      config["learn_leak"] = learn;
      config["leak"] = learn ? 0.9 : 0.5;
      configs.push_back(config);
    }
  }
  configs.push_back({{"name", "if"}, {"reset", "hard"}, {"v_reset", -0.5}});
  configs.push_back({{"name", "if"}});
  return configs;
}

// Both have the same order of operations, so the bits are equal for any input.
TEST(LifNeuron, FusedEqualsSteps) {
  torch::manual_seed(1);
  for (const Config& config : fused_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config);
    for (const Tensor& I : {torch::randint(-32, 128, {6, 2, 37}) / 64.0, torch::randn({11, 2, 37}) + 0.4}) {
      const State in = neuron->initial({2, 37}, I.options());
      const auto fused = make_tape(I, in, 0, I.size(0)), steps = make_tape(I, in, 0, I.size(0));
      neuron->run(*fused);
      neuron->Neuron::run(*steps);
      EXPECT_TRUE(torch::equal(fused->s.bytes(), steps->s.bytes()));
      EXPECT_TRUE(torch::equal(fused->a, steps->a));
      EXPECT_TRUE(torch::equal(fused->out[0], steps->out[0]));
      EXPECT_EQ(fused->s.count(), steps->s.bytes().sum().item<int64_t>());
    }
  }
}

TEST(LifNeuron, WindowsEqualTheWhole) {
  torch::manual_seed(2);
  for (const Config& config : fused_neurons()) {
    SCOPED_TRACE(config.dump());
    const auto neuron = make_neuron(config);
    const Tensor I = torch::randn({12, 2, 37}) + 0.4, delta = torch::randn({12, 2, 37});
    const State in = neuron->initial({2, 37}, I.options()), g_out = {torch::randn({2, 37})};
    const auto whole = make_tape(I, in, 0, 12);
    neuron->run(*whole);
    const Neuron::Adjoint want = neuron->vjp(*whole, delta, g_out);

    const auto first = make_tape(I, in, 0, 5);
    neuron->run(*first);
    const auto second = make_tape(I, first->out, 5, 12);
    neuron->run(*second);
    EXPECT_TRUE(torch::equal(torch::cat({first->a, second->a}), whole->a));
    EXPECT_TRUE(torch::equal(second->out[0], whole->out[0]));
    const Neuron::Adjoint late = neuron->vjp(*second, delta.slice(0, 5), g_out);
    const Neuron::Adjoint early = neuron->vjp(*first, delta.slice(0, 0, 5), late.g_in);
    EXPECT_TRUE(torch::equal(torch::cat({early.g, late.g}), want.g));
    EXPECT_TRUE(torch::equal(early.g_in[0], want.g_in[0]));
    for (size_t k = 0; k < want.g_params.size(); ++k) {
      const double sum = (early.g_params[k] + late.g_params[k]).item<double>();
      EXPECT_NEAR(sum, want.g_params[k].item<double>(), 1e-4);
    }
  }
}

TEST(LifNeuron, KeepsNothingWhenNotRecording) {
  const auto neuron = make_neuron({{"name", "lif"}});
  const Tensor I = torch::ones({3, 1, 4});
  const auto tape = make_tape(I, neuron->initial({1, 4}, I.options()), 0, 3, kPsi);
  tape->record = false;
  neuron->run(*tape);
  EXPECT_FALSE(tape->psi.defined());
  EXPECT_FALSE(tape->saved[0].defined());
}

}  // namespace
}  // namespace spiketrain
