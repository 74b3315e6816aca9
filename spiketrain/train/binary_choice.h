// Which layers are quantized, so that a network's storage keeps to a budget and what that costs is small: greedy, one layer after the other.
// Tests: unit/binary_choice_test.cpp, golden/albsnn_test.cpp.
#pragma once
#include <cstdint>
#include <vector>

namespace spiketrain {

struct ChoiceItem {
  int64_t float_bits = 0, quantized_bits = 0;
  double cost = 0;     ///< of quantizing it, in any unit; the layers are taken in this order, NaN last
  bool stays = false;  ///< it is quantized in any case
};

/// [item] whether it is quantized.  In the order of cost, the earlier of equals first, layers are taken as long as the sum of bits is above
/// `budget`; such as would not save bits are left out.  What is then not needed for the budget and costs more than 0 is given back, the dearest first.
/// `at_most` > 0: takes no more than so many, and the budget may not be reached; 0: any number.
std::vector<bool> choose_quantized(const std::vector<ChoiceItem>& items, double budget, int64_t at_most = 0);

/// Sum of bits with that choice.
int64_t bits_of(const std::vector<ChoiceItem>& items, const std::vector<bool>& quantized);

}  // namespace spiketrain
