// Dataset = samples with targets, by index: what a loader makes batches of, wherever the samples come from.
//   sample   a static image [*], float32, shown at every step; or the steps themselves, T frames [T,*], uint8
//            (counts of events) or float32
//   target   a class; or values, a sequence or spike times, float32 (core/target.h)
// Both row-major.  What a sample looks like depends on (options, index, epoch) only, never on threads or
// order, so a run can be resumed anywhere.
// Tests: unit/dataset_test.cpp and one file per data set.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "spiketrain/core/signal.h"
#include "spiketrain/core/target.h"

namespace spiketrain {

/// What read() writes.
struct SampleSpec {
  Batch::Form form = Batch::Form::image;
  torch::ScalarType type = torch::kFloat;  ///< kFloat; frames also kByte
  Shape shape;                             ///< of the image, or of one frame: [C,H,W] or [N]
  int64_t steps = 0;                       ///< frames T; 0 for images
  /// Elements of one sample: steps, if there are any, times those of a frame.
  int64_t numel() const;

  static SampleSpec image(Shape shape);
  static SampleSpec frames(int64_t steps, Shape shape, torch::ScalarType type);
};
bool operator==(const SampleSpec& a, const SampleSpec& b);
inline bool operator!=(const SampleSpec& a, const SampleSpec& b) { return !(a == b); }

/// What read_target() writes, and what the network has to put out for it.
struct TargetSpec {
  Target::Kind kind = Target::Kind::class_index;
  Shape shape;          ///< of the network's output for one sample: {classes}, or that of the values
  int64_t classes = 0;  ///< class_index only
  int64_t extent = 0;   ///< sequence: steps T; spike_times: times per output; else 0
  /// class_index: what the classes are called; empty: by their numbers.  Not compared by ==.
  std::vector<std::string> class_names = {};
  /// Elements of one sample's target.
  int64_t numel() const;
  /// "3", or "3 dress" if the classes have names.
  std::string class_text(int64_t number) const;

  /// UsageError unless there are no names or one for each class.
  static TargetSpec class_index(int64_t classes, std::vector<std::string> names = {});
  static TargetSpec values(Shape shape);
  static TargetSpec sequence(int64_t steps, Shape shape);
};
bool operator==(const TargetSpec& a, const TargetSpec& b);
inline bool operator!=(const TargetSpec& a, const TargetSpec& b) { return !(a == b); }

/// All functions may be called from many threads.  With an index out of range: UsageError.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual const SampleSpec& sample() const = 0;
  virtual const TargetSpec& target() const = 0;
  /// Writes sample `index` of `epoch`, elements of sample().type: the image out[*], or its first
  /// length(index) frames out[length,*].  DataError if it is in a file that cannot be read.
  virtual void read(int64_t index, int64_t epoch, void* out) const = 0;
  /// Class of sample `index`, in [0, target().classes).  UsageError unless the targets are classes.
  virtual int64_t class_of(int64_t index) const;
  /// Writes the target of sample `index`: class_index out[1] int64, values out[*] float, sequence
  /// out[length,*] float, spike_times out[*,extent] float.
  virtual void read_target(int64_t index, void* out) const;
  /// Whether samples differ in length; the loader pads them with zeros then.
  virtual bool has_lengths() const { return false; }
  /// Steps of sample `index`, from 1 to steps(); steps() unless has_lengths().
  virtual int64_t length(int64_t /*index*/) const { return steps(); }
  /// What the sample is called, the same in every split and order: the key of its random streams.  Samples
  /// of one official part have different ids; that of `index` in the official part.
  virtual int64_t id(int64_t index) const { return index; }
  /// Whether a teacher's outputs are there to learn from.
  virtual bool has_teacher() const { return false; }
  /// Writes the teacher's output for sample `index` of `epoch`, out[*] float, shaped like the network's.  UsageError
  /// unless has_teacher().
  virtual void read_teacher(int64_t index, int64_t epoch, float* out) const;
  /// One line: name, split, size, shape, normalisation.
  virtual std::string describe() const = 0;

  /// T of the frames, or of a sequence to be learned from images; 0 if there is neither.
  int64_t steps() const;
};

/// The splits of a run.
struct Datasets {
  std::shared_ptr<const Dataset> train, validation, test;  ///< validation may be null
  /// "train", "validation" or "test".  UsageError for another name, and if there is no such split.
  std::shared_ptr<const Dataset> split(const std::string& name) const;
};

}  // namespace spiketrain
