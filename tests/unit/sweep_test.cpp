// The grid of a sweep: parsing, names, expansion, comparison with a stored grid, states of run directories.
#include "spiketrain/report/sweep.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "tests/support/sweep_files.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain::sweep_test {

using Strings = std::vector<std::string>;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Sweep, ParsesAxes) {
  const SweepAxis axis = parse_axis("blocks.size= 1, 2,all");
  EXPECT_EQ(axis.key, "blocks.size");
  EXPECT_EQ(axis.values, (Strings{"1", "2", "all"}));
  EXPECT_EQ(parse_axis("a.b=[1,2],[3],[[1,2],[3]]").values, (Strings{"[1,2]", "[3]", "[[1,2],[3]]"}));
  EXPECT_EQ(parse_axis("rule={name=\"x\",k=1},{name=\"y\"}").values,
            (Strings{"{name=\"x\",k=1}", "{name=\"y\"}"}));
  EXPECT_EQ(parse_axis("a=\"1,2\",'3,]',\"q\\\",\"").values, (Strings{"\"1,2\"", "'3,]'", "\"q\\\",\""}));
  EXPECT_EQ(parse_axis("a=x=y,-1").values, (Strings{"x=y", "-1"}));
}

TEST(Sweep, RefusesMalformedAxes) {
  for (const char* text :
       {"a", "=1", "a=1,,2", "a=", "a=1,2,1", "a=1.0,1.00", "a=[1,2", "a=1],2", "a=\"1,2", "a={1]"})
    EXPECT_THROW(parse_axis(text), UsageError) << text;
  EXPECT_EQ(parse_seeds("3, 1,2"), (std::vector<int64_t>{3, 1, 2}));
  for (const char* text : {"", "1,1", "-1", "1.5", "x", "1,,2"})
    EXPECT_THROW(parse_seeds(text), UsageError) << text;
}

TEST(Sweep, ExpandsTheGridInOrder) {
  const SweepPlan plan =
      plan_sweep(sweep_grid({"schedule.window=1,5", "optimizer.lr=1e-3,0.01,0.1"}, {4, 9}));
  ASSERT_EQ(plan.settings.size(), 6u);
  ASSERT_EQ(plan.runs.size(), 12u);
  EXPECT_EQ(plan.keys, (Strings{"schedule.window", "optimizer.lr"}));
  EXPECT_EQ(plan.settings[0].label, "window=1, lr=0.001");
  EXPECT_EQ(plan.settings[1].at, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(plan.settings[5].values, (Strings{"5", "0.1"}));
  EXPECT_EQ(plan.runs[3].name, "window=1_lr=0.01_seed=9");
  EXPECT_EQ(plan.runs[3].setting, 1u);
  EXPECT_EQ(plan.runs[3].seed, 9);
  EXPECT_EQ(plan.runs[3].sets, (Strings{"schedule.window=1", "optimizer.lr=0.01", "seed=9"}));
  std::set<std::string> names;
  for (const SweepRun& run : plan.runs) EXPECT_TRUE(names.insert(run.name).second) << run.name;

  const SweepPlan seeds_only = plan_sweep(sweep_grid({}, {1, 2, 3}));
  ASSERT_EQ(seeds_only.runs.size(), 3u);
  EXPECT_EQ(seeds_only.runs[2].name, "seed=3");
  EXPECT_EQ(seeds_only.settings[0].label, "recipe");
}

TEST(Sweep, CountsUpdatesPerBatch) {
  const SweepPlan plan =
      plan_sweep(sweep_grid({"schedule.update=batch,window", "schedule.window=3,10"}, {1}));
  std::vector<int64_t> updates;
  for (const SweepRun& run : plan.runs) updates.push_back(run.updates_per_batch);
  EXPECT_EQ(updates, (std::vector<int64_t>{1, 1, 4, 1}));  // T = 10: windows of 3, 3, 3 and 1 steps
  EXPECT_TRUE(plan.unequal_updates);
  EXPECT_FALSE(plan_sweep(sweep_grid({"schedule.window=1,2,5"})).unequal_updates);
}

TEST(Sweep, KnowsTheMetricsOfItsRuns) {
  const auto labels = [](const Strings& overs) {
    Strings list;
    for (const SweepMetric& m : plan_sweep(sweep_grid(overs, {1})).metrics)
      list.push_back(m.label + (m.greater_is_better ? "+" : "-"));
    return list;
  };
  EXPECT_EQ(labels({}), (Strings{"accuracy+"}));
  EXPECT_EQ(labels({"metrics=[{name=\"top_k\",k=3}],[\"accuracy\"]"}), (Strings{"top3+", "accuracy+"}));
  SweepGrid waves = sweep_grid({"schedule.window=1,2"}, {1});
  for (const char* set : {"data.name=waves", "network.spec=6-2", "objective={name=\"mse\"}"})
    apply_set(waves.base, set);
  const SweepPlan plan = plan_sweep(waves);
  ASSERT_EQ(plan.metrics.size(), 1u);
  EXPECT_EQ(plan.metrics[0].label, "mse");
  EXPECT_FALSE(plan.metrics[0].greater_is_better);
}

TEST(Sweep, CatchesBadRunsBeforeAnyStarts) {
  const auto error = [](const Strings& overs) {
    return message_of<UsageError>([&] { plan_sweep(sweep_grid(overs)); });
  };
  EXPECT_TRUE(contains(error({"schedule.windw=1,2"}), "did you mean 'window'"));
  EXPECT_TRUE(contains(error({"schedule.window=1,0"}), "run window=0_seed=1"));
  EXPECT_TRUE(contains(error({"rule.name=bptt,bppt"}), "did you mean 'bptt'"));
  EXPECT_TRUE(contains(error({"schedule.window=2,1", "schedule={name=\"whole\"}"}), "would be the same"));
  EXPECT_TRUE(contains(error({"schedule.window=1,500"}), "longer than the sequence"));
  EXPECT_TRUE(contains(error({"blocks.size=1,50"}), "hidden layers of the network"));
  EXPECT_TRUE(contains(error({"schedule.window=1", "objective={name=\"van_rossum\", tau_s=2, target=[1]}",
                              "neuron={name=\"lif\"}", "readout={name=\"lif\"}", "rule={name=\"bptt\"}"}),
                       "use schedule whole"));
  std::string many = "=1";
  for (int i = 2; i < 200; ++i) many += "," + std::to_string(i);
  EXPECT_TRUE(contains(error({"epochs" + many, "data.batch" + many}), "more than 10000 runs"));

  const auto grid_error = [](const Strings& sets, std::vector<SweepAxis> axes) {
    return message_of<UsageError>([&] { make_grid(sweep_base(), sets, std::move(axes), {1}); });
  };
  EXPECT_TRUE(contains(grid_error({"schedule.window=1"}, {parse_axis("schedule.window=1,2")}), "is swept"));
  EXPECT_TRUE(contains(grid_error({}, {parse_axis("seed=1,2")}), "--seed-list"));
  EXPECT_TRUE(contains(grid_error({"seed=3"}, {}), "--seed-list"));
  EXPECT_TRUE(contains(grid_error({}, {parse_axis("a=1"), parse_axis("a=2")}), "comes twice"));
}

TEST(Sweep, ShortensKeysUnlessTheyCouldBeMistaken) {
  const auto names = [](const Strings& overs) { return short_keys(sweep_grid(overs)); };
  EXPECT_EQ(names({"schedule.window=1", "epochs=2"}), (Strings{"window", "epochs"}));
  EXPECT_EQ(names({"rule.name=bptt", "neuron.name=lif"}), (Strings{"rule", "neuron"}));
  EXPECT_EQ(names({"neuron.tau_m=1", "readout.tau_m=2"}), (Strings{"neuron.tau_m", "readout.tau_m"}));
  EXPECT_EQ(names({"data.seed=1"}), (Strings{"data.seed"}));
}

TEST(Sweep, LabelsValues) {
  EXPECT_EQ(value_label("all"), "all");
  EXPECT_EQ(value_label("\"all\""), "all");
  EXPECT_EQ(value_label("\"1\""), "\"1\"");
  EXPECT_EQ(value_label("1e-3"), "0.001");
  EXPECT_EQ(value_label("[1, 2]"), "[1,2]");
  EXPECT_EQ(value_label("\"\""), "\"\"");
}

TEST(Sweep, NamesAreSafeForFilesAndDiffer) {
  EXPECT_EQ(file_name_part("psp_lif-1.5e+3"), "psp_lif-1.5e+3");
  const Strings nasty = {"[1,2]",
                         "[1,[2]]",
                         "[12]",
                         "a/b",
                         "a b",
                         "a-b",
                         "../..",
                         "",
                         "\"1\"",
                         "1",
                         "\xc3\xa4",
                         std::string(300, 'x'),
                         std::string(301, 'x'),
                         std::string("nul\0", 4)};
  std::set<std::string> parts;
  for (const std::string& text : nasty) {
    const std::string part = file_name_part(text);
    EXPECT_TRUE(parts.insert(part).second) << part;
    EXPECT_LE(part.size(), 60u);
    EXPECT_FALSE(part.empty());
    for (const char c : part)
      EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c)) || strchr("._+-~", c)) << part;
  }
  Strings overs;
  for (int i = 0; i < 12; ++i)
    overs.push_back("paper.key" + std::to_string(i) + "=" + std::string(30, 'v') + ",w");
  overs.resize(6);
  std::set<std::string> names;
  for (const SweepRun& run : plan_sweep(sweep_grid(overs)).runs) {
    EXPECT_TRUE(names.insert(run.name).second) << run.name;
    EXPECT_LT(run.name.size(), 230u);
  }
  EXPECT_EQ(names.size(), 128u);
}

TEST(Sweep, NamesTheDifferenceToAStoredGrid) {
  const Config before = to_json(sweep_grid({"schedule.window=1,2"}));
  EXPECT_EQ(grid_difference(Config::parse(before.dump()), before), "");
  EXPECT_EQ(grid_difference(before, to_json(sweep_grid({"schedule.window=1,2,5"}))),
            "it sweeps schedule.window=1,2, not schedule.window=1,2,5");
  EXPECT_EQ(grid_difference(before, to_json(sweep_grid({}))), "it sweeps schedule.window=1,2, not nothing");
  EXPECT_EQ(grid_difference(before, to_json(sweep_grid({"schedule.window=1,2"}, {1, 3}))),
            "its seeds are [1,2], not [1,3]");
  SweepGrid other = sweep_grid({"schedule.window=1,2"});
  apply_set(other.base, "optimizer.lr=0.5");
  EXPECT_EQ(grid_difference(before, to_json(other)), "its optimizer.lr is absent, not 0.5");
}

TEST(Sweep, TellsTheStateOfARunDirectory) {
  TempDir dir;
  const std::string run = dir / "run";
  EXPECT_EQ(run_state(run), RunState::fresh);
  std::filesystem::create_directories(run);
  EXPECT_EQ(run_state(run), RunState::fresh);
  write_file_atomic(run + "/config.toml", std::string("x"));
  EXPECT_EQ(run_state(run), RunState::started);
  write_file_atomic(run + "/DONE", std::string("x"));
  EXPECT_EQ(run_state(run), RunState::done);
}

}  // namespace spiketrain::sweep_test
