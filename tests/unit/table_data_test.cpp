// Data set `table`: folds, validation, scaling by the training part alone, names of classes, and the program on it.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "spiketrain/base/check.h"
#include "spiketrain/data/source.h"
#include "spiketrain/data/table/folds.h"
#include "spiketrain/recipe/experiment.h"
#include "tests/support/cli.h"
#include "tests/support/message.h"

namespace spiketrain::table_data_test {

/// 23 rows of class a, 11 of b, 6 of c, sorted; the first value is the row's number, the second falls, the third is constant.
struct TableData : testing::Test {
  static constexpr int64_t kRows = 40;
  static int64_t class_at(int64_t row) { return row < 23 ? 0 : row < 34 ? 1 : 2; }
  void SetUp() override {
    std::string text;
    for (int64_t i = 0; i < kRows; ++i) text += str(i, ",", 100 - 2 * i, ",7,", "abc"[class_at(i)], "\n");
    write_file_atomic(dir / "t.csv", text);
    options.name = "table";
    options.dir = dir.path();
    options.table.file = "t.csv";
  }
  std::unique_ptr<Dataset> open(const std::string& split, const DataOptions& given) {
    DataOptions o = given;
    o.split = split;
    return open_dataset(o);
  }
  std::vector<int64_t> ids(const Dataset& data) {
    std::vector<int64_t> list;
    for (int64_t i = 0; i < data.size(); ++i) {
      list.push_back(data.id(i));
      EXPECT_EQ(data.class_of(i), class_at(list.back()));
    }
    return list;
  }
  static std::vector<float> values(const Dataset& data, int64_t index) {
    std::vector<float> x(static_cast<size_t>(data.sample().numel()));
    data.read(index, 0, x.data());
    return x;
  }
  std::string refused(const DataOptions& o) {
    return message_of<UsageError>([&] { open("train", o); });
  }
  TempDir dir;
  DataOptions options;
};

TEST_F(TableData, FoldsArePartsWithTheSameShareOfEveryClass) {
  std::set<int64_t> tested;
  for (int64_t fold = 0; fold < 5; ++fold) {
    options.table.fold = fold;
    const std::vector<int64_t> test = ids(*open("test", options)), train = ids(*open("train", options));
    std::map<int64_t, int64_t> count;
    for (const int64_t row : test) {
      EXPECT_TRUE(tested.insert(row).second) << "row " << row << " is in two folds";
      ++count[class_at(row)];
    }
    EXPECT_EQ(test.size(), 8U);
    EXPECT_TRUE(count[0] == 4 || count[0] == 5);
    EXPECT_TRUE(count[1] == 2 || count[1] == 3);
    EXPECT_TRUE(count[2] == 1 || count[2] == 2);
    std::set<int64_t> both(test.begin(), test.end());
    both.insert(train.begin(), train.end());
    EXPECT_EQ(both.size(), static_cast<size_t>(kRows));
    EXPECT_EQ(train.size() + test.size(), static_cast<size_t>(kRows));
  }
  EXPECT_EQ(tested.size(), static_cast<size_t>(kRows));
}

TEST_F(TableData, TheSeedOfTheRunDoesNotDealTheFolds) {
  const auto first = ids(*open("test", options));
  options.seed = 7;
  EXPECT_EQ(ids(*open("test", options)), first);
  options.table.fold_seed = 2;
  EXPECT_NE(ids(*open("test", options)), first);
}

TEST_F(TableData, ValidationIsCarvedOutOfTheTrainingPart) {
  options.validation = 10;
  const auto validation = ids(*open("validation", options)), train = ids(*open("train", options)),
             test = ids(*open("test", options));
  EXPECT_EQ(validation.size(), 10U);
  std::set<int64_t> all(train.begin(), train.end());
  all.insert(validation.begin(), validation.end());
  all.insert(test.begin(), test.end());
  EXPECT_EQ(all.size(), static_cast<size_t>(kRows));
  options.seed = 2;
  EXPECT_NE(ids(*open("validation", options)), validation);
  options.validation = 32;
  EXPECT_NE(refused(options).find("validation < 32"), std::string::npos);
}

TEST_F(TableData, ALimitKeepsAllClassesInProportion) {
  options.limit = 16;
  std::map<int64_t, int64_t> count;
  for (const int64_t row : ids(*open("train", options))) ++count[class_at(row)];
  EXPECT_NEAR(static_cast<double>(count[0]), 16 * 23 / 40.0, 1.01);
  EXPECT_NEAR(static_cast<double>(count[1]), 16 * 11 / 40.0, 1.01);
  EXPECT_NEAR(static_cast<double>(count[2]), 16 * 6 / 40.0, 1.01);
}

/// Rows of the test and of the validation split do not touch the numbers by which values are scaled.
TEST_F(TableData, StatisticsAreOfTheTrainingSplitAlone) {
  options.validation = 6;
  const auto train = ids(*open("train", options));
  double sum = 0, squares = 0, least = 1e9, most = -1e9;
  for (const int64_t row : train) {
    sum += static_cast<double>(row);
    least = std::min(least, static_cast<double>(row)), most = std::max(most, static_cast<double>(row));
  }
  const double mean = sum / static_cast<double>(train.size());
  for (const int64_t row : train) squares += std::pow(static_cast<double>(row) - mean, 2);
  const double deviation = std::sqrt(squares / static_cast<double>(train.size()));
  for (const char* split : {"train", "validation", "test"}) {
    for (const int64_t limit : {0, 3}) {
      options.limit = limit;
      options.table.scale = "minmax";
      auto data = open(split, options);
      for (int64_t i = 0; i < data->size(); ++i) {
        const auto row = static_cast<double>(data->id(i));
        EXPECT_NEAR(values(*data, i)[0], (row - least) / (most - least), 1e-6) << split;
        EXPECT_EQ(values(*data, i)[2], 0) << "a constant column";
      }
      options.table.scale = "zscore";
      data = open(split, options);
      for (int64_t i = 0; i < data->size(); ++i) {
        const auto row = static_cast<double>(data->id(i));
        EXPECT_NEAR(values(*data, i)[0], (row - mean) / deviation, 1e-5) << split;
        EXPECT_NEAR(values(*data, i)[1], -(row - mean) / deviation, 1e-5);
        EXPECT_EQ(values(*data, i)[2], 0);
      }
      options.table.scale = "none";
      data = open(split, options);
      EXPECT_EQ(values(*data, 0), (std::vector<float>{static_cast<float>(data->id(0)),
                                                      static_cast<float>(100 - 2 * data->id(0)), 7}));
    }
  }
}

/// A changed value of a test row changes nothing of the training split, and one of a training row does.
TEST_F(TableData, TestRowsCannotLeak) {
  const auto all = [&] {
    const auto data = open("train", options);
    std::vector<std::vector<float>> x;
    for (int64_t i = 0; i < data->size(); ++i) x.push_back(values(*data, i));
    return x;
  };
  const auto before = all();
  const std::vector<int64_t> test = ids(*open("test", options)), train = ids(*open("train", options));
  const auto with_changed = [&](int64_t row) {
    std::string text;
    for (int64_t i = 0; i < kRows; ++i)
      text += str(i == row ? 100000 : i, ",", 100 - 2 * i, ",7,", "abc"[class_at(i)], "\n");
    write_file_atomic(dir / "t.csv", text);
    return all();
  };
  EXPECT_EQ(with_changed(test[0]), before);
  EXPECT_NE(with_changed(train[0]), before);
}

TEST_F(TableData, TheMeanOfTheTrainingPartStandsForMissingValues) {
  std::string text;
  for (int64_t i = 0; i < kRows; ++i)
    text += str(i % 4 == 0 ? "?" : std::to_string(i), ",1,", "ab"[i % 2], "\n");
  write_file_atomic(dir / "t.csv", text);
  options.table.scale = "none";
  EXPECT_THROW(open("train", options), DataError);
  options.table.missing = "mean";
  const auto train = open("train", options), test = open("test", options);
  double sum = 0, n = 0;
  for (int64_t i = 0; i < train->size(); ++i)
    if (train->id(i) % 4 != 0) sum += static_cast<double>(train->id(i)), ++n;
  for (const Dataset* data : {train.get(), test.get()})
    for (int64_t i = 0; i < data->size(); ++i)
      EXPECT_NEAR(values(*data, i)[0], data->id(i) % 4 == 0 ? sum / n : static_cast<double>(data->id(i)),
                  1e-5);
  options.table.missing = "leave_out";
  EXPECT_EQ(open("train", options)->size() + open("test", options)->size(), 30);
  EXPECT_NE(open("train", options)->describe().find("10 rows with missing values left out"),
            std::string::npos);
}

TEST_F(TableData, AColumnWithoutAnyTrainingValueIsRefused) {
  std::string text;
  for (int64_t i = 0; i < kRows; ++i) text += str(i, ",?,", "ab"[i % 2], "\n");
  write_file_atomic(dir / "t.csv", text);
  options.table.missing = "mean";
  EXPECT_NE(message_of<DataError>([&] { open("train", options); }).find("column 2 of the values has none"),
            std::string::npos);
}

TEST_F(TableData, ValuesForRegression) {
  std::string text;
  for (int64_t i = 0; i < kRows; ++i) text += str(i, ",", 0.5 * static_cast<double>(i), "\n");
  write_file_atomic(dir / "t.csv", text);
  options.table.task = "values";
  const auto data = open("test", options);
  EXPECT_EQ(data->size(), 8);
  EXPECT_EQ(data->target(), TargetSpec::values({1}));
  for (int64_t i = 0; i < data->size(); ++i) {
    float y = -1;
    data->read_target(i, &y);
    EXPECT_EQ(y, 0.5F * static_cast<float>(data->id(i)));
  }
}

TEST_F(TableData, NamesOfClasses) {
  const auto data = open("train", options);
  EXPECT_EQ(data->target().class_text(2), "2 c");
  EXPECT_EQ(data->sample().shape, Shape{3});
  EXPECT_NE(data->describe().find("table t.csv train, fold 0 of 5, scale minmax: 32 samples of [3]"),
            std::string::npos)
      << data->describe();
  std::string text;
  for (int64_t i = 0; i < kRows; ++i) text += str(i, ",", i % 2, "\n");
  write_file_atomic(dir / "t.csv", text);
  EXPECT_EQ(open("train", options)->target().class_text(1), "1")
      << "a name that says no more than its number";
}

TEST_F(TableData, Refusals) {
  const auto with = [&](auto change) {
    DataOptions o = options;
    change(o);
    return refused(o);
  };
  EXPECT_NE(with([](auto& o) { o.table.file = ""; }).find("set table.file"), std::string::npos);
  EXPECT_NE(with([](auto& o) { o.dir = ""; }).find("--data-dir"), std::string::npos);
  EXPECT_NE(with([](auto& o) { o.table.fold = 5; }).find("table.fold: expected 0 to 4"), std::string::npos);
  EXPECT_NE(with([](auto& o) { o.table.folds = 41; }).find("table.folds: expected at most 40"),
            std::string::npos);
  EXPECT_NE(with([](auto& o) { o.augment = true; }).find("no augmentation"), std::string::npos);
  EXPECT_NE(with([](auto& o) { o.mean = 0; }).find("scaled by table.scale"), std::string::npos);
  EXPECT_NE(with([](auto& o) { o.events.flip = true; }).find("[events] does not apply"), std::string::npos);
  EXPECT_NE(with([](auto& o) { o.name = "glyphs"; }).find("leave the section [table] out"),
            std::string::npos);
  options.table.file = "none.csv";
  EXPECT_NE(message_of<DataError>([&] { open("train", options); }).find("none.csv"), std::string::npos);
  options.dir = "/none";
  options.table.file = dir / "t.csv";
  EXPECT_EQ(open("train", options)->size(), 32) << "the whole path";
}

TEST(TableFolds, DifferByOneAtMost) {
  std::vector<int64_t> labels;
  for (const int64_t n : {5, 1, 17, 2, 9})
    labels.insert(labels.end(), static_cast<size_t>(n), labels.empty() ? 0 : labels.back() + 1);
  for (const int64_t folds : {2, 3, 7, 34}) {
    const auto dealt = deal_folds(34, labels, folds, 3);
    for (int64_t c = 0; c < 5; ++c) {
      std::vector<int64_t> count;
      for (const auto& fold : dealt)
        count.push_back(std::count_if(fold.begin(), fold.end(),
                                      [&](int64_t row) { return labels[static_cast<size_t>(row)] == c; }));
      EXPECT_LE(*std::max_element(count.begin(), count.end()) - *std::min_element(count.begin(), count.end()),
                1);
    }
    size_t least = 100, most = 0;
    for (const auto& fold : dealt) least = std::min(least, fold.size()), most = std::max(most, fold.size());
    EXPECT_LE(most - least, 1U);
  }
  EXPECT_EQ(deal_folds(4, {}, 2, 1)[0].size(), 2U);
  EXPECT_NE(deal_folds(40, {}, 2, 1), deal_folds(40, {}, 2, 2));
}

/// A recipe on the table, trained and evaluated as a user does.
struct TableCli : Cli {
  std::string write_recipe(const std::string& extra = "") {
    std::string text = "size,weight,kind\n";
    for (int i = 0; i < 60; ++i)
      text += str(i % 3 + 0.01 * (i % 7), ",", (i % 3) * 2 - 0.02 * (i % 5), ",",
                  i % 3 == 0   ? "ash"
                  : i % 3 == 1 ? "elm"
                               : "oak",
                  "\n");
    write_file_atomic(dir_ / "trees.csv", text);
    const std::string path = dir_ / "recipe.toml";
    write_file_atomic(
        path,
        "steps = 4\nepochs = 30\n[data]\nname = \"table\"\nbatch = 12\n[table]\nfile = \"trees.csv\"\nheader = "
        "true\ntarget = \"kind\"\n[network]\nname = \"spec\"\nspec = \"16-3\"\n[neuron]\nname = \"lif\"\n[readout]\nname = "
        "\"leaky_readout\"\n[rule]\nname = \"bptt\"\n[objective]\nname = \"rate_ce\"\n[optimizer]\nlr = 5e-2\n" +
            extra);
    return path;
  }
};

TEST_F(TableCli, TrainsAndShowsConfusedClassesByName) {
  const std::string recipe = write_recipe();
  const CliResult trained = run({"train", recipe, "--data-dir", dir_.path(), "--out", dir_ / "run"});
  ASSERT_EQ(trained.code, 0) << trained.text;
  const CliResult shown = run({"eval", dir_ / "run", "--data-dir", dir_.path(), "--confusion"});
  ASSERT_EQ(shown.code, 0) << shown.text;
  for (const char* name : {"ash", "elm", "oak"}) EXPECT_TRUE(shown.has(name)) << shown.text;
  const CliResult inspected = run({"inspect", recipe, "--data-dir", dir_.path()});
  EXPECT_EQ(inspected.code, 0) << inspected.text;
}

TEST_F(TableCli, Refusals) {
  const std::string recipe = write_recipe();
  expect_error({"train", recipe, "--data-dir", dir_.path(), "--out", dir_ / "a", "--set",
                "encoder={name=\"latency\"}", "--set", "table.scale=zscore"},
               2, "set table.scale = \"minmax\", not zscore");
  expect_error({"train", recipe, "--data-dir", dir_.path(), "--out", dir_ / "b", "--set", "table.target=knd"},
               3, "did you mean 'kind'?");
  expect_error({"new", dir_ / "new.toml", "--data", "table"}, 2, "begin with recipes/table-iris.toml");
}

}  // namespace spiketrain::table_data_test
