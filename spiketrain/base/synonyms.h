// What other libraries and papers call things, and what they are called here: for errors only.  A word of this table
// is never accepted as an option; who uses it is told ours.
// Tests: unit/synonyms_test.cpp (which also holds that every word of ours exists).
#pragma once
#include <string>
#include <vector>

namespace spiketrain {

struct Synonym {
  const char* word;  ///< theirs, in lower case
  const char* ours;  ///< an option, part, value or section
  const char* use;   ///< how it is written, e.g. neuron.leak = 0.9
};
/// A word may come several times, for different words of ours.
const std::vector<Synonym>& synonyms();

/// "beta is called leak here: neuron.leak = 0.9".  Of several meanings the one among `candidates` counts, or the first.
/// The word may have another case, a prefix (surrogate.ATan) and parentheses.  "" if it is unknown.
std::string our_word(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace spiketrain
