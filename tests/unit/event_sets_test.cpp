// Layouts of the data sets of events, built in a temporary folder, and the real ones where they are.
#include "spiketrain/data/events/event_sets.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <algorithm>
#include <filesystem>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/layout_files.h"
#include "spiketrain/data/manual_catalogue.h"
#include "tests/support/event_layout.h"

namespace spiketrain::event_sets_test {

TEST(NaturalOrder, ComparesNumbers) {
  EXPECT_TRUE(natural_less("a2", "a10"));
  EXPECT_FALSE(natural_less("a10", "a2"));
  EXPECT_TRUE(natural_less("a2b", "a2c"));
  EXPECT_TRUE(natural_less("a", "a1"));
  EXPECT_TRUE(natural_less("00009.bin", "00010.bin"));
  EXPECT_TRUE(natural_less("01", "1") != natural_less("1", "01"));
  EXPECT_FALSE(natural_less("x", "x"));
}

TEST_F(Layout, NmnistOfficial) {
  for (int label = 0; label < 10; ++label) {
    for (int k = 0; k < 2; ++k) {
      const int number = (label * 7 + k * 3) % 20 + 20 * k;  // not in the order of the classes
      put_file(
          dir / ("nmnist/Train/" + std::to_string(label) + "/000" + std::to_string(number + 10) + ".bin"),
          make_nmnist(marked(static_cast<uint16_t>(label))));
    }
    put_file(dir / ("nmnist/Test/" + std::to_string(label) + "/00001.bin"), make_nmnist(marked(3)));
  }
  const auto train = open_event_source(named("nmnist"), true);
  EXPECT_EQ(train->size(), 20);
  EXPECT_EQ(train->width(), 34);
  EXPECT_EQ(train->classes(), 10);
  const auto found = labels(*train);
  EXPECT_EQ((std::vector<int64_t>(found.begin(), found.begin() + 3)), (std::vector<int64_t>{0, 3, 6}));
  for (int64_t i = 0; i < 20; ++i) EXPECT_EQ(train->events(i).events[0].x, train->label(i));
  EXPECT_EQ(open_event_source(named("nmnist"), false)->size(), 10);
  auto options = named("nmnist");
  options.validation = 5;
  options.limit = 7;
  EXPECT_EQ(open_dataset(options)->size(), 7);
  options.split = "validation";
  EXPECT_EQ(open_dataset(options)->size(), 5);
  options.split = "test";
  options.limit = 0;
  const auto data = open_dataset(options);
  EXPECT_EQ(data->sample(), SampleSpec::frames(5, {2, 34, 34}, torch::kByte));
  std::vector<uint8_t> frames(5 * 2 * 34 * 34);
  data->read(0, 0, frames.data());
  EXPECT_EQ(frames[34 * 34 + 34 + 3], 2) << "two of ten events in the first of five frames, channel ON";
  std::filesystem::remove_all(dir / "nmnist/Train/9");
  EXPECT_NE(message([&] { open_event_source(named("nmnist"), true); }).find("class folders 0 to 9"),
            std::string::npos);
  std::filesystem::create_directories(dir / "nmnist/Train/9");
  EXPECT_NE(message([&] { open_event_source(named("nmnist"), true); }).find("Train/9: class without"),
            std::string::npos);
}

TEST_F(Layout, NmnistShortForm) {
  put_file(dir / "nmnist/train3.txt", "#sample #class\n12\t5\n3\t0\n\n4\t9\r\n");
  for (int n : {3, 4}) put_file(dir / ("nmnist/train/" + std::to_string(n) + ".bs2"), make_nmnist(marked(n)));
  put_file(dir / "nmnist/train/12.bin", make_nmnist(marked(12)));
  const auto train = open_event_source(named("nmnist"), true);
  EXPECT_EQ(labels(*train), (Shape{5, 0, 9}));
  EXPECT_EQ(marks(*train), (std::vector<int>{12, 3, 4}));
  EXPECT_NE(message([&] { open_event_source(named("nmnist"), false); }).find("found 0 such lists"),
            std::string::npos);
  put_file(dir / "nmnist/train3.txt", "12 5\n3 ten\n");
  EXPECT_NE(message([&] { open_event_source(named("nmnist"), true); }).find("train3.txt: byte 5"),
            std::string::npos);
  put_file(dir / "nmnist/train3.txt", "13 5\n");
  EXPECT_THROW(open_event_source(named("nmnist"), true)->events(0), DataError);
}

TEST_F(Layout, MissingFoldersAreNamed) {
  for (const char* name : {"nmnist", "dvs-gesture", "cifar10-dvs", "shd", "ssc", "event-folder"}) {
    EXPECT_THROW(open_dataset(named(name)), DataError) << name;
    EXPECT_NE(message([&] { open_dataset(named(name)); }).find(dir / name), std::string::npos);
    auto options = named(name);
    options.dir.clear();
    EXPECT_THROW(open_dataset(options), UsageError) << name;
  }
}

TEST_F(Layout, GestureTrials) {
  const std::string root = dir / "dvs-gesture/DvsGesture/";
  // Two recordings of three gestures; the label files overlap by 1 ms, as one of the official ones does.
  for (int user : {1, 2}) {
    Bytes file = aedat3_header();
    std::vector<Event> events;
    for (int i = 0; i < 30; ++i)
      events.push_back({100000 + 1000 * i, static_cast<uint16_t>(user * 10 + i / 10), 1, 1});
    put_aedat3_packet(file, 1, 8, 0, events.size(), events.size(), aedat3_body(events));
    put_file(root + "user" + std::to_string(user) + ".aedat", file);
    put_file(root + "user" + std::to_string(user) + "_labels.csv",
             "class,startTime_usec,endTime_usec\n11,100000,110000\n1,110000,120001\n4,120000,130000\n");
  }
  put_file(root + "trials_to_train.txt", "user1.aedat\n\n");
  put_file(root + "trials_to_test.txt", "user2.aedat\nuser1.aedat\n");
  const auto train = open_event_source(named("dvs-gesture"), true),
             test = open_event_source(named("dvs-gesture"), false);
  EXPECT_EQ(labels(*train), (Shape{10, 0, 3}));
  EXPECT_EQ(marks(*train), (std::vector<int>{10, 11, 12}));
  EXPECT_EQ(marks(*test), (std::vector<int>{20, 21, 22, 10, 11, 12}));
  EXPECT_EQ(train->events(0).events.size(), 10u);
  EXPECT_EQ(train->events(1).events.size(), 11u);
  EXPECT_EQ(train->events(2).events[0].t_us, 0) << "times count from the start of the clip";
  EXPECT_EQ(train->classes(), 11);
  EXPECT_EQ(test->recording(0), test->recording(2));
  EXPECT_NE(test->recording(0), test->recording(3));
  EXPECT_THROW(train->label(3), UsageError);
  put_file(root + "user1_labels.csv", "class,start,end\n12,0,5\n");
  EXPECT_THROW(open_event_source(named("dvs-gesture"), true), DataError);
  for (const char* bad : {"1,0,18446744073709551621", "1,99999999999999999999,99999999999999999999", "1,7,7",
                          "1,8,7", "1,-5,7", "1,0x3,7", "1,3", "1,3,7,9", "a,3,7"}) {
    put_file(root + "user1_labels.csv", str("class,start,end\n2,0,5\n", bad, "\n3,9,12\n"));
    EXPECT_NE(message([&] { open_event_source(named("dvs-gesture"), true); }).find("labels.csv: byte 22: "),
              std::string::npos)
        << bad;
  }
  put_file(root + "trials_to_train.txt", "user3.aedat\n");
  EXPECT_NE(message([&] { open_event_source(named("dvs-gesture"), true); }).find("user3.aedat"),
            std::string::npos);
}

TEST_F(Layout, GestureClips) {
  put_file(dir / "dvs-gesture/train/0/b.bs2", make_nmnist(marked(1)));
  put_file(dir / "dvs-gesture/train/0/a10.bs2", make_nmnist(marked(2)));
  put_file(dir / "dvs-gesture/train/10/a9.bs2", make_nmnist(marked(3)));
  put_file(dir / "dvs-gesture/train/2/x.bs2", make_nmnist(marked(4)));
  const auto train = open_event_source(named("dvs-gesture"), true);
  EXPECT_EQ(marks(*train), (std::vector<int>{2, 4, 3, 1})) << "classes take turns";
  EXPECT_EQ(labels(*train), (std::vector<int64_t>{0, 1, 2, 0}));
  EXPECT_THROW(open_event_source(named("dvs-gesture"), false), DataError);
}

TEST_F(Layout, Cifar10DvsSplitsByIndex) {
  for (const char* name : {"airplane", "truck"}) {
    for (uint16_t k = 0; k < 20; ++k)
      put_file(dir / str("cifar10-dvs/", name, "/cifar10_", name, "_", k, ".aedat"),
               make_aedat2(marked(k), "DVS128", false));
  }
  auto options = named("cifar10-dvs");
  const auto train = open_event_source(options, true), test = open_event_source(options, false);
  EXPECT_EQ(train->size(), 36);
  EXPECT_EQ(marks(*test), (std::vector<int>{18, 18, 19, 19}));
  EXPECT_EQ(labels(*test), (std::vector<int64_t>{0, 1, 0, 1}));
  options.events.train_share = 0.5;
  EXPECT_EQ(open_event_source(options, true)->size(), 20);
  options.events.train_share = 0.01;
  EXPECT_THROW(open_event_source(options, true), DataError);
  options.events.train_share = 1;
  EXPECT_THROW(open_event_source(options, true), UsageError);
}

/// One vector per recording, as SHD stores them.
template <class T>
void put_lists(hid_t file, const char* name, hid_t type, std::vector<std::vector<T>> rows) {
  std::vector<hvl_t> lists;
  for (auto& row : rows) lists.push_back({row.size(), row.data()});
  const hsize_t count = rows.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr), list = H5Tvlen_create(type);
  const hid_t data = H5Dcreate2(file, name, list, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(H5Dwrite(data, list, H5S_ALL, H5S_ALL, H5P_DEFAULT, lists.data()), 0);
  H5Dclose(data), H5Tclose(list), H5Sclose(space);
}

/// Two recordings: units 5 and 699 at 0 and 1 s, and none at all.
void put_shd(const std::string& path, std::vector<int> labels) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, "spikes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  put_lists<float>(file, "spikes/times", H5T_NATIVE_FLOAT, {{1.0f, 0.0f}, {}});
  put_lists<int>(file, "spikes/units", H5T_NATIVE_INT, {{699, 5}, {}});
  const hsize_t count = labels.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t data = H5Dcreate2(file, "labels", H5T_NATIVE_INT, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(H5Dwrite(data, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels.data()), 0);
  H5Dclose(data), H5Sclose(space), H5Fclose(file);
}

TEST_F(Layout, SpokenDigits) {
  std::filesystem::create_directories(dir / "shd");
  put_shd(dir / "shd/shd_train.h5", {19, 0});
  auto options = named("shd");
  options.events.dt_us = 500000;
  options.events.origin = "zero";
  options.events.size = {1, 70};
  const auto data = open_dataset(options);
  EXPECT_EQ(data->size(), 2);
  EXPECT_EQ(data->class_of(0), 19);
  EXPECT_EQ(data->target(), TargetSpec::class_index(20));
  EXPECT_EQ(data->sample().shape, (Shape{1, 1, 70}));
  std::vector<uint8_t> frames(5 * 70), expected(5 * 70);
  expected[0] = expected[2 * 70 + 69] = 1;
  data->read(0, 0, frames.data());
  EXPECT_EQ(frames, expected);
  data->read(1, 0, frames.data());
  EXPECT_EQ(frames, std::vector<uint8_t>(5 * 70)) << "a recording may be silent";
  put_shd(dir / "shd/shd_test.h5", {20, 0});
  options.split = "test";
  EXPECT_THROW(open_dataset(options), DataError);
}

TEST(EventSets, BuiltInSetsOpen) {
  DataOptions options;
  options.train_size = 12;
  options.test_size = 6;
  options.steps = 4;
  for (const char* name : {"glyph-events", "motion-events"}) {
    options.name = name;
    const auto data = open_dataset(options);
    EXPECT_EQ(data->size(), 12);
    EXPECT_EQ(data->sample().shape, dataset_info(name).shape);
    EXPECT_EQ(data->target(), dataset_info(name).target);
    std::vector<uint8_t> frames(4 * 2 * 34 * 34);
    data->read(0, 0, frames.data());
    EXPECT_GT(std::count_if(frames.begin(), frames.end(), [](uint8_t v) { return v > 0; }), 20) << name;
  }
  options.events.flip = true;
  EXPECT_THROW(open_dataset(options), UsageError) << "left would become right";
}

TEST(EventSets, OptionsThatDoNotApplyAreRefused) {
  DataOptions options;
  options.name = "glyph-events";
  options.train_size = 2;
  EXPECT_THROW(open_dataset(options), UsageError) << "no steps";
  options.steps = 3;
  EXPECT_NO_THROW(open_dataset(options));
  options.augment = true;
  EXPECT_THROW(open_dataset(options), UsageError);
  options.augment = false;
  options.mean = 0.5;
  EXPECT_THROW(open_dataset(options), UsageError);
  DataOptions images;
  images.events.flip = true;
  EXPECT_THROW(open_dataset(images), UsageError);
  EXPECT_THROW(open_event_source(images, true), UsageError) << "no set of events";
}

TEST(EventSets, FrameShapesWithoutFiles) {
  EventOptions events;
  EXPECT_EQ(event_frame_shape(dataset_info("nmnist"), events), (Shape{2, 34, 34}));
  EXPECT_EQ(event_frame_shape(dataset_info("shd"), events), (Shape{1, 1, 700}));
  events.downsample = 4;
  events.polarity = "merged";
  EXPECT_EQ(event_frame_shape(dataset_info("dvs-gesture"), events), (Shape{1, 32, 32}));
  EXPECT_EQ(event_frame_shape(dataset_info("shd"), events), (Shape{1, 1, 175}));
  EXPECT_THROW(event_frame_shape(dataset_info("event-folder"), events), UsageError);
  EXPECT_THROW(event_frame_shape(dataset_info("waves"), events), UsageError) << "frames, but not of events";
  events.sensor = {8, 12};
  EXPECT_EQ(event_frame_shape(dataset_info("event-folder"), events), (Shape{1, 2, 3}));
}

TEST_F(Layout, ManualFilesAreCounted) {
  const ManualEntry& entry = *find_manual_entry("shd");
  EXPECT_EQ(data_check(entry, dir.path())[0].state, FileState::missing);
  put_file(dir / "shd/shd_train.h5", "x");
  put_file(dir / "shd/shd_test.h5.zip", "not the archive");
  const auto status = data_check(entry, dir.path());
  ASSERT_EQ(status.size(), 3u);
  EXPECT_EQ(status[0].state, FileState::wrong) << "the archive is there and its MD5 is wrong";
  EXPECT_EQ(status[1].state, FileState::present);
  EXPECT_EQ(status[2].state, FileState::missing);
  EXPECT_NE(message([] { catalogue_entry("cifar10-dvs"); }).find("by hand"), std::string::npos);
  for (const ManualEntry& each : manual_catalogue()) {
    EXPECT_TRUE(dataset_info(each.name).files);
    for (const CatalogueFile& file : each.archives) EXPECT_EQ(file.md5.size(), 32u) << file.name;
  }
}

TEST(RealEvents, Nmnist) {
  DataOptions options;
  options.name = "nmnist";
  options.dir = real_data("/nmnist/train1K.txt");
  if (options.dir.empty()) GTEST_SKIP() << "SPIKETRAIN_DATA is not set, or has no nmnist/";
  options.steps = 10;
  const auto train = open_dataset(options);
  EXPECT_EQ(train->size(), 1000);
  EXPECT_EQ(
      (std::vector<int64_t>{train->class_of(0), train->class_of(1), train->class_of(2), train->class_of(3)}),
      (std::vector<int64_t>{5, 0, 4, 1}));
  options.split = "test";
  const auto test = open_dataset(options);
  EXPECT_EQ(test->size(), 100);
  EXPECT_EQ((std::vector<int64_t>{test->class_of(0), test->class_of(1), test->class_of(2)}),
            (std::vector<int64_t>{7, 2, 1}));
  std::vector<uint8_t> frames(10 * 2 * 34 * 34);
  for (int64_t i = 0; i < 1000; i += 50) {
    train->read(i, 0, frames.data());
    EXPECT_GT(std::count_if(frames.begin(), frames.end(), [](uint8_t v) { return v > 0; }), 500);
  }
}

}  // namespace spiketrain::event_sets_test
