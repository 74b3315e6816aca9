#include "spiketrain/base/text.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <iterator>

#include "spiketrain/base/check.h"
#include "spiketrain/base/synonyms.h"

namespace spiketrain {

std::string join(const std::vector<std::string>& parts, const std::string& separator) {
  std::string result;
  for (const std::string& part : parts) result += (result.empty() ? "" : separator) + part;
  return result;
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<size_t> row(candidate.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) row[j] = j;
    for (size_t i = 0; i < word.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i + 1;
      for (size_t j = 0; j < candidate.size(); ++j) {
        const size_t replaced = diagonal + (word[i] != candidate[j]);
        diagonal = row[j + 1];
        row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string bare_word(const std::string& word) {
  const size_t dot = word.rfind('.');
  std::string bare = word.substr(dot == std::string::npos ? 0 : dot + 1);
  bare = bare.substr(0, bare.find('('));
  for (char& c : bare) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return bare;
}

std::string spelled_like(const std::string& word, const std::vector<std::string>& candidates,
                         const std::string& otherwise) {
  const std::string guess = nearest(word, candidates);
  return guess.empty() ? otherwise : "; did you mean '" + guess + "'?";
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates,
                         const std::string& otherwise) {
  const std::string bare = bare_word(word);
  const auto known = [&](const std::string& w) {
    return std::find(candidates.begin(), candidates.end(), w) != candidates.end();
  };
  if (const std::string ours = our_word(word, candidates); !ours.empty() && !known(bare))
    return "; " + ours + ".";
  if (known(bare)) return "; did you mean '" + bare + "'?";
  return spelled_like(word, candidates, spelled_like(bare, candidates, otherwise));
}

int64_t bytes_of(const std::string& text, const std::string& what) {
  double number = 0;
  char unit[4] = {}, rest = 0;
  const int read = std::sscanf(text.c_str(), "%lf %3[KMGiB]%c", &number, unit, &rest);
  const std::string units[] = {"KiB", "MiB", "GiB"};
  const auto* const found = std::find(std::begin(units), std::end(units), unit);
  ST_CHECK(read == 2 && found != std::end(units) && number > 0 && number < 1e9, what,
           ": expected a number of KiB, MiB or GiB, such as 2GiB; got '", text, "'");
  return static_cast<int64_t>(std::ldexp(number, 10 * static_cast<int>(found - units + 1)));
}

}  // namespace spiketrain
