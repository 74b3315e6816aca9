#include "spiketrain/report/predictions.h"

#include <cstdio>
#include <limits>
#include <numeric>

#include "spiketrain/base/check.h"

namespace spiketrain {
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

/// Row b of [N,K] as ",1,0.5".
std::string values(const Tensor& x, int64_t b) {
  std::string text;
  for (int64_t k = 0; k < x.size(1); ++k) text += "," + shortest(x.data_ptr<float>()[b * x.size(1) + k]);
  return text;
}

/// A field of a CSV file, in quotes where it needs them.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

Tensor rows(const Tensor& x) { return x.detach().cpu().to(torch::kFloat).flatten(1).contiguous(); }

/// [N,*] of [B,*] each; none: [0,K], or [0] for K = 0.
Tensor joined(const std::vector<Tensor>& parts, int64_t K, torch::ScalarType type) {
  if (!parts.empty()) return torch::cat(parts);
  return torch::empty(K > 0 ? Shape{0, K} : Shape{0}, type);
}

}  // namespace

Predictions::Predictions(const SomeSamples& data) : data_(data), target_(data.target()) {
  ST_CHECK(classes() || target_.kind == Target::Kind::values,
           "predictions: expected targets that are classes or values, the data have targets of kind ",
           to_string(target_.kind));
  const auto n = static_cast<size_t>(target_.classes);
  confusion_.assign(n, std::vector<int64_t>(n));
}

void Predictions::add(const Batch& batch, const PassResult& result) {
  outputs_.push_back(rows(result.prediction));
  targets_.push_back(classes() ? batch.target.y.detach().cpu().contiguous().clone() : rows(batch.target.y));
  if (!classes()) return;
  const Tensor taken = outputs_.back().argmax(1).contiguous();
  for (int64_t b = 0; b < taken.size(0); ++b) {
    const auto label = targets_.back().data_ptr<int64_t>()[b], predicted = taken.data_ptr<int64_t>()[b];
    ++confusion_.at(static_cast<size_t>(label)).at(static_cast<size_t>(predicted));
  }
}

Tensor Predictions::samples() const {
  int64_t count = 0;
  for (const Tensor& part : outputs_) count += part.size(0);
  Tensor indices = torch::empty({count}, torch::kLong);
  for (int64_t i = 0; i < count; ++i) indices.data_ptr<int64_t>()[i] = data_.index(i);
  return indices;
}

Tensor Predictions::targets() const {
  return classes() ? joined(targets_, 0, torch::kLong) : joined(targets_, target_.numel(), torch::kFloat);
}

Tensor Predictions::outputs() const { return joined(outputs_, numel(target_.shape), torch::kFloat); }

Tensor Predictions::predicted() const {
  ST_CHECK(classes(), "predictions: the targets are values, not classes; take the outputs");
  return outputs().argmax(1);
}

double Predictions::accuracy(size_t label) const {
  const std::vector<int64_t>& row = confusion_.at(label);
  const int64_t all = std::accumulate(row.begin(), row.end(), int64_t{0});
  return all > 0 ? static_cast<double>(row[label]) / static_cast<double>(all)
                 : std::numeric_limits<double>::quiet_NaN();
}

std::string Predictions::csv() const {
  const bool named = !target_.class_names.empty();
  const Tensor y = targets(), out = outputs(), index = samples(), taken = classes() ? predicted() : Tensor();
  const auto name = [&](int64_t c) { return field(target_.class_names.at(static_cast<size_t>(c))); };
  std::string text = "sample" + (classes() ? ",label,predicted" : header("target", y.size(1)));
  if (named) text += ",label_name,predicted_name";
  text += header("output", out.size(1)) + "\n";
  for (int64_t i = 0; i < out.size(0); ++i) {
    text += std::to_string(index.data_ptr<int64_t>()[i]);
    if (classes()) {
      const int64_t label = y.data_ptr<int64_t>()[i], predicted = taken.data_ptr<int64_t>()[i];
      text += str(",", label, ",", predicted);
      if (named) text += str(",", name(label), ",", name(predicted));
    } else {
      text += values(y, i);
    }
    text += values(out, i) + "\n";
  }
  return text;
}

}  // namespace spiketrain
