// Programs on data sets: they score as their network does, a network trained on the grid loses nothing, and the commands do all of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spiketrain/deploy/deployment.h"
#include "tests/support/deploy.h"
#include "tests/support/runs.h"

namespace spiketrain::deploy_run_test {

using testing::HasSubstr;

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
    EXPECT_EQ(deploy::read_decision(training).decision,
              objective == "max_ce" ? deploy::Decision::maximum : deploy::Decision::sum);
    const auto program = std::make_shared<const deploy::FloatProgram>(lower(d.model, d.kind));
    const Evaluation got = deploy::evaluate_program<deploy::Float>(training, *training.data.test, 5, program);
    EXPECT_EQ(got.at("accuracy"), wanted.at("accuracy"));
    EXPECT_NEAR(got.loss, wanted.loss, 1e-5);
    ASSERT_EQ(got.rates.size(), wanted.rates.size());
    EXPECT_EQ(got.rates[0].rate, wanted.rates[0].rate);
    EXPECT_EQ(got.rates[0].spec, wanted.rates[0].spec);
    for (const deploy::Agreement& layer : deploy::compare_spikes(training, *training.data.test, *program, 16))
      EXPECT_EQ(layer.different, 0) << layer.layer;
  }
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
  EXPECT_EQ(deploy::read_decision(experiment.training).first, 3);
  EXPECT_EQ(deploy::read_decision(trained({}).training).first, 0);
}

TEST(DeployRun, RefusesObjectivesThatDecideOtherwise) {
  const Experiment experiment = tiny_experiment({"objective=foreign"});
  EXPECT_THAT(message_of<UsageError>([&] { deploy::read_decision(experiment.training); }),
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
    const ShellResult result = shell("make -s -C " + (dir / type) + " test 2>&1", dir / "output");
    EXPECT_EQ(result.code, 0) << result.text;
    EXPECT_THAT(result.text, HasSubstr("3 samples, 15 steps: as recorded"));
  }
  const ShellResult integer = cli("eval " + run + " --integer q7");
  EXPECT_EQ(integer.code, 0) << integer.text;
  EXPECT_THAT(integer.text, HasSubstr("in whole numbers (q7):\naccuracy "));
  const Config json = Config::parse(cli("eval " + run + " --integer q15 --json").text);
  EXPECT_NEAR(json["integer"]["accuracy"].get<double>(), json["accuracy"].get<double>(), 0.05);
  EXPECT_EQ(cli("export onnx " + run + " --out " + (dir / "step.onnx")).code, 0);
  EXPECT_GT(file_size(dir / "step.onnx"), 1000U);
  EXPECT_EQ(cli("export c " + run + " --out " + (dir / "x") + " --type q3").code, 2);
  EXPECT_EQ(cli("export c " + (dir / "none") + " --out " + (dir / "x")).code, 2);
  const ShellResult blocked = cli("export c " + run + " --out " + recipe);
  EXPECT_EQ(blocked.code, 3) << blocked.text;
  EXPECT_THAT(blocked.text, HasSubstr("cannot"));
}

}  // namespace spiketrain::deploy_run_test
