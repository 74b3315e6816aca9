// Philox4x32-10 and the draws made from it; see rng.h for the source.
#include "spiketrain/base/rng.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "spiketrain/base/check.h"

namespace spiketrain {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  constexpr uint64_t kMul0 = 0xD2511F53, kMul1 = 0xCD9E8D57;
  constexpr uint32_t kBump0 = 0x9E3779B9, kBump1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = kMul0 * c[0], p1 = kMul1 * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k[0] += kBump0;
    k[1] += kBump1;
  }
  return c;
}

Rng::Rng(uint64_t seed, Purpose purpose, uint64_t a, uint64_t b) : stream_(b) {
  // The counter has no room for all of (purpose, a, b, block), so purpose and a go into a derived key.
  const auto derived = philox4x32(
      {static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32), static_cast<uint32_t>(purpose), 0},
      {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  key_ = {derived[0], derived[1]};
}

void Rng::refill() {
  words_ = philox4x32({static_cast<uint32_t>(block_), static_cast<uint32_t>(block_ >> 32),
                       static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)},
                      key_);
  ++block_;
  used_ = 0;
}

void Rng::skip(uint64_t n) {
  const uint64_t at = block_ * 4 - static_cast<uint64_t>(4 - used_) + n;  // of the next word, from the start
  block_ = at / 4;
  used_ = 4;
  if (at % 4 != 0) {
    refill();
    used_ = static_cast<int>(at % 4);
  }
}

void Rng::fill(uint32_t* out, size_t n) {
  for (; n > 0 && used_ < 4; --n) *out++ = words_[static_cast<size_t>(used_++)];
  while (n > 0) {
    refill();
    const size_t taken = std::min<size_t>(n, 4);
    out = std::copy_n(words_.begin(), taken, out);
    used_ = static_cast<int>(taken);
    n -= taken;
  }
}

double Rng::normal() {
  constexpr double kTwoPi = 6.283185307179586;
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));  // 1 - uniform() is never 0
  return radius * std::cos(kTwoPi * uniform());
}

uint64_t Rng::below(uint64_t n) {
  ST_CHECK(n > 0, "Rng::below: expected n > 0, got 0");
  // Lemire 2019: the high word of r * n is uniform once the first (2^64 mod n) low words are rejected.
  const uint64_t reject = (0 - n) % n;
  while (true) {
    const auto product = static_cast<unsigned __int128>(next64()) * n;
    if (static_cast<uint64_t>(product) >= reject) return static_cast<uint64_t>(product >> 64);
  }
}

std::vector<int64_t> permutation(int64_t n, Rng rng) {
  ST_CHECK(n >= 0, "permutation: expected n >= 0, got ", n);
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[rng.below(static_cast<uint64_t>(i) + 1)]);
  return order;
}

}  // namespace spiketrain
