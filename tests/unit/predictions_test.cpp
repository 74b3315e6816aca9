// Predictions of given outputs: confusions, tensors, and the text of the CSV file.  From the command line: cli_everyday_test.cpp.
#include "spiketrain/report/predictions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "spiketrain/base/check.h"
#include "spiketrain/data/tensor_dataset.h"

namespace spiketrain::predictions_test {

using Kind = Target::Kind;

/// Four samples of three classes, the last class without a sample.
std::shared_ptr<const Dataset> classes(std::vector<std::string> names = {}) {
  TensorDatasetOptions options;
  options.classes = 3;
  options.class_names = std::move(names);
  return tensor_dataset(torch::zeros({4, 1}), {Kind::class_index, torch::tensor({0, 1, 1, 0}, torch::kLong)},
                        options);
}

/// Samples 1 and 3, in a batch each.
void add_two(Predictions& predictions) {
  for (const int64_t label : {1, 0}) {
    Batch batch;
    batch.target = {Kind::class_index, torch::tensor({label}, torch::kLong)};
    PassResult pass;
    pass.prediction = label == 1 ? torch::tensor({{0.5, 2.0, 0.25}}) : torch::tensor({{0.1, 0.0, 3.0}});
    predictions.add(batch, pass);
  }
}

TEST(Predictions, CountWhichClassWasTakenForWhich) {
  const SomeSamples some(classes(), {1, 3});
  Predictions predictions(some);
  add_two(predictions);
  EXPECT_EQ(predictions.confusion(), (std::vector<std::vector<int64_t>>{{0, 0, 1}, {0, 1, 0}, {0, 0, 0}}));
  EXPECT_EQ(predictions.accuracy(0), 0);
  EXPECT_EQ(predictions.accuracy(1), 1);
  EXPECT_TRUE(std::isnan(predictions.accuracy(2)));
  EXPECT_TRUE(torch::equal(predictions.samples(), torch::tensor({1, 3}, torch::kLong)));
  EXPECT_TRUE(torch::equal(predictions.targets(), torch::tensor({1, 0}, torch::kLong)));
  EXPECT_TRUE(torch::equal(predictions.predicted(), torch::tensor({1, 2}, torch::kLong)));
  EXPECT_EQ(predictions.outputs().sizes(), (std::vector<int64_t>{2, 3}));
}

TEST(Predictions, NamesAreColumnsOfTheirOwn) {
  const SomeSamples some(classes({"cup", "a \"box\", big", "pen"}), {1, 3});
  Predictions predictions(some);
  add_two(predictions);
  EXPECT_EQ(predictions.csv(),
            "sample,label,predicted,label_name,predicted_name,output0,output1,output2\n"
            "1,1,1,\"a \"\"box\"\", big\",\"a \"\"box\"\", big\",0.5,2,0.25\n"
            "3,0,2,cup,pen,0.1,0,3\n");
}

TEST(Predictions, OfNoSampleAreEmpty) {
  const SomeSamples some(classes(), std::vector<int64_t>());
  const Predictions predictions(some);
  EXPECT_EQ(predictions.csv(), "sample,label,predicted,output0,output1,output2\n");
  EXPECT_EQ(predictions.outputs().sizes(), (std::vector<int64_t>{0, 3}));
  EXPECT_EQ(predictions.predicted().numel(), 0);
}

TEST(Predictions, ValuesHaveNoClasses) {
  const std::shared_ptr<const Dataset> data =
      tensor_dataset(torch::zeros({2, 1}), {Kind::values, torch::tensor({{1.0, 2.0}, {3.0, 4.0}})});
  const SomeSamples some(data, 0);
  Predictions predictions(some);
  Batch batch;
  batch.target = {Kind::values, torch::tensor({{1.0, 2.0}, {3.0, 4.0}})};
  PassResult pass;
  pass.prediction = torch::tensor({{1.5, 2.0}, {3.0, 4.5}});
  predictions.add(batch, pass);
  EXPECT_EQ(predictions.csv(), "sample,target0,target1,output0,output1\n0,1,2,1.5,2\n1,3,4,3,4.5\n");
  EXPECT_TRUE(predictions.confusion().empty());
  EXPECT_THROW(predictions.predicted(), UsageError);
}

TEST(Predictions, RefuseSequences) {
  const std::shared_ptr<const Dataset> data =
      tensor_dataset(torch::zeros({2, 1}), {Kind::sequence, torch::zeros({2, 3, 1})});
  const SomeSamples some(data, 0);
  EXPECT_THROW(Predictions{some}, UsageError);
}

}  // namespace spiketrain::predictions_test
