// Damages a good file on purpose, in a few thousand ways: a parser must return or throw DataError, nothing
// else.  Deterministic; the number of the failing case is printed.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>

#include "spiketrain/base/check.h"
#include "spiketrain/base/file.h"
#include "spiketrain/base/rng.h"

namespace spiketrain {

/// One random edit.  Half of them hit the first 128 bytes, where the headers are.
inline void mutate(Bytes& bytes, Rng& rng) {
  const size_t span = rng.below(2) ? bytes.size() : std::min<size_t>(bytes.size(), 128);
  const size_t at = span ? rng.below(span) : 0;
  const auto place = bytes.begin() + static_cast<int64_t>(at);
  switch (rng.below(7)) {
    case 0:
      if (span) *place ^= static_cast<uint8_t>(1u << rng.below(8));
      break;
    case 1:
      if (span) *place = static_cast<uint8_t>(rng.next());
      break;
    case 2:
      if (span) *place = std::array<uint8_t, 8>{0, 255, 127, 128, '-', '9', '"', '['}[rng.below(8)];
      break;
    case 3:
      bytes.resize(at);
      break;
    case 4:
      bytes.insert(place, 1 + rng.below(16), static_cast<uint8_t>(rng.next()));
      break;
    case 5:
      bytes.erase(place,
                  place + static_cast<int64_t>(std::min<size_t>(1 + rng.below(16), bytes.size() - at)));
      break;
    default: {  // copy a piece of the file to another place
      const size_t n = std::min<size_t>(1 + rng.below(64), bytes.size() - at);
      const Bytes piece(place, place + static_cast<int64_t>(n));
      bytes.insert(bytes.begin() + static_cast<int64_t>(rng.below(bytes.size() + 1)), piece.begin(),
                   piece.end());
    }
  }
}

/// `kind` seeds the edits; at least `least` of the 4000 damaged files must be refused.
inline void attack(const Bytes& good, uint64_t kind, const std::function<void(const Bytes&)>& parse,
                   int least = 1000) {
  ASSERT_NO_THROW(parse(good));
  int refused = 0;
  const uint64_t cases = 4000;
  for (uint64_t i = 0; i < cases; ++i) {
    Rng rng(kind, Purpose::test, 1, i);
    Bytes bytes = good;
    for (uint64_t edits = 1 + rng.below(4); edits > 0; --edits) mutate(bytes, rng);
    bytes.shrink_to_fit();  // so that a sanitizer sees a read past the end
    try {
      parse(bytes);
    } catch (const DataError&) {
      ++refused;
    } catch (const std::exception& error) {
      FAIL() << "case " << i << ": " << error.what();
    }
  }
  EXPECT_GT(refused, least) << "the edits do not reach the checks";
}

}  // namespace spiketrain
