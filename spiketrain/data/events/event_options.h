// Section [events] of a recipe: how recordings become frames, what is filtered and augmented, and where one's
// own recordings are.  The number of frames T is the recipe's `steps`.
// Tests: unit/framing_test.cpp, unit/frame_dataset_test.cpp, unit/event_sets_test.cpp.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "spiketrain/base/options.h"

namespace spiketrain {

struct EventOptions {
  std::string by = "time", origin = "first";
  int64_t dt_us = 0, offset_us = 0, duration_us = 0;
  std::string accumulate = "count";
  int64_t clip = 1;
  bool crop = false;
  int64_t downsample = 1;
  std::vector<int64_t> size;
  std::string polarity = "both";
  bool flip = false;
  int64_t roll = 0;
  double drop = 0;
  int64_t noise_filter_us = 0, refractory_us = 0;
  int64_t cache_mib = 1024;
  double train_share = 0.9, test_share = 0;
  int64_t test_seed = 1;
  std::string folder = "event-folder", train_dir = "train", test_dir = "test", extension;
  std::vector<int64_t> sensor;
  int64_t clip_us = 0, stride_us = 0;
  int64_t recording_us = 300000;
  double threshold = 0.25, noise_hz = 0.5, speed = 40, sway = 1, contrast = 0.25;

  template <class V>
  void visit(V& v) {
    constexpr double kLongest = 1e12;
    v(by, "by", "time: frames of equal duration; count: frames of equal numbers of events",
      Choices{{"time", "count"}});
    v(dt_us, "dt_us",
      "with by = \"time\": duration of a frame, microseconds; 0: the window is cut into T equal parts",
      Range{0, kLongest});
    v(origin, "origin", "where the window begins: at the first event, or at time zero of the recording",
      Choices{{"first", "zero"}});
    v(offset_us, "offset_us", "the window begins this many microseconds after `origin`", Range{0, kLongest});
    v(duration_us, "duration_us", "length of the window, microseconds; 0: up to the last event",
      Range{0, kLongest});
    v(accumulate, "accumulate",
      "value of a pixel of a frame: or: 0 or 1; count: number of events, at most 255; clip: number of events, at most `clip`",
      Choices{{"or", "count", "clip"}});
    v(clip, "clip", "largest value of a pixel, for accumulate = \"clip\"", Range{1, 255});
    v(crop, "crop", "keep the centred square of the sensor");
    v(downsample, "downsample", "this many pixels of the sensor, in each direction, become one",
      Range{1, 1e4});
    v(size, "size", "[s] or [height, width]: down-sample to this size; []: as downsample says");
    v(polarity, "polarity", "a channel for OFF and one for ON, or one for both together",
      Choices{{"both", "merged"}});
    v(flip, "flip", "training: mirror left-right with probability 1/2");
    v(roll, "roll", "training: shift by up to this many pixels of a frame in each direction", Range{0, 1e4});
    v(drop, "drop", "training: each event is left out with this probability", Range{0, 1});
    v(noise_filter_us, "noise_filter_us",
      "noise filter: keep an event only if one of the eight neighbouring pixels had one in the last so many microseconds; 0: off",
      Range{0, kLongest});
    v(refractory_us, "refractory_us",
      "drop events that follow the last kept event of the same pixel within so many microseconds; 0: off",
      Range{0, kLongest});
    v(cache_mib, "cache_mib",
      "room for samples kept from the first epoch on, per split, in a file without a name in TMPDIR (else /tmp)",
      Range{0, 1e7});
    v(train_share, "train_share", "cifar10-dvs: share of each class that is the training part", Range{0, 1});
    v(folder, "folder", "event-folder: folder of the recordings, below --data-dir unless it begins with /");
    v(train_dir, "train_dir", "event-folder: training part; a class is a folder in it, or a file");
    v(test_dir, "test_dir", "event-folder: test part");
    v(test_share, "test_share",
      "event-folder: share of each class's recordings in train_dir that is held out as the test part, whole files, chosen by test_seed; 0: the test part is test_dir",
      Range{0, 0.999});
    v(test_seed, "test_seed", "event-folder: which recordings test_share holds out", Range{0, 1e15});
    v(extension, "extension", "event-folder: only files with this ending; \"\": every known one");
    v(sensor, "sensor",
      "[height, width]; []: event-folder: as the first training file says; glyph-, motion-events: 34 x 34");
    v(clip_us, "clip_us", "event-folder: cut recordings into clips of this length; 0: whole recordings",
      Range{0, kLongest});
    v(stride_us, "stride_us", "event-folder: time from one clip to the next; 0: clip_us", Range{0, kLongest});
    v(recording_us, "recording_us", "glyph-, motion-events: length of a recording", Range{1e3, 1e7});
    v(threshold, "threshold", "glyph-, motion-events: change of log intensity that fires an event",
      Range{0.02, 10});
    v(noise_hz, "noise_hz", "glyph-, motion-events: background events per pixel and second", Range{0, 1e4});
    v(speed, "speed", "motion-events: pixels per second", Range{0, 1e4});
    v(sway, "sway",
      "motion-events: speed of the two distracting motions that cancel, relative to that of the class; 0: none",
      Range{0, 1});
    v(contrast, "contrast", "motion-events: standard deviation of the log intensity", Range{0, 10});
  }
};

}  // namespace spiketrain
