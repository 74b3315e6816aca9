// Events of an event camera (or a silicon cochlea), and where a data set of them comes from.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spiketrain {

/// One address event.
struct Event {
  int64_t t_us;      ///< time in microseconds, from the recording's own origin
  uint16_t x, y;     ///< pixel, (0, 0) in the top left corner; a cochlea's channel is x, its y is 0
  uint8_t polarity;  ///< 1: brighter (ON), 0: darker (OFF)
};
inline bool operator==(const Event& a, const Event& b) {
  return a.t_us == b.t_us && a.x == b.x && a.y == b.y && a.polarity == b.polarity;
}

/// A recording: events in the order of the file, which is that of their times for a well-formed one.
struct EventStream {
  int64_t width = 0, height = 0;  ///< of the sensor; 0 if the file does not say
  std::vector<Event> events;
};

/// Labelled recordings: what a data set of event frames is made from.
class EventSource {
 public:
  virtual ~EventSource() = default;
  virtual int64_t size() const = 0;
  virtual int64_t width() const = 0;
  virtual int64_t height() const = 0;
  /// Number of polarities, 2 for a camera, 1 for a cochlea.
  virtual int64_t polarities() const { return 2; }
  virtual int64_t classes() const = 0;
  /// What the classes are called; empty: by their numbers.
  virtual std::vector<std::string> class_names() const { return {}; }
  /// Class of sample `index`, in [0, classes()).
  virtual int64_t label(int64_t index) const = 0;
  /// Samples with equal numbers are cut from one file: who needs one of them soon needs the others too, and
  /// should take them together.
  virtual int64_t recording(int64_t index) const { return index; }
  /// The events of sample `index`, sorted by time and inside width x height.  Callable from many threads.
  /// DataError if its file cannot be read.
  virtual EventStream events(int64_t index) const = 0;
  /// One line: name, split, number of samples.
  virtual std::string describe() const = 0;
};

}  // namespace spiketrain
