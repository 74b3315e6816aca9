// What the user sees of a run: a live line on a terminal, otherwise one line per epoch and a sign of life
// each minute.  On a terminal a line is no longer than that is wide.  Epochs and messages also go to the run's log.txt.
#pragma once
#include <chrono>
#include <string>

#include "spiketrain/train/observer.h"
#include "spiketrain/train/run_dir.h"

namespace spiketrain::cli {

class ConsoleObserver : public Observer {
 public:
  /// `log` may be null.
  explicit ConsoleObserver(RunDir* log);
  ~ConsoleObserver() override;
  void on_batch(const BatchReport& report) override;
  void on_epoch(const EpochReport& report) override;
  void on_message(const std::string& text, bool warning) override;
  /// A line for the screen and the log.
  void line(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  void line(const std::string& shown, const std::string& logged);
  void erase();

  RunDir* log_;
  bool terminal_;
  bool live_ = false;  ///< a live line is on the screen
  Clock::time_point shown_;
};

}  // namespace spiketrain::cli
