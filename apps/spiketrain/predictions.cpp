#include "apps/spiketrain/predictions.h"

#include <cstdio>
#include <limits>
#include <numeric>

namespace spiketrain::cli {
namespace {

/// As short as gives the same float again.
std::string shortest(float value) {
  char text[32];
  for (int digits = 6; digits <= 9; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, static_cast<double>(value));
    if (std::strtof(text, nullptr) == value) break;
  }
  return text;
}

std::string header(const char* name, int64_t count) {
  std::string text;
  for (int64_t k = 0; k < count; ++k) text += str(",", name, k);
  return text;
}

/// Row b of [B,N] as ",1,0.5".
std::string values(const Tensor& x, int64_t b) {
  std::string text;
  for (int64_t k = 0; k < x.size(1); ++k) text += "," + shortest(x.data_ptr<float>()[b * x.size(1) + k]);
  return text;
}

Tensor rows(const Tensor& x) { return x.detach().cpu().to(torch::kFloat).flatten(1).contiguous(); }

}  // namespace

Predictions::Predictions(const SomeSamples& data) : data_(data) {
  const TargetSpec& target = data.target();
  ST_CHECK(target.kind == Target::Kind::class_index || target.kind == Target::Kind::values,
           "predictions: expected targets that are classes or values, the data have targets of kind ",
           to_string(target.kind));
  if (target.kind == Target::Kind::values) {
    csv_ = "sample" + header("target", target.numel()) + header("output", target.numel()) + "\n";
    return;
  }
  const auto n = static_cast<size_t>(target.classes);
  confusion_.assign(n, std::vector<int64_t>(n));
  csv_ = "sample,label,predicted" + header("output", target.classes) + "\n";
}

void Predictions::add(const Batch& batch, const PassResult& result) {
  const Tensor out = rows(result.prediction);
  const Tensor wanted = classes() ? batch.target.y.cpu().contiguous() : rows(batch.target.y);
  const Tensor taken = result.prediction.flatten(1).argmax(1).cpu().contiguous();
  for (int64_t b = 0; b < out.size(0); ++b) {
    csv_ += std::to_string(data_.index(next_++));
    if (classes()) {
      const auto label = wanted.data_ptr<int64_t>()[b], predicted = taken.data_ptr<int64_t>()[b];
      ++confusion_.at(static_cast<size_t>(label)).at(static_cast<size_t>(predicted));
      csv_ += str(",", label, ",", predicted);
    } else {
      csv_ += values(wanted, b);
    }
    csv_ += values(out, b) + "\n";
  }
}

double Predictions::accuracy(size_t label) const {
  const std::vector<int64_t>& row = confusion_.at(label);
  const int64_t all = std::accumulate(row.begin(), row.end(), int64_t{0});
  return all > 0 ? static_cast<double>(row[label]) / static_cast<double>(all)
                 : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace spiketrain::cli
