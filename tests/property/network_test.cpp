// Whole networks: the order of the batch, causality, windows and the number of threads change no bit of what
// they should not change.
#include <gtest/gtest.h>

#include "spiketrain/core/layer.h"
#include "tests/support/network_fixture.h"

namespace spiketrain {
namespace {

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
  return {{"6C3-SP2-8C3p1-12-5", psp},
          {"6C3-MP2-8C3p1-12-5", lif},
          {"6C3s2-RB8s2-SEW8-12-5", lif},
          {"6C3-AP2-RB6-SEW8s2-5C1-GAP", lif}};
}

std::shared_ptr<Network> build(const Case& c, uint64_t seed) {
  auto network = make_spec(c.spec, make_context(c.neuron, kInput, 5), {{"pool_scale", 1.0}});
  exact_weights(*network, seed);
  return network;
}

Tensor run(Network& network, const Tensor& x) {
  torch::NoGradGuard no_grad;
  Pass pass = network.start(bptt(), false);
  return network.forward({x, {}, {}}, pass).dense();
}

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

TEST_P(NetworkProperty, WindowsJoinToTheWhole) {
  const auto network = build(c, 5);
  const Tensor x = binary_input(kT, kB, kInput, 5);
  const Tensor y = run(*network, x);
  const Signal still = {x.slice(0, 0, 1), torch::ones({kT}), {}};
  torch::NoGradGuard no_grad;
  Pass whole = network->start(bptt(), false);
  const Tensor y_still = network->forward(still, whole).dense();
  for (int64_t size : {1, 2, 4}) {
    Pass dense = network->start(bptt(), false), stationary = network->start(bptt(), false);
    std::vector<Tensor> parts, still_parts;
    for (int64_t t = 0; t < kT; t += size) {
      const int64_t end = std::min(t + size, kT);
      parts.push_back(network->forward({x.slice(0, t, end), {}, {}}, dense).dense());
      still_parts.push_back(network->forward(still.slice(t, end), stationary).dense());
      Network::detach(dense.state);
      Network::detach(stationary.state);
    }
    EXPECT_TRUE(torch::equal(torch::cat(parts), y)) << "windows of " << size;
    EXPECT_TRUE(torch::equal(torch::cat(still_parts), y_still)) << "windows of " << size;
  }
}

TEST_P(NetworkProperty, StationaryInputEqualsItsDenseForm) {
  const auto network = build(c, 6);
  const Signal still = {binary_input(1, kB, kInput, 6), torch::ones({kT}), {}};
  torch::NoGradGuard no_grad;
  Pass a = network->start(bptt(), false), b = network->start(bptt(), false);
  EXPECT_TRUE(
      torch::equal(network->forward(still, a).dense(), network->forward({still.dense(), {}, {}}, b).dense()));
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
    Pass pass = network->start(bptt(), true, 1, 1);
    const Tensor y = network->forward({x, {}, {}}, pass).dense();
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
INSTANTIATE_TEST_SUITE_P(Specs, NetworkProperty, ::testing::Range<size_t>(0, 4), case_name);

}  // namespace
}  // namespace spiketrain
