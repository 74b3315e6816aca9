#include "spiketrain/parallel/signs_of_life.h"

#include <memory>
#include <utility>

#include "spiketrain/base/check.h"

namespace spiketrain {
namespace {

using namespace std::chrono_literals;
constexpr auto kBeat = 500ms;
/// How long the keeper of the meeting point stays when somebody is lost, so that the others learn who.
constexpr auto kStay = 4 * kBeat;
constexpr const char *kDone = "done", *kLost = "life/lost", *kStop = "life/stop";

std::string key(int64_t rank) { return str("life/", rank); }

}  // namespace

struct SignsOfLife::State {
  std::unique_ptr<MeetingPoint> point;
  int64_t rank, size, host;
  std::chrono::milliseconds timeout;
  std::function<void(const std::string&)> on_loss;

  std::mutex mutex;
  std::condition_variable changed;
  bool stop = false, left = false, said = false, taken = false;
  bool found = false;  ///< who is lost, and is about to say so
  bool wants_stop = false, told_stop = false, stop_asked = false;
  Clock::time_point answered = Clock::now();  ///< the meeting point, last
  std::string lost, goodbye;                  ///< what was found; what is still to be told

  struct Other {
    std::string sign;
    Clock::time_point since = Clock::now();
  };
  std::vector<Other> others;  ///< of the thread that beats

  void find(const std::string& what);
  std::string look_at(int64_t r);
  std::string look();
  void beat(int64_t count);
  void run();
  void watch();
};

void SignsOfLife::State::find(const std::string& what) {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!lost.empty() || stop || left) return;
    lost = what;
  }
  changed.notify_all();
  {
    std::unique_lock<std::mutex> lock(mutex);
    if (changed.wait_for(lock, kStay, [this] { return taken || stop; })) return;
  }
  on_loss(what);
}

/// What is wrong with a process; empty: nothing that shows.
std::string SignsOfLife::State::look_at(int64_t r) {
  Other& other = others[static_cast<size_t>(r)];
  if (r == rank || other.sign == kDone) return {};
  const std::string now = point->get(key(r));
  if (now.size() > 1 && now[0] == '!') return str("the process of rank ", r, " ended: ", now.substr(1));
  if (now != other.sign) {
    other.sign = now;
    other.since = Clock::now();
  }
  const auto silent = Clock::now() - other.since;
  if (silent < timeout) return {};
  return str("the process of rank ", r, " has given no sign of life for ",
             std::chrono::duration_cast<std::chrono::seconds>(silent).count(),
             " s; it was killed, hangs, or cannot be reached");
}

std::string SignsOfLife::State::look() {
  std::string what = point->get(kLost);  // somebody has found it first: all say the same
  for (int64_t r = 0; r < size && what.empty(); ++r) {
    what = look_at(r);
    if (!what.empty()) point->set(kLost, what);
  }
  return what;
}

void SignsOfLife::State::beat(int64_t count) {
  std::string last;
  bool tell = false;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    last = goodbye;
    tell = std::exchange(wants_stop, false);
  }
  if (tell) point->set(kStop, "yes");
  const bool asked = !point->get(kStop).empty();
  point->set(key(rank), last.empty() ? std::to_string(count) : last);
  // Looking costs a message for each process.
  const std::string what = count % (1 + size / 16) == 0 ? look() : "";
  {
    const std::lock_guard<std::mutex> lock(mutex);
    answered = Clock::now();
    found = !what.empty();
    stop_asked = asked;
    said = said || !last.empty();
  }
  if (what.empty()) return;
  if (rank == host) std::this_thread::sleep_for(kStay);
  find(what);
}

void SignsOfLife::State::run() {
  for (int64_t count = 1;; ++count) {
    try {
      beat(count);
    } catch (const std::exception&) {  // gone with its process, or for a moment: see watch()
    }
    std::unique_lock<std::mutex> lock(mutex);
    changed.notify_all();
    if (stop) return;
    changed.wait_for(lock, kBeat, [this] { return stop || (!goodbye.empty() && !said); });
    if (stop && (goodbye.empty() || said)) return;
  }
}

/// Looks at the thread that beats, which may hang.
void SignsOfLife::State::watch() {
  std::unique_lock<std::mutex> lock(mutex);
  while (!stop) {
    changed.wait_for(lock, kBeat);
    if (stop || left || found || !lost.empty() || Clock::now() - answered < timeout) continue;
    lock.unlock();
    find(str(host < 0 ? "the launcher" : str("the process of rank ", host),
             ", at which the processes meet, does not answer; it ended, hangs, or cannot be reached"));
    lock.lock();
  }
}

SignsOfLife::SignsOfLife(std::unique_ptr<MeetingPoint> point, int64_t rank, int64_t size, int64_t host,
                         std::chrono::milliseconds timeout, std::function<void(const std::string&)> on_loss)
    : state_(std::make_shared<State>()) {
  State& s = *state_;
  s.point = std::move(point);
  s.rank = rank;
  s.size = size;
  s.host = host;
  s.timeout = timeout;
  s.on_loss = std::move(on_loss);
  s.others.resize(static_cast<size_t>(size));
  std::thread([state = state_] { state->run(); }).detach();
  std::thread([state = state_] { state->watch(); }).detach();
}

SignsOfLife::~SignsOfLife() {
  {
    const std::lock_guard<std::mutex> lock(state_->mutex);
    state_->stop = true;
  }
  state_->changed.notify_all();
}

void SignsOfLife::leave(const std::string& why) {
  std::unique_lock<std::mutex> lock(state_->mutex);
  state_->left = true;
  state_->goodbye = why.empty() ? kDone : "!" + why;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, kStay, [this] { return state_->said; });
  // The meeting point goes with its keeper: the others must have read why.
  if (state_->rank == state_->host && !why.empty())
    state_->changed.wait_for(lock, 2 * kStay, [] { return false; });
}

void SignsOfLife::ask_to_stop() {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  if (state_->told_stop) return;
  state_->wants_stop = state_->told_stop = true;
  state_->changed.notify_all();
}

bool SignsOfLife::asked_to_stop() const {
  const std::lock_guard<std::mutex> lock(state_->mutex);
  return state_->stop_asked;
}

std::string SignsOfLife::explain(const std::string& otherwise) {
  std::unique_lock<std::mutex> lock(state_->mutex);
  state_->changed.wait_for(lock, state_->timeout + kStay + 2 * kBeat,
                           [this] { return !state_->lost.empty(); });
  state_->taken = true;
  state_->changed.notify_all();
  return state_->lost.empty() ? otherwise : state_->lost;
}

}  // namespace spiketrain
