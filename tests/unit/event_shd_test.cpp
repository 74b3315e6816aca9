// SHD files written here: every width of float, order, labels, threads, damage.
#include <gtest/gtest.h>
#include <hdf5.h>
#include <sys/resource.h>

#include <fstream>
#include <thread>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/data/events/shd.h"
#include "tests/support/memory_peak.h"
#include "tests/support/message.h"
#include "tests/support/mutation.h"
#include "tests/support/temp_dir.h"

namespace spiketrain::event_shd_test {

struct Recording {
  std::vector<double> times;
  std::vector<int64_t> units;
  int64_t label;
};

/// IEEE half precision, as the data sets use it.
hid_t half() {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(type, 15, 10, 5, 0, 10);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, 15);
  return type;
}

template <class T>
void write_lists(hid_t file, const char* name, hid_t stored, hid_t native,
                 const std::vector<Recording>& recordings, std::vector<T> Recording::*list) {
  std::vector<hvl_t> rows;
  for (const Recording& r : recordings) rows.push_back({(r.*list).size(), const_cast<T*>((r.*list).data())});
  const hsize_t count = rows.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t type = H5Tvlen_create(stored), memory = H5Tvlen_create(native);
  const hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, rows.data()), 0);
  H5Dclose(data);
  H5Tclose(memory);
  H5Tclose(type);
  H5Sclose(space);
}

void write_shd(const std::string& path, const std::vector<Recording>& recordings, hid_t time_type) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(H5Gcreate2(file, "spikes", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  write_lists(file, "spikes/times", time_type, H5T_NATIVE_DOUBLE, recordings, &Recording::times);
  write_lists(file, "spikes/units", H5T_STD_U16LE, H5T_NATIVE_INT64, recordings, &Recording::units);
  std::vector<int64_t> labels;
  for (const Recording& r : recordings) labels.push_back(r.label);
  const hsize_t count = labels.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t data = H5Dcreate2(file, "labels", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  ASSERT_GE(H5Dwrite(data, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels.data()), 0);
  H5Dclose(data);
  H5Sclose(space);
  H5Fclose(file);
}

std::vector<Recording> recordings() {
  return {{{0.0, 0.25, 0.5, 1.0625}, {699, 0, 3, 3}, 19}, {{}, {}, 0}, {{0.125}, {42}, 7}};
}

TEST(EventShd, EveryFloat) {
  TempDir dir;
  const hid_t f16 = half();
  for (const hid_t type : {f16, H5T_IEEE_F32LE, H5T_IEEE_F64LE}) {
    write_shd(dir / "f.h5", recordings(), type);
    const ShdFile file(dir / "f.h5");
    ASSERT_EQ(file.size(), 3);
    EXPECT_EQ(file.label(0), 19);
    EXPECT_EQ(file.label(2), 7);
    const EventStream stream = file.events(0);
    EXPECT_EQ(stream.width, 700);
    EXPECT_EQ(stream.height, 1);
    const std::vector<Event> wanted = {
        {0, 699, 0, 1}, {250000, 0, 0, 1}, {500000, 3, 0, 1}, {1062500, 3, 0, 1}};
    EXPECT_EQ(stream.events, wanted);
    EXPECT_TRUE(file.events(1).events.empty());
    EXPECT_EQ(file.events(2).events.size(), 1u);
    EXPECT_THROW(file.events(3), UsageError);
    EXPECT_THROW(file.label(-1), UsageError);
  }
  H5Tclose(f16);
}

TEST(EventShd, Threads) {
  TempDir dir;
  write_shd(dir / "f.h5", recordings(), H5T_IEEE_F32LE);
  ShdFile first(dir / "f.h5");
  const ShdFile file = std::move(first);
  std::vector<std::thread> threads;
  std::vector<int64_t> counts(4);
  for (size_t i = 0; i < counts.size(); ++i) {
    threads.emplace_back([&file, &count = counts[i]] {
      for (int64_t k = 0; k < 300; ++k) count += static_cast<int64_t>(file.events(k % 3).events.size());
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int64_t count : counts) EXPECT_EQ(count, 500);
}

TEST(EventShd, Refuses) {
  TempDir dir;
  EXPECT_THROW(ShdFile(dir / "missing.h5"), DataError);
  write_file_atomic(dir / "text.h5", "no HDF5");
  EXPECT_THROW(ShdFile(dir / "text.h5"), DataError);
  const std::vector<Recording> bad = {
      {{0.5}, {700}, 0}, {{0.5, 1}, {3}, 0}, {{-1}, {3}, 0}, {{0.0 / 0.0}, {3}, 0}};
  write_shd(dir / "bad.h5", bad, H5T_IEEE_F32LE);
  const ShdFile file(dir / "bad.h5");
  for (int64_t i = 0; i < file.size(); ++i) EXPECT_THROW(file.events(i), DataError) << i;
}

TEST(EventShd, CutOff) {
  TempDir dir;
  write_shd(dir / "f.h5", recordings(), H5T_IEEE_F32LE);
  const Bytes good = read_file(dir / "f.h5");
  for (size_t size = 0; size < good.size(); size += 37) {
    write_file_atomic(dir / "cut.h5", {ByteSpan(good.data(), size)});
    try {
      const ShdFile file(dir / "cut.h5");
      for (int64_t i = 0; i < file.size(); ++i) file.events(i);
    } catch (const DataError&) {
      continue;
    }
    ADD_FAILURE() << "a file cut at byte " << size << " was read";
  }
}

/// HDF5 1.10 reads behind a chunk that does not fill its place.
TEST(EventShd, ShortChunks) {
  TempDir dir;
  for (const char* name : {"labels", "spikes/units"}) {
    write_shd(dir / "f.h5", recordings(), H5T_IEEE_F32LE);
    const hid_t file = H5Fopen((dir / "f.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
    H5Ldelete(file, name, H5P_DEFAULT);
    const hsize_t count = 3, zero = 0;
    const hid_t space = H5Screate_simple(1, &count, nullptr), plist = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t type = name[0] == 'l' ? H5Tcopy(H5T_STD_I64LE) : H5Tvlen_create(H5T_STD_U16LE);
    H5Pset_chunk(plist, 1, &count);
    H5Pset_deflate(plist, 1);
    const hid_t data = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    const Bytes one(8, 0);
    ASSERT_GE(H5Dwrite_chunk(data, H5P_DEFAULT, 1, &zero, one.size(), one.data()), 0);
    H5Dclose(data);
    H5Tclose(type);
    H5Pclose(plist);
    H5Sclose(space);
    H5Fclose(file);
    const std::string what = message_of<DataError>([&] { ShdFile(dir / "f.h5").events(0); });
    EXPECT_NE(what.find(std::string(name) + ": a chunk does not unpack to its"), std::string::npos) << what;
  }
}

/// Most memory this process has used so far, bytes.
int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

TEST(EventShd, Damaged) {
  TempDir dir;
  write_shd(dir / "f.h5", recordings(), H5T_IEEE_F32LE);
  const Bytes good = read_file(dir / "f.h5");
  const int64_t before = peak_bytes();
  int refused = 0;
  const uint64_t cases = 600;
  for (uint64_t i = 0; i < cases; ++i) {
    Rng rng(50, Purpose::test, 1, i);
    Bytes bytes = good;
    for (uint64_t edits = 1 + rng.below(4); edits > 0; --edits) mutate(bytes, rng);
    std::ofstream(dir / "bad.h5", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    try {
      const ShdFile file(dir / "bad.h5");
      ASSERT_LE(file.size(), static_cast<int64_t>(bytes.size()));
      for (int64_t k = 0; k < file.size(); ++k) file.events(k);
    } catch (const DataError&) {
      ++refused;
    } catch (const std::exception& error) {
      FAIL() << "case " << i << ": " << error.what();
    }
  }
  EXPECT_GT(refused, 150) << "the edits do not reach the checks";
  EXPECT_LT(peak_bytes() - before, int64_t{64} << 20);
}

TEST(EventShd, RecordingsStayInTheFile) {
  TempDir dir;
  constexpr int64_t kRecordings = 2000, kSpikes = 8000;
  {
    std::vector<Recording> many(kRecordings);
    for (int64_t k = 0; k < kRecordings; ++k) {
      for (int64_t i = 0; i < kSpikes; ++i) {
        many[static_cast<size_t>(k)].times.push_back(static_cast<double>(i) / 8192);
        many[static_cast<size_t>(k)].units.push_back((k + i) % 700);
      }
      many[static_cast<size_t>(k)].label = k % 20;
    }
    write_shd(dir / "f.h5", many, H5T_IEEE_F32LE);
  }
  ASSERT_GT(file_size(dir / "f.h5"), uint64_t{90} << 20);
  const int64_t growth = peak_growth([&] {
    const ShdFile file(dir / "f.h5");
    ASSERT_EQ(file.size(), kRecordings);
    for (int64_t k = 0; k < kRecordings; ++k) {
      const EventStream stream = file.events(k);
      ASSERT_EQ(stream.events.size(), static_cast<size_t>(kSpikes));
      ASSERT_EQ(stream.events[1].x, (k + 1) % 700);
    }
  });
  if (growth < 0) GTEST_SKIP() << "the memory that is taken cannot be measured here";
  EXPECT_LT(growth, int64_t{32} << 20);
}

}  // namespace spiketrain::event_shd_test
