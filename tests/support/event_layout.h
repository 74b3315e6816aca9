// Data sets of events in a temporary folder: recordings that can be told apart, and where the real ones are.
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/data/events/event_stream.h"
#include "spiketrain/data/split.h"
#include "tests/support/event_files.h"
#include "tests/support/temp_dir.h"

namespace spiketrain {

inline void put_file(const std::string& path, const Bytes& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  write_file_atomic(path, {ByteSpan(bytes)});
}
inline void put_file(const std::string& path, const std::string& text) {
  put_file(path, Bytes(text.begin(), text.end()));
}

/// `n` events, one every millisecond from `first_us` on, in pixel (mark, 1).
inline std::vector<Event> marked(uint16_t mark, int64_t n = 10, int64_t first_us = 1000) {
  std::vector<Event> events;
  for (int64_t i = 0; i < n; ++i) events.push_back({first_us + 1000 * i, mark, 1, 1});
  return events;
}

/// The column of the first event tells which recording a sample is.
inline std::vector<int> marks(const EventSource& source) {
  std::vector<int> result;
  for (int64_t i = 0; i < source.size(); ++i) result.push_back(source.events(i).events.at(0).x);
  return result;
}
inline std::vector<int64_t> labels(const EventSource& source) {
  std::vector<int64_t> result;
  for (int64_t i = 0; i < source.size(); ++i) result.push_back(source.label(i));
  return result;
}

inline std::string message(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

struct Layout : testing::Test {
  DataOptions named(const std::string& name) {
    DataOptions options;
    options.name = name;
    options.dir = dir.path();
    options.steps = 5;
    return options;
  }
  TempDir dir;
};

/// Folder of the real data, or "" where it is not.
inline std::string real_data(const std::string& below) {
  const char* dir = std::getenv("SPIKETRAIN_DATA");
  return dir && std::filesystem::exists(std::string(dir) + below) ? dir : "";
}

}  // namespace spiketrain
