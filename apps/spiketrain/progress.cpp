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
         std::string(static_cast<size_t>(kWidth - filled), '.') + "] ";
}

enum class Style { with_bar, plain, terse };

std::string batch_text(const BatchReport& report, Style style) {
  const Progress& p = report.progress;
  const EpochSums& sums = p.sums;
  const auto samples = static_cast<double>(std::max<int64_t>(sums.samples, 1));
  const double left = sums.seconds / static_cast<double>(std::max<int64_t>(p.batch, 1)) *
                      static_cast<double>(report.batches - p.batch);
  const double done = static_cast<double>(p.batch) / static_cast<double>(report.batches);
  const bool terse = style == Style::terse;
  const std::string gap = terse ? " " : "  ";
  std::string text = (terse ? "" : "epoch ") + str(p.epoch + 1, "/", report.epochs, " ");
  if (style == Style::with_bar) text += bar(done);
  text += str(p.batch, "/", report.batches);
  text += gap + "loss " + number(report.loss) + gap + "acc " +
          percent(static_cast<double>(sums.correct) / samples);
  text += gap + number(samples / std::max(sums.seconds, 1e-9)) + "/s" + gap + "left " + duration(left);
  return text + gap + "rates" + rates_text(layer_rates(report.stages, sums));
}

/// The fullest form that fits.
std::string live_text(const BatchReport& report, size_t width) {
  for (const Style style : {Style::with_bar, Style::plain}) {
    const std::string text = batch_text(report, style);
    if (text.size() <= width) return text;
  }
  return batch_text(report, Style::terse).substr(0, width);
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
  if (!terminal_) {
    std::cout << batch_text(report, Style::plain) << std::endl;
    return;
  }
  std::cout << "\r\033[K" << live_text(report, terminal_width() - 1) << std::flush;
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
