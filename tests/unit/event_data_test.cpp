// Real recordings below SPIKETRAIN_DATA, read to the last event and compared with references.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "spiketrain/base/check.h"
#include "spiketrain/data/events/event_bytes.h"
#include "spiketrain/data/events/event_file.h"

namespace spiketrain::event_data_test {

class EventData : public testing::Test {
 protected:
  void SetUp() override {
    const char* data = std::getenv("SPIKETRAIN_DATA");
    if (!data) GTEST_SKIP() << "SPIKETRAIN_DATA is not set";
    root_ = data;
    if (!std::filesystem::is_directory(root_ + "/events")) GTEST_SKIP() << "no " << root_ << "/events";
  }
  EventStream read(const std::string& file) const { return read_events(root_ + "/" + file); }

  std::string root_;
};

struct Expected {
  const char* file;
  size_t events, on;
  int64_t width, height, first_us, last_us;
};

void check(const EventStream& stream, const Expected& wanted) {
  SCOPED_TRACE(wanted.file);
  ASSERT_EQ(stream.events.size(), wanted.events);
  size_t on = 0;
  bool sorted = true;
  for (size_t i = 0; i < stream.events.size(); ++i) {
    on += stream.events[i].polarity;
    sorted = sorted && (i == 0 || stream.events[i - 1].t_us <= stream.events[i].t_us);
  }
  EXPECT_EQ(on, wanted.on);
  EXPECT_TRUE(sorted);
  EXPECT_EQ(stream.width, wanted.width);
  EXPECT_EQ(stream.height, wanted.height);
  if (stream.events.empty()) return;
  EXPECT_EQ(stream.events.front().t_us, wanted.first_us);
  EXPECT_EQ(stream.events.back().t_us, wanted.last_us);
}

// Counts, times and polarities of AEDAT 2 were computed apart from this code, from the records themselves.
TEST_F(EventData, Recordings) {
  const std::string davis = "events/aedat2_davis240c/", synthetic = davis + "synthesized/";
  const std::vector<std::pair<std::string, Expected>> all = {
      {davis, {"IMU_rotDisk.aedat", 374296, 163098, 240, 180, 341678, 3508437}},
      {davis, {"IMU_translBoxes.aedat", 162771, 82944, 240, 180, 294976755, 297049406}},
      {davis, {"tonic_aedat_header_only.aedat", 0, 0, 346, 260, 0, 0}},
      {synthetic, {"OscillatingDoubleBar.aedat", 100000, 100000, 240, 180, 100000, 100000000}},
      {synthetic, {"RotatingBar.aedat", 45000, 45000, 240, 180, 100000, 90000000}},
      {synthetic, {"TranslatingBarX.aedat", 10000, 10000, 240, 180, 100000, 10000000}},
      {synthetic, {"TranslatingBarY.aedat", 10000, 10000, 240, 180, 100000, 10000000}},
      {synthetic, {"TranslatingSquare.aedat", 16000, 8000, 240, 180, 50000, 5000000}},
      {"events/aedat4/",
       {"aestream_davis.aedat4", 117667, 72363, 346, 260, 1633953690975950, 1633953691105949}},
      {"events/aedat4/",
       {"tonic_sample.aedat4", 111954, 55023, 320, 240, 1605537493718345, 1605537494308262}},
      {"events/es/", {"dvs.es", 473225, 270001, 320, 240, 0, 999000}},
      {"events/nmnist_bin/", {"sample_nmnist.bin", 4325, 2145, 0, 0, 654, 311175}},
      {"events/prophesee/", {"evt2_sample.raw", 539481, 367855, 640, 480, 1317888, 1367888}},
      {"events/prophesee/", {"evt2_sparklers.raw", 521252, 185861, 640, 480, 913716224, 913812095}},
      {"events/prophesee/", {"tonic_sample_ncars.dat", 2009, 1350, 0, 0, 0, 99952}},
      {"events/slayer_bs/", {"NTIDIGITS_1.bs1", 898, 898, 0, 0, 0, 1079040}},
      {"events/slayer_bs/", {"oxford_input.bs1", 1889, 1889, 0, 0, 300, 1888800}}};
  for (const auto& [folder, wanted] : all) check(read(folder + wanted.file), wanted);
  EXPECT_EQ(read("events/slayer_bs/oxford_output.bs1").events.size(), 10361u);  // sorted by channel
  EXPECT_THROW(read("events/es/generic.es"), DataError);
}

TEST_F(EventData, Dvs128) {
  const std::vector<Expected> misc = {
      {"alex_walking_again.aedat", 19182, 19182 - 12080, 128, 128, 41306606, 48193156},
      {"alex_walking_for_10secs.aedat", 125028, 125028 - 69052, 128, 128, 262847757, 270891631},
      {"foam90.aedat", 1575, 1575 - 328, 128, 128, 2693326797, 2698248407},
      {"neal_walking.aedat", 70304, 70304 - 36273, 128, 128, 135707767, 144951371}};
  for (const Expected& wanted : misc)
    check(read(std::string("events/aedat2_dvs128_misc/") + wanted.file), wanted);
  const std::map<std::string, size_t> counts = {
      {"session1/Caixa", 201523},     {"session1/Caneca", 351217},    {"session1/Celular", 307531},
      {"session1/Estilete", 314257},  {"session1/Lapiseira", 126164}, {"session1/Mouse", 293096},
      {"session1/Tesoura", 143655},   {"session2/Caixa", 374039},     {"session2/Caneca", 518133},
      {"session2/Cubo", 494435},      {"session2/Estilete", 413436},  {"session2/Estilete_1", 408860},
      {"session2/Lapiseira", 249545}, {"session2/Tesoura", 263941}};
  for (const auto& [name, count] : counts) {
    const EventStream stream = read("events/aedat2_dvs128_objects/" + name + ".aedat");
    ASSERT_EQ(stream.events.size(), count) << name;
    // Session 1 is beyond 2^31 us: a signed clock would be negative.
    EXPECT_EQ(stream.events.front().t_us > int64_t{1} << 31, name.rfind("session1", 0) == 0) << name;
    EXPECT_LT(stream.events.back().t_us - stream.events.front().t_us, 40000000) << name;
  }
}

struct Npy {
  Bytes bytes;
  size_t begin, record, count;
};

/// A .npy file of records (t i8, x i2, y i2, p u1, padding).
Npy read_npy(const std::string& path, size_t record) {
  Npy npy{read_file(path), 0, record, 0};
  npy.begin = 10 + le16(npy.bytes.data() + 8);
  npy.count = (npy.bytes.size() - npy.begin) / record;
  return npy;
}

TEST_F(EventData, PropheseeReferences) {
  struct Pair {
    const char *file, *reference;
    size_t record, count;
    int64_t drift;  ///< the reference's times are too late by multiples of this
  };
  for (const Pair& pair : {Pair{"NCARS_obj_004397_td.dat", "NCARS_obj_004397_td.npy", 13, 4407, 0},
                           Pair{"evt3_pedestrians_small.raw", "evt3_pedestrians_small.npy", 13, 5000, 4096},
                           Pair{"evt3_sample.raw", "evt3_sample.npy", 16, 219596, 4096}}) {
    SCOPED_TRACE(pair.file);
    const EventStream stream = read(std::string("events/prophesee/") + pair.file);
    const Npy npy = read_npy(root_ + "/events/prophesee/" + pair.reference, pair.record);
    ASSERT_EQ(npy.count, pair.count);
    ASSERT_EQ(stream.events.size(), pair.count);
    int64_t last = 0;
    for (size_t i = 0; i < npy.count; ++i) {
      const uint8_t* p = npy.bytes.data() + npy.begin + i * npy.record;
      const Event& event = stream.events[i];
      ASSERT_EQ(event.x, le16(p + 8)) << i;
      ASSERT_EQ(event.y, le16(p + 10)) << i;
      ASSERT_EQ(event.polarity, p[12]) << i;
      const int64_t off = static_cast<int64_t>(le32(p)) - event.t_us;
      ASSERT_TRUE(off == 0 || (pair.drift > 0 && off > 0 && off % pair.drift == 0)) << i << ": " << off;
      ASSERT_LE(last, event.t_us) << i;
      last = event.t_us;
    }
  }
}

/// Lines of comma-separated integers, without the first line.
std::vector<std::vector<int64_t>> read_csv(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::vector<int64_t>> rows;
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::vector<int64_t> row;
    for (std::string field; std::getline(fields, field, ',');) row.push_back(std::stoll(field));
    rows.push_back(row);
  }
  return rows;
}

TEST_F(EventData, Aedat31Labels) {
  // Events in the labelled intervals, in the order of the .csv files' rows.  Some intervals start 1 us after
  // the event that they are about (88 and 89 us), so 1 us more is allowed.
  const std::map<std::string, std::vector<size_t>> inside = {
      {"aedat1_for_testing", {3, 4, 2}}, {"aedat2_led", {2, 1, 3, 3}}, {"aedat3_fluorescent", {1, 3}}};
  for (const auto& [name, wanted] : inside) {
    const std::string base = "events/aedat31_mock/" + name;
    const EventStream stream = read(base + ".aedat");
    std::vector<size_t> found;
    for (const auto& row : read_csv(root_ + "/" + base + "_labels.csv")) {
      found.push_back(static_cast<size_t>(
          std::count_if(stream.events.begin(), stream.events.end(),
                        [&row](const Event& e) { return e.t_us >= row[1] - 1 && e.t_us <= row[2] + 1; })));
    }
    EXPECT_EQ(found, wanted) << name;
  }
  // The first packet, read by hand.
  const EventStream stream = read("events/aedat31_mock/aedat1_for_testing.aedat");
  const std::vector<Event> first = {
      {10, 0, 0, 1}, {25, 10, 20, 0}, {38, 120, 59, 1}, {48, 5, 9, 0}, {59, 9, 5, 1}};
  ASSERT_EQ(stream.events.size(), 12u);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), stream.events.begin()));
}

TEST_F(EventData, NmnistAndGesture) {
  const EventStream one = read("nmnist/train/1.bs2");
  const auto rows = read_csv(root_ + "/events/slayer_bs/1_raw_spikes.csv");
  ASSERT_EQ(one.events.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {  // x, y, p count from 1
    const Event& e = one.events[i];
    ASSERT_TRUE(e.x + 1 == rows[i][0] && e.y + 1 == rows[i][1] && e.polarity + 1 == rows[i][2] &&
                e.t_us == rows[i][3])
        << i;
  }
  size_t files = 0;
  for (const char* part : {"train", "test"}) {
    for (const auto& entry : std::filesystem::directory_iterator(root_ + "/nmnist/" + part)) {
      const EventStream stream = read_events(entry.path().string());
      ++files;
      ASSERT_GT(stream.events.size(), 100u);
      for (const Event& e : stream.events)
        ASSERT_TRUE(e.x < 34 && e.y < 34 && e.t_us < 400000) << entry.path();
    }
  }
  EXPECT_EQ(files, 1100u);
  const size_t counts[] = {63471, 84260, 113063, 151879, 181179, 124244, 159617, 101288, 141773, 85936};
  for (int i = 1; i <= 10; ++i) {
    const EventStream clip = read("dvs_gesture/" + std::to_string(i) + ".bs2");
    EXPECT_EQ(clip.events.size(), counts[i - 1]) << i;
    if (i == 1) {
      EXPECT_EQ(clip.events, read("events/slayer_bs/1.bs3").events);
    }
  }
}

}  // namespace spiketrain::event_data_test
