#include "spiketrain/engine/block_pipe.h"

#include <algorithm>
#include <numeric>

#include "spiketrain/base/check.h"
#include "spiketrain/engine/signal_message.h"

namespace spiketrain {
namespace {

/// Windows that a process may be ahead of the one above.
constexpr size_t kAhead = 8;

}  // namespace

BlockPipe::BlockPipe(std::shared_ptr<Group> line, const std::vector<int64_t>& sizes)
    : line_(std::move(line)) {
  ST_CHECK(static_cast<int64_t>(sizes.size()) == line_->size(),
           "parallel.blocks: expected a number of blocks for each of the ", line_->size(),
           " processes of a line, got ", sizes.size());
  ST_CHECK(std::all_of(sizes.begin(), sizes.end(), [](int64_t n) { return n >= 1; }),
           "parallel.blocks: expected at least one block for each process");
  ends_.resize(sizes.size());
  std::partial_sum(sizes.begin(), sizes.end(), ends_.begin());
  const int64_t stage = line_->size() - 1 - line_->rank();
  end_ = ends_[static_cast<size_t>(stage)];
  first_ = end_ - sizes[static_cast<size_t>(stage)];
}

int64_t BlockPipe::owner(int64_t block) const {
  const auto stage = std::upper_bound(ends_.begin(), ends_.end(), block) - ends_.begin();
  return line_->size() - 1 - stage;
}

Signal BlockPipe::receive(torch::Device device) {
  Tensor head = torch::zeros({1}, torch::kLong);
  line_->receive(head, line_->rank() + 1);
  Tensor body = torch::empty({head[0].item<int64_t>()}, torch::kByte);
  line_->receive(body, line_->rank() + 1);
  return from_message(body, device);
}

void BlockPipe::send(const Signal& x) {
  Sent sent;
  sent.body = to_message(x);
  sent.head = torch::full({1}, sent.body.numel(), torch::kLong);
  for (const Tensor& part : {sent.head, sent.body})
    sent.works.push_back(line_->begin_send(part, line_->rank() - 1));
  sent_.push_back(std::move(sent));
  while (sent_.size() > kAhead) {
    for (const auto& work : sent_.front().works) work->wait();
    sent_.pop_front();
  }
}

void BlockPipe::pass_on(std::vector<int64_t>& numbers) {
  Tensor all = torch::tensor(numbers, torch::kLong);
  if (!at_bottom()) line_->receive(all, line_->rank() + 1);
  const int64_t* values = all.data_ptr<int64_t>();
  numbers.assign(values, values + all.numel());
  if (at_top()) return;
  Sent sent;
  sent.head = all;
  sent.works = {line_->begin_send(all, line_->rank() - 1)};
  sent_.push_back(std::move(sent));
}

void BlockPipe::flush() {
  for (const Sent& sent : sent_)
    for (const auto& work : sent.works) work->wait();
  sent_.clear();
}

}  // namespace spiketrain
