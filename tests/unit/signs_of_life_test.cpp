// Who is lost, and what the others are told; the meeting point is a map here.
#include "spiketrain/parallel/signs_of_life.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>

namespace spiketrain::signs_of_life_test {

using namespace std::chrono_literals;

struct Map {
  std::mutex mutex;
  std::map<std::string, std::string> values;
  std::atomic<bool> hangs{false}, broken{false};
};

struct Point final : MeetingPoint {
  explicit Point(std::shared_ptr<Map> m) : map(std::move(m)) {}
  void set(const std::string& key, const std::string& value) override {
    answer();
    const std::lock_guard<std::mutex> lock(map->mutex);
    map->values[key] = value;
  }
  std::string get(const std::string& key) override {
    answer();
    const std::lock_guard<std::mutex> lock(map->mutex);
    return map->values[key];
  }
  void answer() const {
    while (map->hangs) std::this_thread::sleep_for(10ms);
    if (map->broken) throw std::runtime_error("connection refused");
  }
  std::shared_ptr<Map> map;
};

/// What a process heard of a loss.
struct Heard {
  std::mutex mutex;
  std::condition_variable changed;
  std::string what;
  void hear(const std::string& text) {
    const std::lock_guard<std::mutex> lock(mutex);
    what = text;
    changed.notify_all();
  }
  std::string wait(std::chrono::milliseconds most) {
    std::unique_lock<std::mutex> lock(mutex);
    changed.wait_for(lock, most, [this] { return !what.empty(); });
    return what;
  }
};

std::unique_ptr<SignsOfLife> process(const std::shared_ptr<Map>& map, int64_t rank, int64_t size,
                                     const std::shared_ptr<Heard>& heard) {
  return std::make_unique<SignsOfLife>(std::make_unique<Point>(map), rank, size, 0, 1500ms,
                                       [heard](const std::string& what) { heard->hear(what); });
}

TEST(SignsOfLife, NothingIsSaidWhileAllLive) {
  const auto map = std::make_shared<Map>();
  const auto heard = std::make_shared<Heard>();
  const auto a = process(map, 0, 2, heard), b = process(map, 1, 2, heard);
  EXPECT_EQ(heard->wait(3000ms), "");
  a->leave("");
  b->leave("");
}

TEST(SignsOfLife, OneThatFallsSilentIsNamedToAll) {
  const auto map = std::make_shared<Map>();
  const auto heard = std::make_shared<Heard>(), other = std::make_shared<Heard>(),
             none = std::make_shared<Heard>();
  const auto a = process(map, 0, 3, heard), b = process(map, 1, 3, other);
  auto c = process(map, 2, 3, none);
  std::this_thread::sleep_for(700ms);
  c.reset();  // without a word
  for (const auto& h : {heard, other})
    EXPECT_EQ(h->wait(15s).rfind("the process of rank 2 has given no sign of life for ", 0), 0u)
        << h->wait(0ms);
}

TEST(SignsOfLife, WhoSaysWhyItEndsIsQuoted) {
  const auto map = std::make_shared<Map>();
  const auto heard = std::make_shared<Heard>(), none = std::make_shared<Heard>();
  const auto a = process(map, 0, 2, heard), b = process(map, 1, 2, none);
  b->leave("weights.bin: no such file");
  EXPECT_EQ(heard->wait(10s), "the process of rank 1 ended: weights.bin: no such file");
  EXPECT_EQ(none->wait(0ms), "");
}

TEST(SignsOfLife, WhoHasDoneItsWorkIsNotMissed) {
  const auto map = std::make_shared<Map>();
  const auto heard = std::make_shared<Heard>(), none = std::make_shared<Heard>();
  const auto a = process(map, 0, 2, heard);
  auto b = process(map, 1, 2, none);
  b->leave("");
  b.reset();
  EXPECT_EQ(heard->wait(3000ms), "");
}

TEST(SignsOfLife, AMeetingPointThatDoesNotAnswerIsALoss) {
  for (const bool hangs : {true, false}) {
    const auto map = std::make_shared<Map>();
    const auto heard = std::make_shared<Heard>();
    const auto b = process(map, 1, 2, heard);
    std::this_thread::sleep_for(300ms);
    (hangs ? map->hangs : map->broken) = true;
    EXPECT_EQ(
        heard->wait(15s).rfind("the process of rank 0, at which the processes meet, does not answer", 0), 0u);
    map->hangs = false;
  }
}

TEST(SignsOfLife, ExplainsAFailedMessage) {
  const auto map = std::make_shared<Map>();
  const auto heard = std::make_shared<Heard>(), none = std::make_shared<Heard>();
  const auto a = process(map, 0, 2, heard);
  auto b = process(map, 1, 2, none);
  std::this_thread::sleep_for(700ms);
  b.reset();
  EXPECT_EQ(a->explain("broken pipe").rfind("the process of rank 1 has given no sign of life", 0), 0u);
  EXPECT_EQ(heard->wait(3000ms), "");  // it was told already
}

TEST(SignsOfLife, AMessageThatFailsWithoutALossIsGivenBack) {
  const auto map = std::make_shared<Map>();
  const auto heard = std::make_shared<Heard>();
  const auto a = process(map, 0, 2, heard), b = process(map, 1, 2, heard);
  EXPECT_EQ(a->explain("broken pipe"), "broken pipe");
}

}  // namespace spiketrain::signs_of_life_test
