// A damaged checkpoint is found, kept and passed over.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/process.h"
#include "tests/support/runs.h"

namespace spiketrain::damage_test {

namespace fs = std::filesystem;

void flip(const std::string& path, int64_t byte, int bit) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(byte);
  const char changed = static_cast<char>(file.get() ^ (1 << bit));
  file.seekp(byte);
  file.put(changed);
}

/// One bit in the middle of the last tensor.
void damage(const std::string& path) { flip(path, static_cast<int64_t>(file_size(path)) - 10, 3); }

TEST(Damage, AFlippedBitAnywhereIsFound) {
  TempDir dir;
  EXPECT_FALSE(run_part(dir / "run", {}, false, 2));
  const std::string path = list_checkpoints(dir / "run/ckpt").front();
  EXPECT_TRUE(open_checkpoint(path).is_sealed());
  const auto size = static_cast<int64_t>(file_size(path));
  for (int64_t i = 0; i < size; ++i) {
    const int bit = static_cast<int>(i % 8);
    flip(path, i, bit);
    EXPECT_THROW(open_checkpoint(path), DataError) << "byte " << i;
    flip(path, i, bit);
  }
  EXPECT_NO_THROW(open_checkpoint(path));
}

TEST(Damage, ResumeTakesTheCheckpointBefore) {
  TempDir dir;
  EXPECT_TRUE(run_part(dir / "whole", {"train.keep=9"}, false, 0));
  fs::copy(dir / "whole", dir / "run", fs::copy_options::recursive);
  const std::string newest_path = list_checkpoints(dir / "run/ckpt").front();
  damage(newest_path);
  LossRecorder recorder;
  EXPECT_TRUE(run_part(dir / "run", {"train.keep=9"}, true, 0, &recorder));
  expect_same_run(dir / "whole", dir / "run");
  EXPECT_TRUE(file_exists(newest_path + ".damaged"));
  ASSERT_FALSE(recorder.messages.empty());
  EXPECT_NE(recorder.messages[0].find("the file is damaged"), std::string::npos) << recorder.messages[0];
  EXPECT_NE(recorder.messages[0].find(newest_path), std::string::npos) << recorder.messages[0];
}

/// What cannot be read now may be sound: the run stops and nothing is renamed.
TEST(Damage, AFileThatTheSystemRefusesIsNotDamaged) {
  TempDir dir;
  EXPECT_FALSE(run_part(dir / "run", {"train.keep=9"}, false, 4));
  const std::string newest = list_checkpoints(dir / "run/ckpt").front();
  fs::rename(newest, newest + ".away");
  fs::create_symlink(newest + ".nowhere", newest);
  EXPECT_NE(message_of<SystemError>([&] { run_part(dir / "run", {"train.keep=9"}, true, 0); }).find(newest),
            std::string::npos);
  EXPECT_TRUE(fs::is_symlink(newest));
  fs::rename(newest + ".away", newest);
  EXPECT_TRUE(run_part(dir / "run", {"train.keep=9"}, true, 0));
}

TEST(Damage, AFileOfANewerProgramIsRefusedAndStays) {
  TempDir dir;
  EXPECT_FALSE(run_part(dir / "run", {}, false, 2));
  const std::string newest = list_checkpoints(dir / "run/ckpt").front();
  std::map<std::string, std::string> metadata = open_checkpoint(newest).metadata();
  metadata.erase(SafetensorsFile::kSeal);
  metadata["version"] = "99";
  save_tensors(newest, tensors_of(newest), metadata);
  EXPECT_NE(message_of<UsageError>([&] { run_part(dir / "run", {}, true, 0); }).find("newer Spiketrain"),
            std::string::npos);
  EXPECT_TRUE(file_exists(newest));
  metadata["kind"] = "of another tool";
  save_tensors(dir / "other.safetensors", tensors_of(newest), metadata);
  EXPECT_NO_THROW(open_checkpoint(dir / "other.safetensors"));
}

TEST(Damage, OnTheCommandLine) {
  TempDir dir;
  const std::string recipe = write_recipe(dir), run = dir / "run", log = dir / "log.txt";
  const auto call = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ST_CLI);
    return wait_for(spawn(arguments, log));
  };
  ASSERT_EQ(call({"train", recipe, "--out", run}), 0) << text_of(log);
  const std::vector<std::string> all = list_checkpoints(run + "/ckpt");
  ASSERT_GE(all.size(), 2u);
  damage(all[0]);
  EXPECT_EQ(call({"eval", run, "--checkpoint", "last"}), 0);
  EXPECT_NE(text_of(log).find("warning: checkpoint cannot be read"), std::string::npos) << text_of(log);
  EXPECT_NE(text_of(log).find(all[1]), std::string::npos) << text_of(log);
  EXPECT_EQ(call({"eval", all[0]}), 3) << text_of(log);
  damage(run + "/ckpt/best.safetensors");
  EXPECT_EQ(call({"eval", run}), 3) << text_of(log);
  for (size_t i = 1; i < all.size(); ++i) damage(all[i]);
  EXPECT_EQ(call({"eval", run, "--checkpoint", "last"}), 3);
  EXPECT_NE(text_of(log).find("checkpoints can be read"), std::string::npos) << text_of(log);
  EXPECT_EQ(call({"train", "--resume", "--out", run}), 3);
  EXPECT_NE(text_of(log).find("checkpoints can be read"), std::string::npos) << text_of(log);
  EXPECT_TRUE(file_exists(all[0]));
}

}  // namespace spiketrain::damage_test
