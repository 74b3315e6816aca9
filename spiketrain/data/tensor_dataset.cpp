#include "spiketrain/data/tensor_dataset.h"

#include <cstring>
#include <utility>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

/// Dimensions from `first` on, without the last `after`.
Shape dims(const Tensor& x, int64_t first, int64_t after = 0) {
  return {x.sizes().begin() + first, x.sizes().end() - after};
}

class TensorDataset final : public Dataset {
 public:
  TensorDataset(const Tensor& x, const Target& target, TensorDatasetOptions options)
      : name_(std::move(options.name)) {
    ST_CHECK(x.defined() && target.y.defined() && x.dim() > 0, name_, ": expected samples and their targets");
    size_ = x.size(0);
    x_ = stored(x, x.scalar_type(), "samples");
    sample_ = sample_spec(options.form);
    y_ = stored(target.y, target.kind == Target::Kind::class_index ? torch::kLong : torch::kFloat, "targets");
    target_ = target_spec(target.kind, options.classes, std::move(options.class_names));
    ST_CHECK(sample_.steps == 0 || target_.kind != Target::Kind::sequence || sample_.steps == target_.extent,
             name_, ": the samples have ", sample_.steps, " frames, but the targets ", target_.extent,
             " steps");
    if (target.teacher.defined()) set_teacher(target.teacher);
    if (options.lengths.defined()) set_lengths(options.lengths);
    if (options.ids.defined()) {
      ids_ = stored(options.ids, torch::kLong, "ids");
      ST_CHECK(ids_.dim() == 1, name_, ": expected ids [N], got ", ids_.sizes());
    }
  }

  int64_t size() const override { return size_; }
  const SampleSpec& sample() const override { return sample_; }
  const TargetSpec& target() const override { return target_; }

  void read(int64_t index, int64_t /*epoch*/, void* out) const override {
    copy(x_, index, sample_.form == Batch::Form::frames ? length(index) : 0, out);
  }
  int64_t class_of(int64_t index) const override {
    if (target_.kind != Target::Kind::class_index) return Dataset::class_of(index);
    return y_.data_ptr<int64_t>()[checked(index)];
  }
  void read_target(int64_t index, void* out) const override {
    copy(y_, index, target_.kind == Target::Kind::sequence ? length(index) : 0, out);
  }
  bool has_lengths() const override { return lengths_.defined(); }
  int64_t length(int64_t index) const override {
    return lengths_.defined() ? lengths_.data_ptr<int64_t>()[checked(index)] : steps();
  }
  int64_t id(int64_t index) const override {
    return ids_.defined() ? ids_.data_ptr<int64_t>()[checked(index)] : checked(index);
  }
  bool has_teacher() const override { return teacher_.defined(); }
  void read_teacher(int64_t index, int64_t epoch, float* out) const override {
    if (!has_teacher()) Dataset::read_teacher(index, epoch, out);
    copy(teacher_, index, 0, out);
  }
  std::string describe() const override {
    return spiketrain::str(name_, ": ", size_, " samples of ", at::IntArrayRef(dims(x_, 1)), ", targets ",
                           to_string(target_.kind), " ", at::IntArrayRef(target_.shape));
  }

 private:
  Tensor stored(const Tensor& given, torch::ScalarType type, const char* what) const {
    ST_CHECK(given.dim() > 0 && given.size(0) == size_, name_, ": expected ", what, " of ", size_,
             " samples, got ", given.sizes());
    ST_CHECK(given.scalar_type() == type, name_, ": expected ", what, " of type ", type, ", got ",
             given.scalar_type());
    return given.detach().to(torch::kCPU).contiguous();
  }

  SampleSpec sample_spec(Batch::Form form) const {
    const torch::ScalarType type = x_.scalar_type();
    if (form == Batch::Form::image) {
      ST_CHECK(x_.dim() >= 2 && type == torch::kFloat, name_, ": expected images [N,*] of type Float, got ",
               x_.sizes(), " of type ", type);
      return SampleSpec::image(dims(x_, 1));
    }
    ST_CHECK(x_.dim() >= 3 && x_.size(1) > 0 && (type == torch::kFloat || type == torch::kByte), name_,
             ": expected frames [N,T,*] of type Byte or Float, got ", x_.sizes(), " of type ", type);
    return SampleSpec::frames(x_.size(1), dims(x_, 2), type);
  }

  TargetSpec target_spec(Target::Kind kind, int64_t classes, std::vector<std::string> names) const {
    const bool of_class = kind == Target::Kind::class_index;
    const int64_t least = of_class ? 1 : kind == Target::Kind::values ? 2 : 3;
    ST_CHECK(of_class ? y_.dim() == 1 : y_.dim() >= least, name_, ": expected targets ", to_string(kind),
             " of ", least, of_class ? " dimension" : " or more dimensions", ", got ", y_.sizes());
    ST_CHECK(of_class || (classes == 0 && names.empty()), name_,
             ": only targets of kind class_index have classes");
    if (of_class) {
      const int64_t found = size_ > 0 ? y_.max().item<int64_t>() + 1 : 1;
      ST_CHECK((classes == 0 || found <= classes) && (size_ == 0 || y_.min().item<int64_t>() >= 0), name_,
               ": expected classes from 0 to ", (classes > 0 ? classes : found) - 1, ", found ",
               y_.min().item<int64_t>(), " to ", found - 1);
      return TargetSpec::class_index(classes > 0 ? classes : found, std::move(names));
    }
    if (kind == Target::Kind::values) return TargetSpec::values(dims(y_, 1));
    if (kind == Target::Kind::sequence) {
      ST_CHECK(y_.size(1) > 0, name_, ": expected sequences of at least one step");
      return TargetSpec::sequence(y_.size(1), dims(y_, 2));
    }
    return {kind, dims(y_, 1, 1), 0, y_.size(-1)};
  }

  void set_teacher(const Tensor& given) {
    teacher_ = stored(given, torch::kFloat, "outputs of the teacher");
    ST_CHECK(dims(teacher_, 1) == target_.shape, name_, ": expected outputs of the teacher [N,*] of shape ",
             at::IntArrayRef(target_.shape), ", got ", teacher_.sizes());
  }

  void set_lengths(const Tensor& given) {
    ST_CHECK(steps() > 0, name_, ": lengths need frames, or targets that are sequences");
    lengths_ = stored(given, torch::kLong, "lengths");
    ST_CHECK(lengths_.dim() == 1, name_, ": expected lengths [N], got ", lengths_.sizes());
    if (size_ == 0) return;
    const int64_t least = lengths_.min().item<int64_t>(), most = lengths_.max().item<int64_t>();
    ST_CHECK(least >= 1 && most <= steps(), name_, ": expected lengths from 1 to ", steps(), ", found ",
             least, " to ", most);
  }

  int64_t checked(int64_t index) const {
    ST_CHECK(index >= 0 && index < size_, name_, ": expected an index below ", size_, ", got ", index);
    return index;
  }

  /// Row `index` of `from`; with steps > 0 so many entries of its first dimension.
  void copy(const Tensor& from, int64_t index, int64_t steps, void* out) const {
    const auto row = from.nbytes() / static_cast<size_t>(size_ > 0 ? size_ : 1);
    const auto* source =
        static_cast<const char*>(from.data_ptr()) + static_cast<size_t>(checked(index)) * row;
    const auto bytes = steps > 0 ? row / static_cast<size_t>(from.size(1)) * static_cast<size_t>(steps) : row;
    std::memcpy(out, source, bytes);
  }

  std::string name_;
  int64_t size_ = 0;
  Tensor x_, y_, teacher_, lengths_, ids_;
  SampleSpec sample_;
  TargetSpec target_;
};

}  // namespace

std::unique_ptr<Dataset> tensor_dataset(const Tensor& x, const Target& target, TensorDatasetOptions options) {
  return std::make_unique<TensorDataset>(x, target, std::move(options));
}

}  // namespace spiketrain
