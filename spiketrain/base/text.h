// Small helpers on text.
#pragma once
#include <string>
#include <vector>

namespace spiketrain {

/// The candidate closest to `word` (edit distance), or "" if none is near.
std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// "a, b, c"
std::string join(const std::vector<std::string>& parts, const std::string& separator = ", ");

/// "; did you mean 'x'?" for the candidate nearest to `word`, or `otherwise` if none is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates,
                         const std::string& otherwise = "");

}  // namespace spiketrain
