// Norms with eps outside the root, against the formula written out in float64: y = scale * weight * (I - mean) / (sqrt(var) + eps) + bias.
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/core/layer.h"
#include "spiketrain/deploy/read_network.h"
#include "spiketrain/nir/export.h"
#include "tests/support/network_fixture.h"

namespace spiketrain::norm_eps_test {

constexpr double kEps = 0.25, kScale = 0.6;  // an eps that is seen
const auto kDouble = torch::TensorOptions().dtype(torch::kDouble);

struct Built {
  std::shared_ptr<Norm> norm;
  Tensor weight, bias, mean, var;
};

Built drawn(const std::vector<int64_t>& shape, const char* name) {
  Config config = {{"name", name}, {"eps", kEps}, {"eps_outside", true}, {"momentum", 0.3}};
  if (name == std::string("tdbn")) config["scale"] = kScale;
  Built b;
  b.norm = make<Norm>(config);
  b.norm->build(Shape(shape.begin() + 2, shape.end()));
  b.norm->to(torch::kDouble);
  const auto parameters = b.norm->named_parameters(), buffers = b.norm->named_buffers();
  b.weight = parameters["weight"];
  b.bias = parameters["bias"];
  b.mean = buffers["running_mean"];
  b.var = buffers["running_var"];
  const torch::NoGradGuard no_grad;
  b.weight.copy_(torch::rand({shape[2]}, kDouble) + 0.5);
  b.bias.copy_(torch::randn({shape[2]}, kDouble));
  return b;
}

Context in(Mode mode) {
  Context context;
  context.mode = mode;
  return context;
}

Tensor by_channel(const Tensor& I) { return I.transpose(0, 2).flatten(1); }
Tensor wide(const Tensor& x, const Tensor& I) {
  std::vector<int64_t> shape(static_cast<size_t>(I.dim()), 1);
  shape[2] = I.size(2);
  return x.view(shape);
}
Tensor formula(const Tensor& I, const Tensor& mean, const Tensor& var, const Built& b, double scale) {
  return scale * wide(b.weight, I) * (I - wide(mean, I)) / (wide(var, I).sqrt() + kEps) + wide(b.bias, I);
}

void expect_near(const Tensor& got, const Tensor& want, const char* what) {
  ASSERT_EQ(got.sizes(), want.sizes()) << what;
  EXPECT_LE((got - want).norm().item<double>(), 1e-12 * (1 + want.norm().item<double>())) << what;
}

void check(const std::vector<int64_t>& shape, const char* name) {
  SCOPED_TRACE(::testing::Message() << name << ' ' << at::IntArrayRef(shape));
  const double scale = name == std::string("tdbn") ? kScale : 1;
  torch::manual_seed(21);
  const Built b = drawn(shape, name);
  const Tensor I = (torch::randn(shape, kDouble) * 1.5 - 1).requires_grad_(),
               g = torch::randn(shape, kDouble);
  const Tensor values = by_channel(I);
  const Tensor mean = values.mean(1), var = values.var(1, /*unbiased=*/false);
  const Tensor replay = b.norm->forward(I, in(Mode::replay));
  EXPECT_TRUE(torch::equal(b.mean, torch::zeros({shape[2]}, kDouble)));  // statistics stand still
  const Tensor y = b.norm->forward(I, in(Mode::train)), want = formula(I, mean, var, b, scale);
  EXPECT_TRUE(torch::equal(replay, y));
  expect_near(y, want, "forward");
  const std::vector<Tensor> leaves = {I, b.weight, b.bias};
  const auto got = torch::autograd::grad({y}, leaves, {g}),
             expected = torch::autograd::grad({want}, leaves, {g});
  for (size_t k = 0; k < leaves.size(); ++k) expect_near(got[k], expected[k], "gradient");
  expect_near(b.mean, 0.3 * mean.detach(), "running mean");
  expect_near(b.var, 0.7 + 0.3 * values.var(1, /*unbiased=*/true).detach(), "running variance");

  const Tensor z = b.norm->forward(I, in(Mode::evaluate)), fixed = formula(I, b.mean, b.var, b, scale);
  expect_near(z, fixed, "evaluation");
  expect_near(torch::autograd::grad({z}, {I}, {g})[0], torch::autograd::grad({fixed}, {I}, {g})[0],
              "gradient in evaluation");
  b.norm->frozen = true;
  expect_near(b.norm->forward(I, in(Mode::train)), fixed, "frozen");
}

TEST(NormEps, OutsideTheRootIsTheFormula) {
  for (const char* name : {"bn", "tdbn"}) {
    check({4, 3, 5, 3, 2}, name);
    check({4, 3, 5}, name);
    check({1, 2, 3, 2, 2}, name);
    check({2, 3, 4, 1, 1}, name);
    check({3, 10, 37, 8, 8}, name);  // several chunks
  }
}

/// Where a channel never varies the root has no derivative: its gradient is zero, not NaN.
TEST(NormEps, AConstantChannelIsItsBias) {
  const Built b = drawn({4, 3, 2, 3, 3}, "tdbn");
  Tensor I = torch::randn({4, 3, 2, 3, 3}, kDouble);
  I.select(2, 0).fill_(0.75);
  I.requires_grad_();
  const Tensor y = b.norm->forward(I, in(Mode::train));
  EXPECT_TRUE(torch::equal(y.select(2, 0), b.bias[0].expand_as(y.select(2, 0))));
  const auto g = torch::autograd::grad({y}, {I, b.weight}, {torch::randn(I.sizes(), kDouble)});
  EXPECT_TRUE(torch::isfinite(g[0]).all().item<bool>() && torch::isfinite(g[1]).all().item<bool>());
  EXPECT_GT(g[0].select(2, 1).abs().max().item<double>(), 0);
}

/// A hidden layer whose currents have the variance 4.
std::shared_ptr<Network> normed(bool outside) {
  const torch::NoGradGuard no_grad;
  const auto network = make_spec("3-2", make_context({{"name", "lif"}}, {4}, 2),
                                 {{"norm", {{"name", "bn"}, {"eps", kEps}, {"eps_outside", outside}}}});
  network->initialise(3);
  layer_of(*network, "0").connections()[0].norm->named_buffers()["running_var"].fill_(4);
  return network;
}

TEST(NormEps, ExportsFoldIt) {
  const auto network = normed(true);
  const Connection& c = layer_of(*network, "0").connections()[0];
  const deploy::Model model = deploy::read_network(*network);
  EXPECT_NEAR(model.layers[0].products[0].weight[0],
              c.synapse->weight().flatten()[0].item<double>() / (2 + kEps), 1e-7);
  const auto in_nir = [](bool outside) {
    return to_nir(*normed(outside)).graph.find("0.w")->fields.arrays.at("weight").values[0];
  };
  EXPECT_NEAR(in_nir(true) / in_nir(false), std::sqrt(4 + kEps) / (2 + kEps), 1e-6);
}

}  // namespace spiketrain::norm_eps_test
