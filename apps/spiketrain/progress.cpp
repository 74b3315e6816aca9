#include "apps/spiketrain/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "apps/spiketrain/commands.h"

namespace spiketrain::cli {
namespace {

constexpr std::chrono::milliseconds kLivePeriod(200);
constexpr std::chrono::seconds kPlainPeriod(60);

size_t terminal_width() {
  winsize size{};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

std::string rates_text(const std::vector<LayerRate>& rates) {
  std::string text;
  for (const LayerRate& layer : rates) text += " " + number(layer.rate, 2);
  return text;
}

std::string bar(double done) {
  constexpr int kWidth = 20;
  const int filled = static_cast<int>(done * kWidth);
  return "[" + std::string(static_cast<size_t>(filled), '#') +
         std::string(static_cast<size_t>(kWidth - filled), '.') + "]";
}

std::string batch_text(const BatchReport& report, bool with_bar) {
  const Progress& p = report.progress;
  const EpochSums& sums = p.sums;
  const auto samples = static_cast<double>(std::max<int64_t>(sums.samples, 1));
  const double left = sums.seconds / static_cast<double>(std::max<int64_t>(p.batch, 1)) *
                      static_cast<double>(report.batches - p.batch);
  std::string text = "epoch " + std::to_string(p.epoch + 1) + "/" + std::to_string(report.epochs) + " ";
  if (with_bar) text += bar(static_cast<double>(p.batch) / static_cast<double>(report.batches)) + " ";
  text += std::to_string(p.batch) + "/" + std::to_string(report.batches);
  text += "  loss " + number(report.loss) + "  acc " + percent(static_cast<double>(sums.correct) / samples);
  text += "  " + number(samples / std::max(sums.seconds, 1e-9)) + "/s  left " + duration(left);
  return text + "  rates" + rates_text(layer_rates(report.stages, sums));
}

}  // namespace

ConsoleObserver::ConsoleObserver(RunDir* log)
    : log_(log), terminal_(isatty(STDOUT_FILENO) != 0), shown_(Clock::now()) {}

ConsoleObserver::~ConsoleObserver() { erase(); }

void ConsoleObserver::erase() {
  if (live_) std::cout << "\r\033[K" << std::flush;
  live_ = false;
}

void ConsoleObserver::line(const std::string& text) {
  erase();
  std::cout << text << std::endl;
  if (log_) log_->log(text);
}

void ConsoleObserver::on_batch(const BatchReport& report) {
  const Clock::time_point now = Clock::now();
  if (terminal_ ? now - shown_ < kLivePeriod : now - shown_ < kPlainPeriod) return;
  shown_ = now;
  const std::string text = batch_text(report, terminal_);
  if (!terminal_) {
    std::cout << text << std::endl;
    return;
  }
  std::cout << "\r\033[K" << text.substr(0, terminal_width() - 1) << std::flush;
  live_ = true;
}

void ConsoleObserver::on_epoch(const EpochReport& r) {
  std::string text = "epoch " + std::to_string(r.epoch) + "/" + std::to_string(r.epochs) + "  loss " +
                     number(r.train_loss) + "  train " + percent(r.train_accuracy);
  if (r.validation_accuracy >= 0) text += "  validation " + percent(r.validation_accuracy);
  text += "  test " + percent(r.test_accuracy) + " (best " + percent(r.best_test_accuracy) + ", epoch " +
          std::to_string(r.best_test_epoch) + ")  grad " + number(r.grad_norm, 3) + "  rates" +
          rates_text(r.rates) + "  " + duration(r.seconds) + " + " + duration(r.evaluation_seconds) + "  " +
          number(r.samples_per_second) + "/s  " + number(r.peak_memory_mib) + " MiB";
  if (r.skipped > 0) text += "  skipped " + std::to_string(r.skipped);
  line(text);
  shown_ = Clock::now();
}

void ConsoleObserver::on_message(const std::string& text, bool warning) {
  line((warning ? "warning: " : "") + text);
}

}  // namespace spiketrain::cli
