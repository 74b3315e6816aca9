// Signs of life: each process counts up a number of its own at the meeting point twice a second, and looks at the others'.  A
// process whose number stands still for `timeout` is lost, and so is the meeting point if it does not answer for as long.  That
// says which one it was, whatever the process itself waits for, and does not depend on how long a step of training takes.
// Tests: unit/signs_of_life_test.cpp, tests/parallel.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace spiketrain {

/// What is kept at the meeting point; calls may block, and throw if it cannot be reached.
struct MeetingPoint {
  virtual ~MeetingPoint() = default;
  virtual void set(const std::string& key, const std::string& value) = 0;
  /// Empty if nobody has set it.
  virtual std::string get(const std::string& key) = 0;
};

class SignsOfLife {
 public:
  using Clock = std::chrono::steady_clock;
  /// `host`: rank of the process that keeps the meeting point, -1: the launcher.  on_loss is called once, from a thread, if
  /// nobody asks explain() for two seconds: this process then waits for something else.
  SignsOfLife(std::unique_ptr<MeetingPoint> point, int64_t rank, int64_t size, int64_t host,
              std::chrono::milliseconds timeout, std::function<void(const std::string&)> on_loss);
  /// Stops; waits no longer than a call to the meeting point takes, but does not wait for one that hangs.
  ~SignsOfLife();
  SignsOfLife(const SignsOfLife&) = delete;
  SignsOfLife& operator=(const SignsOfLife&) = delete;

  /// Tells the others that this process ends: `why` empty: its work is done.
  void leave(const std::string& why);
  /// Tells all that the run is to stop; whether somebody has, as of the last look.
  void ask_to_stop();
  bool asked_to_stop() const;
  /// After a message failed: what has happened, as soon as it shows, or `otherwise` after the timeout.
  std::string explain(const std::string& otherwise);

 private:
  struct State;
  std::shared_ptr<State> state_;  // the threads', too: one that hangs in a call is left behind
};

}  // namespace spiketrain
