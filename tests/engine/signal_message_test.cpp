// What a process hands on is the same signal to the bit, in no more bytes than its spikes need.
#include "spiketrain/engine/signal_message.h"

#include <gtest/gtest.h>

#include "tests/support/message.h"
#include "tests/support/tensors.h"

namespace spiketrain::signal_message_test {

/// Spikes [4,3,2,5,7] with about this density.
Tensor drawn(double density, int64_t levels = 1, uint64_t seed = 3) {
  torch::manual_seed(seed);
  const Tensor u = torch::rand({4, 3, 2, 5, 7});
  return ((u < density).to(torch::kLong) * (1 + (u * 1e6).to(torch::kLong).remainder(levels)))
      .to(torch::kByte);
}

void expect_same(const Signal& a, const Signal& b) {
  EXPECT_EQ(a.is_constant(), b.is_constant());
  EXPECT_EQ(a.has_spikes(), b.has_spikes());
  EXPECT_EQ(a.tau_s(), b.tau_s());
  EXPECT_EQ(a.scale(), b.scale());
  EXPECT_EQ(a.edge().sizes(), b.edge().sizes());
  EXPECT_EQ(a.edge().scalar_type(), b.edge().scalar_type());
  EXPECT_FALSE(b.edge().requires_grad());
  EXPECT_TRUE(torch::equal(a.values(), b.values()));
  if (!a.has_spikes()) return;
  EXPECT_TRUE(torch::equal(a.spikes().bytes(), b.spikes().bytes()));
  EXPECT_EQ(a.spikes().total(), b.spikes().total());
  EXPECT_EQ(a.spikes().levels(), b.spikes().levels());
}

Tensor passed_on(const Signal& x) {
  const Tensor bytes = to_message(x);
  expect_same(x, from_message(bytes));
  return bytes;
}

TEST(SignalMessage, ConstantAndDenseValues) {
  torch::manual_seed(1);
  for (const auto type : {torch::kFloat, torch::kDouble}) {
    passed_on(Signal::constant(torch::rand({1, 3, 4}, type), torch::rand({5}, type)));
    passed_on(Signal::dense(torch::rand({5, 3, 4}, type).requires_grad_()));
    passed_on(Signal::dense(torch::rand({4, 3, 5}, type).transpose(0, 2)));
  }
  const Signal constant = Signal::constant(torch::rand({1, 3, 4}), torch::rand({5}));
  EXPECT_TRUE(torch::equal(from_message(to_message(constant)).gain(), constant.gain()));
}

TEST(SignalMessage, SpikesOfAnyDensity) {
  for (const double density : {0.0, 0.005, 0.05, 0.3, 1.0})
    for (const int64_t levels : {1, 2, 9}) {
      SCOPED_TRACE(str(density, " ", levels));
      passed_on(Signal::spikes(Spikes::from_bytes(drawn(density, levels), -1, levels), torch::kFloat));
      passed_on(Signal::spikes(Spikes::from_bytes(drawn(density, levels), -1, levels),
                               carrier({4, 3, 2, 5, 7}, torch::kDouble), 0.7));
    }
}

TEST(SignalMessage, FilteredSpikesWithWhatWasBefore) {
  const Spikes s = Spikes::from_bytes(drawn(0.2));
  const Tensor edge = carrier(s.sizes(), torch::kFloat);
  passed_on(Signal::psp(s, edge, 3.5, {}, {}));
  passed_on(Signal::psp(s, edge, 3.5, {}, torch::rand({3, 2, 5, 7}), 0.5));
}

TEST(SignalMessage, APartOfASegment) {
  const Signal whole = Signal::spikes(Spikes::from_bytes(drawn(0.2, 3), -1, 3), torch::kFloat);
  for (const auto& [begin, end] : {std::pair<int64_t, int64_t>{0, 2}, {1, 3}, {2, 4}})
    passed_on(whole.slice(begin, end));
}

// A gap longer than a message's numbers are takes several of them.
TEST(SignalMessage, SpikesFarApart) {
  for (const int64_t at : {0, 65534, 65535, 65536, 131070, 131071, 199999}) {
    Tensor s = torch::zeros({2, 1, 200000}, torch::kByte);
    s[0][0][at] = 1;
    s[1][0][at] = 1;
    const Tensor bytes = passed_on(Signal::spikes(Spikes::from_bytes(s), torch::kFloat));
    EXPECT_LT(bytes.numel(), 300) << at;
  }
}

TEST(SignalMessage, FewSpikesTakeFewBytes) {
  torch::manual_seed(2);
  const int64_t sites = 5 * 10 * 4096;
  const auto size = [&](double density) {
    const Tensor s = (torch::rand({5, 10, 4096}) < density).to(torch::kByte);
    return static_cast<double>(to_message(Signal::spikes(Spikes::from_bytes(s), torch::kFloat)).numel());
  };
  EXPECT_NEAR(size(0.5), sites / 8.0, 300);
  EXPECT_NEAR(size(0.1), sites / 8.0, 300);
  EXPECT_NEAR(size(0.01), sites * 0.01 * 2, sites * 0.01 * 0.2 + 300);
  EXPECT_LT(size(0), 300);
}

TEST(SignalMessage, RefusesWhatIsNone) {
  const Tensor good = to_message(Signal::spikes(Spikes::from_bytes(drawn(0.3)), torch::kFloat));
  const auto refused = [](const Tensor& bytes) {
    return message_of<UsageError>([&] { from_message(bytes); });
  };
  EXPECT_NE(refused(torch::zeros({3}, torch::kByte)).find("expected a signal"), std::string::npos);
  EXPECT_NE(refused(good.slice(0, 0, good.numel() - 1).contiguous()).find("no signal"), std::string::npos);
  EXPECT_NE(refused(torch::zeros_like(good)).find("no signal"), std::string::npos);
  SpikeTimes times;
  times.index = torch::zeros({1, 2}, torch::kLong);
  EXPECT_NE(message_of<UsageError>([&] { to_message(Signal::times(times)); }).find("expected"),
            std::string::npos);
}

}  // namespace spiketrain::signal_message_test
