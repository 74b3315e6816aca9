// Multi-level firing and DS-ResNet against the authors' code: golden/related/mlf_*, and every further file of that name in the folder
// that SPIKETRAIN_GOLDEN names (or its related/).  Counts are equal; everything else is within 1e-12 of the reference,
// relative to 1 + max |reference|.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::mlf_golden_test {

const Config kTdbn = {{"name", "tdbn"}, {"scale", 0.6}, {"eps_outside", true}};

Config mlf(int64_t levels) { return {{"name", "mlf"}, {"levels", levels}}; }

/// Files whose name begins so; a test failure if there are none.
void for_records(const std::string& prefix, const std::function<void(const GoldenRecord&)>& check) {
  int64_t count = 0;
  for (const std::string& path : golden_files("related")) {
    if (std::filesystem::path(path).filename().string().rfind(prefix, 0) != 0) continue;
    SCOPED_TRACE(path);
    check(GoldenRecord(path));
    ++count;
  }
  EXPECT_GT(count, 0) << prefix;
}

/// The neuron's own run and vjp, and the definition by steps.
void check_unit(const GoldenRecord& r) {
  const Tensor x = r.at("x");
  const auto neuron =
      make_neuron(mlf(std::stoll(r.word("K"))), Shape(x.sizes().begin() + 2, x.sizes().end()));
  const Stepped& steps = by_steps(*neuron);
  for (const bool fused : {true, false}) {
    const auto record = record_of(*neuron, x);
    fused ? neuron->run(*record, record->all()) : steps.Stepped::run(*record, record->all());
    EXPECT_TRUE(torch::equal(output_of(*record), r.at("out"))) << fused;
    EXPECT_GT(record->s.max().item<int64_t>(), 0);
    const Credit credit = fused ? neuron->vjp(*record, r.at("grad_out"), {})
                                : steps.Stepped::vjp(*record, r.at("grad_out"), {});
    expect_golden(credit.g, r.at("grad_x"), fused ? "grad_x" : "grad_x by steps");
  }
}

TEST(GoldenMlf, Units) {
  for_records("mlf_T", check_unit);
  for_records("mlf_trace", check_unit);
}

void check_norm(const GoldenRecord& r) {
  const auto norm = make<Norm>(kTdbn);
  const Tensor x = r.at("x").requires_grad_();
  norm->build({x.size(2), x.size(3), x.size(4)});
  norm->to(torch::kDouble);
  const auto parameters = norm->named_parameters(), buffers = norm->named_buffers();
  set_from(r, "gamma", parameters["weight"]);
  set_from(r, "beta", parameters["bias"]);
  set_from(r, "running_mean_before", buffers["running_mean"]);
  set_from(r, "running_var_before", buffers["running_var"]);
  Context context;
  context.mode = r.word("training") == "True" ? Mode::train : Mode::evaluate;
  const Tensor y = norm->forward(x, context);
  expect_golden(y, r.at("y"), "y");
  const auto g =
      torch::autograd::grad({y}, {x, parameters["weight"], parameters["bias"]}, {r.at("grad_out")});
  expect_golden(g[0], r.at("grad_x"), "grad_x");
  expect_golden(g[1], r.at("grad_gamma"), "grad_gamma");
  expect_golden(g[2], r.at("grad_beta"), "grad_beta");
  expect_golden(buffers["running_mean"], r.at("running_mean_after"), "running mean");
  expect_golden(buffers["running_var"], r.at("running_var_after"), "running variance");
}

TEST(GoldenMlf, TdbnWithEpsOutside) { for_records("mlf_tdbn", check_norm); }

/// A unit of the notation, in front of an output layer that does not run.
void check_block(const GoldenRecord& r) {
  const Tensor x = r.at("x").requires_grad_();
  const bool plain = r.word("block").rfind("plain", 0) == 0;
  const std::string stride = r.word("stride") == "1" ? "" : "s2";
  const auto network =
      make_spec(str(plain ? "RB" : "SEW", r.word("C_out"), stride, "-2"),
                make_context(mlf(3), Shape(x.sizes().begin() + 2, x.sizes().end()), 2), {{"norm", kTdbn}});
  network->to(torch::kDouble);
  std::vector<std::pair<std::string, std::string>> layers = {{"1", "0_first"}, {"2", "0_second"}};
  if (r.has("conv_s")) layers.emplace_back("_s", plain ? "0_second" : "0_shortcut");
  const auto all = network->named_parameters();
  NamedTensors parameters;
  for (const auto& [own, node] : layers) {
    const std::string which = plain && own == "_s" ? "1" : "";  // the layer's second connection
    parameters.emplace_back("conv" + own, all[node + ".synapse" + which + ".weight"]);
    parameters.emplace_back("gamma" + own, all[node + ".norm" + which + ".weight"]);
    parameters.emplace_back("beta" + own, all[node + ".norm" + which + ".bias"]);
  }
  for (const auto& [name, parameter] : parameters) set_from(r, name, parameter);
  ASSERT_EQ(parameters.size() + 1, all.size());  // and the output layer

  const Context context = train_context();
  Carry carry = network->start();
  std::vector<Signal> sent;
  const auto& nodes = network->nodes();
  for (size_t n = 0; n + 1 < nodes.size(); ++n) {
    std::vector<Signal> in;
    for (const auto& input : nodes[n].inputs)
      in.push_back(input.node == Network::kInput ? Signal::dense(x) : sent[static_cast<size_t>(input.node)]);
    sent.push_back(nodes[n].stage->forward(in, context, carry));
  }
  const Tensor y = sent.back().values();
  EXPECT_TRUE(torch::equal(y, r.at("out")));
  EXPECT_GT(y.max().item<double>(), 1);
  y.backward(r.at("grad_out"));
  expect_golden(x.grad(), r.at("grad_x"), "grad_x");
  for (const auto& [name, parameter] : parameters)
    expect_golden(parameter.grad(), r.at("grad_" + name), "grad_" + name);
}

TEST(GoldenMlf, Blocks) {
  for_records("mlf_ds_block", check_block);
  for_records("mlf_plain_block", check_block);
}

TEST(GoldenMlf, ParameterCounts) {
  for_records("mlf_parameter_counts", [](const GoldenRecord& r) {
    const Tensor counts = r.at("counts");
    const int64_t depths[] = {14, 20, 32, 44, 68};
    ASSERT_EQ(counts.numel(), 5);
    for (int64_t i = 0; i < 5; ++i) {
      NetworkContext context = make_context(mlf(3), {3, 32, 32}, 10);
      context.readout = leaky_readout;
      const auto network = make<NetworkBuilder>("ds_resnet", {{"depth", depths[i]}})->build(context);
      EXPECT_EQ(network->parameter_count(), counts[i].item<int64_t>()) << depths[i];
    }
  });
}

}  // namespace spiketrain::mlf_golden_test
