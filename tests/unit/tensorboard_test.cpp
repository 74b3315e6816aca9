// Files of TensorBoard: records to the byte, what an epoch becomes, and what a resumed run adds.
#include "spiketrain/train/tensorboard.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <map>
#include <set>

#include "spiketrain/base/png.h"
#include "tests/support/message.h"
#include "tests/support/runs.h"

namespace spiketrain::tensorboard_test {

std::string hex(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) {
    const char* const digits = "0123456789abcdef";
    text += digits[static_cast<uint8_t>(byte) >> 4];
    text += digits[static_cast<uint8_t>(byte) & 15];
  }
  return text;
}

TEST(EventRecords, HaveTheBytesOfTensorFlow) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(hex(event_record(version_event(1000).text())),
            "1800000000000000a37f4b22090000000000408f401a0d627261696e2e4576656e743a3273ae6b56");
  EXPECT_EQ(hex(event_record(summary_event(1000, 7, scalar_value("loss", 0.5)).text())),
            "1a00000000000000129bd82d090000000000408f4010072a0d0a0b0a046c6f7373150000003fa65ccbfa");
}

TEST(EventRecords, NumbersOfManyBits) {
  EXPECT_EQ(hex(ProtoMessage().integer(1, 300).text()), "08ac02");
  EXPECT_EQ(hex(ProtoMessage().integer(20, UINT64_MAX).text()), "a001ffffffffffffffffff01");
  EXPECT_EQ(hex(ProtoMessage().numbers(6, {1, 2}).text()), "3210000000000000f03f0000000000000040");
  EXPECT_EQ(hex(ProtoMessage().numbers(6, {}).text()), "3200");
}

TEST(TensorBoard, HistogramsCountWhatIsFinite) {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  const Histogram h = histogram_of(torch::tensor({0.0, 1.0, 4.0, nan, 2.0, inf, -inf}, torch::kDouble), 4);
  EXPECT_EQ(h.least, 0);
  EXPECT_EQ(h.most, 4);
  EXPECT_EQ(h.sum, 7);
  EXPECT_EQ(h.sum_squares, 21);
  EXPECT_EQ(h.limits, (std::vector<double>{0, 1, 2, 3, 4}));
  EXPECT_EQ(h.counts, (std::vector<double>{1, 1, 1, 1}));
  EXPECT_TRUE(histogram_of(torch::full({3}, nan)).counts.empty());
  EXPECT_TRUE(histogram_of(torch::zeros({0})).counts.empty());
  const Histogram one = histogram_of(torch::full({3}, 2.0F), 2);
  EXPECT_EQ(one.counts, (std::vector<double>{3, 0}));
}

uint64_t big_endian(const std::string& bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

/// Pixels of a grey PNG with one chunk of data.
std::vector<uint8_t> pixels_of(const std::string& png, int64_t width, int64_t height) {
  EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1A\n");
  EXPECT_EQ(big_endian(png, 16), static_cast<uint64_t>(width));
  EXPECT_EQ(big_endian(png, 20), static_cast<uint64_t>(height));
  const size_t size = big_endian(png, 33);
  EXPECT_EQ(png.substr(37, 4), "IDAT");
  std::vector<uint8_t> rows(static_cast<size_t>((width + 1) * height)), pixels;
  uLongf length = rows.size();
  EXPECT_EQ(uncompress(rows.data(), &length, reinterpret_cast<const Bytef*>(png.data()) + 41, size), Z_OK);
  EXPECT_EQ(length, rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i % static_cast<size_t>(width + 1) != 0) pixels.push_back(rows[i]);
  }
  return pixels;
}

TEST(TensorBoard, KernelsLieSideBySide) {
  const std::vector<uint8_t> drawn = {0, 1, 2, 253, 254, 255};
  EXPECT_EQ(pixels_of(grey_png(3, 2, drawn), 3, 2), drawn);
  const Tensor W = torch::zeros({9, 2, 3, 3});
  W[0][0][0][0] = 2.0F;   // white
  W[8][1][2][2] = -2.0F;  // black, in the second row of kernels
  W[1][0][1][1] = std::nan("");
  const Picture p = kernels_picture(W);
  EXPECT_EQ(p.width, 8 * 7 * 8);
  EXPECT_EQ(p.height, 2 * 4 * 8);
  const std::vector<uint8_t> pixels = pixels_of(p.png, p.width, p.height);
  const auto at = [&](int64_t row, int64_t column) {
    return static_cast<int>(pixels[static_cast<size_t>(8 * row * p.width + 8 * column)]);
  };
  EXPECT_EQ(at(0, 0), 255);
  EXPECT_EQ(at(1, 1), 128);
  EXPECT_EQ(at(0, 6), 0);  // between two kernels
  EXPECT_EQ(at(1, 8), 0);  // no number
  EXPECT_EQ(at(6, 5), 0);
  EXPECT_EQ(at(4, 0), 128);
  EXPECT_EQ(at(4, 7), 0);  // no tenth kernel
}

/// Fields of a message: number -> contents, of numbers their bytes.
std::multimap<uint64_t, std::string> fields(const std::string& text) {
  std::multimap<uint64_t, std::string> all;
  size_t at = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(text.at(at++));
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < text.size()) {
    const uint64_t key = varint();
    const size_t from = at;
    if ((key & 7) == 0) {
      all.emplace(key >> 3, std::to_string(varint()));
      continue;
    }
    const size_t size = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : varint();
    all.emplace(key >> 3, text.substr((key & 7) == 2 ? at : from, size));
    at += size;
  }
  return all;
}

std::string field(const std::string& text, uint64_t number) {
  const auto all = fields(text);
  const auto found = all.find(number);
  return found == all.end() ? "" : found->second;
}

/// The messages of a file, whose checksums have to be right.
std::vector<std::string> events_of(const std::string& path) {
  const std::string bytes = text_of(path);
  std::vector<std::string> events;
  for (size_t at = 0; at < bytes.size();) {
    uint64_t size = 0;
    for (size_t i = 0; i < 8; ++i)
      size |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
    events.push_back(bytes.substr(at + 12, size));
    EXPECT_EQ(bytes.substr(at, size + 16), event_record(events.back()));
    at += size + 16;
  }
  return events;
}

/// Part of a run with an observer; the file it wrote.
std::string write_part(const std::string& run, bool resume, size_t stop_after) {
  Experiment experiment = tiny_experiment({"epochs=2", "network.spec=6C3-P2-4"});
  RunDir dir(run, resume);
  StopAfter stop(stop_after == 0 ? SIZE_MAX : stop_after);
  TensorBoardObserver board(dir.file("tensorboard"));
  TrainerOptions options;
  options.run_dir = &dir;
  options.observers = {&stop, &board};
  options.stop = &stop.stop;
  Trainer trainer(experiment.training, options);
  if (resume) trainer.resume();
  EXPECT_EQ(trainer.run(), stop_after == 0);
  return board.path();
}

TEST(TensorBoard, AnEpochIsItsMetricsWeightsAndKernels) {
  const TempDir dir;
  const std::string run = dir / "run", first = write_part(run, false, 7), second = write_part(run, true, 0);
  EXPECT_NE(first, second);
  std::set<std::string> tags, steps;
  std::map<std::string, float> last;
  for (const std::string& path : {first, second}) {
    const std::vector<std::string> events = events_of(path);
    ASSERT_GT(events.size(), 5U);
    EXPECT_EQ(field(events[0], 3), "brain.Event:2");
    const bool resumed = path == second;
    EXPECT_EQ(field(events[1], 7), resumed ? ProtoMessage().integer(1, 1).text() : "");
    EXPECT_EQ(field(events[1], 2), resumed ? "2" : "1");
    for (size_t k = resumed ? 2 : 1; k < events.size(); ++k) {
      const std::string value = field(field(events[k], 5), 1), number = field(value, 2);
      tags.insert(field(value, 1));
      steps.insert(field(events[k], 2));
      if (number.size() == sizeof(float)) std::memcpy(&last[field(value, 1)], number.data(), sizeof(float));
    }
  }
  EXPECT_EQ(steps, (std::set<std::string>{"1", "2"}));
  for (const char* tag :
       {"loss/train", "loss/test", "accuracy/train", "accuracy/test", "rate/0_6C3", "learning/lr",
        "learning/grad_norm", "learning/clipped", "learning/optimizer_steps", "speed/samples_per_second",
        "speed/evaluation_seconds", "weight/1.synapse.weight", "kernels/1.synapse.weight"})
    EXPECT_EQ(tags.count(tag), 1U) << tag << " of "
                                   << join(std::vector<std::string>(tags.begin(), tags.end()));
  const Config line = metrics(run).back();
  EXPECT_EQ(last.at("loss/train"), line.at("train_loss").get<float>());
  EXPECT_EQ(last.at("accuracy/test"), line.at("test_accuracy").get<float>());
  EXPECT_EQ(last.at("learning/optimizer_steps"), line.at("optimizer_steps").get<float>());
  EXPECT_EQ(last.at("learning/clipped"), line.at("clipped").get<float>());
}

/// A run that was killed before its first checkpoint begins again: what the first file says of epoch 1 must not stay.
TEST(TensorBoard, ARunThatBeginsAnewSaysSo) {
  const TempDir dir;
  const std::string run = dir / "run", first = write_part(run, false, 3);
  for (const std::string& path : list_checkpoints(run + "/ckpt")) std::filesystem::remove(path);
  const std::vector<std::string> before = events_of(first), again = events_of(write_part(run, true, 0));
  EXPECT_EQ(before.size(), 1U) << "no epoch was complete, and none begins again";
  ASSERT_GT(again.size(), 2U);
  EXPECT_EQ(field(again[1], 7), ProtoMessage().integer(1, 1).text());
  EXPECT_EQ(field(again[1], 2), "1");
}

TEST(TensorBoard, AFolderThatCannotBeMadeIsNamed) {
  const TempDir dir;
  write_file_atomic(dir / "file", std::string("x"));
  Experiment experiment = tiny_experiment({});
  TensorBoardObserver board(dir / "file/tensorboard");
  TrainerOptions options;
  options.observers = {&board};
  Trainer trainer(experiment.training, options);
  EXPECT_NE(message_of<SystemError>([&] { trainer.run(); }).find("file/tensorboard"), std::string::npos);
}

}  // namespace spiketrain::tensorboard_test
