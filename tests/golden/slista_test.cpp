// S-LISTA against the records of golden/related: untrained it is ISTA, iterate by iterate, in one and two dimensions; gradients of
// learned matrices, kernels and thresholds; the complex shrinkage.
#include <gtest/gtest.h>

#include "spiketrain/parts/synapses/complex_map.h"
#include "tests/support/golden_record.h"
#include "tests/support/network_fixture.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::slista_golden_test {

GoldenRecord record(const std::string& name) {
  return GoldenRecord(std::string(ST_SOURCE_DIR) + "/golden/related/" + name + ".safetensors");
}
/// [n,2] -> [2,n]
Tensor parts(const Tensor& x) { return x.t().contiguous(); }

/// In double, with ISTA's weights and these thresholds.
std::shared_ptr<Network> slista(int64_t layers, const Shape& samples, const Shape& grid, double threshold) {
  Shape input = {2};
  input.insert(input.end(), samples.begin(), samples.end());
  const NetworkContext context = make_context({{"name", "complex_shrink"}}, input, 2 * numel(grid));
  auto network = make<NetworkBuilder>("slista", {{"layers", layers}, {"grid", grid}})->build(context);
  network->to(torch::kDouble);
  network->initialise(1);
  const torch::NoGradGuard no_grad;
  for (auto& item : network->named_parameters())
    if (item.key().find("threshold") != std::string::npos) item.value().fill_(threshold);
  return network;
}

void check_ista(const std::string& name, const Shape& samples, const Shape& grid) {
  SCOPED_TRACE(name);
  const GoldenRecord r = record(name);
  const double L = r.at("lipschitz").item<double>(), lambda = r.number("lam");
  EXPECT_NEAR(steering_lipschitz(samples, grid), L, 1e-12 * L);
  Shape input = {1, 1, 2};
  input.insert(input.end(), samples.begin(), samples.end());
  const Signal y = Signal::dense(parts(r.at("y")).view(input));
  const Tensor iterates = r.at("iterates");
  for (int64_t k = 0; k < iterates.size(0); ++k) {
    const auto network = slista(k + 1, samples, grid, lambda / L);
    const Tensor b = evaluate(*network, y).view({2, -1});
    expect_golden(b, parts(iterates[k]), str("iterate ", k + 1));
    const Tensor wanted = parts(r.at("b_true"));
    const double nmse = ((b - wanted).square().sum() / wanted.square().sum()).item<double>();
    EXPECT_NEAR(nmse, r.at("nmse")[k].item<double>(), 1e-12);
  }
  EXPECT_GT(iterates.abs().max().item<double>(), 0.1);
}

TEST(SlistaGolden, UntrainedIsIstaInOneDimension) { check_ista("mhr_ista_1d", {16}, {32}); }
TEST(SlistaGolden, UntrainedIsIstaInTwoDimensions) { check_ista("mhr_ista_2d", {5, 6}, {8, 10}); }

/// The first column of A^H A, which the kernel is made of, and A^H y.
TEST(SlistaGolden, KernelAndAdjointAreTheRecords) {
  const GoldenRecord r = record("mhr_ista_2d");
  const auto network = slista(2, {5, 6}, {8, 10}, 0.1);
  const double L = r.at("lipschitz").item<double>();
  Tensor column = -network->named_parameters()["1.synapse1.weight"].detach().flatten(1);
  column[0][0] += 1;
  expect_golden(column * L, parts(r.at("kernel").view({80, 2})), "kernel");
  const Tensor W = network->named_parameters()["0.synapse.weight"].detach(), y = r.at("y");
  const Tensor re = y.select(1, 0), im = y.select(1, 1);
  const Tensor product = torch::stack({W[0].mv(re) - W[1].mv(im), W[0].mv(im) + W[1].mv(re)});
  expect_golden(product * L, parts(r.at("adjoint_y")), "A^H y");
}

TEST(SlistaGolden, GradientsOfMatricesKernelsAndThresholds) {
  const GoldenRecord r = record("mhr_slista_grad");
  const auto network = slista(3, {8}, {12}, 0.1);
  const auto parameters = network->named_parameters();
  EXPECT_EQ(parameters.size(), 3U + 2U + 3U) << "no kernel in the first layer";
  const torch::NoGradGuard no_grad;
  for (int64_t k = 0; k < 3; ++k) {
    Tensor(parameters[str(k, ".synapse.weight")]).copy_(r.at("w_y")[k].permute({2, 0, 1}));
    Tensor(parameters[str(k, ".neuron.threshold")]).fill_(r.at("threshold")[k]);
    if (k > 0) Tensor(parameters[str(k, ".synapse1.weight")]).copy_(parts(r.at("kernel")[k]));
  }
  const Tensor y = r.at("y").transpose(1, 2).contiguous().unsqueeze(0),
               wanted = r.at("b_true").transpose(1, 2).reshape({4, 24});
  {
    const torch::AutoGradMode grad(true);
    const Context context = train_context();
    Carry carry = network->start();
    const Tensor b = network->forward(Signal::dense(y), context, carry).values()[0];
    expect_golden(b, r.at("b").transpose(1, 2).reshape({4, 24}), "b");
    const Tensor loss = (b - wanted).square().sum() / 4;
    expect_golden(loss, r.at("loss"), "loss");
    loss.backward();
  }
  EXPECT_EQ(r.at("grad_kernel")[0].abs().max().item<double>(), 0);
  for (int64_t k = 0; k < 3; ++k) {
    expect_golden(parameters[str(k, ".synapse.weight")].grad(),
                  r.at("grad_w_y")[k].permute({2, 0, 1}).contiguous(), "W");
    expect_golden(parameters[str(k, ".neuron.threshold")].grad(), r.at("grad_threshold")[k], "threshold");
    if (k > 0)
      expect_golden(parameters[str(k, ".synapse1.weight")].grad(), parts(r.at("grad_kernel")[k]), "kernel");
  }
}

TEST(SlistaGolden, ComplexShrink) {
  const GoldenRecord r = record("complex_shrink");
  const auto neuron = make_neuron({{"name", "complex_shrink"}, {"threshold", 1.0}}, {2});
  neuron->to(torch::kDouble);
  const auto run = run_all(*neuron, r.at("z").unsqueeze(0));
  EXPECT_TRUE(torch::equal(run->a[0], r.at("out")) || torch::allclose(run->a[0], r.at("out"), 0, 1e-15));
  const Tensor by_hand = torch::tensor({3.0, 4.0}, torch::kDouble).view({1, 1, 2});
  EXPECT_NEAR(run_all(*neuron, by_hand)->a[0][0][0].item<double>(), 2.4, 1e-15);
  EXPECT_NEAR(run_all(*neuron, by_hand)->a[0][0][1].item<double>(), 3.2, 1e-15);
}

}  // namespace spiketrain::slista_golden_test
