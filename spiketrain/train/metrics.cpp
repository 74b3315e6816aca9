#include "spiketrain/train/metrics.h"

#include <algorithm>
#include <cmath>

#include "spiketrain/ops/one_thread.h"

namespace spiketrain {

double Scores::at(const std::string& label) const {
  if (label == "loss") return loss;
  const auto it = metrics.find(label);
  ST_CHECK(it != metrics.end(), "metric '", label, "' was not measured");
  return it->second;
}

std::string label(const Metric& metric) {
  const Config config = metric.config();
  const std::string name = config.at("name");
  const size_t last = name.rfind('_');
  if (last == std::string::npos) return name;
  const auto option = config.find(name.substr(last + 1));
  return option != config.end() && option->is_number_integer() ? name.substr(0, last) + option->dump() : name;
}

MetricSet::MetricSet(const std::vector<MetricP>& metrics, Target::Kind kind) {
  for (const MetricP& metric : metrics) {
    const std::string name = label(*metric);
    const std::vector<Target::Kind> kinds = metric->targets();
    ST_CHECK(std::find(kinds.begin(), kinds.end(), kind) != kinds.end(), "metric ", name,
             " cannot judge targets of kind ", to_string(kind));
    ST_CHECK(name != "loss" && std::find(labels_.begin(), labels_.end(), name) == labels_.end(), "metrics: '",
             name, "' is there twice");
    labels_.push_back(name);
    items_.push_back({metric, name, {}});
  }
  if (items_.empty()) labels_ = {"loss"};
}

void MetricSet::start(const MetricTotals& totals) {
  for (Item& item : items_) {
    const auto it = totals.find(item.label);
    item.sums =
        it == totals.end() || it->second.empty() ? Tensor() : torch::tensor(it->second, torch::kDouble);
  }
}

std::vector<Tensor> MetricSet::sums(const PassResult& result, const Target& target) const {
  const torch::NoGradGuard no_grad;
  const ops::OneThread one_thread;  // sums of errors: the same bits on any number of threads
  std::vector<Tensor> list;
  for (const Item& item : items_)
    list.push_back(item.metric->sums(result.prediction, target, result.valid).to(torch::kDouble));
  return list;
}

void MetricSet::add(const std::vector<Tensor>& sums) {
  for (size_t k = 0; k < items_.size(); ++k) {
    Tensor& all = items_[k].sums;
    all = all.defined() ? all.to(sums[k].device()) + sums[k] : sums[k];
  }
}

MetricTotals MetricSet::totals() const {
  MetricTotals totals;
  for (const Item& item : items_) {
    if (!item.sums.defined()) continue;
    const Tensor sums = item.sums.cpu().contiguous();
    totals[item.label].assign(sums.data_ptr<double>(), sums.data_ptr<double>() + sums.numel());
  }
  return totals;
}

MetricValues MetricSet::values(const MetricTotals& totals) const {
  MetricValues values;
  for (const Item& item : items_) {
    const auto it = totals.find(item.label);
    values[item.label] =
        it == totals.end() ? std::numeric_limits<double>::quiet_NaN() : item.metric->value(it->second);
  }
  return values;
}

bool MetricSet::better(const std::string& label, double a, double b) const {
  if (std::isnan(a) || std::isnan(b)) return !std::isnan(a);
  const auto it =
      std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.label == label; });
  const bool greater = it != items_.end() && it->metric->greater_is_better();
  return greater ? a > b : a < b;
}

}  // namespace spiketrain
