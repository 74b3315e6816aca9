// Background batches: workers take whole batches in order; contracts in loader.h.
#include "spiketrain/data/loader.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"
#include "spiketrain/data/reads_ahead.h"

namespace spiketrain {
namespace {

/// Leaves a batch that nobody waits for.
struct Stopped {};

/// `count` pieces side by side, [count,*shape]; read(i, out) writes piece i.
template <class Read>
torch::Tensor stack(int64_t count, Shape shape, torch::ScalarType type, Read&& read) {
  shape.insert(shape.begin(), count);
  torch::Tensor all = torch::empty(shape, type);
  auto* out = static_cast<char*>(all.data_ptr());
  const auto stride = count > 0 ? all.nbytes() / static_cast<size_t>(count) : 0;
  for (int64_t i = 0; i < count; ++i) read(i, out + static_cast<size_t>(i) * stride);
  return all;
}

/// Sequences side by side, time first, [T,count,*shape]; read(i, out) writes steps(i) steps of piece i,
/// [steps,*shape], in one piece, which is then dealt out to its places; zeros follow.
template <class Read, class Steps>
torch::Tensor stack_in_time(int64_t T, int64_t count, Shape shape, torch::ScalarType type, Read&& read,
                            Steps&& steps) {
  shape.insert(shape.begin(), T);
  const torch::Tensor one = torch::empty(shape, type);
  shape.insert(shape.begin() + 1, count);
  torch::Tensor all = torch::empty(shape, type);
  const auto* from = static_cast<const char*>(one.data_ptr());
  auto* to = static_cast<char*>(all.data_ptr());
  const size_t frame = one.nbytes() / static_cast<size_t>(T);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t valid = steps(i);
    read(i, one.data_ptr());
    for (int64_t t = 0; t < T; ++t) {
      char* place = to + static_cast<size_t>(t * count + i) * frame;
      if (t < valid) {
        std::memcpy(place, from + static_cast<size_t>(t) * frame, frame);
      } else {
        std::memset(place, 0, frame);
      }
    }
  }
  return all;
}

}  // namespace

Loader::Loader(const Dataset& data, LoaderOptions options) : data_(data), options_(options) {
  ST_CHECK(options_.batch_size > 0, "loader: expected batch_size > 0, got ", options_.batch_size);
  ST_CHECK(options_.threads > 0, "loader: expected threads > 0, got ", options_.threads);
  ST_CHECK(options_.part >= 0 && options_.part < options_.parts, "loader: expected part from 0 to ",
           options_.parts - 1, ", got ", options_.part);
  ST_CHECK(options_.prefetch > 0, "loader: expected prefetch > 0, got ", options_.prefetch);
}

Loader::~Loader() { stop(); }

int64_t Loader::batches() const {
  const int64_t rest = options_.drop_last ? 0 : options_.batch_size - 1;
  return (data_.size() + rest) / options_.batch_size;
}

int64_t Loader::smallest_batch() const {
  const int64_t rest = data_.size() % options_.batch_size;
  return rest == 0 || options_.drop_last ? options_.batch_size : rest;
}

void Loader::start(int64_t epoch, int64_t first_batch) {
  ST_CHECK(epoch >= 0, "loader: expected epoch >= 0, got ", epoch);
  ST_CHECK(first_batch >= 0 && first_batch <= batches(), "loader: expected first_batch from 0 to ", batches(),
           ", got ", first_batch);
  stop();
  epoch_ = epoch;
  if (options_.shuffle) {
    order_ = permutation(data_.size(), Rng(options_.seed, Purpose::shuffle, static_cast<uint64_t>(epoch)));
  } else {
    order_.resize(static_cast<size_t>(data_.size()));
    std::iota(order_.begin(), order_.end(), int64_t{0});
  }
  taken_ = wanted_ = first_batch;
  stopping_ = false;
  const int64_t threads = std::min<int64_t>(options_.threads, batches() - first_batch);
  for (int64_t i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

bool Loader::next(Batch& out) {
  ST_CHECK(epoch_ >= 0, "loader: call start() before next()");
  Result result;
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (wanted_ >= batches()) return false;
    ready_.wait(lock, [this] { return done_.count(wanted_) > 0; });
    result = std::move(done_.extract(wanted_).mapped());
    ++wanted_;
  }
  room_.notify_one();
  if (result.error || result.stopped) {
    stop();
    wanted_ = batches();
    if (result.stopped) return false;
    std::rethrow_exception(result.error);
  }
  out = std::move(result.batch);
  return true;
}

void Loader::work() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    room_.wait(lock,
               [this] { return stopping_ || taken_ >= batches() || taken_ < wanted_ + options_.prefetch; });
    if (stopping_ || taken_ >= batches()) break;
    const int64_t batch = taken_++;
    lock.unlock();
    Result result;
    try {
      result.batch = make(batch);
    } catch (const Stopped&) {
      result.stopped = true;
    } catch (...) {
      result.error = std::current_exception();
    }
    lock.lock();
    done_.emplace(batch, std::move(result));
    ready_.notify_one();
  }
  // The others may be waiting for room that will never be needed.
  room_.notify_all();
}

/// Checked, since it says how much is copied.
int64_t Loader::length(int64_t index) const {
  const int64_t steps = data_.length(index);
  ST_CHECK(steps >= 1 && steps <= data_.steps(), data_.describe(), ": expected a length from 1 to ",
           data_.steps(), " for sample ", index, ", got ", steps);
  return steps;
}

torch::Tensor Loader::samples(const int64_t* indices, int64_t count) const {
  const SampleSpec& spec = data_.sample();
  if (!options_.inputs) {
    Shape shape = spec.shape;
    shape.insert(shape.begin(), count);
    if (spec.form == Batch::Form::frames) shape.insert(shape.begin(), spec.steps);
    return torch::zeros({}, spec.type).expand(shape);
  }
  const auto read = [&](int64_t i, void* out) {
    if (asked_to_stop()) throw Stopped();  // a batch may take minutes
    data_.read(indices[i], epoch_, out);
  };
  if (spec.form == Batch::Form::image) return stack(count, spec.shape, spec.type, read);
  return stack_in_time(spec.steps, count, spec.shape, spec.type, read,
                       [&](int64_t i) { return length(indices[i]); });
}

Target Loader::targets(const int64_t* indices, int64_t count) const {
  const TargetSpec& spec = data_.target();
  const auto read = [&](int64_t i, void* out) { data_.read_target(indices[i], out); };
  Target target;
  target.kind = spec.kind;
  if (spec.kind == Target::Kind::sequence) {
    target.y = stack_in_time(spec.extent, count, spec.shape, torch::kFloat, read,
                             [&](int64_t i) { return length(indices[i]); });
  } else {
    const bool classes = spec.kind == Target::Kind::class_index;
    Shape shape = classes ? Shape{} : spec.shape;
    if (spec.kind == Target::Kind::spike_times) shape.push_back(spec.extent);
    target.y = stack(count, shape, classes ? torch::kLong : torch::kFloat, read);
  }
  if (data_.has_teacher()) {
    target.teacher = stack(count, spec.shape, torch::kFloat, [&](int64_t i, void* out) {
      data_.read_teacher(indices[i], epoch_, static_cast<float*>(out));
    });
  }
  return target;
}

Batch Loader::make(int64_t batch) const {
  const int64_t first = batch * options_.batch_size;
  const int64_t all = std::min(options_.batch_size, data_.size() - first);
  const int64_t begin = all * options_.part / options_.parts,
                end = all * (options_.part + 1) / options_.parts;
  const int64_t count = end - begin;
  const int64_t* indices = order_.data() + first + begin;
  const auto* on_disk = dynamic_cast<const ReadsAhead*>(&data_);
  if (on_disk && options_.inputs) on_disk->read_ahead(indices, count);
  Batch result;
  result.share = static_cast<double>(count) / static_cast<double>(all);
  result.form = data_.sample().form;
  result.epoch = epoch_;
  result.x = samples(indices, count);
  result.target = targets(indices, count);
  result.ids = torch::empty({count}, torch::kLong);
  if (data_.has_lengths()) result.lengths = torch::empty({count}, torch::kLong);
  for (int64_t i = 0; i < count; ++i) {
    result.ids.data_ptr<int64_t>()[i] = data_.id(indices[i]);
    if (result.lengths.defined()) result.lengths.data_ptr<int64_t>()[i] = length(indices[i]);
  }
  return result;
}

void Loader::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  room_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  done_.clear();
}

}  // namespace spiketrain
