// A group of threads in place of processes: sums in the order of ranks, so that the bits are those of any run.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "spiketrain/base/check.h"
#include "spiketrain/core/group.h"

namespace spiketrain {

/// Where the threads meet: everyone brings something, the last one sees to it, all go on.
class Meeting {
 public:
  explicit Meeting(int64_t size) : brought_(static_cast<size_t>(size)) {}
  /// `settle` runs once, with what all have brought, by rank.
  void meet(int64_t rank, const Tensor& x, const std::function<void(const std::vector<Tensor>&)>& settle) {
    std::unique_lock<std::mutex> lock(mutex_);
    brought_[static_cast<size_t>(rank)] = x;
    const int64_t round = round_;
    if (++here_ == static_cast<int64_t>(brought_.size())) {
      settle(brought_);
      here_ = 0;
      ++round_;
      all_.notify_all();
      return;
    }
    all_.wait(lock, [&] { return round_ != round || broken_; });
    if (broken_) throw GroupError("another thread of the group failed");
  }
  /// A letter box for each pair.
  void post(int64_t from, int64_t to, Tensor x) {
    const std::lock_guard<std::mutex> lock(mutex_);
    posted_[{from, to}].push_back(std::move(x));
    all_.notify_all();
  }
  Tensor fetch(int64_t from, int64_t to) {
    std::unique_lock<std::mutex> lock(mutex_);
    auto& box = posted_[{from, to}];
    all_.wait(lock, [&] { return !box.empty() || broken_; });
    if (broken_) throw GroupError("another thread of the group failed");
    Tensor x = std::move(box.front());
    box.pop_front();
    return x;
  }
  void leave_broken() {
    const std::lock_guard<std::mutex> lock(mutex_);
    broken_ = true;
    all_.notify_all();
    for (const auto& item : parts_) item.second->leave_broken();
  }
  /// Where some of the threads meet.
  std::shared_ptr<Meeting> part(int64_t split, int64_t color, int64_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& part = parts_[{split, color}];
    if (!part) part = std::make_shared<Meeting>(size);
    return part;
  }
  std::atomic<bool> stop{false};

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  std::vector<Tensor> brought_;
  std::map<std::pair<int64_t, int64_t>, std::deque<Tensor>> posted_;
  std::map<std::pair<int64_t, int64_t>, std::shared_ptr<Meeting>> parts_;
  int64_t here_ = 0, round_ = 0;
  bool broken_ = false;
};

class ThreadGroup final : public Group {
 public:
  ThreadGroup(std::shared_ptr<Meeting> meeting, int64_t rank, int64_t size)
      : meeting_(std::move(meeting)), rank_(rank), size_(size) {}
  int64_t rank() const override { return rank_; }
  int64_t size() const override { return size_; }
  std::shared_ptr<Work> begin_sum(const Tensor& x) override {
    ++traffic_.messages;
    meeting_->meet(rank_, x, [](const std::vector<Tensor>& all) {
      Tensor sum = all[0].clone();
      for (size_t r = 1; r < all.size(); ++r) sum.add_(all[r]);
      for (const Tensor& one : all) one.copy_(sum);
    });
    return std::make_shared<Done>();
  }
  void broadcast(const Tensor& x, int64_t from) override {
    meeting_->meet(rank_, x, [from](const std::vector<Tensor>& all) {
      for (const Tensor& one : all) one.copy_(all[static_cast<size_t>(from)]);
    });
  }
  std::shared_ptr<Work> begin_send(const Tensor& x, int64_t to) override {
    meeting_->post(rank_, to, x.clone());
    return std::make_shared<Done>();
  }
  void receive(const Tensor& x, int64_t from) override { x.copy_(meeting_->fetch(from, rank_)); }
  std::shared_ptr<Group> split(int64_t color) override {
    const std::vector<std::string> colors = gather(std::to_string(color));
    int64_t rank = 0, size = 0;
    for (size_t r = 0; r < colors.size(); ++r) {
      if (colors[r] != std::to_string(color)) continue;
      if (static_cast<int64_t>(r) < rank_) ++rank;
      ++size;
    }
    return std::make_shared<ThreadGroup>(meeting_->part(splits_++, color, size), rank, size);
  }
  void ask_to_stop() override { meeting_->stop = true; }
  bool asked_to_stop() override { return meeting_->stop; }
  std::vector<std::string> gather(const std::string& text) override {
    const Tensor bytes = torch::zeros({size_, 1 << 16}, torch::kByte);
    std::copy(text.begin(), text.end(), bytes[rank_].data_ptr<uint8_t>());
    sum(bytes);
    std::vector<std::string> texts;
    for (int64_t r = 0; r < size_; ++r)
      texts.emplace_back(reinterpret_cast<const char*>(bytes[r].data_ptr<uint8_t>()));
    return texts;
  }
  Traffic traffic() const override { return traffic_; }

 private:
  struct Done final : Work {
    void wait() override {}
  };
  std::shared_ptr<Meeting> meeting_;
  int64_t rank_, size_, splits_ = 0;
  Traffic traffic_;
};

/// Runs work(group) in `size` threads; rethrows what the first of them threw.
inline void in_group(int64_t size, const std::function<void(const std::shared_ptr<Group>&)>& work) {
  const auto meeting = std::make_shared<Meeting>(size);
  std::vector<std::exception_ptr> errors(static_cast<size_t>(size));
  std::vector<std::thread> threads;
  for (int64_t r = 0; r < size; ++r) {
    threads.emplace_back([&, r] {
      try {
        work(std::make_shared<ThreadGroup>(meeting, r, size));
      } catch (const GroupError&) {
      } catch (...) {
        errors[static_cast<size_t>(r)] = std::current_exception();
        meeting->leave_broken();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace spiketrain
