// Programs on data sets: they score as their network does, a network trained on the grid loses nothing, and the commands do all of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/data/tensor_dataset.h"
#include "spiketrain/deploy/export.h"
#include "tests/support/deploy.h"
#include "tests/support/runs.h"

namespace spiketrain::deploy_run_test {

using testing::HasSubstr;
using testing::Not;

/// It might decide in any way.
struct Foreign final : Objective {
  static constexpr const char* kDoc = "for a test";
  template <class V>
  void visit(V&) {}
  Tensor loss(const Output& out, const Target& /*target*/) const override { return out.values().sum(); }
};
ST_REGISTER(Objective, "foreign", Foreign);

/// A trained network of leaky neurons.
Experiment trained(std::vector<std::string> sets) {
  sets.insert(sets.begin(), {"neuron=lif", "neuron.leak=0.75", "readout=leaky_readout", "readout.leak=0.875",
                             "objective=rate_ce", "rule=bptt", "network.pool=avg", "epochs=3"});
  Experiment experiment = tiny_experiment(sets);
  Trainer(experiment.training, {}).run();
  return experiment;
}

Evaluation evaluate_fixed(const Training& training, int bits,
                          std::vector<deploy::Rounding>* rounding = nullptr) {
  const deploy::Deployment d = deploy::read_training(training);
  const auto program =
      std::make_shared<const deploy::FixedProgram>(quantise(d.model, bits, d.kind, d.input_range, rounding));
  return deploy::evaluate_program<deploy::Fixed>(training, *training.data.test, 5, program);
}

TEST(DeployRun, AFloatProgramScoresAsTheNetwork) {
  for (const std::string objective : {"rate_ce", "max_ce", "tet_ce"}) {
    const Experiment experiment = trained({"objective=" + objective});
    const Training& training = experiment.training;
    const Evaluation wanted = evaluate(training, *training.data.test, 5);
    const deploy::Deployment d = deploy::read_training(training);
    EXPECT_EQ(d.kind, deploy::Input::real);
    EXPECT_EQ(deploy::reading_of(training).prediction, objective == "max_ce"
                                                           ? deploy::Prediction::greatest_maximum
                                                           : deploy::Prediction::greatest_sum);
    const auto program = std::make_shared<const deploy::FloatProgram>(lower(d.model, d.kind));
    const Evaluation got = deploy::evaluate_program<deploy::Float>(training, *training.data.test, 5, program);
    EXPECT_EQ(got.at("accuracy"), wanted.at("accuracy"));
    EXPECT_NEAR(got.loss, wanted.loss, 1e-5);
    ASSERT_EQ(got.rates.size(), wanted.rates.size());
    EXPECT_EQ(got.rates[0].rate, wanted.rates[0].rate);
    EXPECT_EQ(got.rates[0].spec, wanted.rates[0].spec);
    const deploy::Comparison c = deploy::compare(training, *training.data.test, *program, 16);
    EXPECT_EQ(c.samples, 16);
    for (const deploy::Agreement& layer : c.layers) EXPECT_EQ(layer.different, 0) << layer.layer;
    EXPECT_EQ(c.decisions, 0);
    EXPECT_GT(c.largest_output, 0.1);
    EXPECT_LT(c.output, 1e-5);
    EXPECT_EQ(c.rounding, c.output);
  }
}

TEST(DeployRun, AComparisonSeesTheReadoutAndDecisions) {
  const Experiment experiment = trained({});
  const Training& training = experiment.training;
  deploy::FloatProgram program = lower(deploy::read_network(training.network()), deploy::Input::real);
  for (float& w : program.layers[1].products[0].weight) w = -w;
  const deploy::Comparison c = deploy::compare(training, *training.data.test, program, 16);
  EXPECT_EQ(c.layers.size(), 1U);
  EXPECT_EQ(c.layers[0].different, 0);
  EXPECT_GT(c.decisions, 8);
  EXPECT_NEAR(c.output, 2 * c.largest_output, 1e-3);
  program.layers[0].products[0].weight[0] += 1;
  EXPECT_GT(deploy::compare(training, *training.data.test, program, 16).layers[0].different, 0);
}

TEST(DeployRun, AComparisonOfFloatsMustAgreeButForRounding) {
  deploy::Comparison c;
  c.samples = 10;
  c.layers = {{"0 8C", 5000, 40}};
  c.largest_output = 2;
  c.output = 1;  // after a spike that differs
  c.rounding = 1e-5;
  EXPECT_NO_THROW(deploy::check_rounding(c));
  c.rounding = 0.01;
  EXPECT_THROW(deploy::check_rounding(c), InternalError);
  c.rounding = std::nan("");
  EXPECT_THROW(deploy::check_rounding(c), InternalError);
  c.rounding = 0;
  c.layers[0].different = 60;
  EXPECT_THAT(message_of<InternalError>([&] { deploy::check_rounding(c); }),
              HasSubstr("layer 0 8C fires at 60 other places and steps, of 5000 spikes"));
  EXPECT_NO_THROW(deploy::check_rounding({}));
}

TEST(DeployRun, NetworksInMixedPrecisionAreComparedInFloat32) {
  const Experiment experiment =
      trained({"compute.precision=mixed", "network.spec=16C3p1-P2-4", "neuron.threshold=0.2", "epochs=1"});
  const Training& training = experiment.training;
  const auto precision = [&] {
    return dynamic_cast<const Layer&>(*training.network().nodes()[0].stage)
        .connections()[0]
        .synapse->precision;
  };
  ASSERT_EQ(precision(), Precision::mixed);
  const auto program = lower(deploy::read_network(training.network()), deploy::Input::real);
  const deploy::Comparison c = deploy::compare(training, *training.data.test, program, 16);
  EXPECT_GT(c.largest_output, 0.1);
  EXPECT_LT(c.rounding, 1e-5 * c.largest_output);
  EXPECT_EQ(precision(), Precision::mixed);
}

TEST(DeployRun, ValuesAreMeansOverTheSteps) {
  const auto split = [](int64_t n) {
    torch::manual_seed(n);
    return tensor_dataset(torch::rand({n, 1, 6, 6}), {Target::Kind::values, torch::rand({n, 4})}, {});
  };
  Datasets data;
  data.train = split(24);
  data.test = split(16);
  const Experiment experiment = tiny_experiment(
      {"neuron=lif", "readout=leaky_readout", "objective=mse", "rule=bptt", "network.pool=avg"}, data);
  const Training& training = experiment.training;
  EXPECT_EQ(deploy::reading_of(training).prediction, deploy::Prediction::mean);
  const auto program = lower(deploy::read_network(training.network()), deploy::Input::real);
  const deploy::Comparison c = deploy::compare(training, *training.data.test, program, 16);
  EXPECT_EQ(c.decisions, 0);
  EXPECT_GT(c.largest_output, 0);
  const deploy::Exported made = deploy::export_c(training, {});
  EXPECT_FALSE(made.decides);
  for (const auto& [name, text] : made.files) EXPECT_THAT(text, Not(HasSubstr("model_decide"))) << name;
}

TEST(DeployRun, ComparesSpikesAndPspsThatLeave) {
  Experiment experiment = tiny_experiment({"epochs=1"});
  Trainer(experiment.training, {}).run();
  const Training& training = experiment.training;
  const auto program = lower(deploy::read_network(training.network()), deploy::Input::real);
  const deploy::Comparison c = deploy::compare(training, *training.data.test, program, 16);
  ASSERT_EQ(c.layers.size(), 2U);
  EXPECT_EQ(c.layers[1].different, 0);
  EXPECT_GT(c.layers[1].spikes, 0);
  EXPECT_LT(c.output, 1e-6);
}

TEST(DeployRun, SegmentsCarryTheState) {
  const Experiment experiment = trained({"schedule={name=\"truncated\",window=2}"});
  const Training& training = experiment.training;
  const Evaluation wanted = evaluate(training, *training.data.test, 16);
  EXPECT_NEAR(evaluate_fixed(training, 16).loss, wanted.loss, 1e-3);
}

TEST(DeployRun, PspNeuronsAndTheirLoss) {
  Experiment experiment = tiny_experiment({"epochs=3"});
  Trainer(experiment.training, {}).run();
  const Evaluation wanted = evaluate(experiment.training, *experiment.training.data.test, 16);
  const Evaluation got = evaluate_fixed(experiment.training, 16);
  EXPECT_NEAR(got.loss, wanted.loss, 0.02 * wanted.loss);
}

TEST(DeployRun, ANetworkTrainedOnTheGridLosesNothing) {
  for (const int64_t bits : {8, 4, 2}) {
    const Experiment experiment = trained(
        {str("network.quantizer={name=\"uniform\",bits=", bits, ",scale=\"power_of_two\"}"), "epochs=6"});
    const Training& training = experiment.training;
    std::vector<deploy::Rounding> rounding;
    const Evaluation wanted = evaluate(training, *training.data.test, 16),
                     got = evaluate_fixed(training, 8, &rounding);
    EXPECT_EQ(got.at("accuracy"), wanted.at("accuracy")) << bits;
    EXPECT_NEAR(got.loss, wanted.loss, 1e-3) << bits;
    for (const deploy::Rounding& layer : rounding) {
      EXPECT_EQ(layer.weight, 0) << bits << " bits, " << layer.layer;
      EXPECT_EQ(layer.leak, 0) << layer.layer;
      EXPECT_EQ(layer.drop, 0) << layer.layer;
    }
  }
}

TEST(DeployRun, WithoutTheGridWeightsMove) {
  const Experiment experiment = trained({});
  std::vector<deploy::Rounding> rounding;
  evaluate_fixed(experiment.training, 8, &rounding);
  EXPECT_GT(rounding[0].weight, 0);
  EXPECT_LT(rounding[0].weight, 0.5 / 63);
}

TEST(DeployRun, DecisionsLeaveOutStepsThatPredictionsDo) {
  const Experiment experiment = trained({"schedule={name=\"whole\",live=2,predict=\"scored\"}"});
  EXPECT_EQ(deploy::reading_of(experiment.training).first, 3);
  EXPECT_EQ(deploy::reading_of(trained({}).training).first, 0);
}

TEST(DeployRun, RefusesObjectivesThatDecideOtherwise) {
  const Experiment experiment = tiny_experiment({"objective=foreign"});
  EXPECT_THAT(message_of<UsageError>([&] { deploy::reading_of(experiment.training); }),
              HasSubstr("objective foreign may decide"));
}

TEST(DeployRun, TheCommands) {
  if (!has_program("gcc") || !has_program("make")) GTEST_SKIP() << "gcc or make is not installed";
  TempDir dir;
  const std::string recipe = write_recipe(dir), run = dir / "run";
  const auto cli = [&](const std::string& line) {
    return shell(str(ST_CLI, " ", line, " 2>&1"), dir / "output");
  };
  ASSERT_EQ(cli("train " + recipe + " --out " + run + " --set epochs=1").code, 0);
  for (const std::string type : {"f32", "q7", "q15"}) {
    const ShellResult made =
        cli("export c " + run + " --out " + (dir / type) + " --type " + type + " --samples 3 --check 20");
    EXPECT_EQ(made.code, 0) << made.text;
    EXPECT_THAT(made.text, HasSubstr("on 20 test samples")) << made.text;
    EXPECT_THAT(made.text, HasSubstr(" of 20; outputs differ by at most ")) << made.text;
    if (type == "f32") {
      EXPECT_THAT(made.text, HasSubstr("decisions different: 0 of 20"));
    }
    const ShellResult result = shell("make -s -C " + (dir / type) + " test 2>&1", dir / "output");
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("3 samples, 15 steps: as recorded"));
  }
  const ShellResult integer = cli("eval " + run + " --integer q7");
  EXPECT_EQ(integer.code, 0) << integer.text;
  EXPECT_THAT(integer.text, HasSubstr("in integer arithmetic (q7):\naccuracy "));
  EXPECT_THAT(integer.text, HasSubstr(" bits and a sign\n"));
  const Config json = Config::parse(cli("eval " + run + " --integer q15 --json").text);
  const Config& own = json["integer"];
  EXPECT_NEAR(own["accuracy"].get<double>(), json["accuracy"].get<double>(), 0.05);
  EXPECT_GE(own["input"]["bits"].get<int>(), 11);
  ASSERT_EQ(own["layers"].size(), 2U);
  EXPECT_GT(own["layers"][1]["weight"].get<double>(), 0);
  EXPECT_EQ(own["rates"].size(), json["rates"].size());
  // Without the data: a checkpoint by itself, where no data set is to be found.
  const std::string onnx = "export onnx " + run + "/ckpt/best.safetensors --out ";
  const ShellResult step = shell(
      str("SPIKETRAIN_DATA=/nowhere ", ST_CLI, " ", onnx, dir / "step.onnx --spikes 2>&1"), dir / "output");
  EXPECT_EQ(step.code, 0) << step.text;
  EXPECT_EQ(cli(onnx + (dir / "x.onnx") + " --data glyphs").code, 2);
  if (shell("/usr/bin/python3 -c 'import onnx, numpy'", dir / "output").code == 0) {
    const ShellResult checked = shell("/usr/bin/python3 " ST_SOURCE_DIR "/tools/check_onnx.py " +
                                          (dir / "step.onnx") + " " + (dir / "f32") + " 2>&1",
                                      dir / "output");
    EXPECT_EQ(checked.code, 0) << checked.text;
  }
  EXPECT_EQ(cli("export c " + run + " --out " + (dir / "x") + " --type q3").code, 2);
  EXPECT_EQ(cli("export c " + (dir / "none") + " --out " + (dir / "x")).code, 2);
  const ShellResult blocked = cli("export c " + run + " --out " + recipe);
  EXPECT_EQ(blocked.code, 3) << blocked.text;
  EXPECT_THAT(blocked.text, HasSubstr("cannot"));
}

}  // namespace spiketrain::deploy_run_test
