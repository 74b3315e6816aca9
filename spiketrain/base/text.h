// Small helpers on text.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace spiketrain {

/// The candidate closest to `word` (edit distance), or "" if none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// "a, b, c"
std::string join(const std::vector<std::string>& parts, const std::string& separator = ", ");

/// `word` in lower case, without what is before its last dot and without parentheses: "surrogate.ATan()" -> "atan".
std::string bare_word(const std::string& word);

/// "; did you mean 'x'?" for the candidate nearest to `word`, or `otherwise` if none is near.
std::string spelled_like(const std::string& word, const std::vector<std::string>& candidates,
                         const std::string& otherwise = "");

/// For options and parts: what to say about a word that is none of `candidates`: "; beta is called leak here: neuron.leak = 0.9." if it is a
/// word of others (base/synonyms.h), "; did you mean 'x'?" for the nearest candidate, `otherwise` if none is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates,
                         const std::string& otherwise = "");

/// "2GiB", "1.5 MiB" or "800KiB" in bytes.  UsageError, which begins with `what`, for other text or no positive number.
int64_t bytes_of(const std::string& text, const std::string& what);

}  // namespace spiketrain
