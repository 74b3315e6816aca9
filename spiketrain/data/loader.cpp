// Background batches: workers take whole batches in order; contracts in loader.h.
#include "spiketrain/data/loader.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"

namespace spiketrain {

Loader::Loader(const Dataset& data, LoaderOptions options) : data_(data), options_(options) {
  ST_CHECK(options_.batch_size > 0, "loader: expected batch_size > 0, got ", options_.batch_size);
  ST_CHECK(options_.threads > 0, "loader: expected threads > 0, got ", options_.threads);
  ST_CHECK(options_.prefetch > 0, "loader: expected prefetch > 0, got ", options_.prefetch);
}

Loader::~Loader() { stop(); }

int64_t Loader::batches() const {
  const int64_t rest = options_.drop_last ? 0 : options_.batch_size - 1;
  return (data_.size() + rest) / options_.batch_size;
}

int64_t Loader::samples() const { return std::min(data_.size(), batches() * options_.batch_size); }

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
  if (result.error) {
    stop();
    wanted_ = batches();
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

torch::Tensor Loader::images(const int64_t* samples, int64_t count) const {
  std::vector<int64_t> shape = data_.sample_shape();
  shape.insert(shape.begin(), count);
  torch::Tensor x = torch::empty(shape, torch::kFloat32);
  const int64_t numel = count > 0 ? x.numel() / count : 0;
  for (int64_t i = 0; i < count; ++i) data_.get(samples[i], epoch_, x.data_ptr<float>() + i * numel);
  return x;
}

/// A sample is written in one piece and then dealt out to its T places.
torch::Tensor Loader::sequences(const int64_t* samples, int64_t count) const {
  const int64_t steps = data_.steps();
  std::vector<int64_t> shape = data_.sample_shape();
  shape.insert(shape.begin(), {steps, count});
  torch::Tensor x = torch::empty(shape, torch::kUInt8);
  const auto frame = static_cast<size_t>(count > 0 ? x.numel() / (steps * count) : 0);
  std::vector<uint8_t> sample(frame * static_cast<size_t>(steps));
  uint8_t* out = x.data_ptr<uint8_t>();
  for (int64_t i = 0; i < count; ++i) {
    data_.get_frames(samples[i], epoch_, sample.data());
    for (int64_t t = 0; t < steps; ++t)
      std::memcpy(out + static_cast<size_t>(t * count + i) * frame,
                  sample.data() + static_cast<size_t>(t) * frame, frame);
  }
  return x;
}

Batch Loader::make(int64_t batch) const {
  Batch result;
  result.batch = batch;
  result.first = batch * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, data_.size() - result.first);
  const int64_t* samples = order_.data() + result.first;
  result.x = data_.steps() > 0 ? sequences(samples, count) : images(samples, count);
  result.y = torch::empty({count}, torch::kInt64);
  result.index = torch::empty({count}, torch::kInt64);
  for (int64_t i = 0; i < count; ++i) {
    result.y.data_ptr<int64_t>()[i] = data_.label(samples[i]);
    result.index.data_ptr<int64_t>()[i] = samples[i];
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
