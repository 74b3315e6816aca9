#include "spiketrain/data/dataset.h"

#include <utility>

#include "spiketrain/base/check.h"

namespace spiketrain {

int64_t SampleSpec::numel() const {
  return (form == Batch::Form::frames ? steps : 1) * spiketrain::numel(shape);
}

SampleSpec SampleSpec::image(Shape shape) { return {Batch::Form::image, torch::kFloat, std::move(shape), 0}; }

SampleSpec SampleSpec::frames(int64_t steps, Shape shape, torch::ScalarType type) {
  return {Batch::Form::frames, type, std::move(shape), steps};
}

bool operator==(const SampleSpec& a, const SampleSpec& b) {
  return a.form == b.form && a.type == b.type && a.shape == b.shape && a.steps == b.steps;
}

int64_t TargetSpec::numel() const {
  if (kind == Target::Kind::class_index) return 1;
  return (kind == Target::Kind::values ? 1 : extent) * spiketrain::numel(shape);
}

std::string TargetSpec::class_text(int64_t number) const {
  const std::string text = std::to_string(number);
  return class_names.empty() ? text : text + " " + class_names.at(static_cast<size_t>(number));
}

TargetSpec TargetSpec::class_index(int64_t classes, std::vector<std::string> names) {
  ST_CHECK(names.empty() || static_cast<int64_t>(names.size()) == classes, "targets: expected names of ",
           classes, " classes, got ", names.size());
  return {Target::Kind::class_index, {classes}, classes, 0, std::move(names)};
}

TargetSpec TargetSpec::values(Shape shape) { return {Target::Kind::values, std::move(shape), 0, 0}; }

TargetSpec TargetSpec::sequence(int64_t steps, Shape shape) {
  return {Target::Kind::sequence, std::move(shape), 0, steps};
}

bool operator==(const TargetSpec& a, const TargetSpec& b) {
  return a.kind == b.kind && a.shape == b.shape && a.classes == b.classes && a.extent == b.extent;
}

int64_t Dataset::class_of(int64_t) const {
  throw UsageError(str(describe(), ": the targets are of kind ", to_string(target().kind),
                       ", so samples have no class; read them with read_target()"));
}

void Dataset::read_target(int64_t index, void* out) const { *static_cast<int64_t*>(out) = class_of(index); }

std::shared_ptr<const Dataset> Datasets::split(const std::string& name) const {
  ST_CHECK(name == "train" || name == "validation" || name == "test",
           "split: expected train, validation or test, got '", name, "'");
  const auto& chosen = name == "train" ? train : name == "validation" ? validation : test;
  ST_CHECK(chosen, "split: there is no ", name, " split",
           name == "validation" ? "; move training samples to it with data.validation=N" : "");
  return chosen;
}

int64_t Dataset::steps() const {
  if (sample().form == Batch::Form::frames) return sample().steps;
  return target().kind == Target::Kind::sequence ? target().extent : 0;
}

void Dataset::read_teacher(int64_t, int64_t, float*) const {
  throw UsageError(str(describe(), ": there are no outputs of a teacher"));
}

}  // namespace spiketrain
