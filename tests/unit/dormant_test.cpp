// The share of neurons that no error reaches: by hand, over segments, and as `eval --dormant` prints it.
#include "spiketrain/train/dormant.h"

#include "spiketrain/train/evaluate.h"
#include "tests/support/cli.h"
#include "tests/support/tiny.h"

namespace spiketrain::dormant_test {

c10::intrusive_ptr<Record> record_of(const Tensor& psi) {
  auto record = c10::make_intrusive<Record>();
  record->psi = psi;
  return record;
}

TEST(Dormant, CountsNeuronsWhoseWindowNeverOpens) {
  DormantWatch watch;
  // [T=3,B=2,N=3]: of sample 0 neurons 0 and 1 are awake at some step, of sample 1 neuron 2.
  Tensor psi = torch::zeros({3, 2, 3});
  psi[0][0][0] = 1;
  psi[2][0][1] = -0.5;
  psi[1][1][2] = 2;
  watch.fired(4, *record_of(psi.slice(0, 0, 2)), {});
  watch.fired(4, *record_of(psi.slice(0, 2, 3)), {});
  watch.end_batch();
  EXPECT_EQ(watch.shares(), (std::map<int64_t, double>{{4, 0.5}}));
  watch.fired(4, *record_of(torch::ones({1, 2, 3})), {});  // another batch
  watch.fired(7, *record_of(Tensor()), {});                // nothing to see
  Context replay;
  replay.mode = Mode::replay;
  watch.fired(8, *record_of(psi), replay);
  watch.end_batch();
  EXPECT_EQ(watch.shares(), (std::map<int64_t, double>{{4, 0.25}}));
}

TEST(Dormant, PaddingDoesNotWake) {
  DormantWatch watch;
  Tensor psi = torch::zeros({2, 2, 1, 2, 2});
  psi[1].fill_(1);
  Context context;
  context.valid = torch::tensor({1, 1, 1, 0}).view({2, 2}).to(torch::kBool);  // sample 1 is one step long
  watch.fired(0, *record_of(psi), context);
  watch.end_batch();
  EXPECT_EQ(watch.shares().at(0), 0.5);
}

std::vector<std::string> sets(const std::string& neuron, std::vector<std::string> more = {}) {
  more.insert(more.end(), {"neuron=" + neuron, "rule=bptt", "objective=rate_ce", "readout=leaky_readout"});
  return more;
}

std::map<int64_t, double> shares(const Experiment& e, int64_t batch) {
  DormantWatch watch;
  evaluate(e.training, *e.training.data.test, batch,
           [&](const Batch&, const PassResult&) { watch.end_batch(); });
  return watch.shares();
}

TEST(Dormant, DoesNotDependOnBatchesAndSegments) {
  const std::string mlf = "{name=\"mlf\", levels=2}";
  const auto whole = shares(tiny_experiment(sets(mlf)), 16);
  ASSERT_EQ(whole.size(), 2U);  // the readout has a derivative, too: it is never dormant
  EXPECT_GT(whole.at(0), 0);
  EXPECT_LT(whole.at(0), 1);
  EXPECT_EQ(whole.at(2), 0);
  EXPECT_EQ(shares(tiny_experiment(sets(mlf)), 5), whole);
  EXPECT_EQ(shares(tiny_experiment(sets(mlf, {"schedule={name=\"truncated\", window=2}"})), 5), whole);
  // A surrogate without an end reaches every neuron.
  EXPECT_EQ(shares(tiny_experiment(sets("{name=\"mlf\", surrogate=\"sigmoid\"}")), 16).at(0), 0);
}

class DormantCli : public Cli {};

TEST_F(DormantCli, EvalPrintsTheShares) {
  const std::string out = dir_ / "run";
  ASSERT_EQ(run({"train", recipe(), "--out", out, "--threads", "1", "--set", "neuron=mlf", "--set",
                 "rule=bptt", "--set", "readout=leaky_readout", "--set", "objective=rate_ce"})
                .code,
            0);
  const CliResult plain = run({"eval", out, "--threads", "1"}),
                  more = run({"eval", out, "--threads", "1", "--dormant"});
  EXPECT_FALSE(plain.has("dormant")) << plain.text;
  EXPECT_TRUE(more.has("firing rate") && more.has("dormant")) << more.text;
  const CliResult json = run({"eval", out, "--threads", "1", "--dormant", "--json"});
  const Config rates = Config::parse(json.text).at("rates");
  ASSERT_EQ(rates.size(), 1U) << json.text;
  EXPECT_GT(rates[0].at("dormant").get<double>(), 0);
  EXPECT_LT(rates[0].at("dormant").get<double>(), 1);
  EXPECT_FALSE(
      Config::parse(run({"eval", out, "--threads", "1", "--json"}).text)["rates"][0].contains("dormant"));
}

}  // namespace spiketrain::dormant_test
