// Options, splits and normalisation shared by all data sets.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "spiketrain/base/check.h"
#include "spiketrain/data/images/image_dataset.h"
#include "spiketrain/data/source.h"
#include "tests/support/idx_files.h"
#include "tests/support/message.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::dataset_test {

/// 40 training images, label i % 10; image i begins with pixel i, so x[0] tells which it is.
struct Mnist : testing::Test {
  void SetUp() override {
    std::filesystem::create_directories(dir / "mnist");
    Bytes labels(40);
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<uint8_t>(i % 10);
    write_idx_part(dir / "mnist", "train", labels);
    write_idx_part(dir / "mnist", "t10k", {3, 1, 4});
    options.name = "mnist";
    options.dir = dir.path();
  }
  /// Which raw images a split holds.
  std::vector<int64_t> members(DataOptions o) {
    o.mean = 0, o.std = 1;
    auto data = open_dataset(o);
    std::vector<int64_t> result;
    std::vector<float> x(784);
    for (int64_t i = 0; i < data->size(); ++i) {
      data->read(i, 0, x.data());
      result.push_back(std::lround(x[0] * 255));
      EXPECT_EQ(data->id(i), result.back()) << "the index in the official part, whatever the split";
      EXPECT_EQ(data->class_of(i),
                o.split == "test" ? std::vector<int64_t>({3, 1, 4})[i] : result.back() % 10);
    }
    return result;
  }
  TempDir dir;
  DataOptions options;
};

TEST_F(Mnist, WholePartsInFileOrder) {
  std::vector<int64_t> all(40);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(members(options), all);
  options.split = "test";
  EXPECT_EQ(members(options), (std::vector<int64_t>{0, 1, 2}));
}

TEST_F(Mnist, ValidationIsCarvedOutOfTrain) {
  options.validation = 15;
  auto train = members(options);
  options.split = "validation";
  auto validation = members(options);
  EXPECT_EQ(train.size(), 25u);
  EXPECT_EQ(validation.size(), 15u);
  EXPECT_TRUE(std::is_sorted(train.begin(), train.end()));
  auto first = validation;
  options.seed = 2;
  EXPECT_NE(members(options), first) << "the split must depend on the seed";
  std::vector<int64_t> both = train;
  both.insert(both.end(), validation.begin(), validation.end());
  std::sort(both.begin(), both.end());
  std::vector<int64_t> all(40);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(both, all);
  options.split = "test";
  EXPECT_EQ(members(options).size(), 3u);
}

TEST_F(Mnist, LimitKeepsTheFirst) {
  options.limit = 4;
  EXPECT_EQ(members(options), (std::vector<int64_t>{0, 1, 2, 3}));
  options.limit = 400;
  EXPECT_EQ(members(options).size(), 40u);
}

TEST_F(Mnist, NormalisationDefaultsAndOverride) {
  std::vector<float> x(784);
  open_dataset(options)->read(2, 0, x.data());
  EXPECT_FLOAT_EQ(x[0], static_cast<float>((2 / 255.0 - 0.1307) / 0.3081));
  options.std = 0.5;
  open_dataset(options)->read(2, 0, x.data());
  EXPECT_FLOAT_EQ(x[0], static_cast<float>((2 / 255.0 - 0.1307) / 0.5));
  options.std = 0;
  EXPECT_THROW(open_dataset(options), UsageError);
}

/// Image 0 shifted by (dy, dx), black outside, and mirrored if `mirror`.
std::vector<float> view_of_first(int dy, int dx, bool mirror) {
  std::vector<float> x(784);
  for (int row = 0; row < 28; ++row) {
    for (int column = 0; column < 28; ++column) {
      const int from_row = row + dy, from_column = (mirror ? 27 - column : column) + dx;
      const bool inside = from_row >= 0 && from_row < 28 && from_column >= 0 && from_column < 28;
      const auto pixel = static_cast<uint8_t>(from_row * 28 + from_column);
      x[static_cast<size_t>(row * 28 + column)] = inside ? static_cast<float>(pixel / 255.0) : 0.0f;
    }
  }
  return x;
}

/// How many of the 25 shifts of image 0 appear in 400 epochs, as it is and mirrored; {0, 0}: something else
/// appears.
std::pair<size_t, size_t> views_seen(const Dataset& data) {
  std::map<std::vector<float>, bool> known;
  for (int view = 0; view < 50; ++view)
    known[view_of_first(view % 5 - 2, view / 5 % 5 - 2, view >= 25)] = view >= 25;
  std::set<std::vector<float>> plain, mirrored;
  std::vector<float> x(784);
  for (int64_t epoch = 0; epoch < 400; ++epoch) {
    data.read(0, epoch, x.data());
    const auto found = known.find(x);
    if (found == known.end()) return {0, 0};
    (found->second ? mirrored : plain).insert(x);
  }
  return {plain.size(), mirrored.size()};
}

TEST_F(Mnist, AugmentationShiftsDigitsAndAlsoMirrorsClothes) {
  std::filesystem::rename(dir / "mnist", dir / "fashion-mnist");
  std::filesystem::copy(dir / "fashion-mnist", dir / "mnist");
  options.mean = 0, options.std = 1, options.augment = true;
  EXPECT_EQ(views_seen(*open_dataset(options)), (std::pair<size_t, size_t>{25, 0}));
  options.name = "fashion-mnist";
  EXPECT_EQ(views_seen(*open_dataset(options)), (std::pair<size_t, size_t>{25, 25}));
  options.split = "test";  // never augmented
  std::vector<float> x(784);
  open_dataset(options)->read(0, 5, x.data());
  EXPECT_EQ(x, view_of_first(0, 0, false));
}

TEST_F(Mnist, BadOptions) {
  auto rejected = [&](auto change, const std::string& message) {
    DataOptions o = options;
    change(o);
    try {
      open_dataset(o);
      ADD_FAILURE() << message;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(message), std::string::npos) << error.what();
    }
  };
  rejected([](auto& o) { o.name = "minst"; },
           "did you mean 'mnist'? Available: cifar10, cifar10-dvs, delayed-memory");
  rejected([](auto& o) { o.split = "dev"; }, "train, validation or test");
  rejected([](auto& o) { o.split = "validation"; }, "validation split is empty");
  rejected([](auto& o) { o.validation = 40; }, "validation < 40");
  rejected([](auto& o) { o.validation = -1; }, "validation >= 0");
  rejected([](auto& o) { o.limit = -1; }, "limit >= 0");
  rejected([](auto& o) { o.dir = ""; }, "spiketrain data fetch mnist");
  rejected([](auto& o) { o.name = "glyphs", o.augment = true; }, "no augmentation");
  rejected([](auto& o) { o.name = "glyphs", o.train_size = 0; }, "train_size > 0");
}

TEST_F(Mnist, IndexIsChecked) {
  auto data = open_dataset(options);
  std::vector<float> x(784);
  EXPECT_THROW(data->class_of(-1), UsageError);
  EXPECT_THROW(data->class_of(40), UsageError);
  EXPECT_THROW(data->id(40), UsageError);
  int64_t target = -1;
  data->read_target(13, &target);
  EXPECT_EQ(target, 3);
  EXPECT_THROW(data->read_target(40, &target), UsageError);
  EXPECT_FALSE(data->has_lengths());
  EXPECT_FALSE(data->has_teacher());
  EXPECT_THROW(data->read_teacher(0, 0, x.data()), UsageError);
  EXPECT_THROW(data->read(40, 0, x.data()), UsageError);
  EXPECT_NE(data->describe().find("mnist train: 40 samples of 1x28x28"), std::string::npos)
      << data->describe();
}

TEST(Dataset, ListNamesEverySet) {
  std::vector<std::string> names;
  for (const DatasetInfo& info : dataset_infos()) {
    names.push_back(info.name);
    EXPECT_EQ(dataset_info(info.name).doc, info.doc);
    EXPECT_FALSE(info.doc.empty());
    EXPECT_TRUE(!info.events || info.form == Batch::Form::frames) << info.name;
    EXPECT_EQ(info.target.shape.size(), 1u) << info.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"cifar10",
                                             "cifar10-dvs",
                                             "delayed-memory",
                                             "dvs-gesture",
                                             "echo",
                                             "event-folder",
                                             "fashion-mnist",
                                             "given",
                                             "glyph-events",
                                             "glyph-pairs",
                                             "glyphs",
                                             "harmonics",
                                             "harmonics-2d",
                                             "harmonics-off-grid",
                                             "mnist",
                                             "motion-events",
                                             "nmnist",
                                             "own-pixels",
                                             "radio",
                                             "shd",
                                             "ssc",
                                             "table",
                                             "waves"}))
      << "own-pixels: of this file";
  EXPECT_FALSE(dataset_info("glyphs").files);
  EXPECT_TRUE(dataset_info("mnist").files);
  EXPECT_EQ(dataset_info("cifar10").target, TargetSpec::class_index(10));
  EXPECT_EQ(dataset_info("event-folder").target.classes, 0) << "the files decide";
  EXPECT_THROW(dataset_info("minst"), UsageError);
}

/// What a data set says of itself without being opened is what it is.
TEST(Dataset, InfoIsWhatOpens) {
  DataOptions options;
  options.train_size = 3;
  options.steps = 40;
  for (const DatasetInfo& info : dataset_infos()) {
    if (info.files || info.name == "given") continue;
    options.name = info.name;
    const auto data = open_dataset(options);
    EXPECT_EQ(data->size(), 3) << info.name;
    EXPECT_EQ(data->sample().form, info.form) << info.name;
    EXPECT_EQ(data->sample().shape, info.shape) << info.name;
    EXPECT_EQ(data->steps(), info.form == Batch::Form::frames ? 40 : 0) << info.name;
    TargetSpec target = info.target;
    if (target.kind == Target::Kind::sequence) target.extent = 40;
    EXPECT_EQ(data->target(), target) << info.name;
  }
}

TEST(Dataset, GivenTensorsAreInNoFile) {
  DataOptions options;
  options.name = "given";
  EXPECT_NE(message_of<UsageError>([&] { open_dataset(options); }).find("give them again"),
            std::string::npos);
}

TEST(Dataset, SpecsCountTheirElements) {
  EXPECT_EQ(SampleSpec::image({3, 4, 5}).numel(), 60);
  EXPECT_EQ(SampleSpec::frames(7, {2, 5}, torch::kByte).numel(), 70);
  EXPECT_EQ(TargetSpec::class_index(10).numel(), 1);
  EXPECT_EQ(TargetSpec::class_index(10).shape, (Shape{10}));
  EXPECT_EQ(TargetSpec::values({3, 2}).numel(), 6);
  EXPECT_EQ(TargetSpec::sequence(4, {3}).numel(), 12);
  EXPECT_NE(TargetSpec::sequence(4, {3}), TargetSpec::sequence(5, {3}));
  EXPECT_NE(SampleSpec::frames(7, {2}, torch::kByte), SampleSpec::frames(7, {2}, torch::kFloat));
}

/// Two images of one pixel.
struct OwnSource final : ImageSource {
  static constexpr const char* kDoc = "two grey pixels";
  template <class V>
  void visit(V&) {}
  DatasetInfo info() const override {
    return {part_name(), kDoc, true, {1, 1, 1}, Batch::Form::image, TargetSpec::class_index(2)};
  }
  RawImages read(const DataOptions&, bool train) const override { return {1, 1, 1, 2, {0, 255}, {0, train}}; }
  ImageTransform plain() const override { return {}; }
};
ST_REGISTER(DatasetSource, "own-pixels", OwnSource);

TEST(Dataset, OnesOwnIsRegistered) {
  DataOptions options;
  options.name = "own-pixels";
  EXPECT_THROW(open_dataset(options), UsageError) << "no folder";
  options.dir = "/none";
  const auto train = open_dataset(options);
  EXPECT_EQ(train->size(), 2);
  EXPECT_EQ(train->class_of(1), 1);
  float pixel = -1;
  train->read(1, 0, &pixel);
  EXPECT_EQ(pixel, 1);
  options.split = "test";
  EXPECT_EQ(open_dataset(options)->class_of(1), 0);
  options.augment = true;
  EXPECT_THROW(open_dataset(options), UsageError) << "it has no augmentation";
}

}  // namespace spiketrain::dataset_test
