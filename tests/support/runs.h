// Runs of the tiny experiment in folders, stopped and resumed, and what must be equal in two of them.
#pragma once
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "spiketrain/base/file.h"
#include "spiketrain/train/checkpoint.h"
#include "tests/support/temp_dir.h"
#include "tests/support/tiny.h"

namespace spiketrain {

inline NamedTensors tensors_of(const std::string& path) {
  NamedTensors tensors;
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const TensorEntry& entry : file.entries()) tensors.emplace_back(entry.name, to_tensor(entry));
  return tensors;
}

/// Tensors of the newest checkpoint.
inline NamedTensors newest(const std::string& run) {
  const auto paths = list_checkpoints(run + "/ckpt");
  EXPECT_FALSE(paths.empty());
  return paths.empty() ? NamedTensors() : tensors_of(paths.front());
}

/// metrics.jsonl without what a clock, the memory or the wire tells.
inline std::vector<Config> metrics(const std::string& run) {
  std::vector<Config> lines;
  std::ifstream file(run + "/metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    Config json = Config::parse(line);
    for (const char* key : {"seconds", "evaluation_seconds", "samples_per_second", "peak_memory_mib",
                            "seconds_waiting", "bytes_sent"})
      json.erase(key);
    lines.push_back(json);
  }
  return lines;
}

/// One process's share of a run: a new experiment, resumed if asked, stopped after some batches (0: never).
/// True if it is complete.
inline bool run_part(const std::string& path, const std::vector<std::string>& sets, bool resume,
                     size_t stop_after, LossRecorder* recorder = nullptr,
                     const Config& environment = Config::object()) {
  Experiment experiment = tiny_experiment(sets);
  RunDir dir(path, resume);
  StopAfter observer(stop_after == 0 ? SIZE_MAX : stop_after);
  TrainerOptions options;
  options.run_dir = &dir;
  options.observers = {&observer};
  if (recorder) options.observers.push_back(recorder);
  options.environment = environment;
  options.stop = &observer.stop;
  Trainer trainer(experiment.training, options);
  if (resume) trainer.resume();
  return trainer.run();
}

inline void expect_same_run(const std::string& a, const std::string& b) {
  EXPECT_TRUE(same_tensors(newest(a), newest(b)));
  EXPECT_EQ(metrics(a), metrics(b));
  EXPECT_TRUE(
      same_tensors(tensors_of(a + "/ckpt/best.safetensors"), tensors_of(b + "/ckpt/best.safetensors")));
}

/// A run of a second or two from the command line.
inline std::string write_recipe(const TempDir& dir) {
  const std::string path = dir / "recipe.toml";
  write_file_atomic(path,
                    std::string("epochs = 2\n"
                                "[data]\nname = \"glyphs\"\nbatch = 20\ntrain_size = 600\ntest_size = 100\n"
                                "[network]\nname = \"spec\"\nspec = \"4C5-P2-10\"\n"
                                "[neuron]\nname = \"psp_lif\"\n[rule]\nname = \"tssl_bp\"\n"
                                "[objective]\nname = \"van_rossum\"\n"
                                "[train]\nclip_norm = 1.0\nclamp = 4.0\ncheckpoint_batches = 4\n"));
  return path;
}

inline std::string text_of(const std::string& path) {
  const Bytes bytes = read_file(path);
  return {bytes.begin(), bytes.end()};
}

}  // namespace spiketrain
