#include "spiketrain/train/tensorboard.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "spiketrain/base/png.h"

namespace spiketrain {
namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string host() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 && name[0] != '\0' ? name : "localhost";
}

/// "0_12C5": the layers of a network may look alike.
std::string layer_tag(const std::string& kind, size_t index, const std::string& spec) {
  return str(kind, "/", index, "_", spec);
}

/// Whether an earlier part of the run has written here: what it says of epochs that come again must not count.
bool holds_events(const std::string& folder) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error))
    if (entry.path().filename().string().rfind("events.out.tfevents.", 0) == 0) return true;
  return false;
}

}  // namespace

Histogram histogram_of(const Tensor& x, int64_t buckets) {
  Histogram h;
  const Tensor all = x.detach().to(torch::kCPU, torch::kDouble).flatten(),
               finite = all.masked_select(all.isfinite());
  if (finite.numel() == 0) return h;
  h.least = finite.min().item<double>();
  h.most = finite.max().item<double>();
  h.sum = finite.sum().item<double>();
  h.sum_squares = finite.square().sum().item<double>();
  const double width = (h.most > h.least ? h.most - h.least : 1) / static_cast<double>(buckets);
  for (int64_t i = 0; i <= buckets; ++i) h.limits.push_back(h.least + width * static_cast<double>(i));
  h.counts.assign(static_cast<size_t>(buckets), 0);
  const auto* value = finite.data_ptr<double>();
  for (int64_t i = 0; i < finite.numel(); ++i) {
    const auto bucket = static_cast<int64_t>((value[i] - h.least) / width);
    ++h.counts[static_cast<size_t>(std::clamp<int64_t>(bucket, 0, buckets - 1))];
  }
  return h;
}

Picture kernels_picture(const Tensor& W_in) {
  constexpr int64_t kScale = 8, kAcross = 8;  // pixels of a weight; outputs in a row of the picture
  const Tensor W = W_in.detach().to(torch::kCPU, torch::kDouble).contiguous();
  const int64_t O = W.size(0), C = W.size(1), kh = W.size(2), kw = W.size(3);
  const int64_t across = std::min(O, kAcross), down = (O + across - 1) / across;
  Picture picture{across * (C * kw + 1) * kScale, down * (kh + 1) * kScale, {}};
  std::vector<uint8_t> pixels(static_cast<size_t>(picture.width * picture.height), 0);
  const double most = std::max(1e-30, W.abs().nan_to_num(0, 0, 0).max().item<double>());
  const auto* weight = W.data_ptr<double>();
  for (int64_t y = 0; y < picture.height; ++y) {
    for (int64_t x = 0; x < picture.width; ++x) {
      const int64_t row = y / kScale % (kh + 1), column = x / kScale % (C * kw + 1);
      const int64_t o = y / kScale / (kh + 1) * across + x / kScale / (C * kw + 1);
      if (row == kh || column == C * kw || o >= O) continue;
      const double w = weight[((o * C + column / kw) * kh + row) * kw + column % kw];
      const double grey = std::isfinite(w) ? 127.5 * (1 + std::clamp(w / most, -1.0, 1.0)) : 0;
      pixels[static_cast<size_t>(y * picture.width + x)] = static_cast<uint8_t>(std::lround(grey));
    }
  }
  picture.png = grey_png(picture.width, picture.height, pixels);
  return picture;
}

void TensorBoardObserver::on_begin(const BeginReport& report) {
  network_ = report.training.learner->parts().network;
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  if (error) throw SystemError(folder_, "make the folder", error.value());
  const bool again = holds_events(folder_);
  const double time = now();
  const std::string name =
      str("/events.out.tfevents.", static_cast<int64_t>(time), ".", host(), ".", getpid());
  for (int64_t n = 0; path_.empty() || file_exists(path_); ++n) path_ = str(folder_, name, ".", n);
  pending_ = event_record(version_event(time).text());
  if (again || report.progress.iteration > 0)
    pending_ += event_record(restart_event(time, report.progress.epoch + 1).text());
  append_durably(path_, pending_);
  pending_.clear();
}

void TensorBoardObserver::scalar(const std::string& tag, double value, int64_t epoch) {
  if (std::isfinite(value))
    pending_ += event_record(summary_event(now(), epoch, scalar_value(tag, value)).text());
}

void TensorBoardObserver::scalars(const EpochReport& report) {
  const auto scores = [&](const std::string& split, const Scores& of) {
    scalar("loss/" + split, of.loss, report.epoch);
    for (const auto& [label, value] : of.metrics) scalar(label + "/" + split, value, report.epoch);
  };
  scores("train", report.train);
  if (report.validation) scores("validation", *report.validation);
  scores("test", report.test);
  for (size_t k = 0; k < report.rates.size(); ++k)
    scalar(layer_tag("rate", k, report.rates[k].spec), report.rates[k].rate, report.epoch);
  for (size_t k = 0; k < report.cosines.size(); ++k)
    scalar(layer_tag("cosine", k, report.cosines[k].spec), report.cosines[k].cosine, report.epoch);
  for (size_t k = 0; k < report.head_losses.size(); ++k)
    scalar(str("head_loss/", k), report.head_losses[k], report.epoch);
  for (const auto& [name, value] : report.penalties) scalar("penalty/" + name, value, report.epoch);
  scalar("learning/lr", report.lr, report.epoch);
  scalar("learning/grad_norm", report.grad_norm, report.epoch);
  for (size_t k = 0; k < report.grad_norms.size(); ++k)
    scalar(layer_tag("grad_norm", k, report.grad_norms[k].spec), report.grad_norms[k].norm, report.epoch);
  scalar("learning/skipped", static_cast<double>(report.skipped), report.epoch);
  scalar("learning/clipped", static_cast<double>(report.clipped), report.epoch);
  scalar("learning/optimizer_steps", static_cast<double>(report.optimizer_steps), report.epoch);
  scalar("speed/seconds", report.seconds, report.epoch);
  scalar("speed/evaluation_seconds", report.evaluation_seconds, report.epoch);
  scalar("speed/samples_per_second", report.samples_per_second, report.epoch);
  scalar("speed/peak_memory_mib", report.peak_memory_mib, report.epoch);
}

void TensorBoardObserver::weights(int64_t epoch) {
  constexpr int64_t kColours = 3;
  const torch::NoGradGuard no_grad;
  for (const auto& item : network_->named_parameters()) {
    const Histogram h = histogram_of(item.value());
    if (!h.counts.empty())
      pending_ +=
          event_record(summary_event(now(), epoch, histogram_value("weight/" + item.key(), h)).text());
    if (item.value().dim() != 4 || item.value().size(1) > kColours) continue;
    const Picture p = kernels_picture(item.value());
    pending_ += event_record(
        summary_event(now(), epoch, image_value("kernels/" + item.key(), p.width, p.height, p.png)).text());
  }
}

void TensorBoardObserver::on_epoch(const EpochReport& report) {
  scalars(report);
  weights(report.epoch);
  append_durably(path_, pending_);
  pending_.clear();
}

}  // namespace spiketrain
