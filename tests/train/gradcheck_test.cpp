// compare_gradients(), and `spiketrain gradcheck` around it: exact rules agree, others do not, and it says where.
#include "spiketrain/base/file.h"
#include "spiketrain/train/probe.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::gradcheck_test {

std::vector<GradientAgreement> compare(const std::vector<std::string>& sets,
                                       Reference reference = Reference::bptt) {
  return compare_gradients(tiny_experiment(sets).training, 6, reference);
}

const std::vector<std::string> kLif = {"neuron={name=\"lif\"}", "readout={name=\"leaky_readout\"}",
                                       "rule={name=\"bptt\"}", "objective={name=\"tet_ce\"}"};

std::vector<std::string> with(std::vector<std::string> sets, const std::string& more) {
  sets.push_back(more);
  return sets;
}

TEST(Gradcheck, BpttAgreesWithItselfAndWithTheDefinition) {
  for (const Reference reference : {Reference::bptt, Reference::definition}) {
    const auto rows = compare(kLif, reference);
    ASSERT_GE(rows.size(), 2U);
    for (const GradientAgreement& row : rows) {
      EXPECT_EQ(row.parameter, "synapse.weight");
      EXPECT_NEAR(row.cosine, 1, 1e-12) << row.layer;
      EXPECT_NEAR(row.norm_ratio, 1, 1e-12) << row.layer;
      EXPECT_LE(row.error, reference == Reference::bptt ? 0 : 1e-12) << row.layer;
    }
  }
}

TEST(Gradcheck, ShowsWhatARuleLeavesOut) {
  const auto rows = compare(with(kLif, "rule={name=\"sltt\"}"));
  EXPECT_LT(rows.front().cosine, 0.999);
  EXPECT_GT(rows.front().error, 1e-2);
  const auto online = compare(with(kLif, "schedule={name=\"truncated\",window=1}"));
  EXPECT_GT(online.front().error, 1e-2);
  const auto again = compare(with(kLif, "schedule={name=\"checkpointed\",segment=2}"));
  EXPECT_LE(again.front().error, 1e-12);
}

TEST(Gradcheck, ComparesTheLossOfTheStepsThatHaveOne) {
  for (const char* schedule :
       {"schedule={name=\"whole\",live=2}", "schedule={name=\"checkpointed\",segment=2,live=2}",
        "schedule={name=\"whole\",live=2,divide_by=\"steps\"}"}) {
    for (const GradientAgreement& row : compare(with(kLif, schedule)))
      EXPECT_LE(row.error, 1e-12) << schedule << ' ' << row.layer;
  }
}

TEST(Gradcheck, RandomEncodersDrawTheSameForBoth) {
  for (const GradientAgreement& row : compare(with(kLif, "encoder={name=\"poisson\"}")))
    EXPECT_LE(row.error, 1e-12);
}

struct Result {
  int code;
  std::string text;
  bool has(const std::string& part) const { return text.find(part) != std::string::npos; }
};

Result run(std::vector<std::string> arguments) {
  const TempDir dir;
  arguments.insert(arguments.begin(), {ST_CLI, "gradcheck"});
  const int code = wait_for(spawn(arguments, dir / "output"));
  const Bytes bytes = read_file(dir / "output");
  return {code, std::string(bytes.begin(), bytes.end())};
}

TEST(Gradcheck, Command) {
  const std::string recipe = std::string(ST_SOURCE_DIR) + "/recipes/quickstart.toml";
  const auto lif = [&](const std::string& rule, std::vector<std::string> more) {
    more.insert(more.begin(),
                {recipe, "--set", "neuron=lif", "--set", "readout=leaky_readout", "--set", "objective=tet_ce",
                 "--set", "rule=" + rule, "--set", "data.train_size=64", "--set", "data.test_size=64"});
    return run(more);
  };
  const Result exact = lif("bptt", {"--against", "definition", "--tolerance", "1e-9"});
  EXPECT_EQ(exact.code, 0) << exact.text;
  EXPECT_TRUE(exact.has("synapse.weight")) << exact.text;
  EXPECT_TRUE(exact.has("float64, against autograd of the neurons' definitions")) << exact.text;
  const Result off = lif("sltt", {"--tolerance", "1e-9"});
  EXPECT_EQ(off.code, 1) << off.text;
  EXPECT_TRUE(off.has("greatest relative error")) << off.text;
  EXPECT_EQ(run({recipe, "--against", "nothing"}).code, 2);
  EXPECT_EQ(run({recipe, "--set", "rule=nothing"}).code, 2);
}

}  // namespace spiketrain::gradcheck_test
