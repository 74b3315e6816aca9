#include "spiketrain/ops/spike_bits.h"

#include <functional>
#include <numeric>

#include "spiketrain/kernels/spike_bits/spike_bits.h"
#include "spiketrain/ops/pointer.h"

namespace spiketrain::ops {
namespace {

/// Words that readers may look at behind the last step.
constexpr int64_t kBeyond = 2;

uint64_t* words_of(const Tensor& words) { return reinterpret_cast<uint64_t*>(words.data_ptr<int64_t>()); }

int64_t words_of_step(const Bits& x) { return cpu::step_words(x.sizes[1] * x.sites()); }

/// Memory for `planes` of these steps; the words behind them are 0.
Tensor empty_words(int64_t planes, int64_t steps, int64_t each) {
  const int64_t n = planes * steps * each;
  Tensor words = torch::empty({n + kBeyond}, torch::kInt64);
  words.slice(0, n, n + kBeyond).zero_();
  return words;
}

int64_t planes_for(int64_t greatest) {
  int64_t planes = 1;
  while (greatest >> planes != 0) ++planes;
  return planes;
}

}  // namespace

int64_t Bits::sites() const {
  return std::accumulate(sizes.begin() + 2, sizes.end(), int64_t{1}, std::multiplies<int64_t>());
}

cpu::BitMaps Bits::maps() const {
  cpu::BitMaps maps;
  maps.planes = planes;
  maps.image_bits = sites();
  maps.images_per_step = std::max<int64_t>(1, sizes[1]);
  maps.step_bits = 64 * words_of_step(*this);
  maps.plane_bits = steps * maps.step_bits;
  maps.words = words_of(words) + first * maps.step_bits / 64;
  return maps;
}

Bits Bits::slice(int64_t begin, int64_t end) const {
  Bits part = *this;
  part.first += begin;
  part.sizes[0] = end - begin;
  return part;
}

Bits empty_bits(at::IntArrayRef sizes, int64_t planes) {
  Bits x;
  x.sizes = sizes.vec();
  x.planes = planes;
  x.steps = sizes[0];
  x.words = empty_words(planes, x.steps, words_of_step(x));
  return x;
}

uint64_t* SpikesOut::words() const {
  return bits.defined() ? words_of(bits.words) + bits.first * words_of_step(bits) : nullptr;
}

Bits pack(const Tensor& s_in, int64_t planes, int64_t* total) {
  ST_CHECK(
      s_in.is_cpu() && s_in.scalar_type() == torch::kUInt8 && s_in.dim() >= 2 && planes >= 1 && planes <= 8,
      "pack: expected numbers [T,B,*] of type uint8 on the CPU and 1 to 8 planes");
  const Tensor s = laid(s_in, s_in.dim() == 5);
  Bits x = empty_bits(s_in.sizes(), planes);
  const int64_t sum =
      cpu::pack_bits(s.data_ptr<uint8_t>(), x.steps, x.sizes[1] * x.sites(), planes, words_of(x.words));
  if (total) *total = sum;
  return x;
}

int64_t count(const Bits& x) {
  const cpu::BitMaps maps = x.maps();
  int64_t total = 0;
  for (int64_t p = 0; p < x.planes; ++p) {
    const uint64_t* word = maps.words + p * maps.plane_bits / 64;
    for (int64_t k = 0; k < x.sizes[0] * maps.step_bits / 64; ++k)
      total += static_cast<int64_t>(__builtin_popcountll(word[k])) << p;
  }
  return total;
}

Tensor unpack(const Bits& x, int64_t begin, int64_t end, torch::ScalarType type, double scale) {
  std::vector<int64_t> shape = {end - begin};
  shape.insert(shape.end(), x.sizes.begin() + 2, x.sizes.end());
  const bool maps = shape.size() == 4;
  Tensor out = laid_empty(shape, torch::TensorOptions(type), maps);
  const Tensor to = laid(out, maps);  // its own memory
  if (type == torch::kUInt8) {
    cpu::unpack_bits<uint8_t>(x.maps(), x.sites(), begin, end, 1, to.data_ptr<uint8_t>());
  } else {
    AT_DISPATCH_FLOATING_TYPES(type, "unpack", [&] {
      cpu::unpack_bits<scalar_t>(x.maps(), x.sites(), begin, end, static_cast<scalar_t>(scale),
                                 to.data_ptr<scalar_t>());
    });
  }
  return out;
}

Bits sum_pool(const Bits& x, int64_t k) {
  ST_CHECK(x.sizes.size() == 5 && k >= 1, "sum_pool: expected maps [T,B,C,H,W] and a window");
  const int64_t greatest = ((int64_t{1} << x.planes) - 1) * k * k;
  std::vector<int64_t> sizes = x.sizes;
  sizes[3] /= k;
  sizes[4] /= k;
  const int64_t planes = planes_for(greatest);
  ST_CHECK(planes <= 8, "sum_pool: sums of up to ", greatest, " do not fit into 8 bits");
  const Bits y = empty_bits(sizes, planes);
  cpu::pool_bits({y.steps, x.sizes[3], x.sizes[4], x.sizes[2], k}, x.maps(), y.maps(), words_of(y.words));
  return y;
}

}  // namespace spiketrain::ops
