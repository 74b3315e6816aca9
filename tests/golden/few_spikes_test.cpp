// Few-spikes neurons with the authors' tables against the records of golden/related: values, spikes and all gradients.
#include <gtest/gtest.h>

#include "tests/support/golden_record.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::few_spikes_golden_test {

GoldenRecord record(const std::string& name) {
  return GoldenRecord(std::string(ST_SOURCE_DIR) + "/golden/related/" + name + ".safetensors");
}

/// 1 where w > 0, with the derivative max(1 - |w|, 0).
Tensor fires(const Tensor& w) {
  const Tensor slope = (1 - w.detach().abs()).clamp_min(0);
  return w.detach().gt(0).to(torch::kDouble) + (w - w.detach()) * slope;
}

/// The loop of the record's equations, written out for autograd.
struct Loop {
  Tensor x, h, d, T;  ///< leaves
  Tensor out, v_reg, z_reg;

  explicit Loop(const GoldenRecord& r) {
    const auto leaf = [&](const char* name) { return r.at(name).clone().requires_grad_(); };
    x = leaf("x"), h = leaf("h"), d = leaf("d"), T = leaf("T");
    Tensor v = x;
    out = torch::zeros_like(x.detach());
    v_reg = z_reg = torch::zeros({}, torch::kDouble);
    for (int64_t i = 0; i < h.size(0); ++i) {
      const Tensor w = (v - T[i]) / (v.abs() + 1), z = fires(w);
      v_reg = v_reg + (w.abs() - 1).clamp_min(0).mean().square();
      z_reg = z_reg + z.mean();
      out = out + z * d[i];
      v = v - z * h[i];
    }
  }
  std::vector<Tensor> gradients(const Tensor& loss) const {
    return torch::autograd::grad({loss}, {x, h, d, T}, {}, /*retain_graph=*/true);
  }
};

const char* const kNames[] = {"x", "h", "d", "T"};

void set_tables(const GoldenRecord& r, Neuron& neuron) {
  neuron.to(torch::kDouble);
  for (const auto& item : neuron.named_parameters()) set_from(r, item.key(), item.value());
}

/// Our two neurons: one sends, the readout reads.  The value comes in as the sum over the period before.
void check(const std::string& name, const std::string& curve) {
  SCOPED_TRACE(name);
  const GoldenRecord r = record(name);
  const Loop loop(r);
  expect_golden(loop.out, r.at("out"), "out");
  expect_golden(loop.v_reg, r.at("v_reg"), "v_reg");
  expect_golden(loop.z_reg, r.at("z_reg"), "z_reg");
  const Tensor read_out = (r.at("grad_out") * loop.out).sum(), spikes = 0.2 * loop.z_reg;
  const auto all = loop.gradients(read_out + 0.3 * loop.v_reg + spikes);
  for (size_t k = 0; k < 4; ++k) expect_golden(all[k], r.at(str("grad_", kNames[k])), kNames[k]);
  const auto want = loop.gradients(read_out + spikes);  // we have no penalty on v

  const int64_t K = r.at("h").size(0), N = r.at("x").size(0);
  const Config options = {{"curve", curve}, {"learn", true}};
  Config sends = options, reads = options;
  sends["name"] = "few_spikes", sends["form"] = "pipelined", reads["name"] = "few_spikes_readout";
  const auto neuron = make_neuron(sends, {N}), readout = make_neuron(reads, {N});
  for (const char* key : {"h", "d", "T"})
    EXPECT_TRUE(torch::equal(neuron->named_parameters()[key], r.at(key).to(torch::kFloat)))
        << "published " << key;
  set_tables(r, *neuron), set_tables(r, *readout);
  State before = neuron->initial({1, N}, torch::kDouble);
  before[0] = r.at("x").unsqueeze(0);
  const Tensor silent = torch::zeros({K, 1, N}, torch::kDouble);
  const auto run = run_all(*neuron, silent, before);
  const auto read = run_all(*readout, output_of(*run));
  expect_golden(read->a.mean(0), r.at("out"), "value");

  const Tensor g_out = (r.at("grad_out") / static_cast<double>(K)).expand({K, 1, N});
  const Credit of_readout = readout->vjp(*read, g_out, State(1));
  const Tensor g_spikes = of_readout.g + 0.2 / static_cast<double>(N);
  const Credit of_neuron = neuron->vjp(*run, g_spikes, State(4));
  expect_golden(of_neuron.g_before[0], want[0], "dL/dx");
  const auto keys = neuron->named_parameters().keys();
  ASSERT_EQ(keys, (std::vector<std::string>{"h", "d", "T"}));
  expect_golden(of_neuron.g_params[0], want[1], "dL/dh");
  expect_golden(of_readout.g_params[0], want[2], "dL/dd");
  expect_golden(of_neuron.g_params[2], want[3], "dL/dT");
  EXPECT_EQ(of_neuron.g_params[1].abs().max().item<double>(), 0) << "no spike came in, so none was weighed";
}

TEST(FewSpikesGolden, Relu) { check("fs_relu_K10", "relu"); }
TEST(FewSpikesGolden, Sigmoid) { check("fs_sigmoid_K12", "sigmoid"); }
TEST(FewSpikesGolden, Swish) { check("fs_swish_K16", "swish"); }

/// The authors' loop compares strictly and is one step low on the grid; their fast form is the floor.
TEST(FewSpikesGolden, StrictIsTheLoopAndNotStrictTheFloor) {
  const GoldenRecord r = record("fs_relu_fast_vs_slow");
  const int64_t K = std::stol(r.word("K")), N = r.at("x").size(0);
  EXPECT_FALSE(torch::equal(r.at("fast"), r.at("slow")));
  for (const bool strict : {true, false}) {
    const auto neuron =
        make_neuron({{"name", "few_spikes"}, {"phases", K}, {"strict", strict}, {"form", "pipelined"}}, {N});
    State before = neuron->initial({1, N}, torch::kDouble);
    before[0] = r.at("x").unsqueeze(0);
    const Tensor s = output_of(*run_all(*neuron, torch::zeros({K, 1, N}, torch::kDouble), before));
    Tensor value = torch::zeros({N}, torch::kDouble);
    for (int64_t i = 0; i < K; ++i) value = value + s[i][0] * std::ldexp(25.0, -static_cast<int>(i) - 1);
    EXPECT_TRUE(torch::equal(value, r.at(strict ? "slow" : "fast"))) << strict;
  }
}

}  // namespace spiketrain::few_spikes_golden_test
