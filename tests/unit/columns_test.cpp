// The encoder columns, dilations handed out by networks, and power-of-two weights as integers.
#include "spiketrain/core/encoder.h"
#include "spiketrain/core/extras.h"
#include "spiketrain/core/layer.h"
#include "spiketrain/ops/power_of_two.h"
#include "spiketrain/parts/neurons/shift_add.h"
#include "spiketrain/recipe/experiment.h"
#include "tests/support/message.h"
#include "tests/support/network_fixture.h"
#include "tests/support/neuron_cases.h"
#include "tests/support/tiny.h"

namespace spiketrain::columns_test {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Columns, SendsOneColumnPerStep) {
  const auto encoder = make<Encoder>("columns");
  Batch batch;
  batch.x = torch::rand({3, 2, 4, 5});
  const Tensor all = encoder->encode(batch, {0, 7, 7}).values();
  ASSERT_EQ(all.sizes(), (std::vector<int64_t>{7, 3, 8}));
  for (int64_t t = 0; t < 5; ++t) EXPECT_TRUE(torch::equal(all[t], batch.x.select(3, t).flatten(1))) << t;
  EXPECT_EQ(all.slice(0, 5).abs().max().item<float>(), 0);
  for (const int64_t K : {1, 2, 3, 6}) {
    for (int64_t t = 0; t < 7; t += K) {
      const int64_t end = std::min<int64_t>(7, t + K);
      EXPECT_TRUE(torch::equal(encoder->encode(batch, {t, end, 7}).values(), all.slice(0, t, end)));
    }
  }
  EXPECT_EQ(encoder->step_shape({2, 4, 5}), Shape{8});
  EXPECT_EQ(make<Encoder>("direct")->step_shape({2, 4, 5}), (Shape{2, 4, 5}));
}

TEST(Columns, RefusesWhatItCannotRead) {
  const auto encoder = make<Encoder>("columns");
  Batch batch;
  batch.x = torch::rand({3, 2, 4, 5});
  EXPECT_TRUE(has(message_of<UsageError>([&] { encoder->encode(batch, {0, 4, 4}); }), "steps = 5"));
  batch.x = torch::rand({3, 8});
  EXPECT_TRUE(has(message_of<UsageError>([&] { encoder->encode(batch, {0, 8, 8}); }), "[B,C,H,W]"));
  EXPECT_TRUE(has(message_of<UsageError>([&] { encoder->step_shape({8}); }), "[C,H,W]"));
  EXPECT_THROW(encoder->check_frames(), UsageError);
}

std::vector<std::string> by_columns(const std::vector<std::string>& more) {
  std::vector<std::string> sets = {"steps=6",         "encoder=columns",       "network.spec=8-8-8-4",
                                   "neuron=cw_psn",   "readout=leaky_readout", "rule=bptt",
                                   "objective=tet_ce"};
  sets.insert(sets.end(), more.begin(), more.end());
  return sets;
}

TEST(Columns, NetworksReadAColumn) {
  Experiment e = tiny_experiment(by_columns({}));
  EXPECT_EQ(e.training.network().input_shape(), Shape{6});
  Trainer(e.training, TrainerOptions{}).run();
  EXPECT_TRUE(
      has(message_of<UsageError>([] { tiny_experiment(by_columns({"network.spec=6C3-4"})); }), "map"));
}

std::vector<int64_t> dilations(const Network& network) {
  std::vector<int64_t> list;
  for (const auto& node : network.nodes()) {
    const auto layer = std::dynamic_pointer_cast<const Layer>(node.stage);
    const auto* dilated = layer ? dynamic_cast<const Dilated*>(layer->neuron().get()) : nullptr;
    list.push_back(dilated ? dilated->dilation_now() : 0);
  }
  return list;
}

TEST(Dilations, AreHandedOutInTurn) {
  const auto built = [](const Config& neuron, const Config& options, const char* spec = "8-8-8-8-4") {
    return make_spec(spec, make_context(neuron, {6}, 4), options);
  };
  const Config cw = {{"name", "cw_psn"}, {"k", 2}};
  EXPECT_EQ(dilations(*built(cw, {{"dilations", {1, 2, 3}}})), (std::vector<int64_t>{1, 2, 3, 1, 1}));
  EXPECT_EQ(dilations(*built(cw, {{"dilations", {4, 2}}})), (std::vector<int64_t>{4, 2, 4, 2, 1}));
  EXPECT_EQ(dilations(*built(cw, Config::object())), (std::vector<int64_t>{1, 1, 1, 1, 1}));
  const auto net = built(cw, {{"dilations", {1, 2, 3}}});
  EXPECT_EQ(dilations(*Network::from_config(net->config())), (std::vector<int64_t>{1, 2, 3, 1, 1}));
  const auto refused = [&](const Config& neuron, const Config& list) {
    return message_of<UsageError>([&] { built(neuron, {{"dilations", list}}); });
  };
  EXPECT_TRUE(has(refused({{"name", "lif"}}, {1, 2}), "use sliding_psn or cw_psn"));
  EXPECT_TRUE(has(refused({{"name", "cw_psn"}, {"dilation", 2}}, {1, 2}), "give one of them"));
  EXPECT_TRUE(has(refused(cw, {1, 0}), "expected 1 to"));
}

TEST(PowerOfTwo, RoundsInTheLogarithm) {
  const Tensor w = torch::tensor({0.3, -0.7, 1.4142, 1.4143, 1.5, 0.0, -1e-30, 3.0, 1e30}, torch::kDouble);
  const Tensor q = ops::nearest_power_of_two(w);
  for (int64_t i = 0; i < 5; ++i)
    EXPECT_EQ(q[i].item<double>(), (std::vector<double>{0.25, -0.5, 1, 2, 2})[static_cast<size_t>(i)]) << i;
  EXPECT_EQ(q[5].item<double>(), 0);
  const ops::PowersOfTwo p = ops::powers_of_two(q);
  EXPECT_TRUE(torch::equal(p.sign.to(torch::kDouble) * torch::exp2(p.exponent.to(torch::kDouble)), q));
  EXPECT_THROW(ops::powers_of_two(torch::tensor({0.5, 0.75})), UsageError);
  Tensor leaf = w.to(torch::kFloat).requires_grad_();
  make<Quantizer>("power_of_two")->apply(leaf).sum().backward();
  EXPECT_TRUE(torch::equal(leaf.grad(), torch::ones_like(leaf)));
}

/// The integer form sends the spikes of the neuron, to the bit, where the neuron's own sums are exact.
TEST(ShiftAdd, IsTheNeuron) {
  torch::manual_seed(3);
  for (const bool norm : {false, true}) {
    for (const Shape& shape : {Shape{6}, Shape{6, 2, 3}}) {
      const auto neuron = make_neuron({{"name", "cw_psn"},
                                       {"k", 3},
                                       {"dilation", 2},
                                       {"quantizer", "power_of_two"},
                                       {"norm", norm ? "batch" : "none"}},
                                      shape);
      auto& psn = dynamic_cast<ChannelPsn&>(*neuron);
      {
        const torch::NoGradGuard no_grad;
        for (Tensor& p : neuron->parameters()) p.copy_(torch::randn(p.sizes()));
        for (auto& b : neuron->named_buffers()) b.value().copy_(torch::rand(b.value().sizes()) + 0.1);
        neuron->named_parameters()["weight"][2].zero_();
      }
      std::vector<int64_t> sizes = {12, 5};
      sizes.insert(sizes.end(), shape.begin(), shape.end());
      const int64_t bits = 6;
      const Tensor integers = torch::randint(-200, 200, sizes, torch::kInt64);
      const auto record = run_all(*neuron, integers.to(torch::kFloat) / 64);
      const ShiftAdd form = ShiftAdd::of(psn, bits);
      EXPECT_GE(form.shift.min().item<int64_t>(), 0);
      const ShiftAdd::Sent sent = form.run(integers);
      EXPECT_TRUE(torch::equal(sent.s.to(torch::kByte), record->s));
      EXPECT_GT(record->s.sum().item<int64_t>(), 10);
      EXPECT_THROW(form.run(integers.to(torch::kFloat)), UsageError);
    }
  }
  const auto full = make_neuron({{"name", "cw_psn"}}, {3});
  EXPECT_TRUE(has(message_of<UsageError>([&] { ShiftAdd::of(dynamic_cast<ChannelPsn&>(*full), 4); }),
                  "power_of_two"));
}

}  // namespace spiketrain::columns_test
