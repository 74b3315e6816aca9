#include "spiketrain/train/binary_choice.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace spiketrain {
namespace {

int64_t saved(const ChoiceItem& item) { return item.float_bits - item.quantized_bits; }

std::vector<size_t> by_cost(const std::vector<ChoiceItem>& items) {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const double x = items[a].cost, y = items[b].cost;
    return std::isnan(y) ? !std::isnan(x) : x < y;
  });
  return order;
}

}  // namespace

int64_t bits_of(const std::vector<ChoiceItem>& items, const std::vector<bool>& quantized) {
  int64_t sum = 0;
  for (size_t i = 0; i < items.size(); ++i)
    sum += quantized[i] ? items[i].quantized_bits : items[i].float_bits;
  return sum;
}

std::vector<bool> choose_quantized(const std::vector<ChoiceItem>& items, double budget, int64_t at_most) {
  std::vector<bool> chosen;
  for (const ChoiceItem& item : items) chosen.push_back(item.stays);
  int64_t bits = bits_of(items, chosen);
  const auto fits = [&](int64_t sum) { return static_cast<double>(sum) <= budget; };
  std::vector<size_t> taken;
  for (const size_t i : by_cost(items)) {
    if (fits(bits) || (at_most > 0 && static_cast<int64_t>(taken.size()) == at_most)) break;
    if (chosen[i] || saved(items[i]) <= 0) continue;
    chosen[i] = true;
    bits -= saved(items[i]);
    taken.push_back(i);
  }
  for (auto i = taken.rbegin(); i != taken.rend(); ++i) {
    if (!fits(bits + saved(items[*i])) || items[*i].cost <= 0) continue;
    chosen[*i] = false;
    bits += saved(items[*i]);
  }
  return chosen;
}

}  // namespace spiketrain
