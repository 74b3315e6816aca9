// Whole networks: the order of the batch, causality, segments and the number of threads change no bit of what
// they should not change.
#include <gtest/gtest.h>

#include "tests/support/network_fixture.h"

namespace spiketrain::network_test {

constexpr int64_t kT = 6, kB = 5;
const Shape kInput = {2, 10, 10};

struct Case {
  const char* spec;
  Config neuron;
};

/// Time constants and leaks are powers of two, so that no sum is ever rounded.
std::vector<Case> cases() {
  const Config psp = {{"name", "psp_lif"}, {"tau_m", 2}, {"tau_s", 2}};
  const Config lif = {{"name", "lif"}, {"leak", 0.5}, {"reset", "soft"}};
  return {{"6C3-SP2-8C3p1-12-5", psp},         {"6C3-MP2-8C3p1-12-5", lif}, {"6C3s2-RB8s2-SEW8-12-5", lif},
          {"6C3-AP2-RB6-SEW8s2-5C1-GAP", lif}, {"6C3s2-AP2-12R-8R-5", lif}, {"6C3s2-AP2-12R-5", psp}};
}

std::shared_ptr<Network> build(const Case& c, uint64_t seed) {
  auto network = make_spec(c.spec, make_context(c.neuron, kInput, 5), {{"pool_scale", 1.0}});
  exact_weights(*network, seed);
  return network;
}

Tensor run(Network& network, const Tensor& x) { return evaluate(network, Signal::dense(x)); }

class NetworkProperty : public ::testing::TestWithParam<size_t> {
 protected:
  Case c = cases()[GetParam()];
};

TEST_P(NetworkProperty, BatchOrderDoesNotMatter) {
  for (uint64_t seed : {1, 2, 3}) {
    const auto network = build(c, seed);
    const Tensor x = binary_input(kT, kB, kInput, seed), order = torch::tensor({3, 0, 4, 1, 2});
    const Tensor y = run(*network, x);
    EXPECT_GT(y.abs().sum().item<double>(), 0) << "seed " << seed << ": silent, the test says nothing";
    EXPECT_TRUE(torch::equal(run(*network, x.index_select(1, order)), y.index_select(1, order)))
        << "seed " << seed;
  }
}

TEST_P(NetworkProperty, OutputsDoNotLookAhead) {
  const auto network = build(c, 4);
  const Tensor x = binary_input(kT, kB, kInput, 4);
  const Tensor y = run(*network, x);
  int64_t seen = 0;
  for (int64_t t = 0; t < kT; ++t) {
    Tensor changed = x.clone();
    changed.slice(0, t, kT).zero_();
    const Tensor z = run(*network, changed);
    EXPECT_TRUE(torch::equal(z.slice(0, 0, t), y.slice(0, 0, t))) << "step " << t;
    seen += !torch::equal(z, y);
  }
  EXPECT_GE(seen, kT / 2);  // the change does reach the output, later
}

TEST_P(NetworkProperty, SegmentsJoinToTheWhole) {
  const auto network = build(c, 5);
  const Tensor x = binary_input(kT, kB, kInput, 5);
  const Tensor y = run(*network, x);
  const Signal still = Signal::constant(x.slice(0, 0, 1), torch::ones({kT}));
  const Tensor y_still = evaluate(*network, still);
  torch::NoGradGuard no_grad;
  const Context context;
  for (int64_t size : {1, 2, 4}) {
    Carry dense = network->start(), constant = network->start();
    std::vector<Tensor> parts, still_parts;
    for (int64_t t = 0; t < kT; t += size) {
      const int64_t end = std::min(t + size, kT);
      parts.push_back(network->forward(Signal::dense(x.slice(0, t, end)), context, dense).values());
      still_parts.push_back(network->forward(still.slice(t, end), context, constant).values());
      dense.detach();
      constant.detach();
    }
    EXPECT_TRUE(torch::equal(torch::cat(parts), y)) << "segments of " << size;
    EXPECT_TRUE(torch::equal(torch::cat(still_parts), y_still)) << "segments of " << size;
  }
}

TEST_P(NetworkProperty, ConstantInputEqualsItsDenseForm) {
  const auto network = build(c, 6);
  const Signal still = Signal::constant(binary_input(1, kB, kInput, 6), torch::ones({kT}));
  EXPECT_TRUE(torch::equal(evaluate(*network, still), run(*network, still.values())));
}

/// Spikes are converted chunk by chunk, floats are not.
TEST_P(NetworkProperty, SpikesEqualTheirFloats) {
  const auto network = build(c, 8);
  const Tensor x = binary_input(kT, kB, kInput, 8);
  const Signal spikes = Signal::spikes(Spikes::from_bytes(x.to(torch::kUInt8)), torch::kFloat);
  EXPECT_TRUE(torch::equal(evaluate(*network, spikes), run(*network, x)));
}

/// Real-valued weights on purpose: the order of summation itself must not depend on the threads.
TEST_P(NetworkProperty, ThreadsChangeNoBit) {
  const auto network = build(c, 7);
  {
    torch::NoGradGuard no_grad;
    torch::manual_seed(7);
    for (Tensor p : network->parameters()) p.mul_(1 + 0.1 * torch::rand_like(p));
  }
  const Tensor x = torch::rand({kT, kB, 2, 10, 10});
  const int before = at::get_num_threads();
  std::vector<Tensor> first;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    network->zero_grad();
    Carry carry = network->start();
    const Tensor y = network->forward(Signal::dense(x), train_context(1, 1), carry).values();
    (y * y).sum().backward();
    std::vector<Tensor> results = {y.detach()};
    for (const Tensor& p : network->parameters()) results.push_back(p.grad().clone());
    if (threads == 1) {
      first = results;
      EXPECT_GT(y.sum().item<double>(), 0);
    }
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_TRUE(torch::equal(results[i], first[i])) << threads << " threads, tensor " << i;
    }
  }
  at::set_num_threads(before);
}

std::string case_name(const ::testing::TestParamInfo<size_t>& info) { return std::to_string(info.param); }
INSTANTIATE_TEST_SUITE_P(Specs, NetworkProperty, ::testing::Range<size_t>(0, 6), case_name);

}  // namespace spiketrain::network_test
