// Tensors as a data set: every kind of target, what the loader makes of it, and what is refused.
#include "spiketrain/data/tensor_dataset.h"

#include <gtest/gtest.h>

#include "spiketrain/base/check.h"
#include "spiketrain/data/loader.h"

namespace spiketrain::tensor_dataset_test {

using Kind = Target::Kind;

Tensor count_up(at::IntArrayRef shape) {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  return torch::arange(n, torch::kFloat).reshape(shape);
}

Batch whole(const Dataset& data) {
  LoaderOptions options;
  options.batch_size = data.size();
  options.shuffle = false;
  Loader loader(data, options);
  loader.start(3);
  Batch batch;
  EXPECT_TRUE(loader.next(batch));
  return batch;
}

TensorDatasetOptions frames() {
  TensorDatasetOptions options;
  options.form = Batch::Form::frames;
  return options;
}

std::string refused(const Tensor& x, const Target& target, const TensorDatasetOptions& options = {}) {
  try {
    tensor_dataset(x, target, options);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

#define EXPECT_IN(part, text) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(TensorDataset, ImagesWithClasses) {
  const Tensor x = count_up({4, 1, 2, 3}), y = torch::tensor({2, 0, 1, 2}, torch::kLong);
  const auto data = tensor_dataset(x, {Kind::class_index, y});
  EXPECT_EQ(data->size(), 4);
  EXPECT_EQ(data->sample(), SampleSpec::image({1, 2, 3}));
  EXPECT_EQ(data->target(), TargetSpec::class_index(3));
  EXPECT_EQ(data->class_of(3), 2);
  EXPECT_EQ(data->id(3), 3);
  EXPECT_EQ(data->target().class_text(2), "2");
  TensorDatasetOptions named;
  named.class_names = {"cup", "box", "pen"};
  const auto other = tensor_dataset(x, {Kind::class_index, y}, named);
  EXPECT_EQ(other->target().class_text(2), "2 pen");
  EXPECT_EQ(other->target(), data->target()) << "names are not what a network is built for";
  named.class_names = {"cup", "box"};
  EXPECT_IN("expected names of 3 classes, got 2", refused(x, {Kind::class_index, y}, named));
  EXPECT_IN("only targets of kind class_index", refused(x, {Kind::values, x.flatten(1)}, named));
  EXPECT_EQ(data->steps(), 0);
  EXPECT_IN("4 samples of [1, 2, 3]", data->describe());
  const Batch batch = whole(*data);
  EXPECT_EQ(batch.form, Batch::Form::image);
  EXPECT_EQ(batch.epoch, 3);
  EXPECT_TRUE(torch::equal(batch.x, x));
  EXPECT_TRUE(torch::equal(batch.target.y, y));
  EXPECT_TRUE(torch::equal(batch.ids, torch::arange(4)));
  EXPECT_FALSE(batch.lengths.defined());
  float image[6];
  EXPECT_THROW(data->read(4, 0, image), UsageError);
  EXPECT_THROW(data->class_of(-1), UsageError);
  TensorDatasetOptions options;
  options.classes = 7;
  options.ids = torch::tensor({9, 8, 7, 6}, torch::kLong);
  const auto more = tensor_dataset(x, {Kind::class_index, y}, options);
  EXPECT_EQ(more->target(), TargetSpec::class_index(7));
  EXPECT_TRUE(torch::equal(whole(*more).ids, options.ids));
}

TEST(TensorDataset, ATransposedTensorIsReadAsItIs) {
  const Tensor x = count_up({2, 3}).t();  // [3,2], not contiguous
  const auto data = tensor_dataset(x, {Kind::values, count_up({3, 1})});
  EXPECT_TRUE(torch::equal(whole(*data).x, x));
}

TEST(TensorDataset, FramesWithValues) {
  const Tensor x = count_up({3, 5, 2}).to(torch::kByte), y = count_up({3, 2, 2});
  const auto data = tensor_dataset(x, {Kind::values, y}, frames());
  EXPECT_EQ(data->sample(), SampleSpec::frames(5, {2}, torch::kByte));
  EXPECT_EQ(data->target(), TargetSpec::values({2, 2}));
  EXPECT_EQ(data->steps(), 5);
  const Batch batch = whole(*data);
  EXPECT_EQ(batch.form, Batch::Form::frames);
  EXPECT_TRUE(torch::equal(batch.x, x.transpose(0, 1)));
  EXPECT_EQ(batch.target.kind, Kind::values);
  EXPECT_TRUE(torch::equal(batch.target.y, y));
  EXPECT_THROW(data->class_of(0), UsageError);
}

TEST(TensorDataset, SequencesOfDifferentLengths) {
  const Tensor x = count_up({3, 4, 2}) + 1, y = count_up({3, 4, 1}) + 1;
  TensorDatasetOptions options = frames();
  options.lengths = torch::tensor({4, 1, 3}, torch::kLong);
  const auto data = tensor_dataset(x, {Kind::sequence, y}, options);
  EXPECT_EQ(data->target(), TargetSpec::sequence(4, {1}));
  EXPECT_TRUE(data->has_lengths());
  EXPECT_EQ(data->length(1), 1);
  const Batch batch = whole(*data);
  EXPECT_TRUE(torch::equal(batch.lengths, options.lengths));
  const Tensor valid = torch::arange(4).unsqueeze(1) < options.lengths.unsqueeze(0);  // [T,B]
  EXPECT_TRUE(torch::equal(batch.x, x.transpose(0, 1) * valid.unsqueeze(2)));
  EXPECT_TRUE(torch::equal(batch.target.y, y.transpose(0, 1) * valid.unsqueeze(2)));
}

TEST(TensorDataset, ImagesCanHaveSequences) {
  const Tensor x = count_up({2, 3}), y = count_up({2, 4, 1});
  TensorDatasetOptions options;
  options.lengths = torch::tensor({2, 4}, torch::kLong);
  const auto data = tensor_dataset(x, {Kind::sequence, y}, options);
  EXPECT_EQ(data->steps(), 4);
  const Batch batch = whole(*data);
  EXPECT_TRUE(torch::equal(batch.x, x));
  EXPECT_EQ(batch.target.y.sizes(), (std::vector<int64_t>{4, 2, 1}));
  EXPECT_EQ(batch.target.y[1][0][0].item<float>(), 1);
  EXPECT_EQ(batch.target.y[2][0][0].item<float>(), 0) << "padding";
}

TEST(TensorDataset, SpikeTimesAndTeacher) {
  const Tensor x = count_up({2, 3}), y = count_up({2, 4, 5}), teacher = count_up({2, 4});
  const auto data = tensor_dataset(x, {Kind::spike_times, y, teacher});
  EXPECT_EQ(data->target().kind, Kind::spike_times);
  EXPECT_EQ(data->target().shape, (Shape{4}));
  EXPECT_EQ(data->target().extent, 5);
  EXPECT_EQ(data->target().numel(), 20);
  const Batch batch = whole(*data);
  EXPECT_TRUE(torch::equal(batch.target.y, y));
  EXPECT_TRUE(torch::equal(batch.target.teacher, teacher));
  const auto none = tensor_dataset(x, {Kind::spike_times, y});
  float out[4];
  EXPECT_THROW(none->read_teacher(0, 0, out), UsageError);
}

TEST(TensorDataset, WhatDoesNotFitIsRefused) {
  const Tensor x = count_up({3, 4}), steps = count_up({3, 5, 4});
  const Tensor y = torch::tensor({0, 1, 2}, torch::kLong);
  EXPECT_IN("targets of 3 samples", refused(x, {Kind::class_index, torch::zeros({2}, torch::kLong)}));
  EXPECT_IN("of type Long", refused(x, {Kind::class_index, torch::zeros({3})}));
  EXPECT_IN("of type Float", refused(x, {Kind::values, torch::zeros({3, 1}, torch::kDouble)}));
  EXPECT_IN("1 dimension", refused(x, {Kind::class_index, torch::zeros({3, 1}, torch::kLong)}));
  EXPECT_IN("2 or more", refused(x, {Kind::values, torch::zeros({3})}));
  EXPECT_IN("3 or more", refused(x, {Kind::sequence, torch::zeros({3, 5})}));
  EXPECT_IN("images [N,*] of type Float", refused(x.to(torch::kByte), {Kind::class_index, y}));
  EXPECT_IN("images [N,*] of type Float", refused(count_up({3}), {Kind::class_index, y}));
  EXPECT_IN("frames [N,T,*]", refused(x, {Kind::class_index, y}, frames()));
  EXPECT_IN("frames [N,T,*]", refused(steps.to(torch::kLong), {Kind::class_index, y}, frames()));
  EXPECT_IN("5 frames, but the targets 6",
            refused(steps, {Kind::sequence, torch::zeros({3, 6, 1})}, frames()));
  EXPECT_IN("[N,*] of shape [3]", refused(x, {Kind::class_index, y, torch::zeros({3, 2})}));
  TensorDatasetOptions options;
  options.classes = 2;
  EXPECT_IN("classes from 0 to 1, found 0 to 2", refused(x, {Kind::class_index, y}, options));
  EXPECT_IN("only targets of kind class_index", refused(x, {Kind::values, torch::zeros({3, 1})}, options));
  EXPECT_IN("found -1", refused(x, {Kind::class_index, y - 1}));
  options = {};
  options.lengths = torch::tensor({1, 5, 5}, torch::kLong);
  EXPECT_IN("lengths need frames", refused(x, {Kind::class_index, y}, options));
  options.form = Batch::Form::frames;
  EXPECT_EQ(refused(steps, {Kind::class_index, y}, options), "accepted");
  options.lengths = torch::tensor({0, 5, 5}, torch::kLong);
  EXPECT_IN("lengths from 1 to 5, found 0 to 5", refused(steps, {Kind::class_index, y}, options));
  options.lengths = torch::tensor({1, 6, 5}, torch::kLong);
  EXPECT_IN("found 1 to 6", refused(steps, {Kind::class_index, y}, options));
  EXPECT_IN("samples and their targets", refused(Tensor(), {Kind::class_index, y}));
}

}  // namespace spiketrain::tensor_dataset_test
