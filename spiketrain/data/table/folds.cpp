#include "spiketrain/data/table/folds.h"

#include <algorithm>

#include "spiketrain/base/check.h"
#include "spiketrain/base/rng.h"

namespace spiketrain {

std::vector<std::vector<int64_t>> deal_folds(int64_t rows, const std::vector<int64_t>& labels, int64_t folds,
                                             uint64_t seed) {
  ST_CHECK(folds <= rows, "table.folds: expected at most ", rows, ", the rows of the table, got ", folds);
  const int64_t classes = labels.empty() ? 1 : 1 + *std::max_element(labels.begin(), labels.end());
  std::vector<std::vector<int64_t>> of_class(static_cast<size_t>(classes)), dealt(static_cast<size_t>(folds));
  for (int64_t i = 0; i < rows; ++i)
    of_class[labels.empty() ? 0 : static_cast<size_t>(labels[static_cast<size_t>(i)])].push_back(i);
  size_t turn = 0;
  for (size_t c = 0; c < of_class.size(); ++c) {
    const auto n = static_cast<int64_t>(of_class[c].size());
    for (const int64_t k : permutation(n, Rng(seed, Purpose::split, 1 + c)))
      dealt[turn++ % dealt.size()].push_back(of_class[c][static_cast<size_t>(k)]);
  }
  return dealt;
}

std::vector<int64_t> mixed(std::vector<int64_t> rows, const std::vector<int64_t>& labels) {
  if (labels.empty()) return rows;
  const int64_t classes = 1 + *std::max_element(labels.begin(), labels.end());
  std::vector<double> count(static_cast<size_t>(classes)), before(count.size());
  const auto label = [&](int64_t row) { return static_cast<size_t>(labels[static_cast<size_t>(row)]); };
  for (const int64_t row : rows) ++count[label(row)];
  std::vector<std::pair<double, int64_t>> place;
  for (const int64_t row : rows) place.emplace_back((before[label(row)]++ + 0.5) / count[label(row)], row);
  std::stable_sort(place.begin(), place.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t k = 0; k < rows.size(); ++k) rows[k] = place[k].second;
  return rows;
}

}  // namespace spiketrain
