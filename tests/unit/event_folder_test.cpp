// event-folder: classes, clips, silent recordings, errors; and real recordings where they are.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "spiketrain/data/events/event_sets.h"
#include "spiketrain/data/events/folder_layout.h"
#include "tests/support/event_layout.h"
#include "tests/support/message.h"

namespace spiketrain::event_folder_test {

struct Folder : Layout {
  void SetUp() override {
    options = named("event-folder");
    options.events.folder = "mine";
    options.events.sensor = {40, 50};
    put_file(dir / "mine/train/cup/1.bs2", make_nmnist(marked(1, 10)));
    put_file(dir / "mine/train/cup/2.bs2", make_nmnist(marked(2, 3)));
    put_file(dir / "mine/train/box.bs2", make_nmnist(marked(3, 10)));
    put_file(dir / "mine/train/pen.bs2", make_nmnist(marked(4, 10)));
    put_file(dir / "mine/train/notes.txt", "not a recording");
    put_file(dir / "mine/train/.hidden", "neither");
    put_file(dir / "mine/test/cup.bs2", make_nmnist(marked(5, 10)));
    put_file(dir / "mine/test/box.bs2", make_nmnist(marked(6, 10)));
    put_file(dir / "mine/test/cow.bs2", make_nmnist(marked(7, 10)));
  }
  DataOptions options;
};

TEST_F(Folder, ClassesAreFoldersOrFilesInBothParts) {
  const auto train = open_event_source(options, true), test = open_event_source(options, false);
  EXPECT_EQ(train->classes(), 2);
  EXPECT_EQ(marks(*train), (std::vector<int>{3, 1, 2}));
  EXPECT_EQ(labels(*train), (std::vector<int64_t>{0, 1, 1}));
  EXPECT_EQ(marks(*test), (std::vector<int>{6, 5}));
  EXPECT_EQ(open_dataset(options)->target().class_names, (std::vector<std::string>{"box", "cup"}));
  EXPECT_EQ(open_dataset(options)->target().class_text(1), "1 cup");
  EXPECT_EQ(train->height(), 40);
  EXPECT_EQ(train->width(), 50);
  const std::string text = open_dataset(options)->describe();
  for (const char* part : {"classes box, cup", "only in train: pen", "only in test: cow"})
    EXPECT_NE(text.find(part), std::string::npos) << text;
}

TEST_F(Folder, ClipsOverlapAndStayInside) {
  options.events.clip_us = 4000;
  options.events.stride_us = 2500;
  const auto train = open_event_source(options, true);
  // 10 events take 9001 us: clips at 0, 2500 and 5000; the short recording is one clip.
  EXPECT_EQ(marks(*train), (std::vector<int>{3, 3, 3, 1, 1, 1, 2}));
  EXPECT_EQ(train->events(0).events.size(), 4u);
  EXPECT_EQ(train->events(1).events.size(), 4u);
  EXPECT_EQ(train->events(1).events[0].t_us, 500);
  EXPECT_EQ(train->events(6).events.size(), 3u);
  EXPECT_EQ(train->recording(0), train->recording(2));
  options.events.stride_us = 0;
  EXPECT_EQ(open_event_source(options, true)->size(), 5);
  options.events.clip_us = 0;
  options.events.stride_us = 5;
  EXPECT_THROW(open_event_source(options, true), UsageError);
}

TEST_F(Folder, RecordingsAreHeldOutByFile) {
  for (int i = 0; i < 10; ++i) {
    put_file(dir / ("all/train/a/" + std::to_string(i) + ".bs2"), make_nmnist(marked(1 + i, 10)));
    put_file(dir / ("all/train/b/" + std::to_string(i) + ".bs2"), make_nmnist(marked(11 + i, 10)));
  }
  options.events.folder = "all";
  options.events.test_share = 0.2;
  options.events.clip_us = 4000;  // three clips each, which stay together
  options.events.stride_us = 2500;
  const auto parts = [&] {
    const std::vector<int> train = marks(*open_event_source(options, true)),
                           test = marks(*open_event_source(options, false));
    EXPECT_EQ(train.size(), 48u);
    EXPECT_EQ(test.size(), 12u);
    std::set<int> all(train.begin(), train.end());
    EXPECT_EQ(all.size(), 16u);
    const std::set<int> held(test.begin(), test.end());
    EXPECT_EQ(held.size(), 4u);
    all.insert(held.begin(), held.end());
    EXPECT_EQ(all.size(), 20u);
    EXPECT_EQ(labels(*open_event_source(options, false)).front(), 0);
    return test;
  };
  const std::vector<int> first = parts();
  EXPECT_EQ(parts(), first);
  options.events.test_seed = 2;
  EXPECT_NE(parts(), first);
  EXPECT_NE(open_dataset(options)->describe().find("held out by seed 2"), std::string::npos);
  options.events.folder = "mine";  // a class of one recording
  EXPECT_THROW(open_event_source(options, true), DataError);
}

TEST_F(Folder, TheTrainingPartIsNoTestPart) {
  options.events.test_dir = "../mine/train/";
  const std::string message = message_of<UsageError>([&] { open_event_source(options, false); });
  EXPECT_NE(message.find("are the same folder"), std::string::npos) << message;
  EXPECT_NE(message.find("events.test_share"), std::string::npos) << message;
}

TEST_F(Folder, LongRecordingsAreReadOnce) {
  options.events.clip_us = 1000;
  const auto cache = std::make_shared<RecordingCache>();
  ClipSet set = folder_clips(options.events, options.dir, true);
  EXPECT_EQ(set.cache->reads(), 3);
  const auto used = set.cache;
  const auto source = make_clip_source(std::move(set));
  for (int round = 0; round < 2; ++round)
    for (int64_t i = 0; i < source->size(); ++i) source->events(i);
  EXPECT_EQ(used->reads(), 3);
  RecordingCache small(100);
  const std::string a = dir / "mine/train/box.bs2", b = dir / "mine/train/pen.bs2";
  small.get(a, "auto"), small.get(a, "auto");
  EXPECT_EQ(small.reads(), 1);
  small.get(b, "auto"), small.get(a, "auto");
  EXPECT_EQ(small.reads(), 3) << "only the last recording has room";
}

TEST_F(Folder, SilentClipsAreSamplesSilentFilesAreErrors) {
  auto events = marked(3, 3);
  events.push_back({50000, 3, 1, 1});
  put_file(dir / "mine/train/box.bs2", make_nmnist(events));
  options.events.clip_us = 10000;
  const auto data = open_dataset(options);
  std::vector<uint8_t> frames(5 * 2 * 40 * 50, 9);
  data->read(2, 0, frames.data());  // box, 10 to 20 ms
  EXPECT_EQ(frames, std::vector<uint8_t>(frames.size(), 0));
  put_file(dir / "mine/train/box.bs2", Bytes());
  EXPECT_NE(message([&] { open_dataset(options); }).find("expected events, found none"), std::string::npos);
  options.events.clip_us = 0;
  const auto whole = open_dataset(options);
  EXPECT_THROW(whole->read(0, 0, frames.data()), DataError);
}

TEST_F(Folder, Errors) {
  auto change = [&](auto edit) {
    auto copy = options;
    edit(copy.events);
    return message([&] { open_event_source(copy, true)->events(0); });
  };
  EXPECT_NE(change([](EventOptions& e) { e.train_dir = "none"; }).find("mine/none"), std::string::npos);
  EXPECT_NE(change([](EventOptions& e) { e.extension = ".dat"; }).find("extension"), std::string::npos);
  EXPECT_NE(change([](EventOptions& e) { e.sensor = {}; }).find("how large the sensor"), std::string::npos);
  EXPECT_NE(change([](EventOptions& e) { e.sensor = {40}; }).find("[height, width]"), std::string::npos);
  EXPECT_NE(change([](EventOptions& e) { e.sensor = {40, 3}; }).find("inside 3 x 40"), std::string::npos);
  std::filesystem::create_directories(dir / "mine/train/empty");
  EXPECT_NE(change([](EventOptions&) {}).find("train/empty: class without"), std::string::npos);
  std::filesystem::remove_all(dir / "mine/train/empty");
  for (const char* name : {"cup", "box"}) std::filesystem::remove(dir / str("mine/test/", name, ".bs2"));
  EXPECT_NE(change([](EventOptions&) {}).find("no class is in both"), std::string::npos);
}

TEST_F(Folder, AnEventOutsideIsNamedByItsNumberInTheFile) {
  auto events = marked(3, 10);
  events[6] = {500, 49, 40, 1};  // the earliest of all, so the first once they are sorted
  put_file(dir / "mine/train/box.bs2", make_nmnist(events));
  const std::string wanted =
      dir / "mine/train/box.bs2: event 6: expected a pixel inside 50 x 40, found (49, 40)";
  const auto whole = open_event_source(options, true);
  EXPECT_EQ(message([&] { whole->events(0); }), wanted);
  EXPECT_THROW(whole->events(0), DataError);
  options.events.clip_us = 2000;
  EXPECT_EQ(message([&] { open_event_source(options, true); }), wanted);
}

TEST_F(Folder, TinyClipsAreRefused) {
  options.events.clip_us = 5;  // as many as there are frames
  EXPECT_NO_THROW(open_event_source(options, true));
  options.events.clip_us = 4;
  EXPECT_NE(message([&] { open_event_source(options, true); }).find("clip_us = 4 is too short for steps = 5"),
            std::string::npos);
  EXPECT_THROW(open_event_source(options, true), UsageError);
  options.events.clip_us = 5;
  options.events.stride_us = 1;
  put_file(dir / "mine/train/box.bs2", make_nmnist(marked(3, 5000)));
  EXPECT_NE(message([&] { open_event_source(options, true); }).find("more than 4000000 clips"),
            std::string::npos);
}

TEST(RealEvents, ObjectsInTwoSessions) {
  DataOptions options;
  options.name = "event-folder";
  options.dir = real_data("/events/aedat2_dvs128_objects/session1");
  if (options.dir.empty()) GTEST_SKIP() << "SPIKETRAIN_DATA is not set, or has no such recordings";
  options.steps = 8;
  options.events.folder = "events/aedat2_dvs128_objects";
  options.events.train_dir = "session1";
  options.events.test_dir = "session2";
  options.events.clip_us = 200000;
  options.events.downsample = 4;
  const auto train = open_dataset(options);
  EXPECT_EQ(train->target(), TargetSpec::class_index(5));
  EXPECT_EQ(train->sample().shape, (Shape{2, 32, 32}));
  EXPECT_NE(train->describe().find("classes Caixa, Caneca, Estilete, Lapiseira, Tesoura"), std::string::npos)
      << train->describe();
  EXPECT_NE(train->describe().find("only in session1: Celular, Mouse"), std::string::npos);
  options.split = "test";
  const auto test = open_dataset(options);
  EXPECT_NE(test->describe().find("only in session2: Cubo, Estilete_1"), std::string::npos);
  for (const auto* data : {train.get(), test.get()}) {
    EXPECT_GT(data->size(), 50);
    std::set<int64_t> seen;
    std::vector<uint8_t> frames(8 * 2 * 32 * 32);
    int64_t sum = 0;
    for (int64_t i = 0; i < data->size(); ++i) {
      seen.insert(data->class_of(i));
      data->read(i, 0, frames.data());
      for (const uint8_t v : frames) sum += v;
    }
    EXPECT_EQ(seen.size(), 5u);
    EXPECT_GT(sum / data->size(), 500);
  }
}

}  // namespace spiketrain::event_folder_test
