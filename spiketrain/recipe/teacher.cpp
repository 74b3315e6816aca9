#include "spiketrain/recipe/teacher.h"

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "spiketrain/base/file.h"
#include "spiketrain/base/sha256.h"
#include "spiketrain/core/teacher.h"
#include "spiketrain/data/loader.h"
#include "spiketrain/recipe/experiment.h"
#include "spiketrain/train/checkpoint.h"
#include "spiketrain/train/evaluate.h"

namespace spiketrain {
namespace {

constexpr const char* kWithoutTeacher = "; to evaluate without a teacher: --set objective=rate_ce";

bool reads_teacher(const Recipe& recipe) {
  return dynamic_cast<const ReadsTeacher*>(make<Objective>(recipe.objective).get()) != nullptr;
}

/// Of the teacher's weights.
std::string teacher_file(const TeacherSection& section) {
  const bool weights = std::filesystem::path(section.run).extension() == ".safetensors";
  const std::string path = weights ? section.run : section.run + "/ckpt/best.safetensors";
  ST_CHECK(file_exists(path), "teacher.run ", section.run, ": there is no file ", path,
           "; expected the directory of a trained run, or a .safetensors file", kWithoutTeacher);
  return path;
}

void check_digest(const TeacherSection& section, const std::string& path) {
  if (section.sha256.empty()) return;
  const std::string is = digest_file(path).sha256;
  ST_CHECK(is == section.sha256, "teacher.run ", section.run, ": ", path, " has the digest ", is,
           ", but teacher.sha256 is ", section.sha256, ": these are not the weights that were learned from",
           kWithoutTeacher);
}

/// The samples of `student` as the teacher was trained to see them: its frames, code, normalisation and steps.
Recipe teacher_recipe(const Config& config, const Recipe& student) {
  Recipe teacher = make_recipe(config);
  DataSection data = student.data;
  data.mean = teacher.data.mean;
  data.std = teacher.data.std;
  EventOptions events = teacher.events, other = student.events;
  for (auto field :
       {&EventOptions::by, &EventOptions::origin, &EventOptions::accumulate, &EventOptions::polarity})
    other.*field = events.*field;
  for (auto field :
       {&EventOptions::dt_us, &EventOptions::offset_us, &EventOptions::duration_us, &EventOptions::clip,
        &EventOptions::downsample, &EventOptions::noise_filter_us, &EventOptions::refractory_us})
    other.*field = events.*field;
  other.crop = events.crop;
  other.size = events.size;
  teacher.data = data;
  teacher.events = other;
  teacher.seed = student.seed;
  teacher.teacher = {};
  return teacher;
}

/// A frozen network in evaluation mode.
class Teacher {
 public:
  Teacher(std::shared_ptr<Network> network, const Recipe& recipe)
      : learner_(parts(std::move(network), recipe)),
        scale_(recipe.objective.value("scale", 1.0)),
        batch_(recipe.data.batch) {}
  /// For all samples of an epoch [N,*out] float.
  Tensor outputs(const Dataset& data, int64_t epoch) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    LoaderOptions options;
    options.batch_size = batch_;
    options.shuffle = false;
    Loader loader(data, options);
    loader.start(epoch);
    std::vector<Tensor> all;
    for (Batch batch; loader.next(batch);) {
      batch.epoch = kEvaluationEpoch;
      const Tensor sum = learner_.infer(batch).prediction;
      const Tensor steps = batch.lengths.defined() ? batch.lengths.unsqueeze(1).to(sum.scalar_type())
                                                   : torch::full({}, learner_.parts().steps, sum.options());
      all.push_back(sum / steps * scale_);
    }
    return torch::cat(all).to(torch::kFloat).contiguous();
  }

 private:
  static LearnerParts parts(std::shared_ptr<Network> network, const Recipe& recipe) {
    LearnerParts parts;
    parts.method = make_method(recipe, *network);
    parts.network = std::move(network);
    parts.objective = make<Objective>("rate_ce");  // whose prediction is the sum over steps
    parts.steps = recipe.steps;
    parts.encoder = make<Encoder>(recipe.encoder);
    parts.signal = make<LearningSignal>(recipe.learning_signal);
    parts.seed = static_cast<uint64_t>(recipe.seed);
    return parts;
  }

  Learner learner_;
  double scale_;
  int64_t batch_;
  mutable std::mutex mutex_;  ///< loaders of two splits may ask at a time
};

/// A split with the outputs of a teacher, which are made of `seen`: the same samples, as the teacher sees them.
class TaughtSplit final : public Dataset {
 public:
  TaughtSplit(std::shared_ptr<const Dataset> data, std::shared_ptr<const Dataset> seen,
              std::shared_ptr<const Teacher> teacher, bool every_epoch)
      : data_(std::move(data)),
        teacher_(std::move(teacher)),
        every_epoch_(every_epoch),
        seen_(std::move(seen)) {}

  int64_t size() const override { return data_->size(); }
  const SampleSpec& sample() const override { return data_->sample(); }
  const TargetSpec& target() const override { return data_->target(); }
  void read(int64_t i, int64_t epoch, void* out) const override { data_->read(i, epoch, out); }
  int64_t class_of(int64_t i) const override { return data_->class_of(i); }
  void read_target(int64_t i, void* out) const override { data_->read_target(i, out); }
  bool has_lengths() const override { return data_->has_lengths(); }
  int64_t length(int64_t i) const override { return data_->length(i); }
  int64_t id(int64_t i) const override { return data_->id(i); }
  std::string describe() const override { return data_->describe(); }
  bool has_teacher() const override { return true; }
  void read_teacher(int64_t i, int64_t epoch, float* out) const override {
    ST_CHECK(i >= 0 && i < size(), "teacher: expected a sample from 0 to ", size() - 1, ", got ", i);
    const Tensor row = outputs(every_epoch_ ? epoch : 0)[i];
    std::copy_n(row.data_ptr<float>(), row.numel(), out);
  }

 private:
  Tensor outputs(int64_t epoch) const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!outputs_.defined() || epoch_ != epoch) {
      outputs_ = teacher_->outputs(*seen_, epoch);
      epoch_ = epoch;
      if (!every_epoch_) seen_ = nullptr;  // recordings may be large
    }
    return outputs_;
  }

  std::shared_ptr<const Dataset> data_;
  std::shared_ptr<const Teacher> teacher_;
  bool every_epoch_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Dataset> seen_;  ///< null once it is not needed any more
  mutable Tensor outputs_;
  mutable int64_t epoch_ = 0;
};

/// UsageError unless the network takes the samples as the teacher sees them, and gives what the targets ask for.
void check_fit(const std::string& path, const Network& network, const Recipe& teacher, const Dataset& data,
               const Dataset& seen) {
  const Shape step = make<Encoder>(teacher.encoder)->step_shape(seen.sample().shape);
  ST_CHECK(step == network.input_shape(), "teacher ", path, ": its network takes steps of shape ",
           at::IntArrayRef(network.input_shape()), ", but data set ", teacher.data.name,
           ", framed and coded as for it, has ", at::IntArrayRef(step));
  ST_CHECK(data.target().kind == Target::Kind::class_index, "teacher ", path,
           ": expected data whose targets are classes, got ", to_string(data.target().kind));
  ST_CHECK(network.out_shape() == data.target().shape, "teacher ", path,
           ": its network has outputs of shape ", at::IntArrayRef(network.out_shape()), ", but data set ",
           teacher.data.name, " has ", data.target().classes, " classes");
}

bool augments(const Recipe& recipe) {
  const EventOptions& events = recipe.events;
  return recipe.data.augment || recipe.data.rotate > 0 || recipe.data.zoom > 0 || events.flip ||
         events.roll > 0 || events.drop > 0;
}

}  // namespace

bool learns_from_teacher(const Recipe& recipe) {
  return !recipe.teacher.run.empty() && reads_teacher(recipe);
}

Datasets taught(const Datasets& data, const Recipe& recipe, const std::string& data_dir) {
  const std::string path = teacher_file(recipe.teacher);
  check_digest(recipe.teacher, path);
  const Recipe own = teacher_recipe(checkpoint_config(open_checkpoint(path)), recipe);
  const Datasets seen = open_datasets(own, data_dir);
  auto network = load_network(path);
  check_fit(path, *network, own, *data.train, *seen.train);
  const bool every_epoch = augments(recipe);
  ST_CHECK(
      !every_epoch || seen.train->sample().shape == data.train->sample().shape, "teacher ", path,
      ": its frames are of another size, ", at::IntArrayRef(seen.train->sample().shape), " against ",
      at::IntArrayRef(data.train->sample().shape),
      ", so that augmentation would not be the same; leave augmentation out, or train a teacher on such frames");
  const auto teacher = std::make_shared<const Teacher>(std::move(network), own);
  const auto with = [&](const std::shared_ptr<const Dataset>& split,
                        const std::shared_ptr<const Dataset>& as_seen,
                        bool training) -> std::shared_ptr<const Dataset> {
    if (!split) return nullptr;
    return std::make_shared<const TaughtSplit>(split, as_seen, teacher, training && every_epoch);
  };
  return {with(data.train, seen.train, true), with(data.validation, seen.validation, false),
          with(data.test, seen.test, false)};
}

void check_teacher(const Recipe& recipe, const Dataset& train) {
  if (train.has_teacher() || !reads_teacher(recipe)) return;
  const char* what =
      recipe.teacher.run.empty()
          ? " learns from a teacher: set teacher.run to the directory of a trained run"
          : ": teacher.run is for data sets by name, and the data given hold no outputs of a teacher";
  throw UsageError(str("objective ", recipe.objective.at("name").get<std::string>(), what, kWithoutTeacher));
}

Recipe with_teacher_digest(Recipe recipe) {
  if (learns_from_teacher(recipe) && recipe.teacher.sha256.empty())
    recipe.teacher.sha256 = digest_file(teacher_file(recipe.teacher)).sha256;
  return recipe;
}

}  // namespace spiketrain
