// Cases of spikes as bits: steps that end inside a word, images that begin inside a byte, counts.
#include <cstring>

#include "spiketrain/kernels/cases.h"
#include "spiketrain/kernels/spike_bits/spike_bits.h"

namespace spiketrain::cpu {
namespace {

/// Random planes of T steps of B images, every third site without spikes in any plane.
struct RandomBits {
  BitMaps maps;
  std::vector<uint64_t> words;

  RandomBits(const CaseSpec& spec, int64_t T, int64_t B, int64_t sites, int64_t planes) {
    maps.planes = planes;
    maps.image_bits = sites;
    maps.images_per_step = std::max<int64_t>(1, B);
    maps.step_bits = 64 * step_words(B * sites);
    maps.plane_bits = T * maps.step_bits;
    words.resize(static_cast<size_t>(planes * maps.plane_bits / 64 + 2));
    Rng rng(spec.seed, Purpose::test, 2);
    for (uint64_t& word : words) word = rng.next() & rng.next();
    maps.words = words.data();
  }
};

template <class R>
class Pack final : public KernelCase {
 public:
  explicit Pack(const CaseSpec& spec)
      : T_(spec.sizes[0]), n_(spec.sizes[1]), planes_(spec.variant == 0 ? 1 : 3) {
    Rng rng(spec.seed, Purpose::test, 3);
    s_.resize(static_cast<size_t>(T_ * n_));
    for (uint8_t& s : s_) s = static_cast<uint8_t>(rng.next() % (uint64_t{1} << planes_));
    const int64_t words = planes_ * T_ * step_words(n_);
    words_ = add<uint8_t>("words", 8 * words).template data<uint8_t>();
    total_ = add<uint8_t>("total", 8).template data<uint8_t>();
    items = static_cast<double>(T_ * n_);
    bytes = items + static_cast<double>(8 * words);
  }
  void call(KernelCase::Code code) override {
    std::vector<uint64_t> words(static_cast<size_t>(planes_ * T_ * step_words(n_)));
    const int64_t total = code == KernelCase::Code::fast
                              ? pack_bits(s_.data(), T_, n_, planes_, words.data())
                              : pack_bits_ref(s_.data(), T_, n_, planes_, words.data());
    if (!words.empty()) std::memcpy(words_, words.data(), words.size() * 8);
    std::memcpy(total_, &total, 8);
  }

 private:
  int64_t T_, n_, planes_;
  std::vector<uint8_t> s_;
  uint8_t *words_, *total_;
};

template <class R>
class Unpack final : public KernelCase {
 public:
  explicit Unpack(const CaseSpec& spec)
      : sites_(spec.sizes[2]),
        images_(spec.sizes[0] * spec.sizes[1]),
        bytes_(spec.variant == 2),
        bits_(spec, spec.sizes[0], spec.sizes[1], sites_, spec.variant == 0 ? 1 : 3) {
    first_ = images_ / 3;
    const int64_t n = (images_ - first_) * sites_;
    bytes_ ? add<uint8_t>("out", n) : add<R>("out", n);
    items = static_cast<double>(n);
    bytes = items * (bytes_ ? 1 : sizeof(R));
  }
  void call(KernelCase::Code code) override {
    auto& out = const_cast<Output&>(output("out"));
    const bool fast = code == KernelCase::Code::fast;
    const auto run = [&](auto scale) {
      auto* const to = out.template data<decltype(scale)>();
      fast ? unpack_bits(bits_.maps, sites_, first_, images_, scale, to)
           : unpack_bits_ref(bits_.maps, sites_, first_, images_, scale, to);
    };
    bytes_ ? run(uint8_t{1}) : run(R(0.25));
  }

 private:
  int64_t sites_, images_, first_;
  bool bytes_;
  RandomBits bits_;
};

template <class R>
class Pool final : public KernelCase {
 public:
  explicit Pool(const CaseSpec& spec)
      : shape_{spec.sizes[0], spec.sizes[2], spec.sizes[3], spec.sizes[4], spec.sizes[5]},
        x_(spec, shape_.T, spec.sizes[1], shape_.H * shape_.W * shape_.C, spec.variant == 0 ? 1 : 3) {
    const int64_t sites = shape_.H / shape_.k * (shape_.W / shape_.k) * shape_.C;
    int64_t greatest = ((int64_t{1} << x_.maps.planes) - 1) * shape_.k * shape_.k;
    y_.planes = 0;
    for (; greatest > 0; greatest /= 2) ++y_.planes;
    y_.image_bits = sites;
    y_.images_per_step = x_.maps.images_per_step;
    y_.step_bits = 64 * step_words(spec.sizes[1] * sites);
    y_.plane_bits = shape_.T * y_.step_bits;
    y_words_.resize(static_cast<size_t>(y_.planes * y_.plane_bits / 64 + 2), 77);
    out_ = add<uint8_t>("words", static_cast<int64_t>(8 * y_words_.size())).template data<uint8_t>();
    items = static_cast<double>(shape_.T * spec.sizes[1] * shape_.H * shape_.W * shape_.C);
    bytes = items / 8 + static_cast<double>(8 * y_words_.size());
  }
  void call(KernelCase::Code code) override {
    if (x_.maps.image_bits == 0 || x_.maps.step_bits == 0) y_.plane_bits = 0;
    code == KernelCase::Code::fast ? pool_bits(shape_, x_.maps, y_, y_words_.data())
                                   : pool_bits_ref(shape_, x_.maps, y_, y_words_.data());
    std::memcpy(out_, y_words_.data(), 8 * y_words_.size());
  }

 private:
  PoolBits shape_;
  RandomBits x_;
  BitMaps y_;
  std::vector<uint64_t> y_words_;
  uint8_t* out_;
};

template <template <class> class Case>
KernelCases kernel(const char* name, std::vector<KernelCases::Dim> dims, std::vector<std::string> variants,
                   const std::vector<KernelCases::Sizes>& sizes, KernelCases::Sizes wide,
                   const KernelCases::Sizes& timed) {
  KernelCases k;
  k.name = name;
  k.compared = "same bits";
  k.dims = std::move(dims);
  k.variants = std::move(variants);
  k.make = [](const CaseSpec& spec) { return make_case<Case>(spec); };
  k.cross(0, k.variants.size(), sizes);
  k.wide = std::move(wide);
  k.time(0, {timed});
  return k;
}

KernelCases declare_pack() {
  return kernel<Pack>("pack_bits", {{"T", 0, 5}, {"n", 0, 300}}, {"spikes", "counts"},
                      {{0, 5}, {1, 0}, {1, 1}, {2, 63}, {3, 64}, {1, 65}, {2, 128}, {3, 1000}}, {4, 100000},
                      {4, 64 * 128 * 32 * 32});
}
KernelCases declare_unpack() {
  return kernel<Unpack>("unpack_bits", {{"T", 0, 4}, {"B", 0, 5}, {"sites", 0, 200}},
                        {"spikes", "counts", "bytes"},
                        {{0, 1, 3}, {1, 1, 0}, {1, 1, 1}, {2, 3, 7}, {3, 2, 64}, {1, 5, 129}, {2, 2, 1003}},
                        {3, 4, 40000}, {4, 64, 128 * 32 * 32});
}
KernelCases declare_pool() {
  return kernel<Pool>("pool_bits",
                      {{"T", 1, 3}, {"B", 1, 3}, {"H", 1, 9}, {"W", 1, 9}, {"C", 1, 70}, {"k", 1, 4}},
                      {"spikes", "counts"},
                      {{1, 1, 2, 2, 1, 2},
                       {2, 3, 5, 4, 7, 2},
                       {1, 2, 4, 4, 64, 2},
                       {3, 1, 6, 7, 65, 3},
                       {1, 1, 1, 3, 5, 2},
                       {2, 2, 8, 8, 130, 4},
                       {1, 3, 3, 3, 56, 1},
                       {2, 19, 28, 28, 15, 2}},  // a step in pieces of 16 images
                      {2, 64, 28, 28, 15, 2}, {4, 64, 32, 32, 128, 2});
}

[[maybe_unused]] const bool pack_registered = register_cases(declare_pack);
[[maybe_unused]] const bool unpack_registered = register_cases(declare_unpack);
[[maybe_unused]] const bool pool_registered = register_cases(declare_pool);

}  // namespace
}  // namespace spiketrain::cpu
