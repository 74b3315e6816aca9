// Quantised activations, the integrate-and-fire neurons that take their place, and step-wise distillation against released code:
// golden/related/hsd_* and qcfs_*, and every further file of that name in the folder that SPIKETRAIN_GOLDEN names (or its related/).
// Spikes are equal; everything else is within 1e-12 of the reference, relative to 1 + max |reference|.
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "spiketrain/core/objective.h"
#include "tests/support/golden_files.h"
#include "tests/support/golden_record.h"
#include "tests/support/neuron_cases.h"

namespace spiketrain::qcfs_golden_test {

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

/// One step of one sample.
Tensor as_step(const Tensor& x) { return x.view({1, 1, -1}); }

std::shared_ptr<Neuron> qcfs(const GoldenRecord& r, const char* order, const Tensor& up, int64_t neurons) {
  auto neuron =
      make_neuron({{"name", "qcfs"}, {"levels", std::stoll(r.word("L"))}, {"order", order}}, {neurons});
  neuron->to(torch::kDouble);
  const torch::NoGradGuard no_grad;
  neuron->named_parameters()["up"].copy_(up.squeeze());
  return neuron;
}

void check_activation(const GoldenRecord& r, const char* order, const char* up) {
  const auto neuron = qcfs(r, order, r.at(up), r.at("x").numel());
  const auto record = run_all(*neuron, as_step(r.at("x")));
  expect_golden(output_of(*record), r.at("y"), "y");
  const Credit credit = neuron->vjp(*record, as_step(r.at("grad_out")), {});
  expect_golden(credit.g, r.at("grad_x"), "grad_x");
  ASSERT_EQ(credit.g_params.size(), 1U);
  expect_golden(credit.g_params[0], r.at(std::string("grad_") + up), "grad_up");
  // The other order passes the gradient elsewhere.
  const char* other = std::string(order) == "clip" ? "floor" : "clip";
  const auto swapped = qcfs(r, other, r.at(up), r.at("x").numel());
  const auto again = run_all(*swapped, as_step(r.at("x")));
  expect_golden(output_of(*again), r.at("y"), "y of the other order");
  const Tensor g = swapped->vjp(*again, as_step(r.at("grad_out")), {}).g;
  EXPECT_GT((g.flatten() - r.at("grad_x").flatten()).abs().max().item<double>(), 0.01);
}

TEST(GoldenQcfs, ActivationOfQcfs) {
  for_records("qcfs_", [](const GoldenRecord& r) { check_activation(r, "clip", "thresh"); });
}
TEST(GoldenQcfs, ActivationOfHsd) {
  for_records("hsd_quant_clip", [](const GoldenRecord& r) { check_activation(r, "floor", "up"); });
}

/// What a spike carries is `height`; the neuron's own run and vjp, and the definition by steps.
void check_neuron(const Config& config, const Tensor& x, const Tensor& grad_out, double height,
                  const Tensor& out, const Tensor& grad_x) {
  const auto neuron = make_neuron(config, Shape(x.sizes().begin() + 2, x.sizes().end()));
  const Stepped& steps = by_steps(*neuron);
  for (const bool fused : {true, false}) {
    const auto record = record_of(*neuron, x);
    fused ? neuron->run(*record, record->all()) : steps.Stepped::run(*record, record->all());
    EXPECT_TRUE(torch::equal(output_of(*record) * height, out)) << fused;
    EXPECT_GT(output_of(*record).sum().item<double>(), 0);
    const Credit credit = fused ? neuron->vjp(*record, grad_out * height, {})
                                : steps.Stepped::vjp(*record, grad_out * height, {});
    expect_golden(credit.g, grad_x, fused ? "grad_x" : "grad_x by steps");
  }
}

void check_if(const GoldenRecord& r, bool strict, const char* surrogate, double scale) {
  const Config config = {{"name", "if"},     {"gain", 1 / r.number("scale")}, {"start", "half"},
                         {"strict", strict}, {"surrogate", surrogate},        {"surrogate_scale", scale}};
  check_neuron(config, r.at("x"), r.at("grad_out"), 1, r.at("spikes"), r.at("grad_x"));
}

TEST(GoldenQcfs, NeuronsOfHsd) {
  for_records("hsd_if_triangle", [](const GoldenRecord& r) {
    check_if(r, /*strict=*/true, "piecewise_quadratic", 1 / r.number("gamma_or_alpha"));
  });
  for_records("hsd_if_atan", [](const GoldenRecord& r) {
    check_if(r, /*strict=*/false, "atan", r.number("gamma_or_alpha"));
  });
}

TEST(GoldenQcfs, NeuronOfQcfs) {
  for_records("qcfs_", [](const GoldenRecord& r) {
    const auto threshold = r.at("thresh").item<double>();
    const Config config = {{"name", "if"},
                           {"threshold", threshold},
                           {"start", "half"},
                           {"surrogate", "piecewise_quadratic"},
                           {"surrogate_scale", 1 / r.number("gamma")}};
    const auto steps = [](const Tensor& x) { return x.unsqueeze(1); };  // [T,N] -> [T,B,N]
    check_neuron(config, steps(r.at("x_steps")), steps(r.at("grad_steps")), threshold,
                 steps(r.at("out_steps")), r.at("grad_x_steps"));
    // The same current at every one of L steps: the analog value.
    const auto L = std::stoll(r.word("L"));
    const Tensor x = r.at("x_const"), analog = as_step(x);
    const auto record = run_all(*make_neuron(config, {x.numel()}), analog.expand({L, 1, -1}).contiguous());
    expect_golden(output_of(*record).mean(0) * threshold, r.at("snn_mean_const"), "mean");
    const auto value = run_all(*qcfs(r, "clip", r.at("thresh"), x.numel()), analog);
    expect_golden(output_of(*value), r.at("ann_const"), "analog");
    expect_golden(output_of(*record).mean(0) * threshold, r.at("ann_const"), "mean against analog");
  });
}

/// CE + KL/n of a record, as a multiple of the objective at that weight of the label.
void check_distillation(const GoldenRecord& r, double teacher_weight, const char* loss, const char* grad) {
  const double label_weight = 1 / (1 + teacher_weight);
  const auto objective = make<Objective>(
      "distillation", {{"match", "steps"}, {"temperature", r.number("tau")}, {"label_weight", label_weight}});
  const Tensor z = r.at("z");
  objective->prepare({{z.size(2)}, z.size(0)});
  const Target target = {Target::Kind::class_index, r.at("label"), r.at("z_teacher")};
  const Objective::Error error = objective->error({Signal::dense(z), {0, z.size(0)}, z.size(0)}, target);
  expect_golden(error.loss / label_weight, r.at(loss), loss);
  expect_golden(error.delta / label_weight, r.at(grad), grad);
}

TEST(GoldenQcfs, StepwiseDistillation) {
  for_records("hsd_stepwise", [](const GoldenRecord& r) {
    check_distillation(r, 1, "loss_paper", "grad_z_paper");
    // The release divides the divergence by the number of classes, too.
    check_distillation(r, 1.0 / static_cast<double>(r.at("z").size(2)), "loss_release", "grad_z_release");
  });
}

}  // namespace spiketrain::qcfs_golden_test
