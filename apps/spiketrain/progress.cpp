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

/// "stage 2/4 " of a run in stages.
std::string stage_text(const StageOfRun& stage) {
  return stage.number > 0 ? str("stage ", stage.number, "/", stage.of, " ") : "";
}

enum class Style { with_bar, plain, terse };

/// What a metric is called where space is short; accuracy needs no name beside "test".
std::string short_name(const std::string& metric) { return metric == "accuracy" ? "acc" : metric; }
std::string prefix(const std::string& metric) { return metric == "accuracy" ? "" : metric + " "; }

/// The first metric over the epoch so far.
std::string metric_so_far(const BatchReport& report) {
  const std::string& metric = report.metrics.labels().front();
  const MetricValues values = report.metrics.values(report.progress.sums.metrics);
  const auto it = values.find(metric);
  return it == values.end() ? "" : short_name(metric) + " " + metric_text(metric, it->second);
}

std::string batch_text(const BatchReport& report, Style style) {
  const Progress& p = report.progress;
  const EpochSums& sums = p.sums;
  const auto samples = static_cast<double>(std::max<int64_t>(sums.samples, 1));
  const double left = sums.seconds / static_cast<double>(std::max<int64_t>(p.batch, 1)) *
                      static_cast<double>(report.batches - p.batch);
  const double done = static_cast<double>(p.batch) / static_cast<double>(report.batches);
  const bool terse = style == Style::terse;
  const std::string gap = terse ? " " : "  ";
  std::string text =
      stage_text(report.stage) + (terse ? "" : "epoch ") + str(p.epoch + 1, "/", report.epochs, " ");
  if (style == Style::with_bar) text += bar(done);
  text += str(p.batch, "/", report.batches);
  text += gap + "loss " + number(report.loss);
  if (const std::string metric = metric_so_far(report); !metric.empty()) text += gap + metric;
  text += gap + number(samples / std::max(sums.seconds, 1e-9)) + "/s" + gap + "left " + duration(left);
  return text + gap + "rates" + rates_text(layer_rates(report.network, sums.activity));
}

/// The fullest form that fits.
std::string live_text(const BatchReport& report, size_t width) {
  for (const Style style : {Style::with_bar, Style::plain}) {
    const std::string text = batch_text(report, style);
    if (text.size() <= width) return text;
  }
  return batch_text(report, Style::terse).substr(0, width);
}

/// Part of a line; where space is short, those of the greatest rank are left out first.
struct Piece {
  int rank;
  std::string text;
};

/// A metric on every split, and its best value.
void add_scores(const EpochReport& r, const std::string& metric, std::vector<Piece>& pieces) {
  const auto value = [&](double x) { return prefix(metric) + metric_text(metric, x); };
  const int rank = metric == r.labels.front() ? 0 : 3;
  if (metric != "loss") pieces.push_back({rank, "  train " + value(r.train.at(metric))});
  if (r.validation) pieces.push_back({rank, "  validation " + value(r.validation->at(metric))});
  pieces.push_back({rank, "  test " + value(r.test.at(metric))});
  if (const auto best = r.best.find(metric); best != r.best.end() && best->second.test_epoch > 0)
    pieces.push_back({5, str(" (best ", metric_text(metric, best->second.test), ", epoch ",
                             best->second.test_epoch, ")")});
}

std::vector<Piece> epoch_pieces(const EpochReport& r) {
  std::vector<Piece> pieces = {{0, stage_text(r.stage) + str("epoch ", r.epoch, "/", r.epochs)},
                               {0, "  loss " + number(r.train.loss)}};
  for (const std::string& metric : r.labels) add_scores(r, metric, pieces);
  pieces.push_back({6, "  grad " + number(r.grad_norm, 3)});
  pieces.push_back({2, "  rates" + rates_text(r.rates)});
  pieces.push_back({1, "  " + duration(r.seconds)});
  pieces.push_back({4, " + " + duration(r.evaluation_seconds)});
  pieces.push_back({7, "  " + number(r.samples_per_second) + "/s"});
  pieces.push_back({8, "  " + number(r.peak_memory_mib) + " MiB"});
  if (r.skipped > 0) pieces.push_back({0, "  skipped " + std::to_string(r.skipped)});
  return pieces;
}

/// The pieces of the least ranks that fit.
std::string fitted(const std::vector<Piece>& pieces, size_t width) {
  std::string text;
  for (int most = 8; most >= 0; --most) {
    text.clear();
    for (const Piece& piece : pieces)
      if (piece.rank <= most) text += piece.text;
    if (text.size() <= width) break;
  }
  return text;
}

}  // namespace

ConsoleObserver::ConsoleObserver(RunDir* log)
    : log_(log), terminal_(isatty(STDOUT_FILENO) != 0), shown_(Clock::now()) {}

ConsoleObserver::~ConsoleObserver() { erase(); }

void ConsoleObserver::erase() {
  if (live_) std::cout << "\r\033[K" << std::flush;
  live_ = false;
}

void ConsoleObserver::line(const std::string& text) { line(text, text); }

void ConsoleObserver::line(const std::string& shown, const std::string& logged) {
  erase();
  std::cout << shown << std::endl;
  if (log_) log_->log(logged);
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
  const std::vector<Piece> pieces = epoch_pieces(r);
  const size_t all = std::string::npos;
  line(fitted(pieces, terminal_ ? terminal_width() : all), fitted(pieces, all));
  shown_ = Clock::now();
}

void ConsoleObserver::on_message(const std::string& text, bool warning) {
  line((warning ? "warning: " : "") + text);
}

}  // namespace spiketrain::cli
